# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: the manual and the program use the same words: every key and value of the JSON output stands in
# atomicio.1, and the program prints every word of the section JSON.
# Method: keys come from real output, of every command and of errors; values are the words of
# tools/words.c, the only file with these words.  Keys are compared with .It and .Sy of the section
# JSON of the manual, values with .Qq.  Helpers: run.sh, which sources this file.

manual=$here/../../man/atomicio.1 sources=$here/../../tools
man_section() { sed -n '/^\.Ss JSON/,/^\.Sh EXIT/p' "$manual"; }
man_list() { # MACRO...: the words that stand behind it, one a line
	local macro
	for macro; do
		man_section | sed -n "s/^\\.$macro \\(Pq \\)\\{0,1\\}\\(.*\\)/\\2/p"
	done | sed 's/^Sy //; s/^Qq //; s/ Pq .*//' | tr ' ' '\n' | grep -E '^[A-Za-z][A-Za-z0-9_-]*$' | sort -u
}
every_output() { # the keys of all JSON that the program prints
	local journal=$dir/words one=$dir/words-one two=$dir/words-two
	rm -f "$journal" "$one" "$two"
	truncate -s 64k "$one" "$two"
	"$tool" probe --json "$dir" "$dir/absent"
	"$tool" journal create --json "$journal" --size 256k
	("$leave" "$journal" "$one" "$two"; true) 2>/dev/null
	"$tool" journal info --json "$journal"
	"$craft" "$dir/crafted" "done" && "$tool" journal dump --json "$dir/crafted"
	"$tool" journal dump --json "$journal"
	"$tool" journal recover --json --list "$journal" "1=$one"
	"$tool" journal recover --json "$journal" "1=$one" "32=$two"
	timeout 120 "$tool" bench --json --seconds 1 "$dir"
}
words_of_the_manual_are_those_of_the_program() {
	local word
	every_output 2>/dev/null | jq -r '.. | objects | keys[]' 2>"$err" | sort -u >"$work/keys"
	{
		grep -vE '^(#| \*|static_assert)' "$sources/words.c"
		sed -n '/^const char \*ways_engine_name/,/^}/p' "$sources/ways.c"
	} | grep -o '"[^"]*"' | tr -d '"' | sort -u >"$work/values"
	man_list It Sy >"$work/man-keys"
	man_list Qq >"$work/man-values"
	[ "$(wc -l <"$work/keys")" -ge 60 ] || note "only $(wc -l <"$work/keys") keys were printed"
	[ "$(wc -l <"$work/values")" -ge 20 ] || note "only $(wc -l <"$work/values") values"
	sort -u "$work/man-keys" "$work/man-values" >"$work/man"
	for word in $(comm -23 "$work/keys" "$work/man"); do
		note "the program prints the key $word, and the manual does not have it"
	done
	for word in $(comm -23 "$work/values" "$work/man"); do
		note "the program prints the value $word, and the manual does not have it"
	done
	sort -u "$work/keys" "$work/values" - <<<null >"$work/program"
	for word in $(comm -13 "$work/program" "$work/man" | grep -vx ENOENT); do
		note "the manual has $word, which the program never prints"
	done
}
words_stand_in_one_file() { # D1 of words.h
	! grep -nE 'json_string\([^,]*, [^,]*, [^)]*"' "$sources"/*.c >"$work/again" ||
		note "a value outside of words.c: $(cat "$work/again")"
}
exit_statuses_of_the_manual_are_those_of_the_program() {
	local status
	sed -n 's/^#define TOOL_[A-Z]* \([0-9]\) .*/\1/p' "$sources/tool.h" >"$work/statuses"
	while read -r status; do
		sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/p' "$manual" | grep -qx "\.It $status" ||
			note "the manual has no exit status $status"
	done <"$work/statuses"
	[ "$(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/p' "$manual" | grep -c '^\.It ')" -eq \
		"$(grep -c '^#define TOOL_[A-Z]* [0-9] ' "$sources/tool.h")" ] || note 'their numbers differ'
}
try words_of_the_manual_are_those_of_the_program leave craft
try words_stand_in_one_file
try exit_statuses_of_the_manual_are_those_of_the_program
