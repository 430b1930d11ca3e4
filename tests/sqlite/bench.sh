#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a commit of one row costs: commits a second, flushes and bytes of the disk and microseconds of the
# processor a commit, point reads.
#
# Method: a filesystem on a loop device of its own, whose counters in /sys are of nobody else; the ways
# take turns, ROUNDS times, and the median is printed.
#
#	bench.sh [DIRECTORY]	where the image lies; FS=xfs, COMMITS=3000, ROUNDS=3, PROCESSES="1 2" by default
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "needs root to mount a filesystem"
directory=$(mktemp -d "${1:-$build}/bench.XXXXXX") || exit 1
mounted=$directory/mounted
leave() {
	umount "$mounted" 2>/dev/null
	[ -z "${device:-}" ] || losetup -d "$device"
	rm -rf "$directory" "$scratch"
}
trap leave EXIT
filesystem=${FS:-ext4}
commits=${COMMITS:-3000}
mkdir "$mounted"
truncate -s 600M "$directory/image"
device=$(losetup -f --show --direct-io=on "$directory/image") || exit 1
"mkfs.$filesystem" -q "$device" && mount "$device" "$mounted" || exit 1
counters() { # of flushes, and of sectors
	sync -f "$mounted"
	awk '{ print $16, $7 }' "/sys/block/${device##*/}/stat"
}

# measure NAME VFS MODE PROCESSES
measure() {
	local name=$1 before after process
	rm -f "$mounted"/x.db*
	"$build/tests/sqlite/bench" "$extension" "$2" "$3" "$mounted/x.db" 20 >/dev/null || return
	read -ra before < <(counters)
	for ((process = 0; process < $4; process++)); do
		"$build/tests/sqlite/bench" "$extension" "$2" "$3" "$mounted/x.db" $((commits / $4)) \
			>"$scratch/$process" &
	done
	wait
	read -ra after < <(counters)
	cat "$scratch"/[0-9]* | awk -v name="$name" -v processes="$4" -v commits="$commits" \
		-v flushes=$((after[0] - before[0])) -v sectors=$((after[1] - before[1])) '
		{ rate += $1; reads += $2; used += $3 }
		END { printf "%s %d %.0f %.2f %.0f %.0f %.0f\n", name, processes, rate, flushes / commits,
			sectors * 512 / commits, reads, used / NR }' >>"$scratch/rows"
	rm -f "$scratch"/[0-9]*
}
for ((round = 0; round < ${ROUNDS:-3}; round++)); do
	for processes in ${PROCESSES:-1 2}; do
		measure DELETE unix DELETE "$processes"
		measure TRUNCATE unix TRUNCATE "$processes"
		measure WAL+FULL unix WAL "$processes"
		measure atomicio atomicio DELETE "$processes"
	done
done
echo "way       processes  commits/s  flushes  bytes  reads/s  cpu us    ($filesystem, $commits commits of one row)"
for processes in ${PROCESSES:-1 2}; do
	for name in DELETE TRUNCATE WAL+FULL atomicio; do
		grep -F "$name $processes " "$scratch/rows" | sort -n -k 3 |
			awk '{ row[NR] = $0 } END { print row[int((NR + 1) / 2)] }' |
			awk '{ printf "%-9s %9d %10d %8.2f %6d %8d %7d\n", $1, $2, $3, $4, $5, $6, $7 }'
	done
done
