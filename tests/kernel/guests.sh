#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writes through the journal in the caller's ring, on ext4 and XFS; and that no call of theirs waits.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs mkfs.ext4
[ -x "$KERNEL_BIN/guests" ] || kernel_skip "this build has no io_uring"
[ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" = 0 ] ||
	kernel_skip "kernel.io_uring_disabled is set"
for type in ext4 xfs; do
	kernel_mount $type $type || exit 1
	echo "# on $type"
	kernel_run guests "$kernel_scratch/$type"
	kernel_run guests_quiet "$kernel_scratch/$type"
done

# Calls that may stand between the two marks: the ring's; limits, and flags of a descriptor; AIO that
# is sent, and asked for with no time to wait; and the test's own wait for the event.
only_calls_that_do_not_wait() {
	strace -f -o "$kernel_scratch/trace" "$KERNEL_BIN/guests_quiet" "$kernel_scratch/$1" "$2" >/dev/null
	awk -v least="$3" '/getppid\(/ { on = !on; marks++; next }
		on && /io_getevents\(/ && / 0, .*tv_sec=0, tv_nsec=0}/ { looks++; next }
		on && /write\([0-9]+, "\\1\\0\\0\\0\\0\\0\\0\\0", 8\)/ { next } # to the event
		on && !/io_uring_enter|prlimit64|fcntl|getpid|io_setup|io_submit|poll\(|read\(/ { print; bad++ }
		on { calls++ }
		END { exit !(marks == 2 && calls > least && looks && !bad) }' "$kernel_scratch/trace" \
		>"$kernel_scratch/calls"
	local status=$?
	sed 's/^/# /' "$kernel_scratch/calls" | head
	return $status
}
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	only_calls_that_do_not_wait ext4 quiet 1000
	kernel_report $? "prep_and_done_make_no_call_that_waits"
	only_calls_that_do_not_wait xfs past 100
	kernel_report $? "nor_does_prep_past_the_journal"
else
	echo "ok - prep_and_done_make_no_call_that_waits # SKIP strace cannot be had"
fi
kernel_finish
