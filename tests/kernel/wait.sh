#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Calls that wait although they were asked not to: a frozen filesystem, a lease.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs fsfreeze timeout
[ -x "$KERNEL_BIN/wait" ] || kernel_skip "this build has no io_uring"
kernel_mount xfs xfs -m reflink=1 || exit 1
# A filesystem that stayed frozen could not be unmounted.
trap 'fsfreeze -u "$kernel_scratch/xfs" 2>/dev/null; kernel_end' EXIT
timeout -k 5 60 "$KERNEL_BIN/wait" "$kernel_scratch/xfs" || kernel_failures=$((kernel_failures + 1))
kernel_finish
