# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the scripts of this directory share: where things are, a scratch directory, TAP lines.
#
# Flow: read first by each of them; it ends with `finish`.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # not all need it
build=${ATOMICIO_BUILD:-$root/build/gcc}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0

# report STATUS NAME [LOG]: one TAP line; the log explains a failure
report() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		[ ! -s "${3:-}" ] || sed 's/^/# /' "$3"
		echo "not ok - $2"
		failures=$((failures + 1))
	fi
}

# The exit status of the script.
finish() {
	[ $failures = 0 ]
}
