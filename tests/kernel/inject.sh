#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# strace answers in the kernel's place: each error reaches the policy with the right kind.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs strace
strace -o /dev/null true 2>/dev/null || kernel_skip "strace cannot trace here"
kernel_mount xfs xfs -m reflink=1 || exit 1
directory=$kernel_scratch/xfs
log=$kernel_scratch/log
# The leak checker cannot work under ptrace.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" LSAN_OPTIONS=detect_leaks=0

# How many pwritev2 calls come before the first write: the confirming ones of open.
strace -f -o "$log" -e trace=pwritev2 "$KERNEL_BIN/inject" "$directory" count >/dev/null || exit 1
first=$(($(grep -c 'pwritev2(' "$log") + 1))

# inject NAME WHAT WHEN CALLS SCENARIO ERROR NUMBER: CALLS 0: any number.
inject() {
	local name=$1 what=$2 when=$3 calls=$4 seen
	shift 4
	strace -f -o "$log" -e trace=pwritev2 -e raw=pwritev2 \
		-e "inject=pwritev2:$what:when=$when" \
		"$KERNEL_BIN/inject" "$directory" "$@" >"$kernel_scratch/out" 2>&1
	local status=$?
	grep -v '^ok\|^not ok' "$kernel_scratch/out"
	# A call of no vectors writes nothing: it asks whether pwritev2 is refused altogether.
	grep -vE 'pwritev2\(0x[0-9a-f]+, 0x[0-9a-f]+, 0, ' "$log" >"$log.writes"
	mv "$log.writes" "$log"
	seen=$(($(grep -c 'pwritev2(' "$log") - first + 1))
	if [ $status = 0 ] && ! grep -q INJECTED "$log"; then
		echo "# nothing was injected"
		status=1
	elif [ $status = 0 ] && [ "$calls" != 0 ] && [ "$seen" != "$calls" ]; then
		echo "# $seen calls of pwritev2 instead of $calls"
		status=1
	fi
	# Retries too: only the plain fallback may come without RWF_ATOMIC (0x40).
	if [ "$1" != plain ] && sed -n "$first,\$p" "$log" | grep 'pwritev2(' |
		grep -vE ', 0x([0-9a-f]*0{6})?6[0-9a-f]\) ='; then
		echo "# a write without RWF_ATOMIC"
		status=1
	fi
	kernel_report $status "$name"
}

# name of the error, its number, name of the kind, its number, whether it may be retried
while read -r error number kind code retry; do
	inject "${error}_reaches_the_policy_as_$kind" "error=$error" "$first" 2 \
		fail "$number" "$code"
	inject "${error}_may_be_retried_$retry" "error=$error" "$first" \
		"$([ "$retry" = yes ] && echo 2 || echo 1)" retry "$number" "$code"
	inject "${error}_falls_back_if_its_kind_allows" "error=$error" "$first" 0 \
		plain "$number" "$code"
done <<'TABLE'
ENOTBLK 15 not_direct 3 yes
EIO 5 media 7 yes
EREMOTEIO 121 media 7 yes
ENODATA 61 media 7 yes
EAGAIN 11 busy 5 yes
EINTR 4 busy 5 yes
ENOSPC 28 space 6 no
EDQUOT 122 space 6 no
EFBIG 27 space 6 no
EINVAL 22 layout 4 no
EOPNOTSUPP 95 unsupported 2 no
ENOSYS 38 unsupported 2 no
TABLE

for limit in 1 3; do
	inject "a_policy_that_always_retries_is_stopped_after_$limit" error=EAGAIN "$first+" \
		$((limit + 1)) spin 11 $limit
done
# Each second call: the one between is that question.
inject media_is_bounded_too error=EIO "$first+2" 4 spin 5 3
inject the_default_policy_retries_busy_eight_times error=EAGAIN "$first+" 9 default 11 8
inject the_default_policy_retries_media_once error=EIO "$first+2" 2 default 5 1
inject the_default_policy_retries_not_direct_once error=ENOTBLK "$first+2" 2 default 15 1
inject the_default_policy_never_retries_space error=ENOSPC "$first+2" 1 default 28 0

for count in 0 512 8192 16383 16385 32768; do
	inject "a_count_of_${count}_instead_of_16384_is_broken_and_poisons" "retval=$count" \
		"$first" 1 broken 0 0
done

strace -f -o "$log" -e trace=fdatasync -e inject=fdatasync:error=EIO:when=1 \
	"$KERNEL_BIN/inject" "$directory" sync 5 0 >"$kernel_scratch/out" 2>&1
status=$?
grep -v '^ok\|^not ok' "$kernel_scratch/out"
grep -q INJECTED "$log" || status=1
kernel_report $status a_failed_sync_poisons_the_handle
kernel_finish
