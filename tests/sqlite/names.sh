#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: links and renames of a database or of its journal, and other files in their places, lose no
# commit and no file.
#
# Method: the command sqlite3 through the VFS, on files that a script has put there.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1

gives() { # TEXT COMMAND...: its output
	local text=$1
	shift
	"$@" >log 2>&1 && [ "$(cat log)" = "$text" ]
}
refused() { # COMMAND...
	! "$@" >log 2>&1 && grep -qE 'unable to open|the guard stays' log
}
# killed DATABASE SQL...: a process that is killed after these statements; its guard is on
killed() {
	local database=$1
	shift
	{ # whose end the shell tells
		# shellcheck disable=SC2016
		ours "$database" "$@" '.shell kill -KILL $PPID' >log 2>&1
	} 2>/dev/null
	[ "$(od -An -tx1 -j18 -N2 "$database")" = ' 01 81' ]
}
not_guarded() {
	[ "$(od -An -tx1 -j18 -N2 "$1")" = ' 01 01' ]
}
# own DATABASE: a commit is made in SQLite's own way, without the journal
own() {
	ours "$1" 'INSERT INTO t VALUES(1);' 'PRAGMA atomicio;' >log 2>&1 &&
		grep -q '^commits=0 .*guard=off' log
}

# Something else has the journal's name.
seq 5000 >precious
cp precious copy
stock a.db 'CREATE TABLE t(a);'
ln -s precious a.db-atomicio
own a.db && cmp precious copy >>log 2>&1
report $? a_file_that_a_symbolic_link_in_the_journals_place_names_stays_as_it_is
rm a.db-atomicio && ln -s made a.db-atomicio
own a.db && [ ! -e made ]
report $? and_no_file_is_made_through_it
stock b.db 'CREATE TABLE t(a);'
cp copy b.db-atomicio
own b.db && cmp b.db-atomicio copy >>log 2>&1
report $? a_file_that_has_the_journals_name_and_is_none_stays_as_it_is
stock c.db 'CREATE TABLE t(a);'
: >c.db-atomicio
ours c.db 'INSERT INTO t VALUES(1);' 'PRAGMA atomicio;' >log 2>&1 && grep -q '^commits=1 ' log
report $? an_empty_one_becomes_the_journal

# Who may write the database may write the journal, also if its creation was cut short.
umask 077
stock m.db 'CREATE TABLE t(a);'
chmod 664 m.db
if command -v strace >/dev/null; then
	for call in fchmod fallocate pwrite64; do
		{ # whose end the shell tells
			printf '%s\n' ".load $extension" ".open file:m.db?vfs=atomicio" 'INSERT INTO t VALUES(1);' |
				strace -f -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=1 sqlite3
		} >log 2>&1
		ours m.db 'INSERT INTO t VALUES(1);' >log 2>&1 && [ "$(stat -c %a m.db-atomicio)" = 664 ]
		report $? "the_journal_has_the_rights_of_the_database_after_a_kill_at_$call"
		rm m.db-atomicio
	done
fi
umask 022

# A symbolic link to the database is another name of the same file, and of the same journal.
stock d.db 'CREATE TABLE t(a);'
mkdir elsewhere
ln -s ../d.db elsewhere/link.db
killed elsewhere/link.db 'INSERT INTO t VALUES(1);' && [ -e d.db-atomicio ] &&
	gives 1 ours d.db 'SELECT a FROM t;'
report $? a_symbolic_link_leads_to_the_journal_of_the_file
killed d.db 'INSERT INTO t VALUES(2);' && "$command" unguard elsewhere/link.db >log 2>&1 &&
	grep -q '[1-9][0-9]* commits of' log && gives 1,2 stock d.db 'SELECT group_concat(a) FROM t;'
report $? and_so_does_the_command

# Two hard links have a journal each: what is in one journal is not in the other.
stock e.db 'CREATE TABLE t(a);'
ours e.db 'INSERT INTO t VALUES(0);' >log 2>&1 # its journal is there
cp e.db f.db && ours f.db 'INSERT INTO t VALUES(0);' >log 2>&1 && rm f.db && ln e.db f.db
own e.db
report $? a_database_with_two_names_gets_no_frames
rm f.db
killed e.db 'INSERT INTO t VALUES(2);' && ln e.db f.db && refused ours f.db 'SELECT * FROM t;'
report $? a_guarded_one_is_refused_by_the_name_that_has_no_frames
refused "$command" unguard f.db
report $? and_its_guard_is_not_taken_off_by_that_name
gives 0,1,2 ours e.db 'SELECT group_concat(a) FROM t;'
report $? by_the_name_that_has_them_it_is_recovered
not_guarded e.db && own f.db
report $? and_then_any_name_is_right

# A name that the database had before is another database's now, and so is what lies beside it.
stock g.db 'CREATE TABLE t(a);'
{
	printf '%s\n' ".load $extension" ".open file:g.db?vfs=atomicio&atomicio_size=1048576" \
		'BEGIN IMMEDIATE;' 'ROLLBACK;' '.shell mv g.db h.db; cp h.db g.db; echo hot >g.db-journal' \
		'.connection 1' ".open file:h.db?vfs=atomicio&atomicio_size=1048576" \
		'INSERT INTO t VALUES(1);' 'INSERT INTO t VALUES(2);'
} | sqlite3 >log 2>&1
[ "$(cat g.db-journal 2>&1)" = hot ]
report $? the_rollback_journal_of_a_database_that_took_the_name_stays
gives 3 ours h.db 'INSERT INTO t VALUES(3);' 'SELECT group_concat(a) FROM t;'
report $? a_renamed_database_is_opened_once_its_old_connections_are_closed

# A guarded database is moved, with its journal and without.
mkdir moved
killed h.db 'INSERT INTO t VALUES(4);' && mv h.db moved && refused ours moved/h.db 'SELECT * FROM t;'
report $? a_guarded_database_that_is_moved_without_its_journal_is_refused
mv h.db-atomicio moved && gives 3,4 ours moved/h.db 'SELECT group_concat(a) FROM t;'
report $? with_its_journal_it_is_recovered
[ "$failures" = 0 ]
