#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The SQLite extension: every part of this suite, in the order of how soon they say something.
#
#	run.sh [ATOMICIO] [PART...]	the built command; parts are scripts of this directory
set -u
here=$(cd "$(dirname "$0")" && pwd)
tool=${1:-}
[ $# = 0 ] || shift
[ -z "$tool" ] || {
	ATOMICIO_BUILD=$(cd "$(dirname "$tool")/.." && pwd) || exit 1
	export ATOMICIO_BUILD
}
[ $# != 0 ] || set -- calls ways guard names forked faults attached full same kills cuts
status=0
for part in "$@"; do
	bash "$here/$part.sh"
	part=$?
	[ $part = 0 ] || [ $status = 1 ] || status=$part
done
exit $status
