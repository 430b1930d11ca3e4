#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Throughput, latency, flushes and bytes of durable untorn pages over the size of a batch (1 to
# 256 pages of one thread) and over threads (1 to 16 that write single pages).
#
#	tests/bench/sweep.sh [--seconds S] [--rounds N] [--json FILE]
#
# S seconds a point.  With fewer than 8 rounds only some of the points are taken, with fewer than
# 4 two of each axis.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

batches=1,2,4,8,16,32,64,128,256
threads=1,2,4,8,16
[ "$bench_rounds" -ge 8 ] || {
	batches=1,8,64,256
	threads=1,4,16
}
[ "$bench_rounds" -ge 4 ] || {
	batches=1,64
	threads=1,8
}
bench_begin mkfs.xfs mkfs.ext4

for type in xfs ext4; do
	bench_fresh $type
	bench_says "$type"
	"$BENCH_BIN/sweep" $batches $threads "$bench_seconds" "$kernel_scratch/home" \
		>"$kernel_scratch/results" || exit 1
	if [ -n "$bench_json" ]; then
		bench_add $type <"$kernel_scratch/results"
	else
		sed "s/^{/{\"on\": \"$type\", /" "$kernel_scratch/results"
	fi
	# Of one page: four ways over batches, and four over threads.
	ways=8
	# Copy on write is XFS's, since 6.16.
	[ $type = ext4 ] || [ "$(printf '%s\n' 6.16 "$(uname -r)" | sort -V | head -n 1)" != 6.16 ] || ways=10
	[ "$(grep -c '"at": 1,' "$kernel_scratch/results")" = $ways ]
	kernel_report $? "every_way_of_writing_on_${type}_is_swept"
done
kernel_finish
