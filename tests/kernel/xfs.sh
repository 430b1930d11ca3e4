#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Untorn writes on XFS with reflink, for real: shapes, silent failures, options.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_mount_large() {
	local image=$kernel_scratch/large.img
	mkdir "$kernel_scratch/large"
	truncate -s 512M "$image"
	mkfs.xfs -q -m reflink=1 -b size=16384 "$image" &&
		mount -t xfs -o loop "$image" "$kernel_scratch/large" 2>/dev/null && return
	echo "ok - large_blocks # SKIP this kernel mounts no XFS with blocks larger than a page"
	return 1
}

kernel_begin mkfs.xfs
kernel_mount xfs xfs -m reflink=1 || exit 1
kernel_run bounds "$kernel_scratch/xfs"
kernel_run silent "$kernel_scratch/xfs"
kernel_run options "$kernel_scratch/xfs"
kernel_run mapped "$kernel_scratch/xfs"
# Another block size moves unit_min, and so the lower bound.
kernel_mount xfs small -m reflink=1 -b size=1024 || exit 1
echo "# blocks of 1024 bytes"
kernel_run bounds "$kernel_scratch/small"
kernel_run mapped "$kernel_scratch/small"
# With a limit of one block the kernel says the same with hardware and without: only the
# queue limits can tell (fs/xfs/xfs_iops.c:xfs_get_atomic_write_max_opt, 6.16 to 7.3).
echo "# max_atomic_write=4k"
umount "$kernel_scratch/xfs"
mount -t xfs -o loop,max_atomic_write=4k "$kernel_scratch/xfs.img" "$kernel_scratch/xfs" || exit 1
kernel_run bounds "$kernel_scratch/xfs" xfs_without_hardware_is_told_apart_from_hardware
# Since 6.12 a block may be larger than a page: then no buffer ends with a block for certain.
echo "# blocks of 16384 bytes"
if kernel_mount_large; then
	kernel_run mapped "$kernel_scratch/large"
fi
kernel_finish
