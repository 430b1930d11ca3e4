#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The README's table of what is built and tested where, from what the runs of run.sh noted.
#
#	table.sh --write README		put it between the marks; rows of other machines stay
#	table.sh --check README		each row that a run on this machine noted is in the README
#
# Method: run.sh notes a row for each system that passed (lib.sh, Y3).  The rows of the machine that
# all of it runs on are what .ci/run does there, and so are read in it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
noted=$root/build/systems/table
if [ $# != 2 ] || [[ $1 != --write && $1 != --check ]] || [ ! -e "$2" ]; then
	echo "usage: table.sh --write|--check README, after run.sh" >&2
	exit 2
fi
mkdir -p "${noted%/*}"
touch "$noted"

# here COMPILER: "Debian 12, x86_64, gcc 12"
here() {
	# shellcheck disable=SC1091 # it is the machine's
	(. /etc/os-release && echo "${NAME%% *} ${VERSION_ID:-}, $(uname -m), $1 $("$1" -dumpversion | sed 's/\..*//')")
}
# ran OPTION...: the suites of the step of .ci/run with these options, as "unit, fault"
ran() {
	local suites
	suites=$(sed -nE "s/^.*[[:space:]]tests $1( --suite ([a-z ]+))?\$/\2/p" \
		"$root/.ci/run" | head -n 1)
	[ -n "$suites" ] || suites='unit fault crash tool kernel'
	echo "${suites// /, }"
}
rows() {
	if grep -q 'step .* tests --coverage' "$root/.ci/run"; then
		echo "| $(here gcc) | all suites; ASan, UBSan and TSan: $(ran --sanitize) |"
	fi
	echo "| $(here clang) | $(ran '--compiler clang'); ASan, UBSan and TSan: $(ran '--compiler clang --sanitize') |"
	sed -E 's/^([^|]*)\|(.*)/| \1 | \2 |/' "$noted"
}
standing() {
	sed -n '/^<!-- systems -->$/,/^<!-- \/systems -->$/p' "$1" | grep '^| ' | tail -n +2
}

[ "$(grep -c -x -E '<!-- /?systems -->' "$2")" = 2 ] || {
	echo "table: $2 has no <!-- systems --> and <!-- /systems -->" >&2
	exit 2
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
rows | sort >"$work/ran"
standing "$2" | sort >"$work/standing"
case $1 in
--write)
	# A system has one row: what ran now takes the place of what is there.
	cut -d'|' -f2 "$work/ran" >"$work/systems"
	awk -F'|' 'NR == FNR { ran[$0]; next } !($2 in ran)' "$work/systems" "$work/standing" >"$work/kept"
	{
		printf '\n| system | what runs there |\n|---|---|\n'
		rows | head -n 2
		{ rows | tail -n +3 && cat "$work/kept"; } | sort -u
		echo
	} >"$work/table"
	sed -i -e "/^<!-- systems -->\$/r $work/table" \
		-e '/^<!-- systems -->$/,/^<!-- \/systems -->$/{/^<!--/!d}' "$2"
	;;
--check)
	comm -13 "$work/ran" "$work/standing" | sed 's/^/# not run here: /'
	! comm -23 "$work/ran" "$work/standing" | sed 's/^/README lacks: /' | grep .
	;;
esac
