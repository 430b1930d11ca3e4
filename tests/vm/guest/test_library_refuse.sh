# SPDX-License-Identifier: MIT
# Goal: where the kernel claims untorn writes and does not make them, or makes them at a cost in
# data, the library says no, or does it right.
# Method: the set-ups that test_negative_controls.sh shows with raw calls, through each way.
. "$VM_GUEST/library.sh"

# refused FILE REASON: the probe says so, and no way writes.
refused() {
	local way
	library_fact "probe" probe "$1"
	expect mechanism none "$line"
	has_reason "$2" "$line"
	for way in sync ring queue; do
		library_fact "write $way" write "$1" 8192 4096 $way
		expect result -EOPNOTSUPP "$line"
		expect kept 8 "$line"
	done
}
# A39
test_library_refuses_ext4_data_journal() {
	needs_kernel 6.13
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" "data=journal"
	must raw fill "$mount/file" 1048576
	sync
	refused "$mount/file" data-journaled
}
# A6
test_library_refuses_overlay() {
	needs_kernel 6.13
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" ""
	mkdir -p "$mount/over/upper"
	must raw fill "$mount/over/upper/file" 65536
	overlay "$mount/over"
	refused "$mount/file" overlay
}
# A buffer that ends in the middle: the disk would get half of it, so the library asks before.
# A42
test_library_refuses_a_partly_mapped_buffer() {
	needs_kernel 6.11
	scsi_disk
	for way in sync ring queue; do
		library_fact "mapped $way" write "$disk" 65536 8192 $way mapped=4096
		expect result -EFAULT "$line"
		expect kinds unsupported "$line"
		expect new 0 "$line"
	done
}
# The end is on a sector, not on a block: the write goes to its offset, and what was there stays.
# A40
test_library_append_on_xfs_keeps_the_tail() {
	needs_kernel 6.16
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" ""
	file=$mount/file
	for way in sync ring queue; do
		must raw fill "$file" 1048576
		truncate -s 10240 "$file"
		tail -c +4097 "$file" >/scratch/before
		library_fact "append $way" write "$file" 0 4096 $way append
		expect result 0 "$line"
		expect new 8 "$line"
		tail -c +4097 "$file" | cmp - /scratch/before || fail "the tail is lost: $line"
	done
}
# A41
test_library_size_limit_on_xfs_writes_nothing() {
	needs_kernel 6.16
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" ""
	must raw fill "$mount/file" 1048576
	sync
	for way in sync ring queue; do
		for limit in 12288 8704; do
			library_fact "limit $way" write "$mount/file" 65536 16384 $way \
				limit=$((65536 + limit))
			expect result -EFBIG "$line"
			expect kept 32 "$line"
		done
	done
}
# The largest file of ext4, 16 TiB less a block, ends inside the last unit of 16 KiB: the kernel
# writes what is in front of it, and the library nothing.
# A41
test_ext4_largest_size_cuts_an_untorn_write_short() {
	needs_kernel 6.16
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	: >"$mount/file"
	raw_fact "last" write "$mount/file" $(((1 << 44) - 16384)) 16384
	expect result 12288 "$line"
	for way in sync ring queue; do
		: >"$mount/file"
		library_fact "before $way" write "$mount/file" $(((1 << 44) - 32768)) 16384 $way
		expect result 0 "$line"
		expect hardware 1 "$line"
		library_fact "last $way" write "$mount/file" $(((1 << 44) - 16384)) 16384 $way
		expect result -EFBIG "$line"
		expect kinds space "$line"
		expect on_disk 1 "$line"
		[[ ,$(value why "$line"), == *,file-size-limit,* ]] || fail "no reason: $line"
		[ "$(stat -c %s "$mount/file")" = $(((1 << 44) - 16384)) ] || fail "the file grew"
	done
}
# A policy that wants to try again for ever is not asked: the answer would always be the same.
# A43
test_library_nowait_on_xfs_is_said_to_be_in_vain() {
	needs_kernel 6.16
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" ""
	must raw fill "$mount/file" 1048576
	sync
	for way in sync ring queue; do
		library_fact "nowait $way" write "$mount/file" 65536 16384 $way nowait stubborn
		expect result -EAGAIN "$line"
		expect kept 32 "$line"
		expect retries 0 "$line"
		[[ ,$(value why "$line"), == *,nowait-never,* ]] || fail "no reason: $line"
	done
}

# gets_through FILE WAY: another process dirties each page, so that some calls give EAGAIN though
# they may block; the library writes the cached pages back and tries again, and all is written.  It
# is a race with the other process: up to 25 rounds of 60, until there was something to repeat.
gets_through() {
	local round
	for ((round = 0; round < 25; round++)); do
		library_fact "busy $2" dirty "$1" 16384 60 mmap "$2" /scratch/list 200
		expect again 0 "$line"
		expect other 0 "$line"
		expect broken 0 "$line"
		# The mapping's writer can cost a page, which poisons: an honest end, and told.
		[ $(($(value ok "$line") + $(value poisoned "$line"))) = 60 ] || fail "not 60: $line"
		[ "$(value ok "$line")" -ge 30 ] || fail "hardly any got through: $line"
		contents_or_told
		[ "$(value retries "$line")" -gt 0 ] && return
	done
	fail "no EAGAIN in 25 rounds"
}
# A37, A38
test_library_gets_through_to_a_busy_file_on_xfs() {
	needs_kernel 6.16
	scsi_disk $for_xfs $for_races
	filesystem xfs "$disk" "-m reflink=1" ""
	must raw fill "$mount/file" 1048576
	sync
	for way in sync ring queue; do
		gets_through "$mount/file" $way
	done
}
# A37, A38
test_library_gets_through_to_a_busy_file_on_ext4() {
	needs_kernel 6.16
	scsi_disk $for_races
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	must raw fill "$mount/file" 1048576
	sync
	gets_through "$mount/file" sync
}

# saved_where_it_cannot FILE JOURNAL: an honest no, and the journal's help, on every kernel.
saved_where_it_cannot() {
	local way
	library_fact "probe" probe "$1"
	expect mechanism none "$line"
	for way in sync ring queue; do
		library_fact "without $way" write "$1" 65536 16384 $way
		expect kinds unsupported "$line"
		expect result -EOPNOTSUPP "$line"
		expect kept 32 "$line"
		library_fact "journal $way" write "$1" 65536 16384 $way "journal=$2"
		expect kinds unsupported "$line"
		expect result 0 "$line"
		expect journaled 1 "$line"
		expect new 32 "$line"
		expect outside 0 "$line"
	done
}
test_library_journal_where_the_disk_cannot() {
	scsi_plain_disk
	saved_where_it_cannot "$disk" /scratch/journal
}
test_library_journal_where_ext4_cannot() {
	scsi_plain_disk
	filesystem ext4 "$disk" "-b 4096" ""
	must raw fill "$mount/file" 1048576
	saved_where_it_cannot "$mount/file" "$mount/journal"
}
test_library_journal_where_xfs_cannot() {
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=0" ""
	must raw fill "$mount/file" 1048576
	saved_where_it_cannot "$mount/file" "$mount/journal"
}
