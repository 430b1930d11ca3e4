#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A page is lost in write-back, by a thin device that has no room for it: who is told, and when?
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs mkfs.ext4 fallocate
[ -b "$(losetup -f 2>/dev/null)" ] || kernel_skip "no loop device can be had"

# thin TYPE MEGABYTES MKFS_OPTION...: a tmpfs with an image that has all its blocks, and little
# room besides; the program names the block that is taken away.
thin() {
	local type=$1 size=$2 thin=$kernel_scratch/thin-$1
	shift 2
	echo "# on $type"
	mkdir "$thin" "$kernel_scratch/$type" &&
		mount -t tmpfs -o size=$((size + 32))M atomicio-thin "$thin" &&
		truncate -s "${size}M" "$thin/image" && "mkfs.$type" -q "$@" "$thin/image" &&
		fallocate -l "${size}M" "$thin/image" &&
		mount -t "$type" -o loop,nodiscard "$thin/image" "$kernel_scratch/$type" || exit 1
	kernel_run loss "$kernel_scratch/$type" "$thin/image" "$thin/ballast"
}

thin xfs 320 -m reflink=1
thin ext4 64 -b 4096 -O ^has_journal -E nodiscard
kernel_finish
