# SPDX-License-Identifier: MIT
# Goal: the caller's errors when the device fails an untorn write, and the bytes on the disk.
# Method: scsi_debug's error injection (debugfs, since 6.6) for WRITE ATOMIC, and a mapping that is
# replaced by one with an error target while the filesystem above it is mounted.

# scsi_fail COUNT SENSE-KEY ASC: the next COUNT WRITE ATOMIC commands end with this sense.
scsi_fail() {
	local rule
	mountpoint -q /sys/kernel/debug || must mount -t debugfs debugfs /sys/kernel/debug
	rule=$(echo /sys/kernel/debug/scsi_debug/*:*/error)
	[ -e "$rule" ] || fail "no error injection at $rule"
	# type 2 is "with sense"; host byte, driver byte, CHECK CONDITION, key, asc, ascq
	echo "2 -$1 0x9c 0 0 0x2 $2 $3 0x0" >"$rule" || fail "cannot inject"
}

# once FILE ERRNO COUNT KEY ASC [uring]: it fails with ERRNO, keeps the old bytes, and then works.
once() {
	scsi_fail "$3" "$4" "$5"
	raw_fact "$4 $5 ${6:-}" write "$1" 65536 16384 ${6:-}
	expect result "$2" "$line"
	expect kept 32 "$line"
	line=$(raw write "$1" 65536 16384 ${6:-})
	expect result 16384 "$line"
}
# Unrecovered error (asc 0x11) is final at once; write error (0x0c) is tried six times by sd.
every_error() {
	local way
	for way in "" uring; do
		once "$1" -ENODATA 1 0x3 0x11 $way
		once "$1" -EIO 6 0x3 0x0c $way
		once "$1" -EREMOTEIO 1 0x4 0x00 $way
	done
}
# A44, A45
test_scsi_device_errors() {
	needs_kernel 6.11
	scsi_disk
	every_error "$disk"
}
# A45
test_scsi_errors_that_the_driver_retries_are_not_seen() {
	needs_kernel 6.11
	scsi_disk
	scsi_fail 3 0x3 0x0c
	raw_fact "three errors" write "$disk" 65536 16384
	expect result 16384 "$line"
}
# A44
test_xfs_device_errors() {
	needs_kernel 6.16
	xfs_aligned
	every_error "$file"
}
# A44
test_ext4_device_errors() {
	needs_kernel 6.16
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	must raw fill "$mount/file" 1048576
	sync
	every_error "$mount/file"
}

# The error target drops the capability: a table with one in it claims nothing at all.
# A19
test_dm_error_in_the_table_drops_the_claim() {
	needs_kernel 6.14
	scsi_disk
	mapped holed "0 128 linear $disk 0
128 128 error
256 4096 linear $disk 256"
	raw_fact "statx" statx "$disk"
	expect can 0 "$line"
	raw_fact "write outside" write "$disk" 0 16384
	expect result -EOPNOTSUPP "$line"
}

# file_over_linear FILESYSTEM OPTIONS: $file of 1 MiB on the mapping `linear` of the disk $under;
# $bad is the sector that its byte 65536 is in.
file_over_linear() {
	scsi_disk $for_xfs
	under=$disk
	linear "$under"
	filesystem "$1" "$disk" "$2" ""
	file=$mount/file
	must raw fill "$file" 1048576
	sync
	xfs_place
	end=$(sectors "$under")
	bad=$((place + 128))
}
table_with_a_hole() {
	echo "0 $bad linear $under 0"
	echo "$bad 32 error"
	echo "$((bad + 32)) $((end - bad - 32)) linear $under $((bad + 32))"
}

# error_below FILESYSTEM OPTIONS: the mapping turns bad where the file lies; the filesystem goes on
# claiming, the write fails, and when the mapping is good again the old bytes are there.
error_below() {
	local under bad end
	file_over_linear "$@"
	dd if="$file" of=/scratch/before bs=64k iflag=direct status=none
	swap_table "$(table_with_a_hole)"
	raw_fact "statx with the error below" statx "$file"
	expect can 1 "$line"
	for way in "" uring; do
		raw_fact "write $way" write "$file" 65536 16384 $way
		expect result -EINVAL "$line"
	done
	raw_fact "write beside it" write "$file" 131072 16384
	expect result -EINVAL "$line"
	swap_table "0 $end linear $under 0"
	dd if="$file" bs=64k iflag=direct status=none count=2 | cmp -n 131072 - /scratch/before ||
		fail "the old bytes are not there"
	raw_fact "write when it is good again" write "$file" 65536 16384
	expect result 16384 "$line"
}
swap_table() {
	must dmsetup suspend linear
	must dmsetup reload linear <<<"$1"
	must dmsetup resume linear
}
# A22, A34
test_ext4_when_the_disk_below_turns_bad() {
	needs_kernel 6.16
	error_below ext4 "-b 4096 -O bigalloc -C 65536"
}
# A22, A34
test_xfs_when_the_disk_below_turns_bad() {
	needs_kernel 6.16
	error_below xfs "-m reflink=1"
}
