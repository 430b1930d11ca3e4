#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The controls of the matrix: builds of the library with one rule removed, each of which must make a
# cell red.  The last line is `N caught, N survived`.
#
#	mutants.sh [NAME...]	all, or only these
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$root/build/matrix-mutants/tree
build=$root/build/matrix-mutants/build
only=("$@")
caught=0
survived=0
[ "$(id -u)" = 0 ] || {
	echo "ok - matrix_mutants # SKIP needs root to mount filesystems"
	exit 77
}
rm -rf "$tree"
mkdir -p "$tree"
(cd "$root" && tar --exclude=./build --exclude=.git -cf - .) | tar -C "$tree" -xf -
if ! { cmake -S "$tree" -B "$build" -DATOMICIO_BUILD_EXAMPLES=OFF &&
	cmake --build "$build" -j "$(nproc)" --target atomicio_matrix atomicio_crash atomicio_tool; } >"$build.log" 2>&1; then
	tail -n 20 "$build.log"
	exit 1
fi

# mutant NAME FILE ENVIRONMENT SED: ENVIRONMENT is where a cell must go red
mutant() {
	local name=$1 file=lib/$2 environment=$3 script=$4 red
	[ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $name "* ]] || return
	sed -E "$script" "$root/$file" >"$tree/$file"
	if cmp -s "$root/$file" "$tree/$file"; then
		red=
		echo "# the mutation of $file changes nothing"
	elif ! cmake --build "$build" -j "$(nproc)" --target atomicio_matrix >"$build.log" 2>&1; then
		red=
		grep -m 3 error "$build.log"
	else
		red=$(bash "$tree/tests/matrix/run.sh" "$build/tools/atomicio" "$environment" 2>/dev/null |
			grep -m 1 '^not ok' | sed 's/^not ok - //')
	fi
	if [ -n "$red" ]; then
		echo "ok - $name: caught by $red"
		caught=$((caught + 1))
	else
		echo "not ok - $name"
		survived=$((survived + 1))
	fi
	cp "$root/$file" "$tree/$file"
}

mutant frame_not_durable journal_home.c ext4 's|own[(]journal, SYS_RWF_DSYNC, data|own(journal, 0, data|'
mutant untorn_write_not_durable write.h xfs 's/\(int\)\(\(flags & ATOMICIO_DSYNC\) << 1\) \|/0 |/'
mutant plain_write_not_durable write.h ext4 's/rwf \|= SYS_RWF_DSYNC/rwf |= 0/'
mutant cancelled_inside sys_cancel.h ext4 's/PTHREAD_CANCEL_DISABLE/PTHREAD_CANCEL_ENABLE/'
mutant recovery_replays_nothing journal_recover.c ext4 's/([=(]) ?replay_all\(recovery\)/\1 (0 \&\& replay_all(recovery))/'
# Where RWF_DSYNC may be dropped on the way (K9), for frames and for plain writes.
mutant frames_without_a_flush journal_home.c fuse-direct 's/return error \|\| !journal->delegates \? error : .*/return error;/'
mutant plain_without_a_flush write_plain.c fuse-direct 's/if \(file->plain_syncs \&\&/if (0 \&\& file->plain_syncs \&\&/'
# Room before the frame (K6).
mutant room_not_asked_for journal_claim.c xfs 's/return error == -ENOSPC \|\| error == -EDQUOT .*/return error == -1000;/'
# What an error means: a loss stays one (L3), and a page that may be there is not called old.
mutant loss_forgotten loss_note.c ext4 '/^int loss_close_sync/,/^}/s/if \(lost\)/if (0)/'
mutant page_called_old write_plain.c fuse-direct 's/outcome->on_disk = ATOMICIO_DISK_UNKNOWN;/outcome->on_disk = ATOMICIO_DISK_OLD;/'

echo "$caught caught, $survived survived"
[ $survived = 0 ] && [ $caught -gt 0 ]
