# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of the atomicio command in bash.
#
# Flow: installed as bash-completion/completions/atomicio, which bash reads when it first needs it.
# The words are asked of the command itself: subcommands are what `atomicio --help` indents by two,
# options what `atomicio SUBCOMMAND --help` names, actions and values what its usage spells in small
# letters, with | between.

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
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	if [[ $before == --* ]]; then
		# An option may have a choice of values: --fs ext4|xfs|btrfs
		words=$(grep -oE -- "$before [a-z0-9]+(\|[a-z0-9]+)+" <<<"$help" | head -n 1)
		words=${words#* }
	else
		# A word after the subcommand may be an action: create|info|..., or run in one line of the
		# usage and serve in another.
		words=$(awk -v given="${COMP_WORDS[*]:i:COMP_CWORD - i}" '
			/^(usage:|      ) / {
				sub(/^usage:/, "")
				count = split(given, word, " ")
				fits = 1
				for (k = 1; k <= count; k++)
					if (!index("|" $(k + 1) "|", "|" word[k] "|"))
						fits = 0
				if (fits && $(count + 2) ~ /^[a-z]+(\|[a-z]+)*$/ && !seen[$(count + 2)]++)
					print $(count + 2)
			}' <<<"$help")
	fi
	if [ -n "$words" ]; then
		mapfile -t COMPREPLY < <(compgen -W "${words//|/ }" -- "$current")
		return
	fi
	# A file; after ID= (bash has cut the word there), too.
	[[ $current != "=" ]] || current=
	mapfile -t COMPREPLY < <(compgen -f -- "$current")
	compopt -o filenames 2>/dev/null
}
complete -F _atomicio atomicio
