#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# io_uring on XFS with reflink: guests in rings of every kind, and the queue.
# ATOMICIO_SEED=N repeats the random operations of one run.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs
kernel_mount xfs xfs -m reflink=1 || exit 1
if [ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" = 0 ]; then
	kernel_run uring "$kernel_scratch/xfs"
	kernel_run uring_link "$kernel_scratch/xfs"
else
	echo "ok - guests # SKIP kernel.io_uring_disabled is set"
fi
kernel_run queue "$kernel_scratch/xfs"
kernel_run queue_random "$kernel_scratch/xfs"
kernel_finish
