#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: the library's assertions are on in all that is tested, and the shipped library has none.
#
# Method: an assertion that is on needs __assert_fail.  Each file of lib/ with assertions is looked
# at in the archive that tests are linked with, and each test program as a whole.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

# asserts FILE [MEMBER]: does it, or this member of an archive, need __assert_fail?
asserts() {
	nm -A "$1" 2>/dev/null | grep -E "${2:-}[^ ]*: +[Uw] __assert_fail" >/dev/null
}

count=0
: >"$scratch/log"
for file in "$root"/lib/*.c; do
	grep -qE '^[^*]*[^_a-z]assert\(' "$file" || continue
	count=$((count + 1))
	asserts "$build/tests/libatomicio_checked.a" ":$(basename "$file")\." ||
		echo "$(basename "$file") is tested without its assertions" >>"$scratch/log"
done
[ $count -gt 5 ] || echo "$count files of lib/ have assertions" >>"$scratch/log"
[ ! -s "$scratch/log" ]
report $? the_assertions_of_each_file_are_on_in_tests "$scratch/log"

count=0
: >"$scratch/log"
for program in "$build"/tests/{unit_*,fault_*,kernel/*,crash/crash,cuts/load,matrix/matrix,tool/journal_leave}; do
	if [ ! -f "$program" ] || [ ! -x "$program" ]; then continue; fi
	count=$((count + 1))
	asserts "$program" || echo "${program#"$build"/} has no assertions" >>"$scratch/log"
done
[ $count -gt 20 ] || echo "$count programs were found" >>"$scratch/log"
[ ! -s "$scratch/log" ]
report $? every_test_program_has_assertions "$scratch/log"

if grep -qE '^CMAKE_BUILD_TYPE:[A-Z]*=(Release|RelWithDebInfo|MinSizeRel)$' "$build/CMakeCache.txt"; then
	: >"$scratch/log"
	! asserts "$build/libatomicio.a"
	report $? the_shipped_library_has_no_assertions "$scratch/log"
fi
finish
