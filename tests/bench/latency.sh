#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How long a durable page of 8 threads can take through the journal, and for how long nobody gets
# anywhere, against unprotected writes (see latency.c): on ext4 over a loop device, buffered.
#
#	tests/bench/latency.sh [--seconds S] [--json FILE] [--strict]
#
# The log of 64 MiB comes round 20 times, in 5 runs; with less than a second a comparison in one run,
# and once in a short check.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

wraps=20
runs=5
! bench_meets "$bench_seconds" '<' 1 || runs=1
! bench_meets "$bench_seconds" '<' 0.2 || wraps=1
bench_begin jq mkfs.ext4
bench_says "$runs runs of $wraps rounds of the log"
bench_fresh ext4
"$BENCH_BIN/latency" $wraps $runs --json "$kernel_scratch/home" >"$kernel_scratch/results" || exit 1
jq -r '"# \(.what) / \(.way): \(.figure) \(.unit)"' "$kernel_scratch/results"
bench_add ext4 <"$kernel_scratch/results"
[ "$(grep -c '"unit": "x"' "$kernel_scratch/results")" = 2 ]
kernel_report $? latency_of_8_threads_is_measured
[ $bench_strict = no ] || {
	jq -es 'map(select(.goal)) | all(.figure <= .goal)' "$kernel_scratch/results" >/dev/null
	kernel_report $? latency_of_8_threads_is_at_most_twice_that_of_unprotected_writes
}
kernel_finish
