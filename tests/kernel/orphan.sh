#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writes of a killed process that are still under way, on a slow disk under XFS.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

tool=$KERNEL_BIN/../../tools/atomicio
kernel_begin mkfifo mkfs.xfs
[ -w /dev/fuse ] || kernel_skip "there is no /dev/fuse"
[ -x "$(dirname "$tool")/crash/atomicio-crash" ] ||
	kernel_skip "libfuse3 was not there when this was built"

mkdir "$kernel_scratch"/{disk,xfs} && mkfifo "$kernel_scratch"/{to,from} || exit 1
timeout -k 5 90 "$tool" crash serve image "$kernel_scratch/disk" --size 320M \
	<"$kernel_scratch/to" >"$kernel_scratch/from" &
pid=$!
exec 7>"$kernel_scratch/to" 8<"$kernel_scratch/from"
if read -r -t 10 -u 8 answer && [ "$answer" = ready ] &&
	device=$(losetup --find --show --direct-io=on "$kernel_scratch/disk/image"); then
	mkfs.xfs -q -f -K -m reflink=1 "$device" && mount -t xfs "$device" "$kernel_scratch/xfs" || exit 1
	losetup -d "$device" # it goes with the filesystem
	DISK_TO=7 DISK_FROM=8 kernel_run orphan "$kernel_scratch/xfs"
	umount "$kernel_scratch/xfs"
	for _ in $(seq 100); do
		[ -e "/sys/block/${device#/dev/}/loop/backing_file" ] || break
		sleep 0.05
	done
else
	kernel_report 1 the_slow_disk_is_served
fi
exec 7>&- 8<&-
wait "$pid"
kernel_finish
