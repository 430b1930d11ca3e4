#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Three processes with a shared journal are killed again and again, on ext4 and in memory, and lose
# nothing; one that does not ask whether the journal is hot sees half a group.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.ext4
kernel_mount ext4 ext4 || exit 1
mkdir "$kernel_scratch/tmpfs" && mount -t tmpfs tmpfs "$kernel_scratch/tmpfs" || exit 1
mkdir "$kernel_scratch"/{ext4,tmpfs}/{all,careless} || exit 1

for place in ext4 tmpfs; do
	timeout 60 "$KERNEL_BIN/turns" drive "$kernel_scratch/$place/all" 3
	kernel_report $? "killed_processes_lose_nothing_in_turns_on_$place"
done
timeout 60 "$KERNEL_BIN/turns" drive "$kernel_scratch/ext4/careless" 15 careless
kernel_report $? who_does_not_ask_whether_it_is_hot_sees_it
kernel_finish
