# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of the atomicio command in bash.
#
# Flow: installed as bash-completion/completions/atomicio, which bash reads when it first needs it.
# The words are asked of the command itself: subcommands are what `atomicio --help` indents by two,
# options what `atomicio SUBCOMMAND --help` names, actions what its usage has with | between.

_atomicio() {
	local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[0]} sub='' words='' i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || { sub=${COMP_WORDS[i]}; break; }
	done
	if [ -z "$sub" ]; then
		words=$("$command" --help 2>/dev/null | sed -nE 's/^  ([a-z]+) .*/\1/p; s/.*(--help).*/\1/p; s/.*(--version).*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$current" | sort -u)
		return
	fi
	local help
	help=$("$command" "$sub" --help 2>/dev/null) || return
	words="$(grep -oE -- '(^|[^a-z-])--[a-z][a-z-]*' <<<"$help" | grep -oE -- '--.*' | sort -u) --help"
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current" | sort -u)
		return
	fi
	# The word after the subcommand may be an action: create|info|...
	words=$(sed -nE "1s/^usage: [^ ]+ $sub ([a-z]+(\|[a-z]+)+).*/\1/p" <<<"$help" | tr '|' ' ')
	if [ -n "$words" ] && ((i + 1 == COMP_CWORD)); then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
		return
	fi
	# A file; after ID= (bash has cut the word there), too.
	[[ $current != "=" ]] || current=
	mapfile -t COMPREPLY < <(compgen -f -- "$current")
	compopt -o filenames 2>/dev/null
}
complete -F _atomicio atomicio
