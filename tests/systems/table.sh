#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The README's table of what is built and tested where, from what the runs of run.sh noted.
#
#	table.sh --write README		put it between the marks
#	table.sh --check README		each row that a run on this machine noted is in the README
set -u
noted=$(cd "$(dirname "$0")/../.." && pwd)/build/systems/table
if [ $# != 2 ] || [ ! -s "$noted" ]; then
	echo "usage: table.sh --write|--check README, after run.sh"
	exit 2
fi

# The machine that all of it runs on comes first: its suites are those of tests/run.sh.
rows() {
	echo "| Debian 12, amd64, gcc 12 | all suites |"
	echo "| the same, clang 14 | unit, fault, abi; ASan, UBSan and TSan by both compilers |"
	sed -E 's/^([^|]*)\|(.*)/| \1 | \2 |/' "$noted"
}
inside() {
	sed -n '/^<!-- systems -->$/,/^<!-- \/systems -->$/p' "$1" | grep '^| ' | tail -n +2
}
case $1 in
--write)
	rows | sed -e '1i <!-- systems -->\n| system | what runs there |\n|---|---|' -e '$a <!-- /systems -->' >"$noted.text"
	sed -i -e "/^<!-- systems -->\$/,/^<!-- \\/systems -->\$/{/^<!-- \\/systems -->\$/r $noted.text" -e 'd}' "$2"
	;;
--check)
	rows | sort >"$noted.rows"
	inside "$2" | sort >"$noted.readme"
	comm -13 "$noted.rows" "$noted.readme" | sed 's/^/not run here: /'
	! comm -23 "$noted.rows" "$noted.readme" | sed 's/^/README lacks: /' | grep .
	;;
*) exit 2 ;;
esac
