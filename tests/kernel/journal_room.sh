#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Homes and journals without room, on full, limited and frozen filesystems.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs mkfs.ext4
kernel_mount ext4 beside || exit 1
kernel_mount ext4 ext4 || exit 1
KERNEL_BESIDE=$kernel_scratch/beside kernel_run journal_room "$kernel_scratch/ext4"
# A journal that was copied with its blocks shared is copied on write again.
kernel_mount xfs xfs -m reflink=1 || exit 1
KERNEL_COPY="cd '$kernel_scratch/xfs' && mv journal old && cp --reflink=always old journal" \
	kernel_run journal_room "$kernel_scratch/xfs" a_journal_on_a_full_disk_opens \
	a_full_disk_refuses_before_the_frame_and_stops_nobody
if kernel_has btrfs; then
	kernel_mount btrfs btrfs || exit 1
	kernel_run journal_room "$kernel_scratch/btrfs" a_journal_on_a_full_disk_opens
fi
kernel_finish
