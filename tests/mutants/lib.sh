# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# One line of the list, applied: for run.sh, lint and whoever builds a broken library.

mutants_list=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/list

# mutants: all lines of the list without its comments
mutants() {
	grep -v -e '^#' -e '^$' "$mutants_list"
}

# mutate HOW SOURCE TARGET: false if nothing has changed
mutate() {
	local name body
	if [[ $1 =~ ^([a-z0-9_]+)\(\)\ \{\ (.*)\ \}$ ]]; then
		name=${BASH_REMATCH[1]} body=${BASH_REMATCH[2]}
		# In kernel style a function's name and its braces are the first things on a line.
		NAME=$name BODY=$body awk '
			/^[a-z]/ && $0 ~ "[ *]" ENVIRON["NAME"] "[(]" { head = !/;$/ }
			/^\{/ && head { print "{\n\t" ENVIRON["BODY"]; inside = 1; head = 0; next }
			/^\}/ { inside = 0 }
			!inside' "$2" >"$3"
	else
		sed "$1" "$2" >"$3"
	fi
	! cmp -s "$2" "$3"
}
