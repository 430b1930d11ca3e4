# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh has the other half
#
# The driver for the command: the part of tests/tool named in the list must go red.
# shellcheck source=tests/mutants/tree.sh
. "$here/tree.sh"

# part NAME: the first test that fails
part() {
	ATOMICIO_TOOL_PARTS=$1 timeout -k 5 120 bash "$tree/tests/tool/run.sh" "$build/tools/atomicio" >"$log.$1" 2>&1 </dev/null && return 1
	grep -m 1 '^not ok' "$log.$1" | sed 's/^not ok //' | grep . || echo "ended badly"
}

prepare() {
	tree_of=tools
	tree_prepare "atomicio_tool atomicio_tool_journal_leave atomicio_tool_journal_craft" || return
	unbroken_passes part
}

try() { # NAME FILE WHERE HOW
	! tree_break "$2" "$4" || red=$(part "$3")
	tree_mend "$2"
}

tool_mutants() {
	one_by_one_as_root tool
}
