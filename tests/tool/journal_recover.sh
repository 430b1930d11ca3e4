# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: journal recover writes every page to the right file, and to no other file; the command asks,
# shows and keeps pages as ordered, and drops nothing unasked.
# Method and helpers: run.sh and journal.sh, which are sourced before.

journal_recover_never_writes_over_the_journal() {
	local node home
	left
	cp "$journal" "$work/old"
	ln -f "$journal" "$dir/link"
	ln -fs "$journal" "$dir/symlink"
	for home in "$journal" "$dir/link" "$dir/symlink"; do
		expect 2 "$tool" journal recover "$journal" "1=$home" "32=$two"
		one_sentence
		says 'the file is the journal itself'
	done
	rm -f "$dir/link" "$dir/symlink"
	untouched
	same "$journal" "$work/old"
	[ "$(id -u)" -eq 0 ] || return
	node=$(losetup --find --show "$journal") || return
	mknod "$dir/alias" b "0x$(stat -c %t "$node")" "0x$(stat -c %T "$node")"
	expect 2 "$tool" journal recover "$node" "1=$dir/alias" "32=$two"
	losetup -d "$node"
	rm -f "$dir/alias"
	says 'the file is the journal itself'
	same "$journal" "$work/old"
}
journal_recover_writes_every_page_home() {
	left
	expect 0 "$tool" journal recover "$journal" "1=$one" "0x20=$two"
	prints 'recovered 2 frames: 3 pages, 37768 bytes, in 2 files$'
	holds "$one" 0 16384 <(head -c 16k /dev/zero | tr '\0' A)
	holds "$one" 16384 16384 <(head -c 16k /dev/zero | tr '\0' B)
	holds "$two" 100 5000 <(head -c 5000 /dev/zero | tr '\0' C)
	[ "$(tr -d o <"$one" | wc -c) $(tr -d o <"$two" | wc -c)" = '32768 5000' ] || note 'more was written'
	[ "$(stat -c %s "$one")" -eq 65536 ] || note "size $(stat -c %s "$one")"
	expect 0 "$tool" journal check "$journal"
	agree
}
journal_recover_drops_nothing_unasked() {
	left
	expect 2 "$tool" journal recover "$journal" "1=$one"
	one_sentence
	says 'no file is given for the ids 32: .*--gone ID'
	expect 2 "$tool" journal recover "$journal" "1=$one" "32=$dir/absent"
	one_sentence
	expect 2 "$tool" journal recover "$journal" "1=$one" "32=$one"
	one_sentence
	says 'given for two ids'
	untouched
	[ ! -e "$dir/absent" ] || note 'a file was made'
	expect 1 "$tool" journal check "$journal"
	expect 0 "$tool" journal recover --json "$journal" "1=$one" --gone 32
	json '.frames == 2 and .pages == 2 and .pages_skipped == 1 and .files_gone == 1 and .tail_torn == false'
	[ "$(tr -d o <"$two" | wc -c)" -eq 0 ] || note 'the file that is gone was written'
}
journal_recover_asks_before_it_writes_another_file() {
	left
	cp --remove-destination "$two" "$dir/backup" && mv "$dir/backup" "$two"
	expect 2 "$tool" journal recover "$journal" "1=$one" "32=$two"
	one_sentence
	says '1 files are not recovered.*the file of id 32 is not the file.*--force-identity 32'
	prints "^  file 32, $two: not recovered: not the file of the frames \\((inode|inode, birth|birth)\\)$"
	[ "$(tr -d o <"$one" | wc -c) $(tr -d o <"$two" | wc -c)" = '32768 0' ] || note 'not the one file'
	# The one that is done stays as it is now; the other is written when that is wanted.
	head -c 64k /dev/zero | tr '\0' n >"$one"
	expect 2 "$tool" journal recover --json "$journal" "1=$one" "32=$two" --force-identity 1
	json '.files_failed == 1 and (.results | map(select(.file_id == "0x20"))[0] |
		.error == "ESTALE" and (.differs | index("inode") or index("birth")))'
	expect 0 "$tool" journal recover --json "$journal" "1=$one" "32=$two" --force-identity 32
	json '.files_failed == 0 and .files == 1 and (.results | all(.error == null))'
	[ "$(tr -d n <"$one" | wc -c) $(tr -d o <"$two" | wc -c)" = '0 5000' ] || note 'an old page came back'
	expect 0 "$tool" journal check "$journal"
	left # both at once: the right file needs no force
	cp "$two" "$dir/backup" && mv "$dir/backup" "$two"
	expect 0 "$tool" journal recover --json "$journal" "1=$one" "32=$two" --force-identity 32
	json '.files == 2 and .pages == 3'
	[ "$(tr -d o <"$one" | wc -c) $(tr -d o <"$two" | wc -c)" = '32768 5000' ] || note 'not both files'
}
journal_recover_shows_and_keeps_single_pages() {
	left
	head -c 16k /dev/zero | tr '\0' A | dd of="$one" conv=notrunc status=none
	cp "$one" "$work/old-one"
	cp "$journal" "$work/old"
	expect 0 "$tool" journal recover --list "$journal" "1=$one"
	prints '^frame 1, file 1: 16384 bytes at 0: the file has them$'
	prints '^frame 2, file 1: 16384 bytes at 16384: the file has others$'
	prints '^frame 2, file 32: 5000 bytes at 100: no file is given'
	expect 0 "$tool" journal recover --list --json "$journal" "1=$one" "32=$two"
	json '[.list[].home] == ["same", "other", "other"]'
	same "$one" "$work/old-one"
	same "$journal" "$work/old"
	expect 0 "$tool" journal recover "$journal" "1=$one" "32=$two" --keep 1@16k
	prints 'left out 1 pages'
	same "$one" "$work/old-one"
	holds "$two" 100 5000 <(head -c 5000 /dev/zero | tr '\0' C)
	expect 2 "$tool" journal recover "$journal" --keep 1; one_sentence
	expect 2 "$tool" journal recover "$journal" --force-identity x; one_sentence
	expect 2 "$tool" journal check "$journal" --list; one_sentence
}
journal_with_one_damaged_header_loses_nothing() {
	local at
	for at in 100 4196; do
		left
		flip "$journal" "$at"
		cp "$journal" "$work/old"
		expect 0 "$tool" journal dump "$journal"
		prints "^header $((at / 4096)): damaged$"
		prints "^header $((1 - at / 4096)): good, current"
		expect 0 "$tool" journal dump --json "$journal"
		json '(.headers_equal | not) and .state == "unclean" and (.frames | length) == 2'
		same "$journal" "$work/old"
		expect 1 "$tool" journal check "$journal"
		prints "^  (first|second)-header-damaged: "
		expect 1 "$tool" journal check --json "$journal"
		json '.notes | any(endswith("-header-damaged"))'
		agree
		expect 0 "$tool" journal recover "$journal" "1=$one" "32=$two"
		expect 0 "$tool" journal dump --json "$journal"
		json '.headers_equal'
	done
}
for name in journal_recover_asks_before_it_writes_another_file \
	journal_recover_shows_and_keeps_single_pages journal_recover_never_writes_over_the_journal \
	journal_with_one_damaged_header_loses_nothing journal_recover_writes_every_page_home \
	journal_recover_drops_nothing_unasked; do
	try "$name" leave
done
