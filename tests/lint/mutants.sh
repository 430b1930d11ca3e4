#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: every mutant still breaks the line that it was written for.
#
# Method: a mutant is a sed script for a file of lib/.  Each script of each list must change its
# file; the runs that need hours or a virtual machine would find a stale one late.
set -u
cd "$(dirname "$0")/../.." || exit 1
checked=0
stale=0

# changes LIST NAME FILE SED OPTION...: the script changes that file of lib/
changes() {
	local list=$1 name=$2 file=lib/$3 script=$4
	shift 4
	checked=$((checked + 1))
	if [ -r "$file" ] && ! sed "$@" "$script" "$file" | cmp -s - "$file"; then
		return
	fi
	echo "# $list: $name changes nothing in $file"
	stale=$((stale + 1))
}

# Lists of lines with bars: the script may have some, too.
crash=tests/crash/mutants.list vm=tests/vm/mutants.list
while IFS='|' read -r name file _ script; do
	case $name in '' | '#'*) continue ;; esac
	changes crash "$name" "$file" "$script"
done <"$crash"
while IFS='|' read -r name files _ script; do
	case $name in '' | '#'*) continue ;; esac
	for file in $files; do
		changes vm "$name" "$file" "$script"
	done
done <"$vm"

# Lists of calls: mutant NAME FILE WHERE SED
mutant() {
	changes "$list" "$1" "$2" "$4" -E
}
for list in tests/mutants/list.sh tests/matrix/mutants.sh; do
	# shellcheck source=/dev/null # the calls alone, with their continuations
	. <(awk '/^mutant / || more { print; more = /\\$/ }' "$list")
done

echo "# $checked scripts, $stale stale"
[ $checked -gt 100 ] && [ $stale = 0 ]
