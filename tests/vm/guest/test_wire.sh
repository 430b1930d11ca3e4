# SPDX-License-Identifier: MIT
# Goal: a write that the kernel reports as untorn went to the device as one command of its own.
# Method: trace the commands, make writes at known places, compare the lists.  An emulated device can
# show no more: only a power cut shows whether a device keeps its promise.

# one_command_each DISK-FILE BLOCK OPCODE LENGTH...: three writes of each length.
one_command_each() {
	local file=$1 block=$2 opcode=$3 length wanted="" seen at
	shift 3
	trace_writes "$wire"
	for length in "$@"; do
		for at in 0 5 9; do
			line=$(raw write "$file" $((at * length)) "$length")
			expect result "$length" "$line"
			wanted+="$opcode $((at * length / block)) $((length / block))"$'\n'
		done
	done
	seen=$(trace_list)
	fact "wire: $(wc -l <<<"$seen") commands for $(($# * 3)) writes"
	[ "$seen" = "${wanted%$'\n'}" ] || fail "wanted $wanted but saw $seen"
}

# A52
test_scsi_gets_one_write_atomic_each() {
	needs_kernel 6.11
	wire=scsi
	scsi_disk
	one_command_each "$disk" 512 atomic 1024 4096 16384 65536
}

# A16, A52
test_scsi_partition_adds_its_start_to_the_place() {
	needs_kernel 6.11
	wire=scsi
	scsi_disk
	partition "$disk" 2048 65536
	trace_writes scsi
	line=$(raw write "$disk" 16384 16384)
	expect result 16384 "$line"
	[ "$(trace_list)" = "atomic $((2048 + 32)) 32" ] || fail "saw $(trace_list)"
}

# NVMe has no command of its own for this: a plain write within the limits.
# A52
test_nvme_gets_one_write_each() {
	needs_kernel 6.11
	wire=nvme
	nvme_disk nawupf4k
	one_command_each "$disk" 4096 write 4096 16384 65536
}

# A52
test_a_plain_write_is_no_write_atomic() {
	needs_kernel 6.11
	scsi_disk
	trace_writes scsi
	line=$(raw write "$disk" 0 16384 plain)
	expect result 16384 "$line"
	[ "$(trace_list)" = "write 0 32" ] || fail "saw $(trace_list)"
}

# A18
test_dm_crypt_passes_one_command() {
	needs_kernel 6.19
	scsi_disk
	crypt "$disk"
	wire=scsi
	one_command_each "$disk" 512 atomic 4096 65536
}

# A20
test_md_raid1_sends_one_command_to_each_leg() {
	needs_kernel 6.13
	scsi_disk add_host=2 per_host_store=1 dev_size_mb=64
	raid 1 0 "${disks[@]}"
	trace_writes scsi
	line=$(raw write "$disk" 65536 16384)
	expect result 16384 "$line"
	seen=$(trace_count atomic)
	[ "$seen" = 2 ] || fail "$seen commands: $(trace_list)"
}

# A52
test_ext4_bigalloc_overwrite_is_one_write_atomic() {
	needs_kernel 6.16
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	must raw fill "$mount/file" 1048576
	sync
	trace_writes scsi
	line=$(raw write "$mount/file" 65536 65536)
	expect result 65536 "$line"
	[ "$(trace_count atomic)" = 1 ] || fail "saw $(trace_list)"
}

# XFS takes the disk where the extents allow, and copy on write, without WRITE ATOMIC, above it.
# A29
test_xfs_uses_the_disk_up_to_opt_and_copies_above_it() {
	needs_kernel 6.16
	xfs_aligned
	trace_writes scsi
	line=$(raw write "$file" 65536 65536)
	expect result 65536 "$line"
	fact "64 KiB: $(trace_count atomic) atomic of $(trace_count any)"
	[ "$(trace_count atomic)" = 1 ] || fail "saw $(trace_list)"
	: >$tracing/trace
	line=$(raw write "$file" 131072 131072)
	expect result 131072 "$line"
	fact "128 KiB: $(trace_count atomic) atomic of $(trace_count any)"
	[ "$(trace_count atomic)" = 0 ] || fail "saw $(trace_list)"
}

# The same size on blocks that lie askew: success, by copy on write, and nothing says so.
# A29
test_xfs_copies_where_the_blocks_lie_askew() {
	needs_kernel 6.16
	xfs_askew
	trace_writes scsi
	line=$(raw write "$file" 65536 65536)
	expect result 65536 "$line"
	fact "64 KiB: $(trace_count atomic) atomic of $(trace_count any)"
	[ "$(trace_count atomic)" = 0 ] || fail "saw $(trace_list)"
}

# A durable untorn write is one command with FUA on a disk that has it.
# A54
test_dsync_adds_fua_to_the_command() {
	needs_kernel 6.11
	scsi_disk
	trace_writes scsi
	line=$(raw write "$disk" 0 16384 dsync)
	expect result 16384 "$line"
	fact "$(grep -o 'raw=9c ..' $tracing/trace | head -n 1)"
	grep -q 'raw=9c 08' $tracing/trace || fail "no FUA: $(cat $tracing/trace)"
}
