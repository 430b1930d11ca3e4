#!/bin/bash
# SPDX-License-Identifier: MIT
# Goal: show that run.sh cannot be green when something is wrong.
# Method: hand it the tests of broken/, and look at its exit status and at what it says.
#
# usage: check_run.sh [run.sh's options]
set -u
here=$(cd "$(dirname "$0")" && pwd)
options=("$@")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
output=$scratch/output
# No shell can read this one.
printf 'test_unreadable() {\n\tif true\n}\n' >"$scratch/test_unreadable.sh"
export VM_EXTRA_TESTS="$here/broken/test_broken.sh $scratch/test_unreadable.sh"
passed=0
failed=0

# run STATUS OPTIONS TEST...: run.sh must end with that status.
run() {
	local wanted=$1 status=0
	shift
	"$here/../run.sh" "${options[@]}" --name check "$@" >"$scratch/raw" 2>&1 || status=$?
	sed 's,^\(ok\|not ok\) [0-9.]*/,\1 ,' "$scratch/raw" >"$output"
	if [ $status = "$wanted" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	echo "not ok: status $status, not $wanted, of: run.sh $*"
	cat "$output"
}
# says LINE: the output has it, as a pattern of a whole line.
says() {
	if grep -q -x -E "$1" "$output"; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	echo "not ok: nothing says: $1"
	cat "$output"
}

run 0 broken_not_at_all broken_skips
says 'ok broken_not_at_all'
says 'ok broken_skips # SKIP on purpose'
says '1 passed, 0 failed, 1 skipped'

VM_TEST_LIMIT=5 run 1 broken_not_at_all broken_fails broken_command_not_found \
	broken_leaves_something_behind broken_takes_too_long unreadable
says 'ok broken_not_at_all'
says 'not ok broken_fails - on purpose'
says 'not ok broken_command_not_found - status 127.*'
says 'not ok broken_leaves_something_behind - not undone: false'
says 'not ok broken_takes_too_long - its time limit was hit'
says 'not ok unreadable - .*'
says '1 passed, 5 failed, 0 skipped'

run 1 broken_not_at_all broken_loses_a_result
says 'not ok run - test broken_not_at_all brought 0 results'
says 'not ok run - 1 results for 2 tests planned'

run 1 broken_not_at_all broken_panics broken_fails
says 'not ok run - Kernel panic.*'
says 'not ok run - the guest did not come to its end'
says 'not ok run - test broken_panics brought 0 results'

run 1 broken_not_at_all broken_switches_off broken_fails
says 'not ok run - the guest did not come to its end'

run 1 --limit 60 broken_hangs_the_machine
says 'not ok run - the time limit of 60 s was hit'

# A test for a kernel that does not exist yet is not in the plan.
run 0 broken_is_for_a_later_kernel
says 'vm: kernel .*: these tests are all for later kernels'
run 2 no_test_of_this_name

# No network and nothing fetched: one sentence, and a skip.
status=0
http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 \
	"$here/fetch.sh" "$scratch/cache" 6.1 >"$output" 2>&1 || status=$?
[ $status = 77 ] && [ "$(wc -l <"$output")" = 1 ] && passed=$((passed + 1)) || {
	failed=$((failed + 1))
	echo "not ok: without network fetch.sh gave $status: $(cat "$output")"
}

echo "check_run: $passed passed, $failed failed"
[ $failed = 0 ]
