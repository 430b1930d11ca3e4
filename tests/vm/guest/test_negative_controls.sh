# SPDX-License-Identifier: MIT
# Goal: some calls look like success and are not untorn, or lose data: a library must not pass these
# on.  Each case is shown with raw calls, on the kernels that have the case.
# Method: make the call, read the range back sector by sector, count the commands on the wire.
# A kernel that has mended a case makes the test red: the kernel page is then out of date.

ext4_bigalloc() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	file=$mount/file
	must raw fill "$file" 1048576
	sync
}
xfs_reflink() {
	scsi_disk $for_xfs "$@"
	filesystem xfs "$disk" "-m reflink=1" ""
	file=$mount/file
	must raw fill "$file" 1048576
	sync
}

xfs_software() {
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" ""
	file=$mount/file
	must raw fill "$file" 1048576
	sync
}

# A35
test_bdev_with_nobody_else_counts_as_many_commands_as_successes() {
	needs_kernel 6.11
	scsi_disk
	trace_writes scsi
	for at in 1 2 3 4 5 6 7 8 9 10; do
		line=$(raw write "$disk" $((at * 16384)) 16384)
		expect result 16384 "$line"
	done
	[ "$(trace_count atomic)" = 10 ] || fail "10 successes, but: $(trace_list)"
}

# lie_of_the_raw_disk mmap|write [uring]: success is reported for writes that went buffered.  It is a
# race with the other writer: up to 25 rounds of 300 writes, until it is seen.
lie_of_the_raw_disk() {
	local ok atomic round
	scsi_disk $for_races
	trace_writes scsi
	for ((round = 0; round < 25; round++)); do
		: >$tracing/trace
		raw_fact "dirty $*" dirty "$disk" 16384 300 "$@"
		ok=$(value ok "$line")
		atomic=$(trace_count atomic)
		fact "round $round: successes $ok, WRITE ATOMIC commands $atomic, others $(trace_count write)"
		[ "$ok" -gt "$atomic" ] && return
	done
	fail "no lie in 25 rounds: $ok successes, $atomic commands"
}
# A35
test_bdev_under_mmap_reports_success_for_buffered_writes() {
	needs_kernel 6.11
	lie_of_the_raw_disk mmap
}
# A35
test_bdev_under_mmap_reports_success_for_buffered_writes_by_uring() {
	needs_kernel 6.11
	lie_of_the_raw_disk mmap uring
}

# No mapping is needed: write(2) through the page cache does the same.
# A36
test_bdev_under_a_buffered_writer_reports_success_for_buffered_writes() {
	needs_kernel 6.11
	lie_of_the_raw_disk write
}

# A39
test_ext4_data_journal_claims_and_then_writes_buffered() {
	needs_kernel 6.13
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" "data=journal"
	file=$mount/file
	must raw fill "$file" 1048576
	sync
	raw_fact "statx" statx "$file"
	expect can 1 "$line"
	expect dio 1 "$line"
	expect dio_mem 0 "$line"
	expect dio_offset 0 "$line"
	trace_writes scsi
	raw_fact "write" write "$file" 8192 4096
	expect result 4096 "$line"
	[ "$(value cached "$line")" -gt 0 ] || fail "not cached: $line"
	sync
	[ "$(trace_count atomic)" = 0 ] || fail "WRITE ATOMIC was seen: $(trace_list)"
}

# append_at_10240 [plain]: the end is on a sector, not on a block; are the bytes before it kept?
append_at_10240() {
	truncate -s 10240 "$file"
	head -c 10240 "$file" >/scratch/before
	raw_fact "append $*" write "$file" 0 4096 append "$@"
	if cmp -s -n 10240 "$file" /scratch/before; then
		tail=kept
	else
		tail=lost
	fi
	fact "append $*: 10240 bytes before the old end: $tail"
}
# A40
test_xfs_append_destroys_bytes_before_the_end() {
	needs_kernel 6.16
	xfs_reflink
	append_at_10240
	[ $tail = lost ] || fail "the tail survived: $line"
}
# A40
test_xfs_append_without_hardware_destroys_bytes_before_the_end() {
	needs_kernel 6.16
	xfs_software
	append_at_10240
	[ $tail = lost ] || fail "the tail survived: $line"
}
# A40
test_xfs_plain_append_keeps_them() {
	xfs_reflink
	append_at_10240 plain
	[ $tail = kept ] || fail "the tail is lost: $line"
}
# A40
test_xfs_append_at_a_block_is_accepted_at_an_unaligned_place() {
	needs_kernel 6.16
	xfs_reflink
	truncate -s 12288 "$file"
	raw_fact "append" write "$file" 0 8192 append
	expect result 8192 "$line"
}
# A40
test_xfs_append_goes_where_noappend_says_otherwise() {
	needs_kernel 6.16
	xfs_reflink
	raw_fact "append noappend" write "$file" 8192 4096 append noappend
	expect result 4096 "$line"
	expect new 8 "$line"
	expect outside 0 "$line"
}
# A40
test_ext4_append_is_accepted_at_an_unaligned_end() {
	needs_kernel 6.16
	ext4_bigalloc
	truncate -s $((1048576 - 4096)) "$file"
	raw_fact "append" write "$file" 0 16384 append
	expect result 16384 "$line"
	expect kept 32 "$line"
}

# A41
test_xfs_size_limit_cuts_an_untorn_write_short() {
	needs_kernel 6.16
	xfs_reflink
	raw_fact "limit" write "$file" 65536 16384 limit=$((65536 + 12288))
	expect result 12288 "$line"
}
# A41, A49
test_xfs_size_limit_cuts_by_uring_too() {
	needs_kernel 6.16
	xfs_reflink
	raw_fact "limit uring" write "$file" 65536 16384 limit=$((65536 + 12288)) uring link
	expect result 12288 "$line"
	expect link -ECANCELED "$line"
}
# A41
test_xfs_size_limit_inside_a_block_destroys_what_follows() {
	needs_kernel 6.16
	xfs_software
	raw_fact "limit" write "$file" 65536 16384 limit=$((65536 + 8192 + 512))
	expect result 8704 "$line"
	expect new 17 "$line"
	expect zeroed 7 "$line"
}
# A34, A41
test_xfs_size_limit_inside_a_block_on_hardware() {
	needs_kernel 6.16
	xfs_aligned
	raw_fact "limit" write "$file" 65536 16384 limit=$((65536 + 8192 + 512))
	[ "$(value result "$line")" != 16384 ] || fail "no limit: $line"
}
# A41
test_ext4_size_limit_cuts_an_untorn_write_short() {
	needs_kernel 6.16
	ext4_bigalloc
	raw_fact "limit" write "$file" 65536 16384 limit=$((65536 + 12288))
	expect result 12288 "$line"
}

# A42
test_bdev_partly_mapped_buffer_tears() {
	needs_kernel 6.11
	scsi_disk
	raw_fact "mapped" write "$disk" 65536 8192 mapped=4096
	expect result 4096 "$line"
	expect new 8 "$line"
	expect kept 8 "$line"
}
# A42
test_nvme_partly_mapped_buffer_tears() {
	needs_kernel 6.11
	nvme_disk nawupf4k
	raw_fact "mapped" write "$disk" 65536 8192 mapped=4096
	expect result 4096 "$line"
	expect new 8 "$line"
}
# A42
test_xfs_partly_mapped_buffer_is_refused() {
	needs_kernel 6.16
	xfs_reflink
	raw_fact "mapped" write "$file" 65536 8192 mapped=4096
	expect result '-E*' "$line"
	expect kept 16 "$line"
}

# A42
test_xfs_software_partly_mapped_buffer_is_refused() {
	needs_kernel 6.16
	xfs_software
	raw_fact "mapped" write "$file" 65536 8192 mapped=4096
	expect result -EFAULT "$line"
	expect kept 16 "$line"
}

# A6
test_overlay_claims_and_refuses() {
	needs_kernel 6.13
	xfs_reflink
	mkdir -p "$mount/over/upper"
	must raw fill "$mount/over/upper/file" 65536
	overlay "$mount/over"
	raw_fact "statx" statx "$mount/file"
	expect can 1 "$line"
	raw_fact "write" write "$mount/file" 0 4096
	expect result -EOPNOTSUPP "$line"
	raw_fact "confirm" confirm "$mount/file"
	expect three -EOPNOTSUPP "$line"
}

# blocking_again [uring]: EAGAIN from calls that may block, and no success but for real ones.
blocking_again() {
	local sum
	raw_fact "dirty" dirty "$file" "$@"
	sum=$(($(value ok "$line") + $(value again "$line")))
	[ "$sum" = 300 ] || fail "other results: $line"
	[ "$(value again "$line")" -gt 0 ] || fail "no EAGAIN: $line"
}
# A37
test_xfs_under_mmap_gives_again_from_blocking_calls() {
	needs_kernel 6.13
	xfs_reflink $for_races
	blocking_again 4096 300 mmap
}
# A37, A50
test_xfs_under_mmap_gives_again_by_uring() {
	needs_kernel 6.13
	xfs_reflink $for_races
	blocking_again 4096 300 mmap uring
}
# A37
test_ext4_under_mmap_gives_again_from_blocking_calls() {
	needs_kernel 6.13
	scsi_disk $for_races
	filesystem ext4 "$disk" "-b 4096" ""
	file=$mount/file
	must raw fill "$file" 1048576
	sync
	trace_writes scsi
	blocking_again 4096 300 mmap
	fact "WRITE ATOMIC commands $(trace_count atomic)"
	[ "$(trace_count atomic)" = "$(value ok "$line")" ] || fail "commands differ from successes"
}

# A43
test_xfs_nowait_on_copy_on_write_is_always_again() {
	needs_kernel 6.16
	xfs_software
	for try in 1 2 3 4 5; do
		raw_fact "nowait $try" write "$file" 65536 16384 nowait
		expect result -EAGAIN "$line"
		expect kept 32 "$line"
	done
}
# A write that must change the file's times would block, and so every one after a stat(2).
# A43
test_xfs_nowait_on_hardware_works_only_if_the_times_stay() {
	needs_kernel 6.16
	xfs_aligned
	raw_fact "nowait" write "$file" 65536 16384 nowait
	expect result -EAGAIN "$line"
	for try in 1 2 3 4 5 6 7 8 9 10; do
		line=$(raw write "$file" 65536 16384 nowait warm)
		[ "$(value result "$line")" = 16384 ] && break
	done
	fact "nowait right after another write, try $try: $line"
	expect result 16384 "$line"
}
# The disk could do it, but the file's blocks lie askew: copy on write, and so never without waiting.
# A43
test_xfs_nowait_on_misaligned_blocks_is_always_again() {
	needs_kernel 6.16
	xfs_askew
	raw_fact "nowait" write "$file" 65536 16384 nowait
	expect result -EAGAIN "$line"
	raw_fact "waiting" write "$file" 65536 16384
	expect result 16384 "$line"
}
# A50
test_xfs_nowait_from_uring_is_not_tried_again() {
	needs_kernel 6.16
	xfs_software
	raw_fact "nowait" write "$file" 65536 16384 nowait uring
	expect result -EAGAIN "$line"
	raw_fact "waiting" write "$file" 65536 16384 uring
	expect result 16384 "$line"
}
