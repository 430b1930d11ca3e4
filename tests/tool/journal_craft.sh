# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: the command's reader says of each condition that the format knows what the format says.
# Method: journal_craft.c makes the journals with the library's encoder; the library, opening them,
# has to agree.  Helpers: run.sh and journal.sh, which run before this file.

crafted() { # CASE STATE FRAMES: the states of the frames in the order of the ring, by commas
	journal=$dir/crafted
	"$craft" "$journal" "$1" || note "$1 cannot be made"
	cp "$journal" "$work/old"
	"$tool" journal dump --json "$journal" >"$out" 2>"$err"
	json --arg state "$2" --arg frames "$3" '.state == $state and
		([.frames[] | "\(.sequence) \(.state)"] | join(",")) == $frames'
	same "$journal" "$work/old"
	declare -F agree >/dev/null || note 'journal.sh has to be sourced before'
	agree
}
number_that_nobody_relied_on_is_a_hole() { crafted hole unclean '7 live,9 live'; }
number_that_was_given_up_is_no_loss() { crafted void unclean '7 live,9 live'; }
number_that_was_durable_and_is_missing_is_corruption() {
	crafted lost corrupt '7 live,9 beyond-damage'
	json '.lost_sequence == 8 and .corrupt_offset == 36864'
	expect 3 "$tool" journal dump "$journal"
	says 'frame 8, which should be at 36864, was durable and is lost'
}
chain_is_replayed_whole_or_not_at_all() {
	crafted chain unclean '7 live,8 live,9 live,10 live'
	json '.frames[2].chain_first == 8 and .frames[2].chain_last and .frames[1].chain_last == false'
	crafted chain-cut unclean '7 live,8 aborted,10 live'
}
page_that_looks_like_a_frame_is_a_page() {
	crafted escape unclean '7 live'
	json '.frames[0].entries[0] | .escaped and .whole'
	crafted inside unclean '7 live'
	json '.frames[0].entries[0] | (.escaped | not) and .whole'
	# Where it lies bare it counts: the case has teeth.
	crafted bare corrupt '99 torn'
}
frame_that_is_torn_in_its_padding_alone_is_torn() { crafted padding ready '7 torn'; }
file_that_is_done_is_not_asked_for() {
	crafted 'done' unclean '7 live'
	json '.headers[0].done == [{file_id: "0x2", up_to: 8}] and ([.frames[0].entries[].done] == [false, true])'
}
clean_journal_is_not_read() {
	crafted clean ready ''
	json '.headers | all(.clean)'
}
for name in number_that_nobody_relied_on_is_a_hole number_that_was_given_up_is_no_loss \
	number_that_was_durable_and_is_missing_is_corruption chain_is_replayed_whole_or_not_at_all \
	page_that_looks_like_a_frame_is_a_page frame_that_is_torn_in_its_padding_alone_is_torn \
	file_that_is_done_is_not_asked_for clean_journal_is_not_read; do
	try "$name" craft
done
