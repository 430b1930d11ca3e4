# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: a command typed wrongly gives one sentence that says what to type, and help is an answer.
# Method and helpers: run.sh, which sources this file.

no_command_is_an_error_that_names_one() { expect 2 "$tool"; one_sentence; says 'probe PATH'; }
unknown_command_is_an_error_that_names_help() {
	expect 2 "$tool" frobnicate
	one_sentence
	says "'frobnicate' is no command.*--help"
}
help_is_an_answer_not_an_error() {
	local command
	expect 0 "$tool" --help
	for command in probe doctor write bench journal; do
		prints "^  $command "
		expect 0 "$tool" "$command" --help
		prints "usage: atomicio $command"
		prints 'Exit status'
		[ ! -s "$err" ] || note "help on stderr"
		expect 0 "$tool" --help
	done
}
version_names_command_and_library() {
	expect 0 "$tool" --version
	prints '^atomicio [0-9]+\.[0-9]+\.[0-9]+ \(library [0-9]+\.[0-9]+\.[0-9]+\)$'
}
unknown_option_is_an_error_that_shows_the_usage() {
	local command
	for command in probe doctor write bench journal; do
		expect 2 "$tool" "$command" --frobnicate "$dir"
		one_sentence
		says "'--frobnicate'.*type atomicio $command "
	done
	expect 2 "$tool" write "$dir/f" --offset
	one_sentence
	says 'a value is missing'
}
missing_path_is_an_error() {
	expect 2 "$tool" probe; one_sentence
	expect 2 "$tool" doctor; one_sentence
	expect 2 "$tool" doctor "$dir" "$dir"; one_sentence
	expect 2 "$tool" write --offset 0; one_sentence
}
answer_that_cannot_be_delivered_is_an_error() {
	expect 2 sh -c '"$0" probe "$1" >/dev/full' "$tool" "$dir"
	one_sentence
	says 'standard output: No space left'
	expect 2 sh -c '"$0" --help >&-' "$tool"
	one_sentence
	says 'standard output: Bad file'
}
options_may_stand_anywhere_whatever_the_environment_says() {
	local bad
	export POSIXLY_CORRECT=1
	expect 0 "$tool" probe "$dir" --json "$dir"
	json 'length == 2'
	expect 2 "$tool" write "$dir/absent" --offset 0
	says 'make the file first'
	expect 0 "$tool" journal create "$dir/j" --size 256k
	expect 0 "$tool" journal create "$dir/j" --overwrite --size 256k --json
	json '.size == 262144'
	expect 0 "$tool" journal check "$dir/j" --json
	expect 2 "$tool" journal recover "$dir/j" "1=$dir/absent" --gone 2 "3=$dir/absent"
	says 'No such file'
	for bad in probe doctor bench; do
		expect 2 "$tool" $bad "$dir" --frobnicate
		says "'--frobnicate'"
	done
	# What stands behind -- is no option.
	expect 2 "$tool" probe -- --json
	says "'?./--json'?: No such file"
	unset POSIXLY_CORRECT
	rm -f "$dir/j"
}
try no_command_is_an_error_that_names_one
try unknown_command_is_an_error_that_names_help
try help_is_an_answer_not_an_error
try version_names_command_and_library
try unknown_option_is_an_error_that_shows_the_usage
try missing_path_is_an_error
try answer_that_cannot_be_delivered_is_an_error
try options_may_stand_anywhere_whatever_the_environment_says
