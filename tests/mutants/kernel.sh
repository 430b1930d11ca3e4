# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh has the other half
#
# The driver for scripts of tests/kernel: the script named in the list, then all others.
# shellcheck source=tests/mutants/tree.sh
. "$here/tree.sh"

# script NAME: run it; the first test that fails is printed
script() {
	timeout -k 5 60 bash "$tree/tests/kernel/$1.sh" >"$log.$1" 2>&1 </dev/null && return 1
	grep -m 1 '^not ok' "$log.$1" | sed 's/^not ok - //' | grep . || echo "ended badly"
}

prepare() {
	local name bad
	tree_prepare kernel_programs -DCMAKE_BUILD_TYPE=Debug -DATOMICIO_BUILD_TOOLS=OFF || return
	export ATOMICIO_BUILD=$build
	for name in xfs refuse trace inject sandbox; do
		if bad=$(script $name); then
			echo "not ok - the unbroken library fails $name: $bad"
			return 1
		fi
	done
}

try() { # NAME FILE WHERE HOW
	local name
	if tree_break "$2" "$4"; then
		for name in "$3" xfs refuse trace inject loss; do
			red=$(script "$name") && red="$name: $red" && break
		done
	fi
	tree_mend "$2"
}

kernel_mutants() {
	one_by_one_as_root kernel
}
