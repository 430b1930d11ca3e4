#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every example does what its first lines say, on XFS with untorn writes and on a filesystem without;
# the engines are killed in mid-write, again and again, and find all whole.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs mkfs.ext4
kernel_mount xfs xfs -m reflink=1 || exit 1
kernel_mount ext4 ext4 || exit 1
examples=$KERNEL_BIN/../../examples
[ -x "$examples/probe" ] || kernel_skip "the examples were not built"
xfs=$kernel_scratch/xfs
ext4=$kernel_scratch/ext4
rounds=${ROUNDS:-20}
[ "$rounds" -le 20 ] || rounds=20

# says STATUS PATTERN EXAMPLE ARGUMENT...: it ends with this status, and prints a line like this.
says() {
	local status=$1 pattern=$2 name=$3
	shift 3
	"$examples/$name" "$@" >"$kernel_scratch/out" 2>&1
	[ $? = "$status" ] && grep -Eq "$pattern" "$kernel_scratch/out"
	local result=$?
	kernel_report $result "${name}_on_$(basename "$(dirname "$1")")"
	[ $result = 0 ] || sed 's/^/# /' "$kernel_scratch/out"
}

for place in "$xfs" "$ext4"; do
	head -c 1048576 /dev/zero >"$place/file"
done
says 0 'untorn' probe "$xfs/file"
says 1 '.' probe "$ext4/file"
says 0 'untorn' write "$xfs/file"
says 1 '.' write "$ext4/file"
says 0 'double write' policy "$xfs/file"
says 0 'double write' policy "$ext4/file"
says 0 '63 of 64 pages are durable' batch "$xfs/file"
says 1 '0 of 64 pages are durable' batch "$ext4/file"
says 0 '16 pages, untorn and durable' uring "$xfs/file"
says 1 'Operation not supported' uring "$ext4/file"
for place in "$xfs" "$ext4"; do
	says 0 "^recovered: 0 frames" journal "$place/grouped" "$place/grouped.journal" 10
	says 0 "^after recovery: 'J', and 0 bytes" journal "$place/grouped" "$place/grouped.journal" 0
	says 0 '^left -1, right 1$' group "$place/left" "$place/right" "$place/group.journal"
	says 0 '^0 torn pages' engine_buffered "$place/buffered" "$place/buffered.journal" 10
	says 0 '^90 in a frame, 9 in a chain, 2 too long' engine_pager "$place/pager" \
		"$place/pager.journal" 95
	says 0 '^100000 in all, 95 transfers, 15 in the history of 15 pages' engine_pager \
		"$place/pager" "$place/pager.journal" 0
done
says 0 '^0 transactions before, 40000 pages written' engine_ring "$xfs/ring" "$xfs/ring.journal" 10000
says 0 '^0 transactions before, 40000 pages written' engine_ring "$ext4/ring" "$ext4/ring.journal" 10000
says 0 '^10000 transactions before, 40 pages written' engine_ring "$ext4/ring" "$ext4/ring.journal" 10

# A group that fails is whole or absent, and made again where it is absent: once more in any case.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	for when in 3 4 5 6 7; do
		rm -f "$ext4"/left "$ext4"/right "$ext4"/group.journal
		"$examples/group" "$ext4/left" "$ext4/right" "$ext4/group.journal" >/dev/null
		if strace -o "$kernel_scratch/trace" -e trace=pwritev2 \
			-e inject=pwritev2:error=EIO:when="$when" "$examples/group" "$ext4/left" \
			"$ext4/right" "$ext4/group.journal" >"$kernel_scratch/out" 2>&1; then
			grep -q '^left -2, right 2$' "$kernel_scratch/out"
			status=$?
		else
			status=1
		fi
		kernel_report $status "group_that_failed_at_write_${when}_is_made_once"
	done
fi

# cut_off CALL NUMBER [forgetful]: the pager is killed as it begins this call, in its second long
# transaction or near it; is all whole for who starts it again?
cut_off() {
	local file=$ext4/cut_off
	rm -f "$file"*
	{ # whose end the shell tells
		strace -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
			"$examples/engine_pager" "$file" "$file.journal" 60 >/dev/null
	} 2>/dev/null
	[ $? = 137 ] || return 2
	[ -z "${3:-}" ] || rm "$file-undo"
	"$examples/engine_pager" "$file" "$file.journal" 0 >"$kernel_scratch/out" 2>&1
}
if strace -o /dev/null true 2>/dev/null; then
	# The old pages, their sync; the first new page, one of many, the last; the end.
	for at in pwrite64:203 fsync:3 pwrite64:204 pwrite64:300 pwrite64:404 fsync:4; do
		cut_off "${at%:*}" "${at#*:}"
		kernel_report $? "engine_pager_is_whole_when_cut_off_at_${at%:*}_${at#*:}"
	done
	cut_off pwrite64 300 forgetful
	[ $? = 1 ]
	kernel_report $? without_its_old_pages_it_is_not
fi

# kills NAME DIRECTORY: it never ends by itself, and finds all whole each time it starts again.
kills() {
	local name=$1 file=$2/$1.kills round writer whole=0 broken=0
	for ((round = 0; round < rounds; round++)); do
		"$examples/$name" "$file" "$file.journal" 100000000 >"$kernel_scratch/out" 2>&1 &
		writer=$!
		sleep "0.$((1 + RANDOM % 3))$((RANDOM % 10))"
		kill -KILL "$writer" 2>/dev/null || break
		wait "$writer" 2>/dev/null
		"$examples/$name" "$file" "$file.journal" 0 >"$kernel_scratch/out" 2>&1 || break
		grep -q '^before recovery: .* [1-9][0-9]* bytes' "$kernel_scratch/out" &&
			broken=$((broken + 1))
		whole=$((whole + 1))
	done
	# Only this one looks at the file before it recovers.
	[ "$name" != journal ] || echo "# $broken of $rounds kills left the file half written"
	[ "$whole" = "$rounds" ] || sed 's/^/# /' "$kernel_scratch/out"
	[ "$whole" = "$rounds" ]
	kernel_report $? "${name}_is_whole_after_every_kill"
}
rm -f "$ext4"/*.journal
mkdir "$kernel_scratch/tmpfs" && mount -t tmpfs tmpfs "$kernel_scratch/tmpfs" || exit 1
kills journal "$kernel_scratch/tmpfs" # without a disk it is most often half way home
kills engine_buffered "$ext4"
kills engine_pager "$ext4"
kills engine_ring "$ext4"
kernel_finish
