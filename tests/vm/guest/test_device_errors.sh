# SPDX-License-Identifier: MIT
# Goal: what the caller sees when the device fails an untorn write, and what is on disk then.
# Method: scsi_debug's error injection (since 6.6) for WRITE ATOMIC, and a dm-error target.

# The next COUNT commands of OPCODE end with a medium error.
scsi_fail() { # OPCODE COUNT
	local directory
	mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
	directory=$(echo /sys/kernel/debug/scsi_debug/[0-9]*)
	[ -e "$directory/error" ] || fail "no error injection in $directory"
	# type 2: fail with sense; host ok, CHECK CONDITION, MEDIUM ERROR, write error
	echo "2 -$2 $1 0 0 0x2 0x3 0xc 0x0" >"$directory/error" || fail "cannot inject"
}

media_error() { # FILE [uring]
	raw_fact "medium error $*" write "$1" 65536 16384 ${2:-}
	# EIO or ENODATA (BLK_STS_MEDIUM), by kernel
	expect result '-E*' "$line"
	seen=$(value result "$line")
	expect kept 32 "$line"
	raw_fact "again $*" write "$1" 65536 16384 ${2:-}
	expect result 16384 "$line"
}
test_scsi_medium_error() {
	needs_kernel 6.11
	scsi_disk
	scsi_fail 0x9c 1
	media_error "$disk"
}
test_scsi_medium_error_by_uring() {
	needs_kernel 6.11
	scsi_disk
	scsi_fail 0x9c 1
	media_error "$disk" uring
}
test_xfs_medium_error() {
	needs_kernel 6.16
	scsi_disk
	filesystem xfs "$disk" "-m reflink=1 -d extszinherit=16" ""
	must raw fill "$mount/file" 1048576
	sync
	scsi_fail 0x9c 1
	media_error "$mount/file"
}
test_ext4_medium_error() {
	needs_kernel 6.16
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	must raw fill "$mount/file" 1048576
	sync
	scsi_fail 0x9c 1
	media_error "$mount/file"
}

# The error target drops the capability: a table with one in it claims nothing at all.
test_dm_error_in_the_table_drops_the_claim() {
	needs_kernel 6.14
	scsi_disk
	mapped holed "0 128 linear $disk 0
128 128 error
256 4096 linear $disk 256"
	raw_fact "statx" statx "$disk"
	raw_fact "write outside" write "$disk" 0 16384
	raw_fact "write inside" write "$disk" 65536 16384
}
