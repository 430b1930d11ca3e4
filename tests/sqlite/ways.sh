#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: what SQLite offers beyond plain statements works through the VFS: several connections with
# savepoints and a shared cache, mappings, read-only and immutable URIs, WAL and back.
#
# Method: the command sqlite3, with statements whose result is known.  What a random run can meet is
# random.c's.
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
[ "$failures" = 0 ]
