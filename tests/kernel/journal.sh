#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The journal on filesystems with and without untorn writes: accepted and refused files.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

full=a_full_disk_leaves_the_file_empty
mapfile -t others < <(sed -nE 's/.*TEST\((\w+)\).*/\1/p' "$(dirname "$0")/journal_refuse.c" | grep -v "$full")

# all_on NAME: every test, with the disk all but full for the one that needs that
all_on() {
	echo "# on $1"
	kernel_run journal "$kernel_scratch/$1"
	kernel_run journal_threads "$kernel_scratch/$1" overlapping_writes_reach_home_in_the_order_of_their_frames
	kernel_run journal_threads "$kernel_scratch/$1" groups_that_go_home_together_keep_their_order
	# Without a disk no frame takes long enough for another writer to come.
	[ "$1" = tmpfs ] || kernel_run journal_threads "$kernel_scratch/$1" threads_that_write_at_once_share_frames
	kernel_run journal_seen "$kernel_scratch/$1"
	kernel_run journal_create "$kernel_scratch/$1"
	kernel_run journal_refuse "$kernel_scratch/$1" "${others[@]}"
	local free
	free=$(($(stat -f -c "%a * %S" "$kernel_scratch/$1")))
	fallocate -l $((free - 24 * 1024 * 1024)) "$kernel_scratch/$1/filler" || exit 1
	kernel_run journal_refuse "$kernel_scratch/$1" "$full"
	rm "$kernel_scratch/$1/filler"
}

kernel_begin mkfs.xfs mkfs.ext4
kernel_mount xfs xfs -m reflink=1 || exit 1
all_on xfs
# With everything reserved for root given away, "available" is all there is.
kernel_mount ext4 ext4 -m 0 || exit 1
all_on ext4
mkdir "$kernel_scratch/tmpfs"
mount -t tmpfs -o size=64M none "$kernel_scratch/tmpfs" || exit 1
all_on tmpfs
if grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null; then
	mkdir "$kernel_scratch"/ext4/{lower,upper,work} "$kernel_scratch/overlay"
	mount -t overlay overlay -o "lowerdir=$kernel_scratch/ext4/lower,upperdir=$kernel_scratch/ext4/upper,workdir=$kernel_scratch/ext4/work" \
		"$kernel_scratch/overlay" || exit 1
	all_on overlay
else
	echo "ok - journal on overlay # SKIP this kernel has no overlay"
fi
# Here free space cannot be filled up to a given rest.
if kernel_has btrfs; then
	kernel_mount btrfs btrfs || exit 1
	echo "# on btrfs"
	kernel_run journal "$kernel_scratch/btrfs"
	kernel_run journal_threads "$kernel_scratch/btrfs"
	kernel_run journal_seen "$kernel_scratch/btrfs"
	kernel_run journal_create "$kernel_scratch/btrfs"
	kernel_run journal_refuse "$kernel_scratch/btrfs" "${others[@]}"
fi
kernel_finish
