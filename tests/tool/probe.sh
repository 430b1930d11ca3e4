# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: probe answers for files, devices and directories, in a table and in JSON, and leaves no trace.
# Method and helpers: run.sh, which sources this file.

probe_prints_one_row_for_a_file() {
	truncate -s 64k "$dir/f"
	expect 0 "$tool" probe "$dir/f"
	prints '^PATH +UNTORN-BY +UNITS +HARDWARE-TO +DISK +FILESYSTEM +REASONS$'
	prints "^$dir/f +(none|hardware|filesystem|mixed) "
	[ ! -s "$err" ] || note "stderr: $(cat "$err")"
}
json_has_the_documented_keys() {
	expect 0 "$tool" probe --json "$dir/f"
	json 'type == "array" and length == 1 and .[0].error == null and .[0].path == $p' --arg p "$dir/f"
	json '.[0] | keys == (["path","error","type","temporary","access","direct","buffered",
		"memory_align","offset_align","reasons","evidence","device","filesystem","kernel"] | sort)'
	json '.[0] | .type == "regular-file" and .temporary == false and .access == "read-write"'
	json '.[0] | [.direct, .buffered] | all(keys ==
		["mechanism","segments_max","unit_max","unit_max_hw","unit_min"])'
	json '.[0].reasons | all((.name | test("^[a-z0-9-]+$")) and (.text | length > 10) and
		(.fix == null or (.fix | length > 3)) and keys == ["fix","name","text"])'
	json '.[0].evidence.statx.mask | test("^0x[0-9a-f]+$")'
	json '.[0].kernel == $k' --arg k "$(uname -r | grep -oE '^[0-9]+\.[0-9]+\.[0-9]+')"
}
what_is_not_known_is_null() {
	expect 0 "$tool" probe --json "$shm"
	json '.[0].device.disk == null and .[0].error == null'
}
buffered_is_none_and_says_why() {
	expect 0 "$tool" probe --json "$dir/f"
	json '.[0] | .buffered.mechanism == "none" and
		any(.reasons[]; .name == "buffered-not-in-kernel")'
}
failure_of_one_path_does_not_stop_the_others() {
	expect 2 "$tool" probe "$dir/f" "$dir/absent" "$dir"
	one_sentence
	says "$dir/absent: No such file"
	prints "^$dir/f "
	prints "^$dir "
	expect 2 "$tool" probe --json "$dir/f" "$dir/absent" "$dir"
	json 'length == 3 and ([.[].path] == [$d + "/f", $d + "/absent", $d])' --arg d "$dir"
	json '.[1].error.name == "ENOENT" and (.[1].error.text | length > 10) and .[2].error == null'
	[ ! -e "$dir/absent" ] || note 'the absent file was made'
}
json_is_valid_for_awkward_names() {
	local name=$'q"uote \\ back\nline\ttab \e[31m \x7f umlaut-\xc3\xa4 end'
	truncate -s 4k "$work/$name" "$work/"$'bad-\xff-\xc0\xaf-\xed\xa0\x80-\xf4\x90\x80\x80-\xe2\x82'
	expect 0 "$tool" probe --json "$work/$name"
	json '.[0].path == $p' --arg p "$work/$name"
	LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$out" && note 'raw control characters'
	expect 0 "$tool" probe --json "$work"/bad-*
	json '.[0].path | test("bad-\ufffd-\ufffd+-\ufffd+-\ufffd+-\ufffd+$")'
	iconv -f UTF-8 -t UTF-8 "$out" >/dev/null 2>&1 || note 'not UTF-8'
	rm -f "$work/$name" "$work"/bad-*
}
calm() { # FILE: no byte of it drives a terminal, of ASCII, of Latin-1 or of UTF-8
	! LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|(^|[\x00-\x7f])[\x80-\x9f]' "$1" ||
		note "$1 has control characters: $(od -c "$1" | head -n 20)"
}
file_names_do_not_drive_the_terminal() {
	local name names=($'esc-\e[31m\nline' $'c1-\x9b31m' $'c1-\xc2\x9b31m\xc2\x85' $'bidi-\xe2\x80\xae')
	for name in "${names[@]}"; do
		truncate -s 4k "$work/$name"
		expect 0 "$tool" probe "$work/$name"
		calm "$out"
		prints "^\\$'$work/[a-z0-9]+-[^ ]*\\\\x"
		expect 0 "$tool" probe --json "$work/$name"
		calm "$out"
		expect 1 "$tool" doctor "$work/$name"
		calm "$out"
		for command in probe doctor write 'bench' 'journal info' 'journal recover' "journal $name" "$name"; do
			# shellcheck disable=SC2086
			expect 2 "$tool" $command "$work/absent-$name" 
			calm "$err"
			one_sentence
		done
		expect 2 "$tool" "$name"
		calm "$err"
		expect 2 "$tool" probe "--$name"
		calm "$err"
		expect 2 "$tool" write x --offset "$name"
		calm "$err"
		expect 2 "$tool" journal recover "$work/$name" "$name"
		calm "$err"
		rm -f "$work/$name"
	done
}
file_names_are_printed_as_a_shell_reads_them() {
	local name names=('a b' "it's" 'back\slash' '-dash' '$(x)' 'tilde~' "both ' and \\" $'new\nline' $'\x9b' 'naïve') line
	cd "$work" || return
	for name in "${names[@]}"; do
		truncate -s 4k -- "./$name"
		expect 1 "$tool" write --offset 0 -- "$name" </dev/null
		line=$(sed -n 's/.*; type \(atomicio doctor .*\) for the details$/\1/p' "$err")
		[ -n "$line" ] || note "nothing to type: $(cat "$err")"
		eval "expect 1 \"\$tool\" ${line#atomicio }"
		prints 'no untorn writes'
		rm -f -- "./$name"
	done
	cd - >/dev/null || return
}
probing_a_directory_leaves_nothing() {
	ls -A "$dir" >"$work/before"
	expect 0 "$tool" probe --json "$dir"
	json '.[0] | .temporary and .path == $p' --arg p "$dir"
	ls -A "$dir" >"$work/after"
	same "$work/before" "$work/after"
}
directory_without_unnamed_files_is_probed_and_left_clean() {
	ls -A "$dir" >"$work/before"
	expect 0 strace -o "$work/trace" -P "$dir" -e trace=openat -e inject=openat:error=EOPNOTSUPP \
		"$tool" probe --json "$dir"
	json '.[0].error == null and .[0].temporary'
	grep -q 'O_TMPFILE.*INJECTED' "$work/trace" || note 'O_TMPFILE was not tried and refused'
	ls -A "$dir" >"$work/after"
	same "$work/before" "$work/after"
}
directory_without_direct_open_is_probed_and_left_clean() {
	mkdir "$work/ramfs"
	mount -t ramfs ramfs "$work/ramfs"
	expect 0 "$tool" probe --json "$work/ramfs"
	json '.[0].error == null and .[0].temporary'
	# The kernel makes the file that O_DIRECT then cannot open: it must not stay.
	expect 0 strace -o "$work/trace" -P "$work/ramfs" -e trace=openat \
		-e inject=openat:error=EOPNOTSUPP "$tool" probe --json "$work/ramfs"
	json '.[0].error == null and .[0].temporary'
	[ -z "$(ls -A "$work/ramfs")" ] || note "left: $(ls -A "$work/ramfs")"
	umount "$work/ramfs"
}
probing_changes_no_file() {
	head -c 64k /dev/urandom >"$dir/kept"
	touch -d '2020-01-01' "$dir/kept"
	cp -p "$dir/kept" "$work/kept"
	stat -c '%s %Y %Z %b' "$dir/kept" >"$work/before"
	expect 0 "$tool" probe "$dir/kept"
	"$tool" doctor "$dir/kept" >/dev/null
	stat -c '%s %Y %Z %b' "$dir/kept" >"$work/after"
	same "$work/before" "$work/after"
	same "$dir/kept" "$work/kept"
}
fifo_is_refused_and_never_opened() {
	mkfifo "$dir/fifo"
	for command in probe doctor; do
		expect 2 "$tool" $command "$dir/fifo"
		one_sentence
		says 'is a pipe: name a regular file'
	done
	expect 2 "$tool" write "$dir/fifo" --offset 0 </dev/null
	says 'is a pipe'
	rm "$dir/fifo"
}
character_device_is_refused_and_never_opened() {
	expect 2 strace -o "$work/trace" -e trace=open,openat "$tool" probe /dev/zero
	says 'is a character device'
	grep -q '/dev/zero' "$work/trace" && note 'it was opened'
}
no_file_that_is_named_is_opened_to_create_or_truncate() {
	local command
	for command in "probe $dir/f" "doctor $dir/f" "write $dir/f --offset 0 --length 4k"; do
		# shellcheck disable=SC2086
		strace -o "$work/trace" -e trace=open,openat,creat "$tool" $command \
			</dev/zero >/dev/null 2>&1
		grep -q "$dir/f" "$work/trace" || note "$command: the file was not opened"
		grep "$dir/f" "$work/trace" | grep -E 'O_CREAT|O_TRUNC|creat' >"$err" && note "$(cat "$err")"
	done
}
read_only_file_is_probed_read_only() {
	chmod 444 "$dir/f"
	expect 0 "${as_nobody[@]}" "$tool" probe --json "$dir/f"
	json '.[0] | .access == "read-only" and any(.reasons[]; .name == "read-only")'
	chmod 644 "$dir/f"
}
file_that_takes_no_direct_open_is_probed_all_the_same() {
	expect 0 "${as_nobody[@]}" "$tool" probe --json /proc/version
	json '.[0] | .access == "read-only" and .direct.mechanism == "none"'
}
unreadable_file_is_an_error_that_names_a_way() {
	chmod 600 "$dir/f"
	expect 2 "${as_nobody[@]}" "$tool" probe "$dir/f"
	one_sentence
	says 'Permission denied: use sudo'
	chmod 644 "$dir/f"
}
directory_that_is_not_writable_is_an_error_that_names_a_way() {
	expect 2 "${as_nobody[@]}" "$tool" probe "$dir"
	one_sentence
	says 'Permission denied: name a file in it'
}
directory_that_takes_no_files_is_an_error_that_names_a_way() {
	expect 2 "$tool" probe /proc
	one_sentence
	says ': [a-zA-Z ]+: .*name a file in it'
}
unprivileged_user_probes_a_directory_of_his() {
	mkdir -m 777 "$work/open"
	expect 0 "${as_nobody[@]}" "$tool" probe --json "$work/open"
	json '.[0].error == null and .[0].access == "read-write"'
	[ -z "$(ls -A "$work/open")" ] || note 'something was left'
}
block_device_is_probed() {
	local loop
	loop=$(findmnt -n -o SOURCE "$xfs")
	expect 0 "$tool" probe --json "$loop"
	json '.[0] | .type == "block-device" and .direct.mechanism == "none" and .device.disk == $d' \
		--arg d "${loop#/dev/}"
}
try probe_prints_one_row_for_a_file
try json_has_the_documented_keys
try what_is_not_known_is_null tmpfs
try buffered_is_none_and_says_why
try failure_of_one_path_does_not_stop_the_others
try json_is_valid_for_awkward_names
try file_names_do_not_drive_the_terminal
try file_names_are_printed_as_a_shell_reads_them
try probing_a_directory_leaves_nothing
try directory_without_unnamed_files_is_probed_and_left_clean strace
try directory_without_direct_open_is_probed_and_left_clean strace ramfs
try probing_changes_no_file
try fifo_is_refused_and_never_opened
try character_device_is_refused_and_never_opened strace
try no_file_that_is_named_is_opened_to_create_or_truncate strace
try read_only_file_is_probed_read_only nobody
try file_that_takes_no_direct_open_is_probed_all_the_same nobody
try unreadable_file_is_an_error_that_names_a_way nobody
try directory_that_is_not_writable_is_an_error_that_names_a_way nobody
try directory_that_takes_no_files_is_an_error_that_names_a_way
try unprivileged_user_probes_a_directory_of_his nobody
try block_device_is_probed xfs
