#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: SQLite's own tests pass through the VFS.
#
# Method: Debian's source package of SQLite is fetched with apt, its testfixture is built with the
# extension inside and "atomicio" as the default VFS, and each file of tests is run as another user
# in a directory of its own.  A test that fails and is not listed below is a failure.
#
#	tcl.sh [FILE...]	names without .test; default: the list below
#
# `mptester` among the names is SQLite's test of several processes, with its two scripts.
#
# The databases lie on a tmpfs: on a disk the tests spend nearly all of their time in syncs, which say
# nothing here.  Without a source package in reach the script is skipped.
#
# One procedure of SQLite's is changed: db_save_and_close copies the database before the close, and
# the copy of an open database is refused here.  Not in the list: nolock, which opens a database that
# is open for writing with immutable=1 (refused, see README), tests with xSetSystemCall, like mmap2, and
# lock4, which waits until a rollback journal of another process is on disk: ours is in memory.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
work=$build/tests/sqlite/tcl
for name in apt-get tclsh make setpriv; do
	command -v $name >/dev/null || skip "the command $name is missing"
done
tcl=$(find /usr/lib -name tclConfig.sh | head -n 1)
[ -n "$tcl" ] || skip "the package tcl-dev is missing"
[ "$(id -u)" = 0 ] || skip "needs root, to run the tests as another user"

# Tests of how SQLite's own VFS goes about it, which here is another way:
declare -A expected=(
	[attach2]="attach2-5.3 attach2-5.5"  # which files are open: ours has DATABASE-atomicio, too
	[cachespill]="cachespill-1.3 cachespill-1.5" # pages of a transaction are in memory, not in the file
	[backup5]="backup5-1.2 backup5-1.3 backup5-1.4 backup5-1.5 backup5-1.6 backup5-1.7" # cp of an open file
	[tempdb]="tempdb-2.2 tempdb-2.3" # counts open files
	[sync]="sync-1.2" [sync2]="sync2-1.1 sync2-1.2.3 sync2-1.4.3" # count fsyncs of the VFS below
	# A rollback journal that should be on disk: looked for, copied, or its syncs counted.
	[pager3]="pager3-1.4.2 pager3-1.5.2"
	[exclusive]="exclusive-3.1 exclusive-3.2 exclusive-3.5 exclusive-5.1 exclusive-5.3 exclusive-5.4 exclusive-5.5 exclusive-6.2 exclusive-6.3"
	[io]="io-3.2 io-3.3 io-4.1 io-4.2.1 io-4.2.2 io-4.2.3 io-4.3.3 io-4.3.4"
	[wal]="wal-23.4" # db_save_and_close as it is changed: its copy is of a closed database, and has no WAL
	# An error of xTruncate: here the file is cut after the frame is durable, and the commit is made.
	[vacuum3]="vacuum3-ioerr-2.6.3"
	[jrnlmode2]="jrnlmode2-1.2 jrnlmode2-1.5 jrnlmode2-2.2 jrnlmode2-2.3"
)
files=(attach attach2 attach3 attach4 autovacuum autovacuum2 backup backup2 backup4 backup5 cachespill
	exclusive exclusive2 incrblob incrvacuum incrvacuum2 io jrnlmode2 jrnlmode3
	lock lock2 lock3 memdb mmap1 mmapfault pagesize pager3 savepoint savepoint2 savepoint5
	savepoint6 savepoint7 shared shared2 shared3 shared4 sync sync2 tempdb transitive1 uri
	vacuum vacuum2 vacuum3 vacuum4 vacuum5 wal walmode)
files+=(mptester)
[ $# = 0 ] || files=("$@")

# The sources of the SQLite that is installed.  Lists and caches of apt in a place of our own: other
# programs may use apt at the same time.
fetch() {
	local version options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts"
		-o "Dir::State::lists=$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
		-o Acquire::Languages=none)
	mkdir -p "$work/lists/partial" "$work/parts" && cd "$work" || return
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -n 's/^deb /deb-src /p' >parts/sources.list
	# shellcheck disable=SC2016 # sed's last line
	sed -s 's/^Types:.*/Types: deb-src/; $G' /etc/apt/sources.list.d/*.sources >parts/debian.sources 2>/dev/null
	version=$(dpkg-query -W -f '${source:Version}' libsqlite3-dev) || return
	apt-get "${options[@]}" update -q && apt-get "${options[@]}" source --download-only "sqlite3=$version"
}

build() {
	local source
	cd "$work" || return
	tar xf sqlite3_*.orig.tar.xz && source=$(echo sqlite3-*/) && cd "$source" || return
	./configure --with-tcl="$(dirname "$tcl")" CFLAGS=-O1 || return
	cat >../start.c <<-'C'
		#include <sqlite3.h>
		int sqlite3_atomicio_init(sqlite3 *, char **, const void *);
		int start(const char *unused);
		int start(const char *unused)
		{
			(void)unused;
			sqlite3_atomicio_init(0, 0, 0);
			return sqlite3_vfs_register(sqlite3_vfs_find("atomicio"), 1);
		}
	C
	for file in "$root"/engines/sqlite/*.c ../start.c; do
		case $file in */command.c) continue ;; esac
		gcc -O1 -g -DSQLITE_CORE -D_GNU_SOURCE -DATOMICIO_SQLITE_JOURNAL=1048576 -I "$root/include" \
			-I src -c "$file" -o "../$(basename "$file" .c).o" || return
	done
	sed -i '/^proc db_save_and_close/,/^}/s/^  db_save$/  catch { db close }; db_save/' test/tester.tcl &&
		make sqlite3.c && gcc -O1 -DSQLITE_EXTRA_INIT=start -I. mptest/mptest.c sqlite3.c ../*.o \
		"$build/libatomicio.a" -lblkid -luring -lpthread -lz -lm -ldl -o ../mptester || return
	make -j 2 testfixture OPTS=-DSQLITE_EXTRA_INIT=start TLIBS="$(echo ../*.o) $build/libatomicio.a -lblkid -luring -lpthread -lz -lm -ldl"
}
if [ ! -x "$work/testfixture" ]; then
	(fetch) >"$scratch/log" 2>&1 </dev/null || skip "no source package of SQLite can be fetched"
	(build && cp testfixture "$work/") >"$scratch/log" 2>&1 </dev/null
	report $? sqlites_test_program_is_built_with_the_vfs
fi
umount_scratch() {
	cd / || return
	umount "$scratch" 2>/dev/null || umount -l "$scratch" && rmdir "$scratch"
}
mount -t tmpfs -o mode=755 tmpfs "$scratch" || exit 1
trap umount_scratch EXIT
# Another user may be kept out of where the build is.
cp -r "$work"/sqlite3-*/test "$work"/sqlite3-*/mptest "$work/testfixture" "$work/mptester" "$scratch/" || exit 1
for file in "${files[@]}"; do
	if [ "$file" = mptester ]; then
		for script in crash01 multiwrite01; do
			# A directory each: clients of the script before may still be on their way out.
			mkdir "$scratch/$script"
			(cd "$scratch/$script" && timeout 600 ../mptester mptest.db "../mptest/$script.test") \
				>"$scratch/log" 2>&1 </dev/null
			grep -q '^Summary: 0 errors out of [1-9]' "$scratch/log"
			report $? "mptester $script: $(grep -o '[0-9]* errors out of [0-9]* tests' "$scratch/log")"
		done
		continue
	fi
	install -d -o 65534 "$scratch/$file"
	(cd "$scratch/$file" && setpriv --reuid=65534 --clear-groups timeout 300 \
		../testfixture "../test/$file.test") >"$scratch/log" 2>&1 </dev/null
	failed=$(sed -n 's/^!Failures on these tests: *//p' "$scratch/log")
	[ -z "$(for name in $failed; do [[ " ${expected[$file]:-} " == *" $name "* ]] || echo "$name"; done)" ] &&
		grep -aq 'errors out of' "$scratch/log"
	report $? "$file: $(grep -ao '[0-9]* errors out of [0-9]* tests' "$scratch/log")"
	rm -rf "${scratch:?}/$file"
done
[ "$failures" = 0 ]
