#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a journal costs when it is opened again (see reopen.c), and what two threads of large groups
# cost each other (groups.c), on ext4 over a loop device.
#
#	tests/bench/reopen.sh [--seconds S] [--rounds N] [--json FILE] [--strict]
#
# As many recoveries as rounds, at most 9; one with less than a second a comparison.  Reads of a
# clean open are those that strace sees between two marks.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

times=$bench_rounds
[ "$times" -le 9 ] || times=9
! bench_meets "$bench_seconds" '<' 1 || times=1
bench_begin strace mkfs.ext4

# clean NAME SIZE: reads and time of an open
clean() {
	local reads us
	strace -f -o "$kernel_scratch/calls" "$BENCH_BIN/reopen" clean "$2" "$kernel_scratch/home" \
		>"$kernel_scratch/us" || exit 1
	us=$(cat "$kernel_scratch/us")
	reads=$(awk '/getppid\(/ { marks++; next }
		marks == 1 && /(p?read(64|v|v2)?|io_getevents)\(/ { n++ } END { if (marks == 2) print n + 0 }' \
		"$kernel_scratch/calls")
	rm "$kernel_scratch/home/clean"
	echo "# a clean journal of $1 is opened with $reads reads, in $us us under strace"
	bench_figure ext4 "journal, open, clean, $1" "$reads" reads 8 less
	[ -n "$reads" ] && [ "$reads" -gt 0 ]
	kernel_report $? "reads_of_a_clean_open_are_counted_at_${1// /_}"
}

# add PROGRAM ARGUMENT: its results
add() {
	"$BENCH_BIN/$1" "$2" --json "$kernel_scratch/home" >"$kernel_scratch/results" || exit 1
	sed 's/^/# /' "$kernel_scratch/results"
	bench_add ext4 <"$kernel_scratch/results"
	[ -s "$kernel_scratch/results" ]
	kernel_report $? "$1_is_measured"
}

bench_loop_size=2500M
bench_fresh ext4
bench_says "clean journals"
clean "64 MiB" $((64 << 20))
clean "1 GiB" $((1 << 30))
bench_says "journals with live frames"
add reopen "$times"
bench_says "large groups"
add groups "$bench_seconds"
kernel_finish
