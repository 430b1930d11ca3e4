# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: journal minds what lies below: a disk in use, memory that ends with the machine, large blocks,
# and blocks that cannot be read.
# Method and helpers: run.sh and journal.sh, which are sourced before.

journal_create_overwrites_nothing_in_use() {
	local image=$dir/image node=
	mkdir -p "$dir/mnt"
	truncate -s 64M "$image"
	mkfs.ext4 -q "$image"
	node=$(losetup --find --show "$image") || { note 'no loop device'; return; }
	mount "$node" "$dir/mnt" || { note 'no mount'; losetup -d "$node"; return; }
	echo precious >"$dir/mnt/file"
	expect 4 "$tool" journal create --overwrite "$node" --size 1M
	one_sentence
	says 'in use \(mounted'
	expect 4 "$tool" journal create --overwrite "$image" --size 1M # behind the loop's back
	one_sentence
	[ "$(cat "$dir/mnt/file")" = precious ] || note 'the file is gone'
	umount "$dir/mnt"
	! file -s "$node" 2>/dev/null | grep -q data$ || note 'the filesystem is gone'
	fsck.ext4 -fn "$node" >/dev/null 2>&1 || note 'the filesystem is damaged'
	# What nothing uses may be overwritten, also through a second node of the device.
	mknod "$dir/alias" b "0x$(stat -c %t "$node")" "0x$(stat -c %T "$node")"
	expect 0 "$tool" journal create --overwrite "$dir/alias" --size 1M
	losetup -d "$node"
	rm -f "$image" "$dir/alias"
}
journal_that_does_not_outlive_the_machine_is_called_so() {
	local mount=$work/volatile
	expect 0 "$tool" journal create "$shm/journal" --size 256k
	expect 0 "$tool" journal check "$shm/journal"
	prints '^  volatile: nothing here survives'
	expect 0 "$tool" journal check --json "$shm/journal"
	json '.notes | index("volatile")'
	expect 1 "$tool" doctor "$shm"
	prints "^Beware: $shm is on a filesystem in memory"
	rm -f "$shm/journal"
	made
	expect 0 "$tool" journal check --json "$journal"
	json '.notes | index("volatile") | not'
	mkdir -p "$mount" "$xfs/up" "$xfs/work" "$xfs/low"
	mount -t overlay overlay -o "lowerdir=$xfs/low,upperdir=$xfs/up,workdir=$xfs/work,volatile" "$mount" ||
		{ note 'no overlay'; return; }
	expect 0 "$tool" journal create "$mount/journal" --size 256k
	expect 0 "$tool" journal check "$mount/journal"
	prints '^  volatile: nothing here survives'
	expect 1 "$tool" doctor "$mount"
	prints 'is on an overlay that is mounted volatile'
	umount "$mount"
	rm -rf "$xfs/work"
	mkdir "$xfs/work"
	mount -t overlay overlay -o "lowerdir=$xfs/low,upperdir=$xfs/up,workdir=$xfs/work" "$mount" || return
	expect 0 "$tool" journal check --json "$mount/journal"
	json '.notes | index("volatile") | not'
	umount "$mount"
	rm -rf "$xfs/up" "$xfs/work" "$xfs/low"
}
journal_on_larger_blocks_is_read_all_the_same() { # they refuse direct reads of 4 KiB
	left
	"$tool" journal dump "$journal" >"$work/dump"
	expect 0 strace -o "$work/trace" -P "$journal" -e trace=pread64 -e inject=pread64:error=EINVAL:when=1 \
		"$tool" journal dump "$journal"
	same "$out" "$work/dump"
	# Where the page cache does not serve either, it is no endless loop.
	expect 2 strace -o "$work/trace" -P "$journal" -e trace=pread64 -e inject=pread64:error=EINVAL:when=1+ \
		"$tool" journal dump "$journal"
	one_sentence
}
journal_with_unreadable_blocks_says_what_may_be_lost() {
	left
	# The second block of the ring: between tail and the frames, so that one may be lost.
	expect 3 strace -o "$work/trace" -P "$journal" -e trace=pread64 -e inject=pread64:error=EIO:when=3+ \
		"$tool" journal dump "$journal"
	one_sentence
	says 'cannot read the journal at 16384, where an acknowledged frame may be.*--unreadable'
	prints 'bytes at 16384 cannot be read'
	# One header that cannot be read is harmless.
	expect 0 strace -o "$work/trace" -P "$journal" -e trace=pread64 -e inject=pread64:error=EIO:when=1 \
		"$tool" journal dump --json "$journal"
	json '.headers[0].condition == "unreadable" and .state == "unclean" and (.headers_equal | not)'
	expect 0 "$tool" journal dump "$journal"
}
try journal_create_overwrites_nothing_in_use loop
try journal_that_does_not_outlive_the_machine_is_called_so xfs tmpfs
try journal_on_larger_blocks_is_read_all_the_same leave strace
try journal_with_unreadable_blocks_says_what_may_be_lost leave strace
