# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: the exit status of doctor is its verdict.
# Method and helpers: run.sh, which sources this file.

doctor_says_no_on_tmpfs_and_why() {
	truncate -s 64k "$shm/f"
	expect 1 "$tool" doctor "$shm/f"
	prints "^$shm/f: no untorn writes"
	prints '^Why not:$'
	prints '^  fs-unsupported: '
	prints '^    to change it: '
	[ ! -s "$err" ] || note "stderr: $(cat "$err")"
	expect 1 "$tool" doctor "$shm"
}
doctor_says_yes_on_xfs_with_reflink() {
	expect 0 "$tool" doctor "$xfs"
	prints "^$xfs: untorn writes of 4k to [0-9]+[kM] in a new file in it, made by the filesystem"
	prints '^What limits it:$'
	prints '^  xfs-software: '
}
doctor_error_is_neither_yes_nor_no() {
	expect 2 "$tool" doctor "$dir/absent"
	one_sentence
	[ ! -s "$out" ] || note "a verdict was printed: $(cat "$out")"
}
doctor_tells_a_second_signature_from_a_missing_right() {
	local image=$work/two.img node
	truncate -s 400M "$image"
	mkfs.xfs -q "$image"
	printf '_BHRfS_M' | dd of="$image" bs=1 seek=65600 conv=notrunc status=none # btrfs
	node=$(losetup --find --show "$image") || { note 'no loop device'; return; }
	expect 1 "$tool" doctor "$node"
	losetup -d "$node"
	rm -f "$image"
	prints 'contents-ambiguous: .*signatures of several filesystems'
	prints 'to change it: list the signatures with wipefs --no-act'
	! grep -q 'contents-unknown' "$out" || note 'it speaks of a user that may read the device'
}
try doctor_says_no_on_tmpfs_and_why tmpfs
try doctor_says_yes_on_xfs_with_reflink xfs
try doctor_error_is_neither_yes_nor_no
try doctor_tells_a_second_signature_from_a_missing_right xfs
