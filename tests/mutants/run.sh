#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Break the library on purpose, one line at a time: a test must go red for each mutant.
#
# Each mutant is a sed script for one file of lib/.  One that changes nothing is an error, so
# the list follows the code.  The last line is `N caught, N survived`.
#
#	tests/mutants/run.sh [NAME...]		all of list.sh, or only these
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || {
	echo "ok - mutants # SKIP needs root to mount filesystems"
	exit 77
}
tree=$root/build/mutants/tree
export ATOMICIO_BUILD=$root/build/mutants/build
log=$root/build/mutants/log
only=("$@")
caught=0
survived=0

rm -rf "$tree"
mkdir -p "$tree"
cp -r "$root"/{CMakeLists.txt,libatomicio.pc.in,cmake,include,lib,man,tests} "$tree"/
compile() {
	cmake --build "$ATOMICIO_BUILD" --target kernel_programs >"$log" 2>&1
}
# red SUITE: run it; the first test that fails is printed
red() {
	timeout -k 5 60 bash "$tree/tests/kernel/$1.sh" >"$log.$1" 2>&1 </dev/null && return 1
	grep -m 1 '^not ok' "$log.$1" | sed 's/^not ok - //' | grep . || echo "ended badly"
}

if ! { cmake -S "$tree" -B "$ATOMICIO_BUILD" -DCMAKE_BUILD_TYPE=Debug -DATOMICIO_BUILD_TOOLS=OFF \
	-DATOMICIO_BUILD_EXAMPLES=OFF && compile; } >"$log.configure" 2>&1; then
	tail -n 20 "$log.configure" "$log"
	exit 1
fi
for suite in xfs refuse trace inject sandbox; do
	if name=$(red $suite); then
		echo "not ok - the unbroken library fails $suite: $name"
		exit 1
	fi
done

# mutant NAME FILE SUITE SED: SUITE is where it should be caught; the others come after it.
mutant() {
	local name=$1 file=lib/$2 first=$3 script=$4 suite test
	[ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $name "* ]] || return
	sed -E "$script" "$root/$file" >"$tree/$file"
	if cmp -s "$root/$file" "$tree/$file"; then
		echo "not ok - $name: the mutation of $file changes nothing"
		survived=$((survived + 1))
		return
	fi
	if ! compile; then
		echo "not ok - $name: does not compile"
		grep -m 3 error "$log"
		survived=$((survived + 1))
	else
		test=
		for suite in "$first" xfs refuse trace inject loss; do
			test=$(red "$suite") && break
		done
		if [ -n "$test" ]; then
			echo "ok - $name: caught by $suite: $test"
			caught=$((caught + 1))
		else
			echo "not ok - $name: no test noticed"
			survived=$((survived + 1))
		fi
	fi
	# A new time stamp, so that make sees the old text as a change.
	cp "$root/$file" "$tree/$file"
}

# shellcheck source=tests/mutants/list.sh
. "$root/tests/mutants/list.sh"

echo "$caught caught, $survived survived"
[ $survived = 0 ] && [ $caught -gt 0 ]
