#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As nobody: the probe answers, and nobody's own file is written untorn.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs setpriv
kernel_mount xfs xfs -m reflink=1 || exit 1
install -d -o 65534 -g 65534 "$kernel_scratch/xfs/own"
# nobody may not reach the build tree.
install -m 755 "$KERNEL_BIN/unprivileged" "$kernel_scratch/program"
export GCOV_PREFIX=$kernel_scratch/xfs/own
cd / || exit 1
setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set=-all \
	"$kernel_scratch/program" "$kernel_scratch/xfs/own" ||
	kernel_failures=$((kernel_failures + 1))
kernel_finish
