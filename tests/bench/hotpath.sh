#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What atomicio_write() costs outside the kernel: instructions, system calls, allocations, locks;
# and its rate against that of a raw loop of pwritev2(RWF_ATOMIC).
#
#	tests/bench/hotpath.sh [--rounds N] [--json FILE] [--strict]
#
# Each count is the difference between a run of 2N writes and one of N, divided by N, so that
# start and end of the program fall out; instructions are the median of three such pairs.  The
# rate is taken on XFS over a loop device whose image lies in memory, where a write is as fast
# as can be had without hardware and a call's cost shows most.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

program=$BENCH_BIN/hotpath
writes=200

command -v valgrind >/dev/null || kernel_skip "valgrind is missing"
command -v strace >/dev/null || kernel_skip "strace is missing"
mode=()
path=untorn
if [ "$(id -u)" = 0 ]; then
	kernel_begin mkfs.xfs
	bench_fresh xfs
	file=$kernel_scratch/home/file
else
	# No untorn write to be had: the plain fallback still shows calls and allocations.
	kernel_scratch=$(mktemp -d) || exit 1
	trap kernel_end EXIT
	file=$kernel_scratch/file
	mode=(plain)
	path=plain
fi
# valgrind 3.19 cannot read the debug information of clang 14.
objcopy --strip-debug "$program" "$kernel_scratch/program" || exit 1
program=$kernel_scratch/program
"$program" "$file" 16 "${mode[@]}" || exit 1 # the file has its blocks from here on

instructions() {
	valgrind --tool=callgrind --callgrind-out-file="$kernel_scratch/profile" "$program" "$file" \
		"$1" "${mode[@]}" 2>&1 | sed -nE 's/.*Collected *: *([0-9]+).*/\1/p'
}
# Calls of functions that lock.  A profile names a function once and then has its number.
locks() {
	instructions "$1" >/dev/null
	awk '/^c?fn=/ { id = $0; sub(/^c?fn=\(/, "", id); sub(/\).*/, "", id)
			if (match($0, /\) .*/)) names[id] = substr($0, RSTART + 2) }
		/^cfn=/ { callee = id }
		/^calls=/ { split($1, part, "="); count[callee] += part[2] }
		END { for (id in count)
				if (names[id] ~ /mutex_(try)?lock|rwlock_.*lock|spin_lock|sem_wait|lll_lock/)
					sum += count[id]
			print sum + 0 }' "$kernel_scratch/profile"
}
allocations() {
	valgrind --tool=memcheck --leak-check=no "$program" "$file" "$1" "${mode[@]}" 2>&1 |
		sed -nE 's/.*total heap usage: ([0-9,]+) allocs.*/\1/p' | tr -d ,
}
calls() {
	strace -f -c -o "$kernel_scratch/calls" "$program" "$file" "$1" "${mode[@]}"
	awk '$NF == "total" { print $(NF - 1) == "" ? 0 : ($4 ~ /^[0-9]+$/ ? $4 : $3) }' \
		"$kernel_scratch/calls"
}
# per FUNCTION: the cost of one write, with two digits
per() {
	local once twice
	once=$("$1" $writes)
	twice=$("$1" $((2 * writes)))
	[ -n "$once" ] && [ -n "$twice" ] || return 1
	awk -v a="$once" -v b="$twice" -v n=$writes 'BEGIN { printf "%.2f\n", (b - a) / n }'
}
# check VALUE OPERATOR BOUND NAME
check() {
	bench_meets "$1" "$2" "$3"
	kernel_report $? "$4"
}

# rate LENGTH: in memory
rate() {
	local line cpu
	line=$("$program" "$kernel_scratch/fast/file" rate "$1" "$rate_rounds") || exit 1
	echo "# in memory: $line"
	cpu=${line#* processor }
	bench_figure xfs "atomicio_write, $(($1 / 1024)) KiB, image in memory / raw pwritev2(RWF_ATOMIC)" \
		"${line##* }" x 0.99 more
	bench_figure xfs "atomicio_write, $(($1 / 1024)) KiB, by processor time / raw pwritev2(RWF_ATOMIC)" \
		"${cpu%% *}" x 0.99 more
	[ $bench_strict = no ] ||
		check "${line##* }" '>=' 0.99 "atomicio_write_is_as_fast_as_the_raw_call_at_$1"
}

cost=$(for _ in 1 2 3; do per instructions; done | sort -n | sed -n 2p)
system=$(per calls)
memory=$(per allocations)
locked=$(per locks)
echo "# $path path, per atomicio_write: $cost instructions, $system system calls," \
	"$memory allocations, $locked locks"
[ $path = plain ] || check "$cost" '<=' 150 the_hot_path_takes_at_most_150_instructions
[ $path = plain ] || check "$system" == 1 the_hot_path_makes_one_system_call
check "$memory" == 0 the_hot_path_allocates_nothing
check "$locked" == 0 the_hot_path_takes_no_lock
if [ $path = untorn ]; then
	what="atomicio_write, outside the kernel"
	bench_figure xfs "$what" "$cost" instructions 150 less
	bench_figure xfs "$what" "$system" "system calls" 1 less
	bench_figure xfs "$what" "$memory" allocations 0 less
	bench_figure xfs "$what" "$locked" locks 0 less
	# The first release took 31,969; more than a tenth more is too much.
	mode=(journal)
	journaled=$(per instructions)
	mode=()
	echo "# $journaled instructions outside the kernel for a journaled page of 16 KiB"
	bench_figure xfs "journal, page of 16 KiB, outside the kernel" "$journaled" instructions \
		35100 less
	[ -n "$journaled" ]
	kernel_report $? a_journaled_page_is_counted
	rate_rounds=$((bench_rounds * 10 + 1))
	bench_fast
	rate 4096
	rate 16384
fi
kernel_finish
