# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh has the other half
#
# The driver for the matrix: a cell of the environment named in the list must go red.
# shellcheck source=tests/mutants/tree.sh
. "$here/tree.sh"

# cell ENVIRONMENT: the first cell that fails
cell() {
	bash "$tree/tests/matrix/run.sh" "$build/tools/atomicio" "$1" 2>/dev/null |
		grep -m 1 '^not ok' | sed 's/^not ok - //'
}

prepare() {
	tree_prepare "atomicio_matrix atomicio_crash atomicio_tool" || return
	unbroken_passes cell
}

try() { # NAME FILE WHERE HOW
	! tree_break "$2" "$4" || red=$(cell "$3")
	tree_mend "$2"
}

matrix_mutants() {
	one_by_one_as_root matrix
}
