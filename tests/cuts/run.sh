#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: nothing acknowledged is lost, no page is torn and no group or chain is half there, at 2,000
# power cuts under filesystems of the running kernel and 1,000 more of a disk with faults; and a load
# that would lose pages is seen to lose them.
#
# Method: atomicio crash with tests/cuts/load.c on ext4, XFS and btrfs, through the journal, with a
# raw loop device as a home, with homes behind their writers and in a ring of the load's own, and, on
# XFS, through RWF_ATOMIC; then with EIO and ENOSPC in frames,
# home writes and write-back, a raw home's among them, and with flushes that fail (on ext4 alone, as
# others are shut down then, and with no commit of ext4's own, which would abort its journal); after
# that the load recovers and goes on.  At each cut a recovery is
# killed twice before the one that counts.  The controls: the same load with pwrite(2) in place is
# torn within 100 cuts, and a disk that drops its flushes is found out.
#
#	run.sh [ATOMICIO]	the built command; CUTS=N for more or fewer than 3000 in all, SEED=N
set -u
here=$(cd "$(dirname "$0")" && pwd)
tool=$(realpath -- "${1:-${ATOMICIO_BUILD:-$here/../../build/gcc}/tools/atomicio}") || exit 1
load=$(dirname "$tool")/../tests/cuts/load
cuts=${CUTS:-3000}
failures=0
seed=${SEED:-20261126}
scratch=
skip() {
	echo "ok - cuts # SKIP $1"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root to mount filesystems"
[ -w /dev/fuse ] || skip "there is no /dev/fuse"
[ -x "$load" ] || skip "libfuse3 was not there when this was built"
for command in mkfs.ext4 mkfs.xfs mkfs.btrfs; do
	command -v $command >/dev/null || skip "the command $command is missing"
done
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP

# run NAME MODE SHARE CRASH-OPTION...: SHARE in thousandths of the cuts, 0: a control, which has 100.
# Its output is in a file; the disk of a bad cut is kept.
kept=$(dirname "$tool")/../tests/cuts/kept
mkdir -p "$kept"
run() {
	local name=$1 mode=$2 share=$3 work="$load work $2 {}"
	shift 3
	[[ $mode != faulty* ]] || work="while $work; [ \$? = 3 ]; do :; done"
	mkdir -p "$scratch/$name"
	timeout -k 10 $((300 + cuts / 4)) "$tool" crash run --keep "$kept" --seed "$seed" --pause \
		--cuts $((share > 0 ? cuts * share / 1000 : 100)) \
		--work "$work" --check "$load check $mode {}" "$@" \
		>"$scratch/$name/out" 2>&1
	echo $? >"$scratch/$name/status"
}

# verdict STATUS NAME TEXT: the run is over
verdict() {
	sed "s/^/# $2: /" "$scratch/$2/out"
	if [ "$(cat "$scratch/$2/status")" = "$1" ]; then
		echo "ok - $3"
		[ "$1" = 0 ] || sed -nE 's/^  its disk before the check: (.*)\.img$/\1/p' "$scratch/$2/out" |
			while read -r file; do rm -f "$file.img" "$file.lines"; done # a control
	else
		echo "not ok - $3"
		failures=$((failures + 1))
	fi
}

# Each lane mostly waits for mounts.  btrfs must not tear its superblock.
from=$SECONDS
{
	run ext4 journal 110 --fs ext4
	run behind-ext4 behind 40 --fs ext4
	run eio-ext4 faulty 60 --fs ext4 --fault 'write EIO content=CUTSLOAD nth=60 every=97 times=0'
	run naive-ext4 naive 0 --fs ext4
} &
{
	run btrfs journal 120 --fs btrfs --sector 4096
	run entries-ext4 entries 40 --fs ext4
	run eio-btrfs faulty 70 --fs btrfs --sector 4096 \
		--fault 'write EIO content=CUTSLOAD nth=60 every=97 times=0'
	run lying-xfs journal 0 --fs xfs --fault 'flush drop times=0'
} &
{
	run xfs journal 110 --fs xfs --sector 4096
	run entries-xfs entries 40 --fs xfs --sector 4096
	run enospc-xfs faulty 70 --fs xfs --fault 'write ENOSPC content=CUTSLOAD nth=50 every=83 times=0'
	run naive-xfs naive 0 --fs xfs
} &
{
	run atomic atomic 100 --fs xfs
	run raw raw 107 --fs ext4
	run enospc-ext4 faulty 60 --fs ext4 --fault 'write ENOSPC content=CUTSLOAD nth=70 every=89 times=0'
	run eio-raw faulty-raw 40 --fs ext4 --fault 'write EIO content=CUTSLOAD nth=60 every=97 times=0'
	run flush-ext4 faulty 40 --fs ext4 --mount-options commit=900 \
		--fault 'flush EIO nth=50 every=61 times=0'
	run lying-ext4 journal 0 --fs ext4 --fault 'flush drop times=0'
} &
wait
verdict 0 ext4 the_journal_keeps_its_promise_on_ext4
verdict 0 xfs the_journal_keeps_its_promise_on_xfs
verdict 0 btrfs the_journal_keeps_its_promise_on_btrfs
verdict 0 behind-ext4 homes_behind_their_writers_keep_the_promise_on_ext4
verdict 0 entries-ext4 entries_of_a_ring_keep_the_promise_on_ext4
verdict 0 entries-xfs entries_of_a_ring_keep_the_promise_on_xfs
verdict 0 raw the_journal_keeps_its_promise_with_a_raw_home
verdict 0 eio-ext4 the_journal_keeps_its_promise_on_ext4_with_eio
verdict 0 eio-btrfs the_journal_keeps_its_promise_on_btrfs_with_eio
verdict 0 enospc-ext4 the_journal_keeps_its_promise_on_ext4_with_enospc
verdict 0 enospc-xfs the_journal_keeps_its_promise_on_xfs_with_enospc
verdict 0 eio-raw the_journal_keeps_its_promise_with_a_raw_home_and_eio
verdict 0 flush-ext4 the_journal_keeps_its_promise_with_flushes_that_fail
verdict 0 atomic rwf_atomic_keeps_its_promise_on_xfs
verdict 1 naive-ext4 a_naive_writer_is_torn_within_100_cuts_of_ext4
verdict 1 naive-xfs a_naive_writer_is_torn_within_100_cuts_of_xfs
verdict 1 lying-ext4 a_disk_that_drops_flushes_is_found_out_under_ext4
verdict 1 lying-xfs a_disk_that_drops_flushes_is_found_out_under_xfs
made=$(sed -nE 's/^([0-9]+) cuts of .*/\1/p' "$scratch"/{ext4,xfs,btrfs,behind-*,entries-*,atomic,raw,eio-*,enospc-*,flush-*}/out | awk '{ sum += $1 } END { print sum }')
echo "# $made cuts, $((SECONDS - from)) s in all"
[ $failures = 0 ]
