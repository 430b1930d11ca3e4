#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: every mutant still breaks the code that it was written for.
#
# Method: each line of the list is applied to its files.  The runs that need hours or a virtual
# machine would find a stale line late.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/mutants/lib.sh
. tests/mutants/lib.sh
broken=$(mktemp) || exit 1
trap 'rm -f "$broken"' EXIT
checked=0
stale=0

while IFS='|' read -r name files where how; do
	[ -n "$where" ] && [ -n "$how" ] || echo "# $name: four fields are needed"
	case $where in
	sqlite\ *) of=engines/sqlite ;;
	tool\ *) of=tools ;;
	*) of=lib ;;
	esac
	for file in $files; do
		checked=$((checked + 1))
		[ -r "$of/$file" ] && mutate "$how" "$of/$file" "$broken" && continue
		echo "# $name changes nothing in $of/$file"
		stale=$((stale + 1))
	done
done < <(mutants)
# Two of one name could not be told apart.
mutants | cut -d'|' -f1 | sort | uniq -d | sed 's/^/# twice: /' | grep . && stale=$((stale + 1))

echo "# $checked mutants, $stale stale"
[ $checked -gt 100 ] && [ $stale = 0 ]
