#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Plain writes to files of a FUSE server: what is said to be durable, it was asked to sync.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

tool=$KERNEL_BIN/../../tools/atomicio
kernel_begin mkfifo
[ -w /dev/fuse ] || kernel_skip "there is no /dev/fuse"
[ -x "$(dirname "$tool")/crash/atomicio-crash" ] ||
	kernel_skip "libfuse3 was not there when this was built"

# served MODE TEST...: the tests on a directory passed through in that mode.
served() {
	local mode=$1 at=$kernel_scratch/$1 pid answer
	shift
	mkdir "$at" "$at.below" && mkfifo "$at.to" "$at.from" || exit 1
	timeout -k 5 60 "$tool" crash serve directory "$at.below" "$at" --mode "$mode" \
		<"$at.to" >"$at.from" &
	pid=$!
	exec 7>"$at.to" 8<"$at.from"
	if read -r -t 10 -u 8 answer && [ "$answer" = ready ]; then
		echo "# $mode"
		FUSE_TO=7 FUSE_FROM=8 kernel_run fuse "$at" "$@"
	else
		kernel_report 1 "fuse_server_$mode"
	fi
	exec 7>&- 8<&-
	wait "$pid"
}

everywhere=(a_durable_plain_write_is_synced_by_the_fuse_server
	a_sync_of_plain_writes_reaches_the_fuse_server
	a_durable_batch_is_synced_by_the_fuse_server)
served direct fuse_sends_no_fsync_for_a_direct_write_with_dsync "${everywhere[@]}"
served cached "${everywhere[@]}"
served writeback "${everywhere[@]}"
kernel_finish
