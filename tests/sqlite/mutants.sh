#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: each rule of the extension is watched by a test.
#
# Method: the extension with one line changed, and the part of the suite that has to go red.  First the
# two rules without which nothing else helps: the end of a spilled rollback journal is durable, and
# the guard.
#
#	mutants.sh [NAME...]	ATOMICIO_BUILD is the build directory
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath -- "${ATOMICIO_BUILD:-$root/build/gcc}") || exit 1
[ -e "$build/engines/sqlite/mod_atomicio.so" ] || {
	echo "ok - sqlite_mutants # SKIP the extension is not built"
	exit 77
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
only=("$@")
caught=0
survived=0

# mutant NAME FILES PART SED: PART is a script of this directory, with arguments
mutant() {
	local name=$1 file part script=$4 unchanged=
	read -ra part <<<"$3"
	[ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $name "* ]] || return
	rm -rf "$work/sqlite"
	cp -r "$root/engines/sqlite" "$work/sqlite"
	for file in $2; do
		sed -i -E "$script" "$work/sqlite/$file"
		! cmp -s "$root/engines/sqlite/$file" "$work/sqlite/$file" || unchanged=$file
	done
	if [ -n "$unchanged" ]; then
		echo "not ok - $name changes nothing in $unchanged"
		survived=$((survived + 1))
		return
	fi
	rm "$work/sqlite/command.c"
	if ! "${CC:-cc}" -shared -fPIC -O1 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I "$root/include" \
		"$work"/sqlite/*.c -o "$work/mod_atomicio.so" -L "$build" -latomicio \
		-Wl,-rpath,"$build" -pthread 2>"$work/log"; then
		cat "$work/log"
		echo "not ok - $name does not compile"
		survived=$((survived + 1))
		return
	fi
	if ATOMICIO_EXTENSION=$work/mod_atomicio.so ATOMICIO_BUILD=$build timeout -k 10 300 bash \
		"$root/tests/sqlite/${part[0]}.sh" "${part[@]:1}" >"$work/log" 2>&1; then
		echo "not ok - $name: nothing noticed"
		survived=$((survived + 1))
	else
		echo "ok - $name: $(grep -m 1 -E '^not ok|is bad' "$work/log" | cut -c 1-150)"
		caught=$((caught + 1))
	fi
}

# SQ1.  Its two defences are one rule: either alone is enough.
mutant end_of_a_spilled_journal_is_not_durable 'register.c commit.c' "cuts ext4 atomicio s FULL" \
	's/xDelete\(base, name, 1\)/xDelete(base, name, 0)/; s/vfs_node_sync_directory\(node\);$/0;/; s/ \|\| fsync\(fd\)\)/)/'
mutant frames_are_not_forgotten_before_a_spill turn.c "cuts ext4 atomicio s FULL" \
	's/error = atomicio_journal_forget\(node->journal, VFS_FILE_ID\);/error = 0;/'
# SQ2
mutant no_guard guard.c guard 's/^#define GUARDED 0x81/#define GUARDED 1/'
mutant the_counters_stay guard.c guard 's/^\tjump\(header.*//'
mutant the_guard_is_lost_by_a_commit commit.c guard 's/^\t\tguard_show.*//'
mutant a_frame_takes_the_guard_away commit.c faults 's/if \(!can_be_guarded\(file\)\)/if (0)/'
mutant a_guard_that_is_found_is_believed commit.c faults 's/^\tif \(!error && pwrite\(/\tif (state == GUARD_ON) return 0;\n&/'
# Two defences again: the node's own word, and the library's.
mutant a_failed_sync_of_the_guard_is_the_end 'commit.c turn.c' faults 's/^\t\tnode->has_failed = true;/\t\t;/; s/ && !info.files_failed//'
mutant a_stock_connection_is_read_only_for_good guard.c faults 's/^\theader\[GUARD_AT \+ 1\] = GUARDED;/\theader[GUARD_AT] = GUARDED;\n&/; s/at\[0\] == FORMAT && at\[1\] == GUARDED/at[1] == GUARDED/; s/^\theader\[GUARD_AT \+ 1\] = FORMAT;/\theader[GUARD_AT] = FORMAT;\n&/'
mutant no_recovery share.c kills 's/if \(!error \&\& state == 1\)/if (0)/'
mutant a_failed_commit_comes_back node.c faults 's/if \(node->has_failed && /if (0 \&\& /'
mutant commits_of_others_are_skipped share.c faults 's/ \|\| atomicio_journal_get_word\(node->journal\) != node->skip_word//'
mutant a_read_only_close_leaves_the_guard node.c faults 's/if \(code != SQLITE_BUSY && lock_all/if (0 \&\& lock_all/'
mutant locks_go_with_the_look_at_a_name node.c faults 's/O_PATH \|/O_RDWR |/'
mutant a_moved_journal_gets_a_frame turn.c faults 's/^\tif \(!vfs_share_has_name\(node\)\)/\tif (0)/'
mutant a_new_database_is_refused share.c faults 's/is_empty\(node\) \&\&/0 \&\&/; s/^static bool is_empty/__attribute__((unused)) &/'
mutant kept_pages_are_not_read file.c same 's/if \(file->way == VFS_BUFFERED\)$/if (0)/'
mutant the_guard_is_not_hidden file.c same 's/^\t+guard_hide.*/;/'
mutant a_spill_leaves_the_journal_in_memory spill.c "cuts ext4 atomicio s FULL" 's/code = vfs_rollback_make_real\(rollback\);/code = 0;/'

echo "$caught caught, $survived survived"
[ $survived = 0 ] && [ $caught -gt 0 ]
