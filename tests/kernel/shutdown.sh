#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# XFS is shut down in mid-write and mounted again: pages are whole, durable ones are there.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs
kernel_mount xfs xfs -m reflink=1 || exit 1
for round in 1 2 3; do
	echo "# round $round"
	kernel_run shutdown "$kernel_scratch/xfs" write "$kernel_scratch/notes"
	umount "$kernel_scratch/xfs" || exit 1
	mount -t xfs -o loop "$kernel_scratch/xfs.img" "$kernel_scratch/xfs" || exit 1
	kernel_run shutdown "$kernel_scratch/xfs" verify "$kernel_scratch/notes"
done
kernel_finish
