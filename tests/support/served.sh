# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # kernel_begin sets kernel_scratch
#
# ext4 in $at, on the loop device $device over a disk that `atomicio crash` serves.
#
# Flow: sourced by tests/kernel/killed.sh and failed_sync.sh, after tests/kernel/lib.sh.

# shellcheck source=tests/support/serve.sh
. "$KERNEL_HERE/../support/serve.sh"

at=
device=
served_end() {
	umount "$at" 2>/dev/null || umount -l "$at" 2>/dev/null
	[ -z "$device" ] || losetup -d "$device"
	serve_end
	kernel_end
}

# served_begin: after kernel_begin; skips where no such disk can be had
served_begin() {
	local tool=${KERNEL_BIN%/tests/kernel}/tools/atomicio disk=$kernel_scratch/disk
	[ -x "${tool%/*}/crash/atomicio-crash" ] || kernel_skip "atomicio crash is not built (libfuse3-dev)"
	at=$kernel_scratch/at
	trap served_end EXIT
	trap 'exit 1' INT TERM HUP
	mkdir "$disk" "$at" || exit 1
	serve_begin "$tool" "$kernel_scratch" "$disk" image "$disk" --size 128M ||
		kernel_skip "no FUSE disk can be served here"
	device=$(losetup --find --show --direct-io=on "$disk/image") || kernel_skip "no loop device can be had"
	mkfs.ext4 -q -E nodiscard,lazy_itable_init=0 "$device" >/dev/null 2>&1 &&
		mount "$device" "$at" || exit 1
}
