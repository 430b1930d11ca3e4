#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What durable untorn pages cost through the journal, on XFS and on ext4 over loop devices.
#
#	tests/bench/journal.sh [--seconds S] [--json] [--strict]
#
# Two parts a filesystem: system calls, counted by strace, must be as few as they can be; and
# times against other ways (see journal.c), S seconds a comparison, 8 if not said.  Times
# depend on the disk below, and so fail only with --strict.
set -u

here=$(cd "$(dirname "$0")" && pwd)
program=${ATOMICIO_BUILD:-$here/../../build/gcc}/tests/journal
seconds=${ATOMICIO_BENCH_SECONDS:-8}
json=no
strict=no
failures=0
scratch=
# Steps that are counted: some turns of the ring, which 62 frames of a batch fill.
batches=186

skip() {
	echo "ok - journal # SKIP $1"
	exit 77
}

while [ $# -gt 0 ]; do
	case $1 in
	--seconds)
		seconds=${2:?--seconds needs a number}
		shift
		;;
	--json) json=yes ;;
	--strict) strict=yes ;;
	*)
		sed -n '/^#\t/s/^#\t/usage: /p' "$0" >&2
		exit 2
		;;
	esac
	shift
done

[ "$(id -u)" = 0 ] || skip "needs root to mount filesystems"
for command in losetup strace mkfs.xfs mkfs.ext4; do
	command -v "$command" >/dev/null || skip "the command $command is missing"
done
[ -x "$program" ] || {
	echo "journal.sh: $program is not built" >&2
	exit 2
}

release() {
	mountpoint -q "$scratch/home" && umount "$scratch/home"
	rm -f "$scratch/image"
}
end() {
	[ -n "$scratch" ] || return
	release
	rm -rf --one-file-system "$scratch"
}
trap end EXIT
trap 'exit 1' INT TERM HUP
scratch=$(mktemp -d "${TMPDIR:-/tmp}/atomicio-journal.XXXXXX") || exit 1
mkdir "$scratch/home"

# fresh TYPE: an empty filesystem in $scratch/home
fresh() {
	release
	truncate -s 1G "$scratch/image" || exit 1
	"mkfs.$1" -q "$scratch/image" >"$scratch/log" 2>&1 || {
		cat "$scratch/log" >&2
		exit 1
	}
	mount -o loop "$scratch/image" "$scratch/home" || skip "no loop device can be had"
}

# tap STATUS NAME
tap() {
	local line="ok - $2"
	[ "$1" = 0 ] || {
		line="not ok - $2"
		failures=$((failures + 1))
	}
	if [ $json = yes ]; then echo "$line" >&2; else echo "$line"; fi
}

# calls WHAT N: frames, other flushes and bytes written, of a run of N steps
calls() {
	strace -f -s 0 -e trace=pwritev2,fdatasync -o "$scratch/calls" \
		"$program" --count "$1" "$2" "$scratch/home" || return
	awk '/fdatasync/ { others++; next }
		/pwritev2/ { bytes += $NF }
		/RWF_DSYNC/ { if ($NF > 4096) frames++; else others++ }
		END { print frames, others, bytes }' "$scratch/calls"
}

# count TYPE: the difference of N and 2N steps is what N steps take
count() {
	local once twice line
	fresh "$1"
	once=$(calls batch $batches) && twice=$(calls batch $((2 * batches))) || exit 1
	line=$(awk -v a="$once" -v b="$twice" -v n=$batches 'BEGIN {
		split(a, x); split(b, y); pages = n * 64
		printf "%.5f %.5f %.4f", (y[1] - x[1]) / pages, (y[2] - x[2]) / pages,
			(y[3] - x[3]) / pages / 16384 }')
	read -r frames others bytes <<<"$line"
	if [ $json = yes ]; then
		results+=$(printf ',\n {"comparison": "calls, batch of 64", "flushes_a_page": %s, "checkpoint_flushes_a_page": %s, "bytes_a_byte": %s}' \
			"$frames" "$others" "$bytes")
	else
		echo "# $1: $frames flushes a page in batches of 64, and $others for checkpoints;" \
			"$bytes bytes written a byte"
	fi
	awk -v f="$frames" 'BEGIN { exit !(f <= 1 / 64 + 0.000005) }'
	tap $? "$1_takes_one_flush_for_64_pages"
	awk -v o="$others" -v f="$frames" 'BEGIN { exit !(o > 0 && o <= f / 16) }'
	tap $? "$1_checkpoints_add_little"
	awk -v b="$bytes" 'BEGIN { exit !(b > 2 && b <= 2.02) }'
	tap $? "$1_writes_at_most_2.02_bytes_a_byte"
}

# compare TYPE: the table
compare() {
	fresh "$1"
	if [ $json = yes ]; then
		results+=$(echo ","; "$program" --json --seconds "$seconds" "$scratch/home") || exit 1
		return
	fi
	"$program" --seconds "$seconds" "$scratch/home" >"$scratch/table" || exit 1
	sed 's/^/# /' "$scratch/table"
	[ $strict = no ] || while read -r line; do
		tap 1 "$1: $line"
	done < <(grep SHORT "$scratch/table")
}

machine="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u | head -n 1), $(nproc) processors"
when=$(date -u +%FT%TZ)
all=
[ $json = yes ] || echo "# $machine; Linux $(uname -r); $when; $seconds seconds a comparison"
for type in xfs ext4; do
	results=
	echo "journal.sh: $type" >&2
	count $type
	compare $type
	all+=${all:+,}$'\n'"\"$type\": [${results#,}]"
done
[ $json = no ] ||
	printf '{"machine": "%s", "kernel": "%s", "date": "%s", "seconds": %s, %s}\n' \
		"$machine" "$(uname -r)" "$when" "$seconds" "$all"
[ $failures = 0 ]
