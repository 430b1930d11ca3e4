# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh has the other half
#
# The driver for the SQLite extension: a script of tests/sqlite, with its arguments, must go red.

# part WHERE: with the extension in $work, the first test that fails
part() {
	local words
	read -ra words <<<"$1"
	ATOMICIO_EXTENSION=$work/mod_atomicio.so ATOMICIO_BUILD=$sqlite_build timeout -k 10 300 bash \
		"$root/tests/sqlite/${words[0]}.sh" "${words[@]:1}" >"$work/log" 2>&1 </dev/null && return 1
	grep -m 1 -E '^not ok|is bad' "$work/log" | cut -c 1-150 | grep . || echo "ended badly"
}

compile() {
	"${CC:-cc}" -shared -fPIC -O1 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I "$root/include" \
		"$work"/source/*.c -o "$work/mod_atomicio.so" -L "$sqlite_build" -latomicio \
		-Wl,-rpath,"$sqlite_build" -pthread 2>"$work/log"
}

prepare() {
	cp -r "$root/engines/sqlite" "$work/source"
	rm "$work/source/command.c" # a program of its own
	compile || return
	unbroken_passes part
}

try() { # NAME FILES WHERE HOW
	local file
	for file in $2; do
		mutate "$4" "$root/engines/sqlite/$file" "$work/source/$file" || why="changes nothing in $file"
	done
	if [ -z "$why" ] && ! compile; then
		why="cannot be built: $(grep -m 1 error "$work/log")"
	fi
	[ -n "$why" ] || red=$(part "$3")
	for file in $2; do
		cp "$root/engines/sqlite/$file" "$work/source/$file"
	done
}

sqlite_mutants() {
	local work sqlite_build status=0
	sqlite_build=$(realpath -- "${ATOMICIO_BUILD:-$root/build/gcc}") || return
	if [ ! -e "$sqlite_build/engines/sqlite/mod_atomicio.so" ]; then
		skip sqlite "the extension is not built"
	elif [ "$(id -u)" != 0 ]; then
		skip sqlite "needs root to mount filesystems"
	else
		work=$(mktemp -d) || return
		one_by_one || status=$?
		rm -rf "$work"
	fi
	return $status
}
