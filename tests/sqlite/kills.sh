#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: what was acknowledged is there, whole, after a process is killed at any moment.
#
# Method: bank.c works, is killed with SIGKILL after a random time, and is checked against the lines
# that it said, KILLS times: with plain commits, and with spilled ones, two databases, VACUUM, and
# connections that come and go.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
kills=${KILLS:-30}
RANDOM=${SEED:-1}

# killed OPTIONS NAME
killed() {
	local options=$1 directory=$scratch/bank number=0 process
	rm -rf "$directory" && mkdir "$directory"
	"$bank" make "$extension" atomicio "$options" "$directory" >"$scratch/log" 2>&1 || return
	while [ $((number += 1)) -le "$kills" ]; do
		"$bank" work "$extension" atomicio "$options" "$directory" 0 >"$directory/out" 2>"$scratch/log" &
		process=$!
		sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
		kill -KILL $process 2>/dev/null || return # it ended by itself
		wait $process 2>/dev/null
		grep -E '^(TRY|ACK) 0 [0-9]+$' "$directory/out" >"$directory/lines"
		"$bank" check "$extension" atomicio "$options" "$directory" <"$directory/lines" >"$scratch/log" 2>&1 ||
			return
	done
	echo "# $kills kills, $("$bank" count "$extension" atomicio - "$directory") commits"
}
killed -
report $? "a_process_that_is_killed_leaves_what_it_acknowledged"
killed sarv
report $? "with_spilled_transactions_and_two_databases_too"
[ "$failures" = 0 ]
