# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh has the other half
#
# The driver of the journal's mutants: scenarios of the crash suite, and unit tests.
#
# Method: the sources of library and suite are compiled once; for each mutant its files are compiled
# again.  The red test is the state that failed, or the check.  CC may be set.

compile() { # SOURCE OBJECT INCLUDE
	"$cc" "${flags[@]}" "-I$3" -c "$1" -o "$2"
}

compile_all() { # TARGET INCLUDE SOURCE...
	local target=$1 include=$2 file
	shift 2
	mkdir -p "$work/$target"
	for file in "$@"; do
		compile "$file" "$work/$target/$(basename "$file" .c).o" "$include" || return
	done
}

link_crash() {
	"$cc" -o "$work/crash" "$work"/o/*.o "$work"/suite/*.o "${wraps[@]}" -lblkid -luring
}

run_crash() { # SCENARIO [DIVISOR]: print the state that failed, or nothing
	timeout 120 "$work/crash" --short "${2:-4}" --scenario "$1" >"$work/out" 2>&1
	local status=$?
	if grep -q 'replay:' "$work/out"; then
		sed -n 's/^#   replay: //p' "$work/out" | head -n 1
	elif [ $status -gt 124 ]; then # 124 is the end of the time, which proves nothing
		echo "the program died ($status)"
	fi
}

# A broken library may hang in each test: 12 seconds then, not 60.  The unbroken one has no more.
run_unit() { # TEST: print what failed, or nothing
	"$cc" "${flags[@]}" "-I$root/lib" "-I$root/tests/support" -o "$work/unit" \
		"$root/tests/unit/$1.c" "$work/support.a" "$work"/o/*.o "$work"/probe/*.o \
		"$work/tune.o" -lblkid -luring -lcheck -lsubunit -lm -lrt -pthread || return
	CK_TIMEOUT_MULTIPLIER=0.2 "$work/unit" >"$work/out" 2>&1 || grep -m 1 ':[FE]:' "$work/out"
}

run_where() { # WHERE
	case $1 in
	unit\ *) run_unit "${1#unit }" ;;
	*)
		link_crash || return
		# shellcheck disable=SC2086 # a name and a number
		run_crash $1
		;;
	esac
}

prepare() {
	local where bad
	# All of the library but the probe: the suite has one of its own, a unit test the library's.
	mkdir -p "$work/lib"
	cp "$root"/lib/*.[ch] "$work/lib"
	rm -f "$work"/lib/probe*.c "$work"/lib/reason.c
	# What tune.h leaves to the suite.
	echo 'unsigned int crash_home_soon = 131072;' >"$work/tune.c"
	compile_all o "$work/lib" "$work"/lib/*.c &&
		compile_all suite "$root/lib" "$root"/tests/crash/*.c &&
		compile_all probe "$root/lib" "$root"/lib/{probe*,reason}.c &&
		compile_all support "$root/lib" "$root"/tests/support/*.c &&
		compile "$work/tune.c" "$work/tune.o" "$root/lib" &&
		ar rcs "$work/support.a" "$work"/support/*.o || return
	# Of the scenarios those that end soon: all of them run as the suite crash.
	while read -r where; do
		if ! bad=$(run_where "$where") || [ -n "$bad" ]; then
			[ -n "$bad" ] || bad="cannot be built"
			echo "not ok - the unbroken library fails $where: $bad"
			return 1
		fi
	done < <(cut -d'|' -f3 "$lines" | grep -xE 'unit .*|single|wrap|mixed|reuse' | sort -u)
}

# The probe is linked with unit tests alone.
part_of() { # FILE
	case $1 in
	probe* | reason.c) echo probe ;;
	*) echo o ;;
	esac
}

try() { # NAME FILES WHERE HOW
	local file into
	mkdir -p "$work/kept"
	for file in $2; do
		into=$(part_of "$file")
		cp "$work/$into/${file%.c}.o" "$work/kept"
		if ! mutate "$4" "$root/lib/$file" "$work/lib/$file"; then
			why="changes nothing in $file"
		elif ! compile "$work/lib/$file" "$work/$into/${file%.c}.o" "$work/lib"; then
			why="cannot be built"
		fi
	done
	[ -n "$why" ] || red=$(run_where "$3")
	for file in $2; do
		cp "$root/lib/$file" "$work/lib/$file"
		cp "$work/kept/${file%.c}.o" "$work/$(part_of "$file")"
	done
}

crash_mutants() {
	local work cc=${CC:-cc} wraps=() name status=0 flags
	work=$(mktemp -d) || return
	flags=(-std=gnu11 -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -O1 -w "-I$root/include" -include
		"$root/tests/crash/tune.h")
	while read -r name; do
		wraps+=("-Wl,--wrap=$name")
	done <"$root/tests/crash/wraps"
	one_by_one || status=$?
	rm -rf "$work"
	return $status
}
