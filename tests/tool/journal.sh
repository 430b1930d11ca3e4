# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: journal makes, shows and replays journals, and drops or overwrites nothing unasked; its dump,
# which has a reader of its own, agrees with the library about journals of every condition.
# Method and helpers: run.sh, which sources this file; journal_leave.c leaves live frames.

made() { # a journal in $journal, and two files that it will name
	journal=$dir/journal one=$dir/one two=$dir/two
	rm -f "$journal" "$one" "$two"
	head -c 64k /dev/zero | tr '\0' o >"$one"
	cp "$one" "$two"
	expect 0 "$tool" journal create "$journal" --size 256k
}
left() { # the same, with two live frames, and the homes of their pages undone
	made
	(
		"$leave" "$journal" "$one" "$two"
		true
	) 2>/dev/null
	head -c 64k /dev/zero | tr '\0' o >"$one"
	cp "$one" "$two"
}
left_chain() { # one group, longer than a frame
	made
	expect 0 "$tool" journal create --overwrite "$journal" --size 256k --frame-max 24k
	(
		"$leave" "$journal" "$one" "$two" chain
		true
	) 2>/dev/null
	head -c 64k /dev/zero | tr '\0' o >"$one"
	cp "$one" "$two"
}
flip() { # FILE OFFSET: change a byte
	printf '\x5a' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
untouched() {
	[ "$(tr -d o <"$one" | wc -c)$(tr -d o <"$two" | wc -c)" = 00 ] || note "a file was written"
}
agree() { # the dump and the library see the same
	"$tool" journal dump --json "$journal" >"$work/dump" 2>/dev/null
	"$tool" journal info --json "$journal" >"$work/info" || note 'no info'
	jq -e --slurpfile info "$work/info" '
		(.headers | map(select(.current))[0]) as $header | $info[0] as $info |
		(.frames | map(select(.state == "live"))) as $live |
		$header.id == $info.id and $header.size == $info.size and
		$header.frame_max == $info.frame_max and
		$header.tail_offset == $info.tail_offset and
		$header.tail_sequence == $info.tail_sequence and
		.state == $info.state and .corrupt_offset == $info.corrupt_offset and
		.head_sequence == $info.head_sequence and
		($info.state == "corrupt" or ($live | length) == $info.live_frames) and
		.live_bytes == $info.live_bytes and
		.head_offset == $info.head_offset and
		(.lost_sequence != null) == ($info.state == "corrupt")
		' "$work/dump" >/dev/null || note "dump and info differ: $(cat "$work/info"; head -c 600 "$work/dump")"
}

journal_create_makes_a_clean_one() {
	made
	prints "^$journal: made a journal of 256k, frames of up to 120k$"
	[ "$(stat -c %s "$journal")" -eq 262144 ] || note "size $(stat -c %s "$journal")"
	expect 0 "$tool" journal check "$journal"
	prints 'ready: nothing to recover'
	expect 0 "$tool" journal info "$journal"
	prints 'state  ready'
	expect 0 "$tool" journal recover "$journal"
	prints 'nothing to recover'
	agree
}
journal_create_loses_nothing_unasked() {
	made
	cp "$journal" "$work/old"
	expect 2 "$tool" journal create "$journal"
	one_sentence
	says 'not empty.*--overwrite'
	same "$journal" "$work/old"
	expect 0 "$tool" journal create --overwrite "$journal" --size 1000000 --frame-max 10000 --json
	json '.size == 1003520 and .frame_max == 12288'
	expect 0 "$tool" journal create --overwrite "$journal" --size 1M --frame-max 64k --json
	json '.size == 1048576 and .frame_max == 65536 and .state == "ready"'
}
journal_that_cannot_be_told_of_is_made_and_recovered() {
	left
	expect 5 sh -c '"$@" >/dev/full' sh "$tool" journal recover "$journal" "1=$one" "32=$two"
	one_sentence
	says 'the recovery is done; the standard output failed: No space left'
	expect 0 "$tool" journal check "$journal"
	expect 5 sh -c '"$@" >&-' sh "$tool" journal create --overwrite "$journal" --size 256k
	one_sentence
	says 'the journal was made; the standard output failed: '
	expect 0 "$tool" journal check "$journal"
	left
	# Nothing was changed by these: an answer that was not given is an error, not a verdict.
	expect 2 sh -c '"$@" >/dev/full' sh "$tool" journal check "$journal"
	expect 2 sh -c '"$@" >/dev/full' sh "$tool" journal info "$journal"
}
journal_create_that_fails_leaves_no_file() {
	local bad
	for bad in '--size 12k' '--size 2048G' '--size 1M --frame-max 4k' '--size 1M --frame-max 900k'; do
		# shellcheck disable=SC2086
		expect 2 "$tool" journal create "$dir/new" $bad
		one_sentence
		says 'no journal can be made with these options: --(size|frame-max) is|two frames of --frame-max do not fit'
		[ ! -e "$dir/new" ] || note "$bad: it was made"
	done
	expect 2 "$tool" journal create "$dir/absent/new"
	one_sentence
	expect 2 "$tool" journal create "$dir"
	one_sentence
	says 'is a directory'
}
journal_check_tells_live_frames() {
	left
	expect 1 "$tool" journal check "$journal"
	prints 'unclean: 2 live frames: type atomicio journal recover'
	expect 1 "$tool" journal check --json "$journal"
	json '.state == "unclean" and .live_frames == 2 and .corrupt_offset == null'
	expect 0 "$tool" journal info --json "$journal"
	agree
}
journal_chain_is_shown_and_recovered_whole_or_not_at_all() {
	local cut offsets
	left_chain
	expect 0 "$tool" journal dump "$journal"
	prints 'of the chain from 1'
	expect 0 "$tool" journal dump --json "$journal"
	json '[.frames[] | [.chain_first, .chain_last, .state]] ==
		[[1, false, "live"], [1, false, "live"], [1, true, "live"]]'
	offsets=$(jq '.frames[].offset' "$out")
	expect 1 "$tool" journal check "$journal"
	prints '3 live frames'
	agree
	cp "$journal" "$work/chain"
	for cut in $offsets; do
		cp "$work/chain" "$journal"
		flip "$journal" $((cut + 5000))
		expect 0 "$tool" journal dump --json "$journal"
		json '[.frames[] | .state] | sort == ["aborted", "aborted", "torn"]'
		agree
		expect 0 "$tool" journal check "$journal"
		prints 'nothing to recover'
		expect 0 "$tool" journal recover "$journal" "1=$one" "32=$two"
		untouched
	done
	cp "$work/chain" "$journal"
	expect 0 "$tool" journal recover "$journal" "1=$one" "32=$two"
	{ head -c 16384 /dev/zero | tr '\0' A && head -c 16384 /dev/zero | tr '\0' B; } | cmp -s -n 32768 - "$one" ||
		note 'the chain is not in one'
	[ "$(tr -d o <"$two" | wc -c)" -eq 5000 ] || note 'the chain is not in two'
	agree
}
journal_dump_shows_frames_and_changes_nothing() {
	left
	cp "$journal" "$work/old"
	expect 0 "$tool" journal dump "$journal"
	prints '^header 0: good, current'
	prints '^frame 1 at 16384: live, 1 entries, 20480 bytes, header of 4096, all before 1 durable$'
	prints '^  file 1: 16384 bytes at 0, crc [0-9a-f]{8}$'
	prints '^frame 2 at 36864: live, 2 entries, 28672 bytes'
	prints '^  file 32: 5000 bytes at 100, crc'
	same "$journal" "$work/old"
	chmod 444 "$journal"
	expect 0 "$tool" journal dump --json "$journal"
	json '.frames[1].entries[1] == {file_id: "0x20", offset: 100, length: 5000, whole: true,
		escaped: false, done: false, crc: .frames[1].entries[1].crc}'
	json '.headers_equal and .lost_sequence == null and .state == "unclean"'
	json --argjson inode "$(stat -c %i "$two")" '.frames[1].files[1].inode == $inode'
	prints '"birth": "[0-9]+\.[0-9]{9}"'
	chmod 644 "$journal"
}
journal_torn_tail_is_ignored() {
	left
	flip "$journal" 48192 # in the page of the last frame
	expect 1 "$tool" journal check "$journal"
	prints '1 live frames'
	expect 0 "$tool" journal dump "$journal"
	prints '^frame 2 at 36864: torn'
	agree
	expect 0 "$tool" journal recover "$journal" "1=$one" "32=$two"
	prints 'recovered 1 frames.*never became durable was ignored'
	[ "$(tr -d o <"$two" | wc -c)" -eq 0 ] || note 'a page of the torn frame was written'
}
journal_damage_before_a_whole_frame_is_reported() {
	local at
	for at in 16492 20480 28192; do # the header's padding, the first byte of the page, its middle
		left
		flip "$journal" "$at"
		expect 3 "$tool" journal check "$journal"
		one_sentence
		says 'corrupt: the durable frame at 16384 is lost: type'
		expect 3 "$tool" journal check --json "$journal"
		json '.state == "corrupt" and .corrupt_offset == 16384'
		expect 3 "$tool" journal dump "$journal"
		prints '^frame 2 at 36864: beyond-damage'
		agree
		expect 3 "$tool" journal recover "$journal" "1=$one" "32=$two"
		one_sentence
		untouched
	done
}
journal_conditions_have_a_sentence_each() {
	made
	cp "$journal" "$work/old"
	flip "$journal" 100
	flip "$journal" 4196
	expect 3 "$tool" journal info "$journal"
	one_sentence
	says 'both headers of the journal are damaged'
	expect 3 "$tool" journal dump "$journal"
	one_sentence
	truncate -s 100k "$work/old"
	for word in info check dump recover; do
		expect 3 "$tool" journal $word "$work/old"
		one_sentence
		says 'shorter than the journal in it'
		expect 2 "$tool" journal $word "$one"
		one_sentence
		says 'this file holds no journal'
		expect 2 "$tool" journal $word "$dir/absent"
		one_sentence
		expect 2 "$tool" journal $word
		one_sentence
		says 'a path is missing'
	done
	untouched
}
journal_in_use_is_left_alone_but_can_be_dumped() {
	left
	exec 9<>"$journal"
	flock -x 9
	for word in check info recover 'create --overwrite'; do
		# shellcheck disable=SC2086
		expect 4 "$tool" journal $word "$journal"
		one_sentence
		says 'in use by another process'
	done
	expect 0 "$tool" journal dump "$journal"
	exec 9>&-
	expect 1 "$tool" journal check "$journal"
}
journal_ids_are_read_whole_or_refused() {
	local bad
	left
	for bad in 0=f =f 7 7= x=f 0x=f 7x=f -1=f 18446744073709551616=f 0x10000000000000000=f; do
		expect 2 "$tool" journal recover "$journal" -- "$bad"
		one_sentence
		says 'is no ID=FILE'
	done
	expect 2 "$tool" journal recover "$journal" 7=a 0x7=b
	says 'given twice'
	expect 2 "$tool" journal recover "$journal" --gone 0
	says 'is no id'
	untouched
}
journal_refuses_what_is_not_for_an_action() {
	made
	expect 2 "$tool" journal; one_sentence; says 'a subcommand is missing'
	expect 2 "$tool" journal frobnicate "$journal"; one_sentence
	expect 2 "$tool" journal info "$journal" 1=x; one_sentence
	expect 2 "$tool" journal check "$journal" --overwrite; one_sentence
	expect 2 "$tool" journal create "$journal" --gone 1; one_sentence
	expect 2 "$tool" journal create "$dir/x" --size 4q; one_sentence
	expect 2 "$tool" journal create "$dir/x" --frame-max 5G; one_sentence
	[ ! -e "$dir/x" ] || note 'it was made'
}
for name in journal_create_makes_a_clean_one journal_create_loses_nothing_unasked \
	journal_create_that_fails_leaves_no_file journal_conditions_have_a_sentence_each \
	journal_refuses_what_is_not_for_an_action; do
	try "$name"
done
for name in journal_that_cannot_be_told_of_is_made_and_recovered journal_check_tells_live_frames \
	journal_dump_shows_frames_and_changes_nothing \
	journal_chain_is_shown_and_recovered_whole_or_not_at_all \
	journal_torn_tail_is_ignored journal_damage_before_a_whole_frame_is_reported \
	journal_in_use_is_left_alone_but_can_be_dumped journal_ids_are_read_whole_or_refused; do
	try "$name" leave
done
