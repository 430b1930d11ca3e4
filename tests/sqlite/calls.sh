#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: a commit has one flush, and no more system calls than it needs; a point read has as many as with
# SQLite's own VFS: the question whether the database is hot costs none.
#
# Method: bench.c under strace, twice with a different number of commits or reads: the difference.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
bench=$build/tests/sqlite/bench
command -v strace >/dev/null || skip "the command strace is missing"

# calls FILE COMMITS READS VFS: what the work makes
calls() {
	rm -f "$scratch"/x.db*
	"$bench" "$extension" "$4" DELETE "$scratch/x.db" 5 5 >/dev/null 2>>"$scratch/log" &&
		timeout 120 strace -f -o "$1" "$bench" "$extension" "$4" DELETE "$scratch/x.db" "$2" "$3" \
			>/dev/null 2>>"$scratch/log"
}
# each WHAT VFS PATTERN: calls of that pattern for one of 100; in $count, with two digits after the point
each() {
	local few=(10 10) many=(110 10) difference
	[ "$1" = commit ] || many=(10 110)
	calls "$scratch/few" "${few[@]}" "$2" && calls "$scratch/many" "${many[@]}" "$2" || return
	difference=$(($(grep -cE "$3" "$scratch/many") - $(grep -cE "$3" "$scratch/few")))
	count=$((difference / 100)).$(printf %02d $((difference % 100)))
	echo "# a $1 through $2, $3: $count" | tee -a "$scratch/log"
}
# at_most NUMBER: $count is not more, for a page of the table that is new now and then
at_most() {
	awk -v count="$count" -v most="$1" 'BEGIN { exit !(count <= most) }'
}
: >"$scratch/log"
flush='fsync\(|fdatasync\(|RWF_DSYNC|RWF_SYNC'
each commit atomicio "$flush" && [ "$count" = 1.00 ]
report $? a_commit_has_one_flush
each commit atomicio 'pread' && at_most 2.1
report $? a_commit_reads_the_change_counter_and_the_header_and_nothing_else
each commit atomicio 'unlink' && [ "$count" = 0.00 ]
report $? a_commit_deletes_no_rollback_journal_that_was_never_there
each commit atomicio 'STATX_BASIC|fstat' && at_most 3.1
report $? a_commit_asks_for_times_where_sqlite_itself_does
each commit atomicio '\(' && at_most 34
report $? a_commit_has_34_system_calls_at_most
each read unix '\(' && theirs=$count && each read atomicio '\(' && at_most "$theirs"
report $? a_point_read_has_no_more_system_calls_than_with_sqlites_own_vfs
[ "$failures" = 0 ]
