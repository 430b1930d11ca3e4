#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Filesystems that cannot write untorn, and one that claims it can.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

everywhere=(a_plain_write_must_be_asked_for_and_is_counted
	a_plain_write_of_an_unaligned_buffer_bounces
	misuse_is_refused_on_an_incapable_file_too)
kernel_begin mkfs.xfs mkfs.ext4
kernel_mount ext4 ext4 -b 4096 || exit 1
kernel_run refuse "$kernel_scratch/ext4" ext4_without_hardware_is_refused "${everywhere[@]}" \
	ext4_seeks_up_to_the_largest_size_of_a_file \
	a_write_across_the_largest_size_of_a_file_writes_nothing \
	what_is_no_file_gets_a_clear_error

mkdir "$kernel_scratch/tmpfs"
mount -t tmpfs none "$kernel_scratch/tmpfs" || exit 1
kernel_run refuse "$kernel_scratch/tmpfs" tmpfs_is_refused "${everywhere[@]}"

if kernel_has btrfs; then
	kernel_mount btrfs btrfs || exit 1
	kernel_run refuse "$kernel_scratch/btrfs" btrfs_is_refused "${everywhere[@]}"
fi

kernel_mount xfs bare -m reflink=0 || exit 1
kernel_run refuse "$kernel_scratch/bare" xfs_without_reflink_is_refused "${everywhere[@]}" \
	a_plain_write_that_a_direct_descriptor_refuses_leaves_the_old_page

# statx of a file on overlay passes the claim of the XFS file below through.
if grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null; then
	kernel_mount xfs layers -m reflink=1 || exit 1
	mkdir "$kernel_scratch"/layers/{lower,upper,work} "$kernel_scratch/overlay"
	mount -t overlay overlay -o "lowerdir=$kernel_scratch/layers/lower,upperdir=$kernel_scratch/layers/upper,workdir=$kernel_scratch/layers/work" \
		"$kernel_scratch/overlay" || exit 1
	kernel_run refuse "$kernel_scratch/overlay" overlay_is_refused_although_statx_says_yes "${everywhere[@]}"
else
	echo "ok - overlay # SKIP this kernel has no overlay"
fi

# A raw device.
truncate -s 1M "$kernel_scratch/device.img"
device=$(losetup --find --show "$kernel_scratch/device.img") || exit 1
ln -s "$device" "$kernel_scratch/device"
kernel_run refuse "$kernel_scratch" a_raw_device_without_hardware_is_refused
kernel_finish
