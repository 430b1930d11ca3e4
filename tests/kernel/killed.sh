#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: no page of a killed process lands after its successor has the journal, and no page that was
# acknowledged with ATOMICIO_BEHIND is lost.  The pages of a living process are seen when its call
# returns, except pages left behind.
#
# Method: ext4 on a disk that atomicio crash serves, slow for the dead process's pages; the journal
# lies on a fast disk.  The same with an io_uring proves that this disk shows the hazard.  A second
# disk refuses these pages: a look before the recovery finds them in the journal alone.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/support/served.sh
. "$KERNEL_HERE/../support/served.sh"

kernel_begin mkfs.ext4
[ -x "$KERNEL_BIN/killed" ] || kernel_skip "built without io_uring"
served_begin

killed() { timeout 90 "$KERNEL_BIN/killed" "$1" "$at/home" "$kernel_scratch/journal"; }

# end WRITER FAULT WORD: lay out, and kill the writer 0.4 s after it has said WORD
end() {
	local pid
	rm -f "$kernel_scratch/journal"
	killed make || return
	serve_ask fault write "$2" times=0 content=a-page-of-the-dead &&
		[[ $serve_answer = fault* ]] || return
	"$KERNEL_BIN/killed" "$1" "$at/home" "$kernel_scratch/journal" >"$kernel_scratch/out" &
	pid=$!
	for _ in $(seq 500); do
		! grep -q "$3" "$kernel_scratch/out" || break
		sleep 0.01
	done
	sleep 0.4 # the frame, which is on another disk, is durable; no page is home
	kill -KILL "$pid"
	writer=$pid
}

# round WRITER SUCCESSOR WORD: is what the successor wrote there, when the slow disk has done all?
round() {
	local status
	end "$1" slow=1500 "$3" || return 2
	killed "$2"
	status=$?
	wait "$writer" 2>/dev/null
	grep -q 'not killed' "$kernel_scratch/out" && return 2
	grep -q "$3" "$kernel_scratch/out" || return 2
	serve_ask fired && echo "# $serve_answer"
	[ $status = 0 ] || return 2
	sleep 4
	serve_ask clear
	killed verify >"$kernel_scratch/found"
	status=$?
	grep '^#' "$kernel_scratch/found"
	return $status
}

# refused: pages that are acknowledged and that the disk refuses are there after a recovery only
refused() {
	end behind EIO acknowledged || return
	wait "$writer" 2>/dev/null
	grep -q acknowledged "$kernel_scratch/out" || return
	serve_ask clear
	killed verify-dead | grep -qx "# 48 of 48 pages are not what they have to be" || return
	killed recover && killed verify-dead
}

# What is seen of a page while it is on its way, by somebody who maps its file.
slow_pages_are_seen() {
	rm -f "$kernel_scratch/journal"
	killed make && serve_ask fault write slow=300 times=0 content=a-page-of-the-dead &&
		[[ $serve_answer = fault* ]] && killed seen
	local status=$?
	serve_ask clear
	return $status
}

slow_pages_are_seen
kernel_report $? a_mapping_has_a_page_when_its_call_returns_and_one_left_behind_when_it_was_waited_for
round write succeed writing
kernel_report $? no_page_of_a_killed_writer_lands_after_its_successors
round ring take writing
[ $? = 1 ]
kernel_report $? with_a_ring_they_do
round behind succeed acknowledged
kernel_report $? no_page_that_a_killed_writer_left_behind_lands_after_its_successors
refused
kernel_report $? a_page_left_behind_by_a_killed_writer_is_recovered
kernel_finish
