#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What durable untorn pages cost through the journal: on XFS and ext4 over loop devices, and on the
# filesystem of TMPDIR itself, where no loop device turns each flush into an fsync of its image.
#
#	tests/bench/journal.sh [--seconds S] [--json FILE] [--strict]
#
# Two parts a filesystem: frames, flushes and bytes, counted by the journal and by the device below;
# and times against other ways (see journal.c), S seconds a comparison, 8 if not said.  Times
# depend on the disk below, and so fail only with --strict.
set -u

# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

program=$BENCH_BIN/journal
# Pages that are counted: some rounds of the log, or what a short check has time for.
pages=12288
! bench_meets "$bench_seconds" '<' 1 || pages=4096
layouts=4
! bench_meets "$bench_seconds" '<' 2 || layouts=1

bench_begin jq mkfs.xfs mkfs.ext4

# measure TYPE [--count PAGES]
measure() {
	local type=$1
	shift
	"$program" --json --seconds "$bench_seconds" --layouts $layouts "$@" "$kernel_scratch/home" \
		>"$kernel_scratch/results" || exit 1
	bench_add "$type" <"$kernel_scratch/results"
	jq -r -L "$BENCH_HERE" --arg on "$type" 'include "report"; . + {on: $on} |
		"# \($on): \(name): \(.figure | short)\(unit)" +
		(if .goal then ", goal \(goal)" + (if met then "" else " SHORT" end) else "" end)' \
		"$kernel_scratch/results" >"$kernel_scratch/table"
	cat "$kernel_scratch/table"
	[ $bench_strict = no ] || while read -r line; do
		kernel_report 1 "$line"
	done < <(grep 'SHORT$' "$kernel_scratch/table")
}

# What the journal and the device say together; more flushes and bytes are the filesystem's.  Beside
# the frames, each half of the ring, 28 of 64 MiB in pages of 16 KiB, and the end of the run are a
# retirement: at most two syncs of the home, two headers, and two commits of a log.
counts_add_up() { # TYPE
	jq -es '(map({(.what): .figure}) | add) as $all | [[1, "page"], [64, "batch of 64"],
		[128, "batch of 128"], [256, "batch of 256"]] | all(. as [$pages, $name] |
			$all["journal, \($name): frames"] as $frames |
			$all["journal, \($name): flushes a page, counted by the device"] as $flushes |
			$all["journal, \($name): bytes written a byte, counted by the device"] as $bytes |
			$frames >= 1 and $flushes * $pages >= 0.99 * $frames and
			$flushes * $pages <= 1.1 * $frames + 6 * $pages * (16 / 28672 + 1 / 4096) and $bytes >= 2 and $bytes <= 2.4)' \
		"$kernel_scratch/results" >/dev/null
	kernel_report $? "counts_of_journal_and_device_add_up_on_$1"
}

echo "# $(bench_machine); $(date -u +%FT%TZ); $bench_seconds seconds a comparison"
for type in xfs ext4; do
	bench_says "$type"
	bench_fresh $type
	measure $type --count $pages
	counts_add_up $type
done
bench_says "the filesystem of ${TMPDIR:-/tmp}"
umount "$kernel_scratch/home"
measure host
kernel_finish
