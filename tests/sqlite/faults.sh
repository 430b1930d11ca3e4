#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: after a failure of the disk, a kill at a bad moment, or something done to the files beside it, a
# database says the truth and goes on.
#
# Method: the command sqlite3 with fail.so in front of it, whose control file a script makes and takes
# away between two statements.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
export ATOMICIO_FAIL=$scratch/broken
shim=$build/tests/sqlite/fail.so

# broken DATABASE SQL...: through the VFS, with fail.so; an error does not end it
broken() {
	local database=$1
	shift
	{
		echo ".load $extension"
		echo ".open file:$database?vfs=atomicio&atomicio_size=1048576"
		printf '%s\n' "$@"
	} | LD_PRELOAD=$shim sqlite3 2>&1
}
breaks() { echo ".shell echo $1 >$ATOMICIO_FAIL"; }
mended=".shell rm -f $ATOMICIO_FAIL"
gives() { # TEXT COMMAND...: its output
	local text=$1
	shift
	"$@" >log 2>&1 && kept "$text"
}
kept() { # the lines of the log are these
	[ "$(cat log)" = "$1" ]
}

# The switch to WAL takes the guard away: no frame is live then.
broken a.db 'CREATE TABLE t(a);' 'INSERT INTO t VALUES(1);' 'UPDATE t SET a=2;' \
	'PRAGMA journal_mode=WAL;' 'PRAGMA atomicio;' >log
grep -qx wal log && grep -q 'live=0 .*guard=off' log
report $? no_commit_is_in_the_journal_alone_once_a_database_is_in_wal_mode

# A process is killed between the guard's write and its sync.  The next one syncs before its first frame.
stock b.db 'CREATE TABLE t(a);'
broken b.db 'BEGIN IMMEDIATE;' 'ROLLBACK;' >log # the journal is there
echo k:b.db >"$ATOMICIO_FAIL"
{ broken b.db 'INSERT INTO t VALUES(1);' >log; } 2>/dev/null
status=$?
rm -f "$ATOMICIO_FAIL"
[ $status = 137 ] && [ "$(od -An -tx1 -j18 -N2 b.db)" = ' 01 81' ]
report $? a_process_is_killed_with_its_guard_in_the_page_cache
broken b.db 'SELECT count(*) FROM t;' "$(breaks s:b.db)" 'INSERT INTO t VALUES(2);' "$mended" \
	'SELECT count(*) FROM t;' >log
grep -q 'disk I/O error' log && [ "$(grep -c '^0$' log)" = 2 ]
report $? the_guard_that_a_killed_process_left_is_made_durable_before_a_commit

# The sync of the guard fails once.
stock c.db 'CREATE TABLE t(a);'
broken c.db 'BEGIN IMMEDIATE;' 'ROLLBACK;' "$(breaks s:c.db)" 'INSERT INTO t VALUES(1);' "$mended" \
	'INSERT INTO t VALUES(2);' 'SELECT group_concat(a) FROM t;' >log
grep -q 'disk I/O error' log && [ "$(tail -n 1 log)" = 2 ]
report $? a_process_goes_on_after_the_sync_of_its_guard_has_failed
stock c.db 'SELECT group_concat(a) FROM t;' >log 2>&1 && kept 2
report $? and_its_close_takes_the_guard_off

# One connection of a stock SQLite, which looks while the guard is on, and again when it is off.
stock d.db 'CREATE TABLE t(a);' 'INSERT INTO t VALUES(1);'
printf '%s\n' 'SELECT count(*) FROM t;' '.connection 1' ".load $extension" \
	'.open file:d.db?vfs=atomicio&atomicio_size=1048576' 'INSERT INTO t VALUES(2);' \
	'.connection 0' 'SELECT count(*) FROM t;' '.connection close 1' \
	 'INSERT INTO t VALUES(3);' 'SELECT group_concat(a) FROM t;' |
	sqlite3 d.db >log 2>&1
grep -q 'file is not a database' log && [ "$(tail -n 1 log)" = 1,2,3 ]
report $? a_stock_connection_that_was_refused_writes_again_once_the_guard_is_off

# The frame is written, the write says EIO, and the frame cannot be voided: the commit was reported as
# failed.
broken e.db 'CREATE TABLE t(a);' 'INSERT INTO t VALUES(1);' "$(breaks o:-atomicio)" \
	'INSERT INTO t VALUES(2);' "$mended" '.open memory.db' \
	".open file:e.db?vfs=atomicio&atomicio_size=1048576" 'SELECT group_concat(a) FROM t;' >log
grep -q 'disk I/O error' log && [ "$(tail -n 1 log)" = 1 ]
report $? a_commit_that_was_reported_as_failed_does_not_come_back_by_a_close_and_an_open

# Another process recovers after such a failure; pages of its commit cannot go home, and it is killed.
cat >other <<END
exec 2>/dev/null
printf '%s\n' '.bail on' '.load $extension' \
	'.open file:j.db?vfs=atomicio&atomicio_size=1048576' 'INSERT INTO t VALUES(3);' \
	'.shell echo w:j.db >$ATOMICIO_FAIL' 'INSERT INTO t VALUES(4);' '.shell kill -KILL \$PPID' |
	sqlite3 || echo killed \$?
END
broken j.db 'CREATE TABLE t(a);' 'INSERT INTO t VALUES(1);' "$(breaks o:-atomicio)" \
	'INSERT INTO t VALUES(2);' "$mended" '.shell bash other' "$mended" 'SELECT a FROM t;' >log
grep -q 'disk I/O error' log && grep -q 'killed 137' log && [ "$(tail -n 1 log)" = 4 ]
report $? a_recovery_skips_its_own_failed_commit_and_no_later_one_of_another_process

# A connection that keeps its locks recovers with them: a frame fails, or a page's way home.
for what in o:-atomicio w:l.db; do
	rm -f l.db*
	broken l.db 'CREATE TABLE t(a);' 'PRAGMA locking_mode=EXCLUSIVE;' 'INSERT INTO t VALUES(1);' \
		"$(breaks "$what")" 'INSERT INTO t VALUES(2);' "$mended" 'INSERT INTO t VALUES(3);' \
		"$(breaks "$what")" 'INSERT INTO t VALUES(4);' "$mended" 'INSERT INTO t VALUES(5);' \
		'.shell sqlite3 l.db "SELECT * FROM t"' 'SELECT group_concat(a) FROM t;' >log
	cp log shown
	grep -q 'disk I/O error' log && grep -qE '^1,(2,)?3,5$' log &&
		gives "$(tail -n 1 shown)" stock l.db 'SELECT group_concat(a) FROM t;'
	report $? "an_exclusive_connection_goes_on_after_an_error_of_${what%%:*}"
	grep -q 'database is locked' shown
	report $? "and_keeps_its_lock_after_an_error_of_${what%%:*}"
done

# Such a connection spills, commits a frame, and is killed in its next spill, with pages at home.
stock m.db 'CREATE TABLE t(v, b);' \
	'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<2000) INSERT INTO t SELECT 0, zeroblob(300) FROM c;'
# shellcheck disable=SC2016 # $PPID is of the shell that sqlite3 starts
broken m.db 'PRAGMA locking_mode=EXCLUSIVE;' 'PRAGMA cache_size=5;' 'UPDATE t SET v=1;' \
	'UPDATE t SET v=5 WHERE rowid=7;' 'BEGIN;' 'UPDATE t SET v=2;' '.shell kill -KILL $PPID' \
	2>log >log
broken m.db 'SELECT sum(v) FROM t;' 'PRAGMA integrity_check;' >log
kept '2004
ok'
report $? an_exclusive_connection_that_is_killed_in_its_second_spill_has_a_rollback_journal

# The last connection that is closed is a read-only one.
{
	printf '%s\n' ".load $extension" ".open file:f.db?vfs=atomicio&atomicio_size=1048576" \
		'CREATE TABLE t(a);' 'INSERT INTO t VALUES(1);' '.connection 1' \
		".open file:f.db?vfs=atomicio&mode=ro" 'SELECT count(*) FROM t;' '.connection close 0'
} | sqlite3 >log 2>&1
stock f.db 'SELECT a FROM t;' >log 2>&1 && kept 1
report $? a_read_only_connection_that_is_closed_last_takes_the_guard_off

# Another file takes the name; a connection to the old one looks at it, and the new one's lock stays.
stock g.db 'CREATE TABLE t(a);'
stock n.db 'CREATE TABLE t(a);'
broken g.db 'SELECT * FROM t;' '.shell mv g.db old.db; mv n.db g.db' '.connection 1' \
	".open file:g.db?vfs=atomicio&atomicio_size=1048576" 'BEGIN IMMEDIATE;' '.connection 0' \
	'BEGIN IMMEDIATE;' '.shell sqlite3 g.db "INSERT INTO t VALUES(1);"' >log
grep -q 'database is locked' log
report $? a_file_that_took_the_name_keeps_the_locks_of_this_process

# The journal is taken away under a process, before the guard is on.
for away in 'rm h.db-atomicio' 'mv h.db-atomicio old'; do
	stock h.db 'CREATE TABLE IF NOT EXISTS t(a);'
	broken h.db 'BEGIN IMMEDIATE;' 'ROLLBACK;' ".shell $away" 'INSERT INTO t VALUES(1);' \
		'SELECT count(*) FROM t;' >log
	grep -q 'disk I/O error' log && [ "$(tail -n 1 log)" = 0 ]
	report $? "no_commit_goes_into_a_journal_that_is_away_by_${away%% *}"
	stock h.db 'SELECT count(*) FROM t;' >log 2>&1 && kept 0
	report $? "and_the_database_is_any_sqlites_after_the_close_and_${away%% *}"
done

# A database is deleted after a kill, and made anew beside the journal with its frames.
# shellcheck disable=SC2016 # $PPID is of the shell that sqlite3 starts
broken i.db 'CREATE TABLE t(a);' 'INSERT INTO t VALUES(1);' '.shell kill -KILL $PPID' 2>log >log
rm i.db
broken i.db 'CREATE TABLE u(a);' 'INSERT INTO u VALUES(7);' 'SELECT a FROM u;' >log
kept 7
report $? a_database_that_is_made_anew_takes_no_frames_of_the_deleted_one

# The command beside a process that is alive.
broken k.db 'CREATE TABLE t(a);' 'INSERT INTO t VALUES(1);' \
	".shell $command unguard --force k.db" '.shell od -An -tx1 -j18 -N2 k.db' >log
grep -q 'the guard stays' log && grep -q ' 01 81' log
report $? force_takes_no_guard_off_beside_a_process_that_is_alive
[ "$failures" = 0 ]
