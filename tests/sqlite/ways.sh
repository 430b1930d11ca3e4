#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: what SQLite offers beyond plain statements works through the VFS: a shared cache, savepoints
# beside other connections, mappings, read-only and immutable URIs, WAL and back, page sizes.
#
# Method: the command sqlite3, with the same statements through SQLite's own VFS and through this one,
# or with statements whose result is known.  What a random run can meet is random.c's.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
uri() { # DATABASE [PARAMETERS]: what opens it
	echo ".open file:$1?vfs=atomicio&atomicio_size=1048576${2:-}"
}
# says WANTED SQL...: the output of the shell is that
says() {
	local wanted=$1
	shift
	printf '%s\n' ".load $extension" "$@" | sqlite3 >log 2>&1
	[ "$(cat log)" = "$wanted" ]
}

# A rollback to a savepoint reads the rollback journal; the commit after it is a change all the same.
says '1,2
9,2' "$(uri a.db)" 'CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE TABLE u(v);' \
	'INSERT INTO t VALUES(1,1),(2,2);' '.connection 1' "$(uri a.db)" 'SELECT group_concat(v) FROM t;' \
	'.connection 0' 'BEGIN;' 'UPDATE t SET v=9 WHERE k=1;' 'SAVEPOINT s;' 'INSERT INTO u VALUES(1);' \
	'ROLLBACK TO s;' 'COMMIT;' '.connection 1' 'SELECT group_concat(v) FROM t;'
report $? a_commit_after_a_rollback_to_a_savepoint_is_seen_by_other_connections

# alike PARAMETERS SQL...: with two connections, which @0 and @1 choose
alike() {
	local parameters=$1 vfs
	shift
	for vfs in unix atomicio; do
		rm -f x.db*
		printf '%s\n' ".load $extension" ".open file:x.db?vfs=$vfs&$parameters" '.connection 1' \
			".open file:x.db?vfs=$vfs&$parameters" "$@" | sed 's/^@/.connection /' |
			sqlite3 >$vfs.out 2>&1
		[ $vfs = unix ] || stock x.db 'PRAGMA integrity_check;' >>$vfs.out 2>&1
	done
	echo ok >>unix.out
	diff unix.out atomicio.out >log && [ "$(wc -l <unix.out)" -gt 3 ]
}

alike 'cache=shared' @0 'CREATE TABLE t(a); INSERT INTO t VALUES(1);' @1 'SELECT a FROM t;' @0 \
	'BEGIN; INSERT INTO t VALUES(2);' @1 'SELECT a FROM t;' 'PRAGMA read_uncommitted=1;' \
	'SELECT group_concat(a) FROM t;' @0 'SAVEPOINT s; INSERT INTO t VALUES(3); ROLLBACK TO s;' @1 \
	'SELECT group_concat(a) FROM t;' @0 'COMMIT;' @1 'INSERT INTO t VALUES(4);' @0 \
	'SELECT group_concat(a) FROM t;' 'DELETE FROM t; VACUUM;' @1 'SELECT count(*) FROM t;'
report $? a_shared_cache_shows_what_it_shows_with_sqlites_own_vfs

alike 'cache=private' @0 'CREATE TABLE t(a); INSERT INTO t VALUES(1);' 'PRAGMA journal_mode=WAL;' \
	'INSERT INTO t VALUES(2);' @1 'BEGIN; SELECT count(*) FROM t;' @0 'INSERT INTO t VALUES(3);' @1 \
	'SELECT count(*) FROM t; COMMIT;' 'SELECT count(*) FROM t;' @0 'PRAGMA journal_mode=DELETE;' @1 \
	'PRAGMA journal_mode;' '.connection close 0' 'PRAGMA journal_mode=TRUNCATE;' \
	'INSERT INTO t VALUES(4);' 'SELECT group_concat(a) FROM t;' 'PRAGMA journal_mode=WAL;'
report $? a_switch_to_wal_and_back_goes_as_with_sqlites_own_vfs

for size in 512 1024 2048 4096 8192 16384 32768 65536; do
	alike 'cache=private' @0 "PRAGMA page_size=$size; PRAGMA auto_vacuum=$((size / 512 % 3));" \
		'CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE INDEX i ON t(v);' \
		'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<200) INSERT INTO t SELECT i, hex(zeroblob(i)) FROM c;' \
		@1 'SELECT count(*), sum(length(v)) FROM t;' @0 'DELETE FROM t WHERE k % 3;' \
		'PRAGMA incremental_vacuum; VACUUM; PRAGMA page_size; PRAGMA page_count;' @1 \
		"INSERT INTO t VALUES(500, zeroblob($size * 3));" 'PRAGMA page_count;'
	report $? pages_of_${size}_bytes_go_as_with_sqlites_own_vfs
done

# mapped SIZE: how often is the file read for a scan of 400 pages?
mapped() {
	rm -f m.db*
	printf '%s\n' ".load $extension" "$(uri m.db)" 'CREATE TABLE t(v);' \
		'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<400) INSERT INTO t SELECT zeroblob(3900) FROM c;' |
		sqlite3 >log 2>&1
	printf '%s\n' ".load $extension" "$(uri m.db)" "PRAGMA mmap_size=$1;" 'SELECT sum(length(v)) FROM t;' |
		strace -f -o trace -e trace=pread64 sqlite3 >log 2>&1
	reads=$(grep -c pread64 trace)
	grep -q 1560000 log
}
if command -v strace >/dev/null; then
	mapped 0 && [ "$reads" -gt 400 ] && mapped 10000000 && [ "$reads" -lt 50 ]
	report $? a_mapping_is_read_in_the_place_of_the_file
fi

# A clean database is read whichever way it is opened; a living process may have it open.
says 1 "$(uri r.db)" 'CREATE TABLE t(a); INSERT INTO t VALUES(1);' 'SELECT a FROM t;'
for parameters in '&mode=ro' '&immutable=1' '&nolock=1' '&mode=ro&cache=shared'; do
	says 1 "$(uri r.db "$parameters")" 'SELECT a FROM t;'
	report $? "a_clean_database_is_read_with_${parameters#&}"
done
says 'Runtime error near line 3: attempt to write a readonly database (8)' \
	"$(uri r.db '&mode=ro')" 'INSERT INTO t VALUES(2);'
report $? and_not_written_where_it_is_read_only
[ "$failures" = 0 ]
