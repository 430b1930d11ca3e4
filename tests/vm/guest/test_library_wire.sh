# SPDX-License-Identifier: MIT
# Goal: each write that the library reports as untorn went to a raw disk as a command of its own,
# also where another process keeps dirtying the page, which makes the kernel's own success a lie.
# Method: each write has its own place; the offsets reported are looked up among the WRITE ATOMIC
# commands traced: each must lie whole in one of them, for the block layer merges neighbours of a
# queue into one longer WRITE ATOMIC (block/blk-merge.c, never with other writes, never above the
# disk's maximum).  There may be more commands: the library repeats what it could not trust.  The
# control makes the same writes without the library, and must find some that have no command.
. "$VM_GUEST/library.sh"

# dirty_writes FILE COUNT mmap|write WAY: $line, and in $missing the writes without a command.
dirty_writes() {
	library_fact "dirty $3 $4" dirty "$1" 16384 "$2" "$3" "$4" /scratch/list
	missing=$(trace_list | awk '
	reported && !($1 / 512 in seen) { count++ }
	!reported && $1 == "atomic" && $3 <= 128 {
		for (block = $2; block + 32 <= $2 + $3; block++)
			seen[block] = 1
	}
	END { print count + 0 }' - reported=1 /scratch/list)
	fact "WRITE ATOMIC $(trace_count atomic), other writes $(trace_count write)," \
		"reported without a command: $missing"
	[ "$(wc -l </scratch/list)" = "$(value ok "$line")" ] || fail "the list is not whole"
}

# nothing_missing mmap|write WAY
nothing_missing() {
	scsi_disk $for_races
	trace_writes scsi
	dirty_writes "$disk" 100 "$@"
	[ "$(value ok "$line")" -ge 10 ] || fail "too few to prove anything: $line"
	[ "$missing" = 0 ] || fail "$missing writes were reported without a command: $line"
	[ "$2" = queue ] || [ "$(trace_count atomic)" -ge "$(value ok "$line")" ] ||
		fail "fewer commands: $line"
	expect other 0 "$line"
	# A page that the other process dirtied while the write ran may stay in the cache: the kernel
	# prints a line and gives EIO to a later sync (mm/filemap.c:dio_warn_stale_pagecache).
	[ "$(value stale "$line")" = 0 ] || dmesg | grep -q 'Page cache invalidation failure' ||
		fail "EIO, and the kernel did not say why: $line"
	expect contents 0 "$line"
}
# A35
test_library_wire_mmap() {
	needs_kernel 6.11
	nothing_missing mmap sync
}
# A35
test_library_wire_mmap_ring() {
	needs_kernel 6.11
	nothing_missing mmap ring
}
# A35, A53
test_library_wire_mmap_queue() {
	needs_kernel 6.11
	nothing_missing mmap queue
}
# A36
test_library_wire_buffered_writer() {
	needs_kernel 6.11
	nothing_missing write sync
}
# A36
test_library_wire_buffered_writer_ring() {
	needs_kernel 6.11
	nothing_missing write ring
}
# A36, A53
test_library_wire_buffered_writer_queue() {
	needs_kernel 6.11
	nothing_missing write queue
}

# The control: the kernel's success for the same writes.  It is a race with the other process: up to
# 25 rounds, until the lie is seen.
some_missing() {
	local round
	scsi_disk $for_races
	trace_writes scsi
	for ((round = 0; round < 25; round++)); do
		: >$tracing/trace
		dirty_writes "$disk" 100 "$1" raw
		[ "$missing" -gt 0 ] && return
	done
	fail "no lie to catch in 25 rounds: $line"
}
# A35
test_library_wire_control_mmap() {
	needs_kernel 6.11
	some_missing mmap
}
# A36
test_library_wire_control_buffered_writer() {
	needs_kernel 6.11
	some_missing write
}

# With nobody in the way, nothing is repeated: one command each, and no other.
one_command_each_way() {
	local way wanted=""
	for way in sync ring queue; do
		: >$tracing/trace
		library_fact "quiet $way" write "$1" 65536 16384 $way
		expect result 0 "$line"
		expect new 32 "$line"
		[ "$(trace_list)" = "$2" ] || fail "wanted $2, saw: $(trace_list)"
	done
}
# A52
test_library_wire_quiet_scsi() {
	needs_kernel 6.11
	scsi_disk
	trace_writes scsi
	one_command_each_way "$disk" "atomic 128 32"
}
# A52
test_library_wire_quiet_nvme() {
	needs_kernel 6.11
	nvme_disk nawupf4k
	trace_writes nvme
	one_command_each_way "$disk" "write 16 4"
}
# On a filesystem the kernel refuses what it cannot make untorn: all that is reported has a command.
# A37, A38
test_library_wire_ext4() {
	needs_kernel 6.16
	scsi_disk $for_races
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	must raw fill "$mount/file" $((100 * 16384))
	sync
	trace_writes scsi
	library_fact "dirty" dirty "$mount/file" 16384 100 mmap sync /scratch/list
	fact "WRITE ATOMIC $(trace_count atomic)"
	[ "$(trace_count atomic)" = "$(value ok "$line")" ] || fail "commands differ: $line"
	expect broken 0 "$line"
	contents_or_told
}
