# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts of this suite share; not all of them use all of it.  ATOMICIO_BUILD is the
# build directory.
# shellcheck disable=SC2034
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(realpath -- "${ATOMICIO_BUILD:-$here/../../build/gcc}") || exit 1
extension=${ATOMICIO_EXTENSION:-$build/engines/sqlite/mod_atomicio.so}
command=$build/engines/sqlite/atomicio-sqlite
bank=$build/tests/sqlite/bank
random=$build/tests/sqlite/random
failures=0

skip() {
	echo "ok - sqlite # SKIP $1"
	exit 77
}
[ -x "$bank" ] || skip "SQLite's headers were not there when this was built (libsqlite3-dev)"
command -v sqlite3 >/dev/null || skip "the command sqlite3 is missing"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP

# report STATUS NAME: with what is in $scratch/log where it failed
report() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		tail -n 30 "$scratch/log" | sed 's/^/# /'
		echo "not ok - $2"
		failures=$((failures + 1))
	fi
}

# ours DATABASE SQL...: through the VFS; stock: through SQLite's own
ours() {
	local database=$1
	shift
	{
		echo ".load $extension"
		echo ".open file:$database?vfs=atomicio&atomicio_size=1048576"
		printf '%s\n' "$@"
	} | sqlite3 -bail
}
stock() {
	local database=$1
	shift
	printf '%s\n' "$@" | sqlite3 -bail "$database"
}
