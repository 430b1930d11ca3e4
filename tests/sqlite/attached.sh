#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: a transaction over several attached databases is made in all of them or in none, if any system
# call of the commit fails; and the connection goes on with the databases as they are.
#
# Method: the command sqlite3 under strace, which makes the N-th call of a kind fail, for each possible
# N; and an ext4 with less and less room.  Three views are compared: the same connection's after the
# commit, the same connection's after one more transaction, and another process's at the end.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip "the command strace is missing"
cd "$scratch" || exit 1
log=$scratch/log
names='x y z'
for name in $names; do
	stock "$name.first" 'PRAGMA page_size=512; CREATE TABLE t(v INTEGER, b);' \
		'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<40) INSERT INTO t SELECT 0, zeroblob(60) FROM c;'
done

see='SELECT "#", (SELECT min(v) || max(v) FROM t), (SELECT min(v) || max(v) FROM y.t), (SELECT min(v) || max(v) FROM z.t);'
# statements DIRECTORY PRAGMAS [MAIN]
statements() {
	local uri="?vfs=atomicio&atomicio_size=1048576"
	printf '%s\n' ".load $extension" ".open file:$1/x.db$uri" "ATTACH 'file:$1/y.db$uri' AS y;" \
		"ATTACH 'file:$1/z.db$uri' AS z;" "$2" \
		'BEGIN; UPDATE t SET v=1; UPDATE y.t SET v=1; UPDATE z.t SET v=1;' 'COMMIT;' "$see" \
		'BEGIN; UPDATE t SET v=v+2; UPDATE y.t SET v=v+2; UPDATE z.t SET v=v+2;' 'COMMIT;' "$see"
}
# agree: all that was seen in $log, and what is there, is the same in all databases; a COMMIT that was
# refused changed nothing, and left no super-journal.  A statement that fails before it is no matter of this test.
agree() {
	! grep -qE 'near line (6|9):' "$log" || return 0
	[ "$(grep -c '^#|' "$log")" = 2 ] && ! grep '^#|' "$log" | grep -vqE '^#\|(00|11|22|33)\|\1\|\1$' || return 1
	if grep -q 'near line 7:' "$log"; then
		grep '^#|' "$log" | head -n 1 | grep -q '^#|00|' || is_late || return 1
	elif ! grep '^#|' "$log" | head -n 1 | grep -q '^#|11|'; then
		return 1
	fi
	compgen -G 'd/*-mj*' >>"$log" && return 1
	whole "$(grep '^#' "$log" | tail -n 1 | cut -d '|' -f 2)"
}
# The super-journal is deleted, and the sync of its directory fails: SQLite says so, and it is made.
is_late() {
	grep INJECTED trace | grep -qE "sync\([0-9]+<$scratch/d>\)"
}
# whole PATTERN: another process finds that in all databases
whole() {
	local name found wanted=$1
	for name in $names; do
		found=$(ours "d/$name.db" 'SELECT min(v) || max(v) FROM t;' 'PRAGMA integrity_check;' 2>&1 | tr '\n' ' ')
		[[ $found =~ ^($wanted)\ ok\ $ ]] || {
			echo "$name: $found" >>"$log"
			return 1
		}
		wanted=${BASH_REMATCH[1]}
	done
}
# begin SUFFIX: the databases are new; traced are the calls of the files with that suffix, or all
begin() {
	local name
	rm -rf d
	mkdir d
	paths=()
	for name in $names; do
		cp "$name.first" "d/$name.db"
		[ -z "$1" ] || paths+=(-P "$scratch/d/$name.db$1")
	done
}
# sweep CALL ERROR SUFFIX PRAGMAS: each call of that kind of the files with that suffix fails, once
sweep() {
	local call=$1 error=$2 n
	for ((n = 1; n < 400; n++)); do
		begin "$3"
		statements "$scratch/d" "$4" | timeout 60 strace -f -qq -y -o trace "${paths[@]}" \
			-e trace="$call" -e inject="$call:error=$error:when=$n" sqlite3 >"$log" 2>&1
		grep -q INJECTED trace || break
		agree || {
			echo "$call $n $error: $(grep INJECTED trace)" >>"$log"
			return 1
		}
	done
	[ "$n" -gt 1 ]
}
# killed CALL AT: the AT-th write of a rollback journal fails, and all after it; then a kill
killed() {
	local call=$1 n
	for ((n = 1; n < 100; n++)); do
		begin -journal
		{
			statements "$scratch/d" '' | timeout 60 strace -f -qq -o trace "${paths[@]}" \
				-e trace="pwrite64,$call" -e inject="pwrite64:error=ENOSPC:when=$2+" \
				-e inject="$call:signal=KILL:when=$n" sqlite3 >"$log" 2>&1
		} 2>/dev/null
		grep -q 'killed by SIGKILL' trace || break
		kills=$((kills + 1))
		whole '00|11|22|33' || {
			echo "$call $n" >>"$log"
			return 1
		}
	done
}

for call in pwrite64 ftruncate fdatasync openat; do
	sweep $call EIO -journal ''
	report $? "a_transaction_over_three_databases_is_whole_if_${call}_of_a_rollback_journal_fails"
done
for error in ENOSPC ENOMEM EFBIG EBUSY; do
	sweep pwrite64 $error -journal ''
	report $? "and_if_it_finds_${error}"
done
for call in pwrite64 pwritev2 fdatasync; do
	sweep $call EBUSY -atomicio ''
	report $? "a_transaction_over_three_databases_is_whole_if_${call}_of_its_frames_fails"
done
for call in pwrite64 fdatasync; do
	sweep $call EIO '' ''
	report $? "a_transaction_over_three_databases_is_whole_if_any_${call}_fails"
done
for mode in 'journal_mode=TRUNCATE' 'journal_mode=PERSIST' 'locking_mode=EXCLUSIVE' 'cache_size=4'; do
	sweep pwrite64 ENOSPC -journal "PRAGMA main.$mode; PRAGMA y.$mode; PRAGMA z.$mode;"
	report $? "and_so_it_is_with_${mode}"
done
kills=0
for call in unlink ftruncate fdatasync openat; do
	for at in 1 2 3 4; do
		killed $call $at
		report $? "and_if_write_${at}_fails_and_a_kill_follows_at_${call}"
	done
done
[ $kills -gt 20 ]
report $? and_there_were_kills
[ "$failures" = 0 ]
