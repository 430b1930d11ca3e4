#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: after a kill at any moment every acknowledged transaction is there, whole.
#
# Method: bank.c works, is killed with SIGKILL after a random time, and is checked against its printed
# lines, KILLS times: with plain commits, with spilled commits, two databases, VACUUM, and connections
# that come and go; then with three processes at once, one killed before the others.
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
# crowd OPTIONS: three processes take turns; one is killed, the others go on, and then are killed, too
crowd() {
	local options=$1 directory=$scratch/crowd number=0 worker
	local -a processes
	rm -rf "$directory" && mkdir "$directory"
	"$bank" make "$extension" atomicio "$options" "$directory" >"$scratch/log" 2>&1 || return
	while [ $((number += 1)) -le "$kills" ]; do
		for worker in 0 1 2; do
			"$bank" work "$extension" atomicio "$options" "$directory" $worker \
				>"$directory/out$worker" 2>"$scratch/log$worker" &
			processes[worker]=$!
		done
		for worker in $((RANDOM % 3)) 0 1 2; do
			sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
			kill -KILL "${processes[worker]}" 2>/dev/null
			wait "${processes[worker]}" 2>/dev/null
		done
		cat "$scratch"/log[012] >"$scratch/log"
		! grep -v 'log: 5' "$scratch/log" | grep -q . || return # it ended by itself
		grep -hE '^(TRY|ACK) [012] [0-9]+$' "$directory"/out[012] >"$directory/lines"
		"$bank" check "$extension" atomicio "$options" "$directory" <"$directory/lines" >"$scratch/log" 2>&1 ||
			return
	done
	echo "# $kills kills of three processes, $("$bank" count "$extension" atomicio - "$directory") commits"
}
killed -
report $? "a_process_that_is_killed_leaves_what_it_acknowledged"
killed sarv
report $? "with_spilled_transactions_and_two_databases_too"
crowd -
report $? "three_processes_leave_what_they_acknowledged_when_one_is_killed"
crowd sr
report $? "and_with_spilled_transactions_and_connections_that_come_and_go"
[ "$failures" = 0 ]
