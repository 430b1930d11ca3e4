#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What atomicio_write() costs outside the kernel: instructions, system calls, allocations.
#
# Each figure is the difference between a run of 2N writes and one of N, divided by N, so that
# start and end of the program fall out; instructions are the median of three such pairs.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/../kernel/lib.sh"

program=${ATOMICIO_BUILD:-$KERNEL_HERE/../../build/gcc}/tests/hotpath
writes=200

command -v valgrind >/dev/null || kernel_skip "valgrind is missing"
command -v strace >/dev/null || kernel_skip "strace is missing"
mode=()
path=untorn
if [ "$(id -u)" = 0 ]; then
	kernel_begin mkfs.xfs
	kernel_mount xfs xfs -m reflink=1 || exit 1
	file=$kernel_scratch/xfs/file
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
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$file" "$1" \
		"${mode[@]}" 2>&1 | sed -nE 's/.*Collected *: *([0-9]+).*/\1/p'
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
	awk -v value="$1" -v bound="$3" "BEGIN { exit !(value != \"\" && value + 0 $2 bound) }"
	kernel_report $? "$4"
}

cost=$(for _ in 1 2 3; do per instructions; done | sort -n | sed -n 2p)
system=$(per calls)
memory=$(per allocations)
echo "# $path path, per atomicio_write: $cost instructions, $system system calls, $memory allocations"
[ $path = plain ] || check "$cost" '<=' 150 the_hot_path_takes_at_most_150_instructions
[ $path = plain ] || check "$system" == 1 the_hot_path_makes_one_system_call
check "$memory" == 0 the_hot_path_allocates_nothing
kernel_finish
