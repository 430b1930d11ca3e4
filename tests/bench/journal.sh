#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What durable untorn pages cost through the journal, on XFS and on ext4 over loop devices.
#
#	tests/bench/journal.sh [--seconds S] [--json FILE] [--strict]
#
# Two parts a filesystem: system calls, counted by strace, must be as few as they can be; and
# times against other ways (see journal.c), S seconds a comparison, 8 if not said.  Times
# depend on the disk below, and so fail only with --strict.
set -u

# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

program=$BENCH_BIN/journal
# Steps that are counted: some turns of the ring, which 62 frames of a batch fill.
batches=186

bench_begin strace mkfs.xfs mkfs.ext4

# calls WHAT N: frames, other flushes and bytes written, of a run of N steps
calls() {
	strace -f -s 0 -e trace=pwritev2,fdatasync -o "$kernel_scratch/calls" \
		"$program" --count "$1" "$2" "$kernel_scratch/home" || return
	awk '/fdatasync/ { others++; next }
		/pwritev2/ { bytes += $NF }
		/RWF_DSYNC/ { if ($NF > 4096) frames++; else others++ }
		END { print frames, others, bytes }' "$kernel_scratch/calls"
}

# count TYPE: the difference of N and 2N steps is what N steps take
count() {
	local once twice frames others bytes
	bench_fresh "$1"
	once=$(calls batch $batches) && twice=$(calls batch $((2 * batches))) || exit 1
	read -r frames others bytes < <(awk -v a="$once" -v b="$twice" -v n=$batches 'BEGIN {
		split(a, x); split(b, y); pages = n * 64
		printf "%.6f %.6f %.4f\n", (y[1] - x[1]) / pages, (y[2] - x[2]) / pages,
			(y[3] - x[3]) / pages / 16384 }')
	echo "# $1: $frames flushes a page in batches of 64, and $others for checkpoints;" \
		"$bytes bytes written a byte"
	bench_figure "$1" "journal, batch of 64: flushes a page" "$frames" flushes 0.015625 less
	bench_figure "$1" "journal, batch of 64: flushes a page for checkpoints" "$others" flushes
	bench_figure "$1" "journal, batch of 64: bytes written a byte" "$bytes" bytes 2.02 less
	bench_meets "$frames" '<=' 0.015625
	kernel_report $? "$1_takes_one_flush_for_64_pages"
	bench_meets "$others" '>' 0 && bench_meets "$others" '<=' 0.001
	kernel_report $? "$1_checkpoints_add_little"
	bench_meets "$bytes" '>' 2 && bench_meets "$bytes" '<=' 2.02
	kernel_report $? "$1_writes_at_most_2.02_bytes_a_byte"
}

# compare TYPE: the table, or the results
compare() {
	local line
	bench_fresh "$1"
	if [ -n "$bench_json" ]; then
		"$program" --json --seconds "$bench_seconds" "$kernel_scratch/home" \
			>"$kernel_scratch/results" || exit 1
		bench_add "$1" <"$kernel_scratch/results"
		return
	fi
	"$program" --seconds "$bench_seconds" "$kernel_scratch/home" >"$kernel_scratch/table" || exit 1
	sed 's/^/# /' "$kernel_scratch/table"
	[ $bench_strict = no ] || while read -r line; do
		kernel_report 1 "$1: $line"
	done < <(grep SHORT "$kernel_scratch/table")
}

echo "# $(bench_machine); $(date -u +%FT%TZ); $bench_seconds seconds a comparison"
for type in xfs ext4; do
	bench_says "$type"
	count $type
	compare $type
done
kernel_finish
