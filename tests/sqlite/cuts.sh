#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: what SQLite acknowledged through the VFS is there, whole, after each of CUTS power cuts (200;
# by hand 2,000); and SQLite's own synchronous=OFF is seen to lose or tear.
#
# Method: atomicio crash with bank.c on ext4 and XFS, with plain commits and with spilled ones, two
# databases, VACUUM and reopening, two processes, and two that are killed all the time.  A
# super-journal's name is absolute, so that the disk is mounted under one name, for the work and for
# each check in a namespace of its own.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
tool=$build/tools/atomicio
cuts=${CUTS:-200}
seed=${SEED:-20261127}
kept=$build/tests/sqlite/kept
[ "$(id -u)" = 0 ] || skip "needs root to mount filesystems"
[ -w /dev/fuse ] || skip "there is no /dev/fuse"
[ -x "$build/tools/crash/atomicio-crash" ] || skip "libfuse3 was not there when this was built"
for name in mkfs.ext4 mkfs.xfs; do
	command -v $name >/dev/null || skip "the command $name is missing"
done
mkdir -p "$kept" "$scratch/disk"

# run NAME CUTS FILESYSTEM VFS OPTIONS[2|K] SYNCHRONOUS [INPUT]: with a 2 two processes, with a K two
# that are killed again and again; its output and status are in files.  With an empty input the check
# demands a whole database, and no commit.
run() {
	local name=$1 count=$2 words=(--fs "$3") bank="$bank" disk=$scratch/disk
	local options=${5%[2K]} killed='timeout --foreground -s KILL' work beside=
	work="$bank work $extension $4 $options $disk"
	case $5 in
	*2) beside="$work 1 $6 & " ;;
	*K)
		beside="{ while :; do $killed 0.13 $work 1 $6; done; } & "
		beside+="while :; do $killed 0.21 $work 0 $6; done; "
		;;
	esac
	local enter="exec unshare -m sh -c 'mount --bind {} $disk && cd / &&"
	[ "$3" != xfs ] || words+=(--sector 4096)
	timeout -k 10 $((200 + cuts)) "$tool" crash run "${words[@]}" --keep "$kept" --seed "$seed" \
		--cuts "$count" --pause \
		--work "$enter { [ -e $disk/bank.db ] || $bank make $extension $4 $options $disk 0 EXTRA; } && { $beside exec $work 0 $6; }'" \
		--check "$enter exec $bank check $extension $4 $options $disk' ${7:-}" >"$scratch/$name" 2>&1
	echo $? >"$scratch/$name.status"
}
# verdict STATUS NAME TEXT
verdict() {
	cp "$scratch/$2" "$scratch/log"
	sed "s/^/# $2: /" "$scratch/$2"
	[ "$(cat "$scratch/$2.status")" = "$1" ] &&
		{ [ "$1" = 0 ] || grep -qE 'malformed|integrity_check|the sum is' "$scratch/log"; }
	report $? "$3"
	[ "$1" = 0 ] || rm -f "$kept"/crash-"$seed"-*
}
if [ $# -gt 0 ]; then # one run, for the broken builds
	run one "$cuts" "$@"
	cat "$scratch/one"
	rm -f "$kept"/crash-"$seed"-*
	exit "$(cat "$scratch/one.status")"
fi
{
	run ext4 $((cuts / 4)) ext4 atomicio - FULL
	run ext4-all $((cuts / 4)) ext4 atomicio sarv FULL
	run ext4-two $((cuts / 4)) ext4 atomicio sr2 FULL
	run ext4-killed $((cuts / 8)) ext4 atomicio srK FULL
	run ext4-off 100 ext4 unix f OFF "</dev/null"
} &
{
	run xfs $((cuts / 4)) xfs atomicio - FULL
	run xfs-all $((cuts / 4 + cuts % 4)) xfs atomicio sarv FULL
	run xfs-two $((cuts / 4)) xfs atomicio sr2 FULL
	run xfs-killed $((cuts / 8)) xfs atomicio srK FULL
	run xfs-off 100 xfs unix f OFF "</dev/null"
} &
wait
verdict 0 ext4 acknowledged_commits_are_there_after_power_cuts_on_ext4
verdict 0 xfs acknowledged_commits_are_there_after_power_cuts_on_xfs
verdict 0 ext4-all spilled_ones_and_those_of_two_databases_are_on_ext4
verdict 0 xfs-all spilled_ones_and_those_of_two_databases_are_on_xfs
verdict 0 ext4-two commits_of_two_processes_are_there_on_ext4
verdict 0 xfs-two commits_of_two_processes_are_there_on_xfs
verdict 0 ext4-killed and_of_two_that_are_killed_between_the_cuts_on_ext4
verdict 0 xfs-killed and_of_two_that_are_killed_between_the_cuts_on_xfs
verdict 1 ext4-off synchronous_off_is_seen_corrupt_on_ext4
verdict 1 xfs-off synchronous_off_is_seen_corrupt_on_xfs
[ "$failures" = 0 ]
