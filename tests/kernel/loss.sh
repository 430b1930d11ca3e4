#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A page is lost in write-back, by a thin device that has no room for it: who is told, and when?
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs mkfs.ext4 fallocate
thin=$kernel_scratch/thin
mkdir "$thin" || exit 1

# A tmpfs with an image that has all its blocks; the program names the one that is taken away.
thin_begin() { # TYPE MKFS_OPTION...
	local type=$1
	shift
	mount -t tmpfs -o size=400M atomicio-thin "$thin" || exit 1
	truncate -s 320M "$thin/image" && "mkfs.$type" -q "$@" "$thin/image" &&
		fallocate -l 320M "$thin/image" || exit 1
	mkdir -p "$kernel_scratch/$type"
	mount -t "$type" -o loop,nodiscard "$thin/image" "$kernel_scratch/$type" || exit 1
}

# The loop device lets go of the image some time after the unmount.
thin_end() { # TYPE
	local try
	umount "$kernel_scratch/$1" || return 1
	for ((try = 0; try < 100; try++)); do
		umount "$thin" 2>/dev/null && return
		sleep 0.1
	done
	return 1
}

for type in xfs ext4; do
	echo "# on $type"
	if [ $type = xfs ]; then
		thin_begin xfs -m reflink=1
	else
		thin_begin ext4 -b 4096 -O ^has_journal -E nodiscard
	fi
	kernel_run loss "$kernel_scratch/$type" "$thin/image" "$thin/ballast"
	thin_end $type || kernel_report 1 "teardown"
done
kernel_finish
