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
	says 'standard output'
}
try no_command_is_an_error_that_names_one
try unknown_command_is_an_error_that_names_help
try help_is_an_answer_not_an_error
try version_names_command_and_library
try unknown_option_is_an_error_that_shows_the_usage
try missing_path_is_an_error
try answer_that_cannot_be_delivered_is_an_error
