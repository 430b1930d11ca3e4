#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: a full disk says SQLITE_FULL, loses nothing that was acknowledged, and lets the database go on
# once there is room: without room for the journal, for a frame, and for the pages' way home.
#
# Method: a small ext4 on a loop device, filled by a file; and fail.so, where the frame finds no room.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root to mount a filesystem"
export ATOMICIO_FAIL=$scratch/broken
shim=$build/tests/sqlite/fail.so
disk=$scratch/disk
mkdir "$disk" && truncate -s 24M "$scratch/image" && mkfs.ext4 -q -O ^has_journal -m 0 "$scratch/image" &&
	mount -o loop "$scratch/image" "$disk" || exit 1
trap 'cd /; umount "$disk"; rm -rf "$scratch"' EXIT
cd "$disk" || exit 1
log=$scratch/log

# fill KIB: the disk has that much room, nearly
fill() {
	rm -f filler
	local room
	room=$(($(stat -f -c '%a * %S / 1024' .)))
	fallocate -l $((room - $1))K filler
}
full() { # DATABASE SQL...: an error does not end it
	local database=$1
	shift
	{
		echo ".load $extension"
		echo ".open file:$database?vfs=atomicio&atomicio_size=1048576"
		printf '%s\n' "$@"
	} | LD_PRELOAD=$shim sqlite3 2>&1
}
large='INSERT INTO t VALUES(zeroblob(200000));'
small='INSERT INTO t VALUES(1);'

# No room for the pages at home: the file cannot grow.  A stock connection has page 1 in its cache.
stock a.db 'CREATE TABLE t(a);' 'INSERT INTO t VALUES(0);'
full a.db 'BEGIN IMMEDIATE; ROLLBACK;' >"$log" # the journal is there
fill 100
mkfifo "$scratch/pipe"
sqlite3 a.db <"$scratch/pipe" >"$scratch/stock" 2>&1 &
process=$!
exec 6>"$scratch/pipe"
echo 'SELECT count(*) FROM t;' >&6
for _ in $(seq 500); do [ -s "$scratch/stock" ] || sleep 0.02; done
full a.db "$large" ".shell echo 'INSERT INTO t VALUES(7);' >$scratch/pipe; sleep 0.5" "$small" \
	'SELECT group_concat(a) FROM t;' '.shell rm filler' "$large" 'SELECT count(*) FROM t;' \
	'PRAGMA integrity_check;' >"$log"
exec 6>&-
wait $process
grep -q 'database or disk is full (13)' "$log" && [ "$(grep -v Runtime "$log" | tr '\n' ' ')" = '0,1 3 ok ' ]
report $? a_file_that_cannot_grow_is_full_and_goes_on_with_room
cp "$scratch/stock" "$log"
grep -q 'file is not a database' "$log"
report $? and_a_rollback_for_want_of_room_does_not_hide_the_guard
[ "$(stock a.db 'SELECT count(*) FROM t;' 'PRAGMA integrity_check;' 2>&1 | tr '\n' ' ')" = '3 ok ' ]
report $? and_after_the_close_it_is_any_sqlites

# No room for the journal: SQLite's own way.
stock b.db 'CREATE TABLE t(a);'
fill 300
full b.db "$small" 'SELECT count(*) FROM t;' 'PRAGMA atomicio;' >"$log"
grep -qx 1 "$log" && grep -q 'journal=closed guard=off' "$log"
report $? without_room_for_a_journal_commits_go_sqlites_own_way
rm filler

# A frame finds no room, though the journal's blocks are there (a thin disk, a quota).
full c.db 'CREATE TABLE t(a);' "$small" ".shell echo n:-atomicio >$ATOMICIO_FAIL" \
	'INSERT INTO t VALUES(2);' ".shell rm $ATOMICIO_FAIL" 'INSERT INTO t VALUES(3);' \
	'SELECT group_concat(a) FROM t;' >"$log"
grep -q 'database or disk is full (13)' "$log" && [ "$(tail -n 1 "$log")" = 1,3 ]
report $? a_frame_without_room_is_full_and_the_database_goes_on

# A transaction that is spilled, and finds no room: more than the library has taken ahead (a MiB).
full d.db 'CREATE TABLE t(a);' "$small" >"$log"
fill 400
full d.db 'INSERT INTO t VALUES(zeroblob(2500000));' "$small" 'SELECT count(*) FROM t;' \
	'PRAGMA integrity_check;' >"$log"
grep -q 'database or disk is full (13)' "$log" && [ "$(tail -n 2 "$log" | tr '\n' ' ')" = '2 ok ' ]
report $? a_spilled_transaction_without_room_is_rolled_back

# A transaction over two databases finds no room for the second rollback journal, or for the first.
rm -f filler ./*.db*
rows='WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<500) INSERT INTO t SELECT 0, zeroblob(300) FROM c;'
stock first 'CREATE TABLE t(v, b);' "$rows"
refused=0
for room in 100 200 240 280 320 360 420 1000; do
	rm -f filler ./*.db*
	cp first a.db && cp first b.db
	full a.db "ATTACH 'file:b.db?vfs=atomicio&atomicio_size=1048576' AS b;" \
		'UPDATE t SET v=0 WHERE rowid=1; UPDATE b.t SET v=0 WHERE rowid=1;' 'PRAGMA cache_size=10000;' \
		".shell fallocate -l \$((\$(stat -f -c '%a * %S / 1024' .) - $room))K filler" \
		'BEGIN; UPDATE t SET v=1; UPDATE b.t SET v=1;' 'COMMIT;' '.shell rm filler' \
		'SELECT (SELECT min(v) || max(v) FROM t) || (SELECT min(v) || max(v) FROM b.t);' >"$log"
	seen=$(tail -n 1 "$log")
	found=$(ours a.db 'SELECT min(v) || max(v) FROM t;')$(ours b.db 'SELECT min(v) || max(v) FROM t;')
	if grep -q 'database or disk is full (13)' "$log"; then
		wanted=0000
		refused=$((refused + 1))
	else
		wanted=1111
	fi
	[ "$seen $found" = "$wanted $wanted" ]
	report $? "a_transaction_over_two_databases_is_whole_with_room_for_${room}_kib"
done
[ $refused -gt 2 ] && [ $refused -lt 8 ]
report $? and_some_of_them_are_refused
[ "$failures" = 0 ]
