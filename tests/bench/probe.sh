#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What atomicio_probe() costs on a file: system calls, and the time of a process's first probe.
#
#	tests/bench/probe.sh [--rounds N] [--json FILE] [--strict]
#
# The calls are those between two marks in strace's log.  The time is the median of as many
# processes as there are rounds, of which each probes once.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

program=$BENCH_BIN/probe_once
bench_begin strace mkfs.xfs mkfs.ext4

for type in xfs ext4; do
	bench_fresh $type
	file=$kernel_scratch/home/file
	truncate -s 1M "$file" || exit 1
	strace -f -o "$kernel_scratch/calls" "$program" "$file" >/dev/null || exit 1
	calls=$(awk '/getppid\(/ { marks++; next } marks == 1 { n++ } END { print n + 0 }' \
		"$kernel_scratch/calls")
	cold=$(for _ in $(seq "$bench_rounds"); do
		"$program" "$file" | sed -n 's/^cold \(.*\) us$/\1/p'
	done | sort -n | sed -n "$(((bench_rounds + 1) / 2))p")
	echo "# $type: the first probe takes $calls system calls and $cold us"
	bench_figure $type "atomicio_probe, cold" "$calls" "system calls" 16 less
	bench_figure $type "atomicio_probe, cold" "$cold" us 100 less
	[ "$calls" -gt 2 ] && [ "$calls" -le 16 ]
	kernel_report $? "a_probe_on_${type}_takes_at_most_16_system_calls"
	[ $bench_strict = no ] || bench_meets "$cold" '<=' 100
	kernel_report $? "a_probe_on_${type}_is_timed"
done
kernel_finish
