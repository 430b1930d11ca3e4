#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A page is dirtied through a mapping while it is written directly: who is told what?
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs mkfs.ext4
for type in xfs ext4; do
	echo "# on $type"
	kernel_mount $type $type || exit 1
	kernel_run dirtied "$kernel_scratch/$type"
done
kernel_finish
