# SPDX-License-Identifier: MIT
# Goal: where ext4 or a raw disk decides at each call, the library looks at each call: no write is
# reported untorn that had no untorn command, no reader is accused, and a full queue is waited for.
# Method: the file is changed by another process when the handle is open; WRITE ATOMIC commands are
# counted.  The controls make the same writes without the library.
. "$VM_GUEST/library.sh"

# look_at FILE WAY BEFORE...: one write of 4 KiB to its start, with BEFORE after the open; $commands.
look_at() {
	: >$tracing/trace
	library_fact "$3" write "$1" 0 4096 "$2" before="$3" "${@:4}"
	commands=$(trace_count atomic)
	fact "WRITE ATOMIC $commands"
}
empty_inline_file() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -I 256 -O inline_data" ""
	file=$mount/file
	trace_writes scsi
}
fill_inline="printf 12345678901234567890"
# A55
test_ext4_inline_data_reports_success_for_buffered_writes() {
	needs_kernel 6.13
	empty_inline_file
	: >"$file"
	look_at "$file" raw "$fill_inline >$file"
	expect result 0 "$line"
	[ "$commands" = 0 ] || fail "$commands untorn commands"
}
# A55
test_library_sees_inline_data() {
	needs_kernel 6.13
	empty_inline_file
	for way in sync ring queue; do
		rm -f "$file"
		: >"$file"
		look_at "$file" $way "$fill_inline >$file"
		expect result -EOPNOTSUPP "$line"
		expect kinds unsupported "$line"
		expect on_disk 1 "$line"
		[[ ,$(value why "$line"), == *,data-journaled,* ]] || fail "no reason: $line"
		[ "$(cat "$file")" = 12345678901234567890 ] || fail "the old bytes are gone"
		rm -f "$file"
		: >"$file"
		look_at "$file" $way "$fill_inline >$file" "journal=$mount/journal"
		expect result 0 "$line"
		expect journaled 1 "$line"
	done
}
# Nobody in the way: the first write has two commands, the next has one.
# A55
test_library_writes_an_empty_ext4_file_twice() {
	needs_kernel 6.13
	empty_inline_file
	for way in sync ring queue; do
		rm -f "$file"
		: >"$file"
		look_at "$file" $way true
		expect result 0 "$line"
		expect hardware 1 "$line"
		[ "$commands" = 2 ] || fail "$commands untorn commands, not 2"
		# Once written direct, it never becomes inline.
		look_at "$file" $way "$fill_inline | dd of=$file conv=notrunc status=none"
		expect result 0 "$line"
		expect hardware 1 "$line"
	done
	must raw fill "$file" 65536
	sync
	look_at "$file" sync true
	[ "$commands" = 1 ] || fail "$commands untorn commands, not 1"
}

journaled_file() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" "nodelalloc"
	file=$mount/file
	must raw fill "$file" 1048576
	sync
	trace_writes scsi
}
# A56
test_ext4_journaled_data_reports_success_for_buffered_writes() {
	needs_kernel 6.13
	journaled_file
	look_at "$file" raw "chattr +j $file"
	expect result 0 "$line"
	[ "$commands" = 0 ] || fail "$commands untorn commands"
}
# A56
test_library_sees_journaled_data() {
	needs_kernel 6.13
	journaled_file
	for way in sync ring queue; do
		must chattr -j "$file"
		look_at "$file" $way "chattr +j $file"
		expect result -EIO "$line"
		expect kinds broken "$line"
		expect on_disk 3 "$line"
		[[ ,$(value why "$line"), == *,data-journaled,* ]] || fail "no reason: $line"
		expect hardware 0 "$line"
		# The journal heals what the look found too late.
		must chattr -j "$file"
		look_at "$file" $way "chattr +j $file" "journal=$mount/journal"
		expect result 0 "$line"
		expect kinds broken "$line"
		expect journaled 1 "$line"
		expect new 8 "$line"
		# Set before the open, it is the file's verdict.
		library_fact "probe" write "$file" 0 4096 $way
		expect result -EOPNOTSUPP "$line"
		expect kept 8 "$line"
	done
}
# The cells of tests/matrix that need the right to chattr +j, which containers have not: every way of
# writing to a file that gets the flag after open.  Hardware without a journal is broken (E4), and the
# others write.
# A56
test_library_matrix_of_a_file_that_gets_chattr_j() {
	local cells=0
	needs_kernel 6.13
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" nodelalloc
	while read -r way expected; do
		line=$(echo "$way ext4 inode-journal $expected" | "$VM_BIN/matrix" ext4 "$mount") || fail "$line"
		fact "$line"
		cells=$((cells + 1))
	done <<-CELLS
		kernel some
		auto ok
		reopen ok
		journal-direct ok
		journal-cached ok
		plain-direct some
		plain-cached ok
		batch ok
		group ok
		queue ok
		ring ok
	CELLS
	[ $cells = 11 ] || fail "$cells cells"
}
# While the flag comes and goes, what is reported untorn has its command.
# A56
test_library_beside_a_flag_that_comes_and_goes() {
	needs_kernel 6.13
	journaled_file
	library_fact "flip" crowd "$file" 4096 300 1 sync places=256 flip
	fact "WRITE ATOMIC $(trace_count atomic)"
	[ "$(value ok "$line")" -gt 0 ] || fail "no write at all: $line"
	[ $(($(value broken "$line") + $(value refused "$line"))) -gt 0 ] || fail "no flag seen: $line"
	[ "$(trace_count atomic)" -ge "$(value ok "$line")" ] || fail "fewer commands: $line"
	expect other 0 "$line"
}

# A57
test_library_beside_readers_of_a_disk() {
	needs_kernel 6.11
	scsi_disk $for_races
	for way in sync ring queue; do
		library_fact "readers $way" crowd "$disk" 16384 400 1 $way places=2 readers=4
		expect broken 0 "$line"
		expect poisoned 0 "$line"
		expect other 0 "$line"
		[ "$(value ok "$line")" -gt 0 ] || fail "none got through: $line"
	done
}

small_queue() {
	scsi_disk ndelay=1000000
	must eval "echo none >/sys/block/${disk##*/}/queue/scheduler"
	must eval "echo 4 >/sys/block/${disk##*/}/queue/nr_requests"
}
# A58
test_bdev_with_a_full_queue_gives_again() {
	needs_kernel 6.11
	small_queue
	library_fact "full raw" crowd "$disk" 4096 600 16 raw
	[ "$(value again "$line")" -gt 0 ] || fail "the queue was never full: $line"
}
# A58
test_library_waits_for_a_full_queue() {
	needs_kernel 6.11
	small_queue
	for way in sync ring; do
		library_fact "full $way" crowd "$disk" 4096 600 16 $way
		expect ok 600 "$line"
		expect retries 0 "$line"
	done
}

# A control group in which writes to $disk take their time: $slow is its list of processes.
slow_group() {
	mkdir -p /scratch/cgroup
	must mount -t cgroup2 none /scratch/cgroup
	defer "umount /scratch/cgroup"
	must eval "echo +io >/scratch/cgroup/cgroup.subtree_control"
	must mkdir /scratch/cgroup/slow
	defer "rmdir /scratch/cgroup/slow"
	must eval "echo $(cat "/sys/block/${disk##*/}/dev") wbps=262144 >/scratch/cgroup/slow/io.max"
	slow=/scratch/cgroup/slow/cgroup.procs
}
# orphan PROOF [lock]: repeated while PROOF is not above 0, as nothing was in flight at the kill then.
orphan() {
	local round proof=$1
	shift
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" ""
	must raw fill "$mount/file" 1048576
	sync
	slow_group
	for round in 1 2 3 4 5; do
		library_fact "orphan $* $round" orphan "$mount/file" 4096 256 "$slow" 8000 "$@"
		wait_for test ! -s "$slow"
		[ "$(value "$proof" "$line")" -gt 0 ] && break
	done
}
# A59
test_orphaned_ring_writes_land_over_the_successors() {
	needs_kernel 6.13
	orphan landed
	[ "$(value landed "$line")" -gt 0 ] || fail "nothing landed: $line"
	[ "$(value record "$line")" -lt 1000 ] || fail "the record lock was held: $line"
	[ "$(value flock "$line")" -lt 1000 ] || fail "flock was held: $line"
}
# A59
test_library_lock_is_held_until_the_last_write_is_done() {
	needs_kernel 6.13
	orphan flock lock
	expect landed 0 "$line"
	[ "$(value record "$line")" -lt 1000 ] || fail "the record lock was held: $line"
	[ "$(value flock "$line")" -gt 1000 ] || fail "flock was not held: $line"
	expect refused -EBUSY "$line"
}
