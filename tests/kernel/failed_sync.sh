#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: who does what man 7 atomicio says under "After a failed sync" loses no acknowledged page, and
# who leaves a step out does.
#
# Step 1 is kept by the library, which takes no write any more, and step 3 rids the engine of a
# descriptor that reports the old loss again: the program looks at both.
#
# Method: ext4 on a disk that atomicio crash serves, and that refuses some pages in write-back; the
# program does the five steps, whose words are the manual's.  The filesystem is then mounted anew: what
# only the cache had is gone.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/support/served.sh
. "$KERNEL_HERE/../support/served.sh"

kernel_begin mkfs.ext4
"$KERNEL_BIN/failed_sync" steps >"$kernel_scratch/steps" || exit 1
sed -n '/^\.Ss After a failed sync/,/^\.El/p' "$KERNEL_HERE/../../man/atomicio.7" |
	sed -n '/^\.It$/{n;p;}' | cmp - "$kernel_scratch/steps"
kernel_report $? the_steps_are_those_of_the_manual

served_begin
mkfifo "$kernel_scratch/go" || exit 1

engine() {
	local mode=$1
	shift
	timeout 60 "$KERNEL_BIN/failed_sync" "$mode" "$at/home" "$kernel_scratch/journal" \
		"$kernel_scratch/log" "$@"
}

# after [N]: write, fail, do the steps but the Nth, and look what a new mount has
after() {
	local pid
	rm -f "$at/home" "$kernel_scratch/journal"
	engine make && serve_ask fault write EIO times=0 content=refused-by-the-disk &&
		[[ $serve_answer = fault* ]] || return 2
	: >"$kernel_scratch/out" # the last round said "failed", too
	exec 9<>"$kernel_scratch/go"
	engine run "$@" <&9 >"$kernel_scratch/out" &
	pid=$!
	for _ in $(seq 300); do
		! grep -qx failed "$kernel_scratch/out" || break
		sleep 0.05
	done
	serve_ask clear # the disk is mended
	echo >&9
	wait "$pid" || { cat "$kernel_scratch/out" && return 2; }
	exec 9>&-
	grep '^#' "$kernel_scratch/out"
	umount "$at" && mount "$device" "$at" || return 2
	engine verify
}

after
kernel_report $? what_the_manual_says_after_a_failed_sync_loses_nothing
for step in 2 4 5; do
	after $step
	[ $? = 1 ]
	kernel_report $? "without_step_${step}_pages_are_lost"
done
kernel_finish
