# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: bench measures every possible way, says why a way is missing, and leaves the directory
# unchanged after any end.  Speed is not tested.
# Method and helpers: run.sh, which sources this file.

bench() { expect_within 120 0 "$tool" bench --seconds 1 "$@"; }
expect_within() { # SECONDS STATUS COMMAND...
	local limit=$1 want=$2 status=0
	shift 2
	timeout "$limit" "$@" >"$out" 2>"$err" || status=$?
	[ "$status" -eq "$want" ] || note "status $status, not $want: $* ($(head -c 300 "$err"))"
}
remember() { # what is in a directory
	place=$1
	head -c 100k /dev/urandom >"$place/theirs"
	cp "$place/theirs" "$work/theirs"
	find "$place" -mindepth 1 -printf '%P %i %s %T@\n' | sort >"$work/before"
}
left_alone() {
	find "$place" -mindepth 1 -printf '%P %i %s %T@\n' | sort >"$work/after"
	diff "$work/before" "$work/after" >"$work/diff" || note "the directory changed: $(cat "$work/diff")"
	same "$place/theirs" "$work/theirs"
	rm -f "$place/theirs"
}
measured='.rounds >= 1 and .pages_per_second > 0 and .pages_per_second_overall > 0 and
	.p50_us > 0 and .p99_us >= .p50_us and .of_unprotected > 0 and .of_journal > 0 and
	(.through | IN("calls", "AIO", "ring", "queue"))'

bench_measures_every_way_on_xfs() {
	remember "$xfs"
	bench --json --buffered "$xfs"
	[ ! -s "$err" ] || note "stderr: $(cat "$err")"
	json --arg at "$xfs" '.directory == $at and .size == 16384 and .filesystem == "xfs" and .flush_us > 0'
	json '[.files[].file] == ["direct", "buffered"] and ([.files[].shapes | length] == [3, 3])'
	json '.files[0] | .kernel_path == "filesystem" and .reasons == []'
	json '.files[1] | .kernel_path == null and (.reasons | length) > 0'
	json "[.files[0].shapes[].ways[] | $measured] | length == 12 and all"
	json "[.files[1].shapes[].ways | .journal, .[\"double-write\"], .unprotected | $measured] | length == 9 and all"
	json '[.files[1].shapes[].ways.kernel == null] | all'
	json '[.files[].shapes[].ways | select(.journal) | .journal.of_journal == 1 and .unprotected.of_unprotected == 1] | all'
	json '[.files[].shapes[] | .auto == "journal" or .auto == "kernel"] | all'
	json '[.files[].shapes[] | (.fastest == .auto) == (.fastest_of_auto == 1)] | all'
	left_alone
}
bench_prints_tables_and_advice() {
	bench "$xfs" --size 4k
	[ ! -s "$err" ] || note "stderr: $(cat "$err")"
	prints "^$xfs: xfs on loop[0-9]+, Linux [0-9.]+, pages of 4k$"
	prints '^A flush costs [0-9]+ us'
	[ "$(grep -cE '^  filesystem +(calls|queue)( +[0-9]+){4} +[0-9.]+x$' "$out")" -eq 3 ] || note "filesystem: $(cat "$out")"
	[ "$(grep -cE '^  journal +(calls|queue)( +[0-9]+){4} +[0-9.]+x$' "$out")" -eq 3 ] || note "journal: $(cat "$out")"
	[ "$(grep -cE '^  unprotected +(calls|AIO|ring)( +[0-9]+){4} +1.00x$' "$out")" -eq 3 ] || note "unprotected: $(cat "$out")"
	prints '^  For single durable pages AUTO takes the journal: no hardware writes the page untorn'
	[ "$(grep -cE '^    (No other untorn way|The (journal|filesystem) is .*ATOMICIO_PATH_(JOURNAL|KERNEL)\.$)' "$out")" -eq 3 ] ||
		note "advice: $(cat "$out")"
	prints '^  Without a journal AUTO takes the filesystem'
}
bench_says_why_the_kernel_path_is_not_there() {
	remember "$shm"
	bench "$shm"
	prints '^  The kernel path is not there:$'
	prints '^    fs-unsupported: '
	prints 'AUTO takes the journal: nothing else makes pages untorn'
	prints 'atomicio journal create'
	! grep -qE '^  (hardware|filesystem) ' "$out" || note "a table has it: $(cat "$out")"
	bench --json "$shm"
	json '.files[0] | .kernel_path == null and ([.reasons[].name] | index("fs-unsupported"))'
	json '[.files[].shapes[] | .ways.kernel == null and .auto == "journal" and .fastest == "journal"] | all'
	left_alone
}
# Rivals are at their best: what goes out together does, through all that the kernel has for it.
bench_gives_the_rivals_rings() {
	expect 0 strace -f -o "$work/trace" -e trace=io_uring_enter,io_submit "$tool" bench --seconds 1 --json "$shm"
	! ldd "$tool" | grep -q liburing || grep -qE 'io_uring_enter\([0-9]+, 64, ' "$work/trace" || note 'no 64 pages at once through a ring'
	grep -qE 'io_submit\([^,]*, 64, ' "$work/trace" || note 'no 64 pages at once through AIO'
	expect 0 strace -f -o "$work/trace" -e trace=io_uring_setup,io_setup -e inject=io_uring_setup:error=EPERM \
		-e inject=io_setup:error=ENOSYS "$tool" bench --seconds 1 --json "$shm"
	json "[.files[0].shapes[].ways | .journal, .[\"double-write\"], .unprotected | $measured] | length == 9 and all"
	json '[.files[0].shapes[].ways | .["double-write"], .unprotected | .through == "calls"] | all'
}
bench_of_a_file_measures_its_directory() {
	remember "$shm"
	mkdir "$work/links"
	ln -s "$shm/theirs" "$work/links/name"
	bench --json "$work/links/name"
	json --arg at "$shm" '.directory == $at'
	rm -r "$work/links"
	left_alone
}
bench_without_direct_files_is_buffered() {
	mkdir "$work/bench-ramfs" && mount -t ramfs none "$work/bench-ramfs"
	remember "$work/bench-ramfs"
	bench --json "$work/bench-ramfs"
	json '[.files[].file] == ["buffered"]'
	left_alone
	umount "$work/bench-ramfs"
	rmdir "$work/bench-ramfs"
}
bench_that_is_killed_leaves_nothing() {
	local signal pid tries status
	for signal in INT:130 TERM:143 KILL:137; do
		remember "$xfs"
		env --default-signal=INT "$tool" bench --seconds 60 "$xfs" >"$out" 2>"$err" &
		pid=$!
		# Six files are made, the journal last; it opens that once more.
		for ((tries = 0; tries < 600; tries++)); do
			[ "$(find "/proc/$pid/fd" -lname "$xfs/*(deleted)" 2>/dev/null | wc -l)" -lt 6 ] || break
			sleep 0.1
		done
		[ "$tries" -lt 600 ] || note 'its files were not seen'
		kill -s "${signal%:*}" "$pid"
		status=0
		wait "$pid" 2>/dev/null || status=$?
		[ "$status" -eq "${signal#*:}" ] || note "status $status after ${signal%:*}"
		[ ! -s "$out" ] || note "stdout: $(cat "$out")"
		left_alone
	done
}
bench_progress_is_for_terminals() {
	bench "$shm"
	[ ! -s "$err" ] || note "stderr: $(cat "$err")"
	timeout 120 script -qec "'$tool' bench --seconds 1 '$shm' >/dev/null" /dev/null >"$out" 2>&1 </dev/null
	prints 'bench: direct, pages'
}
bench_in_a_directory_that_cannot_be_written_is_an_error() {
	mkdir -p "$work/theirs.d"
	chmod 755 "$work/theirs.d"
	expect 2 "${as_nobody[@]}" "$tool" bench --seconds 1 "$work/theirs.d"
	one_sentence
	says "$work/theirs.d: no file can be made in this directory: Permission denied: .*sudo"
	rmdir "$work/theirs.d"
}
bench_in_a_read_only_filesystem_is_an_error() {
	remember "$xfs"
	expect 2 unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" &&
		exec "$0" bench --seconds 1 "$1"' "$tool" "$xfs"
	one_sentence
	says 'Read-only file system: .*mount -o remount,rw'
	left_alone
}
bench_without_space_is_an_error_before_it_writes() {
	local free
	free=$(df --output=avail -m "$xfs" | tail -n 1)
	fallocate -l "$((free - 200))M" "$xfs/filler"
	remember "$xfs"
	expect 2 "$tool" bench --seconds 1 "$xfs"
	one_sentence
	says 'needs 2[0-9][0-9] MiB of free space, and there are [0-9]+: free some'
	left_alone
	rm "$xfs/filler"
}
bench_that_runs_out_of_space_says_so() {
	remember "$shm"
	expect 2 strace -o "$work/trace" -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=40+ \
		"$tool" bench --seconds 1 "$shm"
	one_sentence
	says 'the space ran out during the run: free some'
	[ ! -s "$out" ] || note "stdout: $(cat "$out")"
	left_alone
}
bench_under_a_file_size_limit_says_so() {
	remember "$shm"
	expect 2 bash -c 'ulimit -f 2000; exec "$0" bench --seconds 1 "$1"' "$tool" "$shm"
	one_sentence
	says 'may not grow to 64 MiB here: type ulimit -f unlimited'
	left_alone
}
bench_refuses_block_devices() {
	local device
	device=$(findmnt -no SOURCE "$xfs")
	expect 2 strace -f -o "$work/trace" -e trace=open,openat,openat2 "$tool" bench --seconds 1 "$device"
	one_sentence
	says "^atomicio: $device: is a block device, .*type atomicio bench DIRECTORY"
	! grep -qF "\"$device\"" "$work/trace" || note 'it was opened'
}
bench_refuses_what_is_no_directory_or_file() {
	mkfifo "$work/fifo"
	expect 2 "$tool" bench "$work/fifo"; one_sentence; says 'type atomicio bench DIRECTORY'
	rm "$work/fifo"
	expect 2 "$tool" bench /dev/null; one_sentence; says 'type atomicio bench DIRECTORY'
	expect 2 "$tool" bench "$dir/absent"; one_sentence; says 'No such file'
}
bench_options_are_read_whole_or_refused() {
	local bad
	for bad in '' 0 x 2k 3000 12k 16kB 128k -4k; do
		expect 2 "$tool" bench "$dir" --size "$bad"
		one_sentence
		says "--size '$bad' is no page size: type 4k, 8k"
	done
	for bad in '' 0 x 601 1.5 -1 1s; do
		expect 2 "$tool" bench "$dir" --seconds "$bad"
		one_sentence
		says "--seconds '$bad' is no duration: type a number"
	done
	expect 2 "$tool" bench; one_sentence; says 'type atomicio bench DIRECTORY'
	expect 2 "$tool" bench "$dir" "$dir"; one_sentence
	expect 2 "$tool" bench "$dir" --json=1; one_sentence
	expect 2 "$tool" bench --size; one_sentence; says 'a value is missing'
	[ ! -s "$out" ] || note "stdout: $(cat "$out")"
}
try bench_measures_every_way_on_xfs xfs
try bench_prints_tables_and_advice xfs
try bench_says_why_the_kernel_path_is_not_there tmpfs
try bench_gives_the_rivals_rings tmpfs strace
try bench_of_a_file_measures_its_directory tmpfs
try bench_without_direct_files_is_buffered ramfs
try bench_that_is_killed_leaves_nothing xfs
try bench_progress_is_for_terminals tmpfs script
try bench_in_a_directory_that_cannot_be_written_is_an_error nobody
try bench_in_a_read_only_filesystem_is_an_error xfs
try bench_without_space_is_an_error_before_it_writes xfs
try bench_that_runs_out_of_space_says_so tmpfs strace
try bench_under_a_file_size_limit_says_so tmpfs
try bench_refuses_block_devices xfs strace
try bench_refuses_what_is_no_directory_or_file
try bench_options_are_read_whole_or_refused
