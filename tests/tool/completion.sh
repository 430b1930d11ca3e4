# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Goal: bash completes what the command has, all of it, without a list of its own.
#
# Method: the function that bash would call is called with a command line, and its answer read.

# completes WORD...: what bash would offer for the last word
completes() {
	COMP_WORDS=("$tool" "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_atomicio
}
offers() { # each of these words is offered
	local word
	for word in "$@"; do
		[[ " ${COMPREPLY[*]} " == *" $word "* ]] || note "$word is not offered: ${COMPREPLY[*]}"
	done
}

completion_offers_every_subcommand() {
	completes ""
	mapfile -t commands < <("$tool" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
	[ ${#commands[@]} -ge 5 ] || note "the help names ${commands[*]}"
	offers "${commands[@]}" --help --version
	completes pro
	[ "${COMPREPLY[*]}" = probe ] || note "pro becomes ${COMPREPLY[*]}"
}
completion_offers_every_option_of_a_subcommand() {
	for command in "${commands[@]}"; do
		mapfile -t options < <("$tool" "$command" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u)
		completes "$command" -
		offers --help "${options[@]}"
	done
	completes write file --off
	[ "${COMPREPLY[*]}" = --offset ] || note "--off becomes ${COMPREPLY[*]}"
}
completion_offers_the_actions_of_journal() {
	completes journal ""
	offers create info check dump recover
	completes journal rec
	[ "${COMPREPLY[*]}" = recover ] || note "rec becomes ${COMPREPLY[*]}"
}
completion_offers_what_crash_can_do() {
	completes crash ""
	[ "${COMPREPLY[*]}" = "run serve" ] || note "crash: ${COMPREPLY[*]}"
	completes crash serve ""
	[ "${COMPREPLY[*]}" = "image directory" ] || note "crash serve: ${COMPREPLY[*]}"
	completes crash run --fs ""
	[ "${COMPREPLY[*]}" = "ext4 xfs btrfs" ] || note "crash run --fs: ${COMPREPLY[*]}"
	completes crash run --cu
	[ "${COMPREPLY[*]}" = --cuts ] || note "crash run --cu: ${COMPREPLY[*]}"
}
completion_offers_files() {
	: >"$work/completed-file"
	completes probe "$work/completed-f"
	[ "${COMPREPLY[*]}" = "$work/completed-file" ] || note "${COMPREPLY[*]}"
}

# shellcheck source=tools/completion.bash
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/completion.bash"
try completion_offers_what_crash_can_do crash
for name in completion_offers_every_subcommand completion_offers_every_option_of_a_subcommand \
	completion_offers_the_actions_of_journal completion_offers_files; do
	try "$name"
done
