#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Break the library on purpose, one rule at a time: a test must fail for each line of the list.
#
#	tests/mutants/run.sh [--suite crash|kernel|matrix|sqlite|tool|vm]... [--part K/N] [NAME...]
#
# Without a suite or a name all lines are taken; of N parts, part K has each Nth line.  Each suite has a driver beside this file:
#	prepare			build the unbroken library, whose tests must pass
#	try NAME FILE WHERE HOW	put the first test that fails into $red, or nothing
# Prints a line for each mutant, with its seconds; the last line is `N caught, N survived`.  Exit 77: nothing could run.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/mutants
# shellcheck source=tests/mutants/lib.sh
. "$here/lib.sh"
suites=() only=() part=1 parts=1
caught=0
survived=0
skipped=0

while [ $# -gt 0 ]; do
	case $1 in
	--suite) suites+=("${2:?a suite}") && shift ;;
	--part)
		part=${2:?K/N} parts=${2#*/} && part=${part%/*} && shift
		if [[ ! $part/$parts =~ ^[1-9][0-9]*/[1-9][0-9]*$ ]] || ((part > parts)); then
			echo "a part is K/N" >&2
			exit 2
		fi
		;;
	-*) sed -n 's/^#[[:blank:]]tests/usage: tests/p' "$0" >&2 && exit 2 ;;
	*) only+=("$1") ;;
	esac
	shift
done
[ ${#suites[@]} != 0 ] || suites=(crash kernel matrix sqlite tool vm)

# chosen SUITE: its lines, of those that were asked for
chosen() {
	local name files where how suite
	mutants | while IFS='|' read -r name files where how; do
		case $where in
		kernel\ * | matrix\ * | sqlite\ * | tool\ * | vm\ *) suite=${where%% *} where=${where#* } ;;
		*) suite=crash ;;
		esac
		[ "$suite" = "$1" ] || continue
		[ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $name "* ]] || continue
		printf '%s|%s|%s|%s\n' "$name" "$files" "$where" "$how"
	done | awk -v part="$part" -v parts="$parts" 'NR % parts == part % parts'
}

# result NAME RED [SECONDS]: a line, and the count
result() {
	if [ -n "$2" ]; then
		echo "ok - $1: $2${3:+ ($3 s)}"
		caught=$((caught + 1))
	else
		echo "not ok - $1: ${why:-no test noticed}${3:+ ($3 s)}"
		survived=$((survived + 1))
	fi
}

# skip SUITE REASON
skip() {
	echo "ok - mutants of $1 # SKIP $2"
	skipped=$((skipped + 1))
}

# unbroken_passes PART: what the list names passes before anything is broken; PART prints a failure
unbroken_passes() {
	local where bad
	while read -r where; do
		bad=$("$1" "$where")
		if [ -n "$bad" ]; then
			echo "not ok - the unbroken code fails $where: $bad"
			return 1
		fi
	done < <(cut -d'|' -f3 "$lines" | sort -u)
}

# one_by_one_as_root SUITE: of a suite that mounts filesystems
one_by_one_as_root() {
	if [ "$(id -u)" != 0 ]; then
		skip "$1" "needs root to mount filesystems"
	else
		one_by_one
	fi
}

# one_by_one SUITE: the driver's two functions
one_by_one() {
	local name files where how red why status=0 begun
	prepare || status=$?
	[ $status = 0 ] || return $status
	while IFS='|' read -r -u 9 name files where how; do
		red='' why='' begun=$SECONDS
		try "$name" "$files" "$where" "$how"
		result "$name" "$red" $((SECONDS - begun))
	done 9<"$lines"
}

lines=$(mktemp) || exit
trap 'rm -f "$lines"' EXIT
found=0
for suite in "${suites[@]}"; do
	[ -r "$here/$suite.sh" ] || { echo "there is no suite $suite" >&2 && exit 2; }
	chosen "$suite" >"$lines"
	[ -s "$lines" ] || continue
	found=1
	# Each driver is a world of its own, but for the counts.
	# shellcheck source=/dev/null # one of the drivers
	. "$here/$suite.sh"
	"${suite}_mutants" || exit 1
done
[ $found = 1 ] || { echo "the list has no such mutant" >&2 && exit 2; }
[ $((caught + survived)) != 0 ] || [ $skipped = 0 ] || exit 77

echo "$caught caught, $survived survived"
[ $survived = 0 ] && [ $caught -gt 0 ]
