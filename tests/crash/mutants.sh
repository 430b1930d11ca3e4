#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Break one rule of the journal at a time, and demand that the crash suite catches it.
#
#	tests/crash/mutants.sh [NAME...]
#
# The library's and the suite's sources are compiled once; for each line of mutants.list one
# file is changed and compiled again.  Prints which state caught which mutant.  CC may be set.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-cc}
flags=(-std=gnu11 -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -O1 -w "-I$root/include" -include "$here/tune.h")
failed=0

wraps=()
while read -r name; do
	wraps+=("-Wl,--wrap=$name")
done <"$here/wraps"

compile() { # SOURCE OBJECT INCLUDE
	"$cc" "${flags[@]}" "-I$3" -c "$1" -o "$2" || exit 2
}

# All of the library but the probe: the suite has one of its own.
mkdir "$work/lib" "$work/o" "$work/suite"
cp "$root"/lib/*.[ch] "$work/lib"
rm -f "$work"/lib/probe*.c "$work"/lib/reason.c
for file in "$work"/lib/*.c; do
	compile "$file" "$work/o/$(basename "$file" .c).o" "$work/lib"
done
for file in "$here"/*.c; do
	compile "$file" "$work/suite/$(basename "$file" .c).o" "$root/lib"
done

link_crash() {
	"$cc" -o "$work/crash" "$work"/o/*.o "$work"/suite/*.o "${wraps[@]}" -lblkid -luring ||
		exit 2
}

run_crash() { # SCENARIO [DIVISOR]: print the state that failed, or nothing
	timeout 120 "$work/crash" --short "${2:-4}" --scenario "$1" >"$work/out" 2>&1
	local status=$?
	if grep -q 'replay:' "$work/out"; then
		sed -n 's/^#   replay: //p' "$work/out" | head -n 1
	elif [ $status -ge 124 ]; then
		echo "the program died ($status)"
	fi
}

# What tune.h leaves to the suite.
echo 'unsigned int crash_home_soon = 131072;' >"$work/tune.c"
compile "$work/tune.c" "$work/tune.o" "$root/lib"

# A unit test has the library's own probe, and whichever fake it names.
mkdir "$work/probe" "$work/support"
for file in "$root"/lib/{probe*,reason}.c; do
	compile "$file" "$work/probe/$(basename "$file" .c).o" "$root/lib"
done
for file in "$root"/tests/support/*.c; do
	compile "$file" "$work/support/$(basename "$file" .c).o" "$root/lib"
done
ar rcs "$work/support.a" "$work"/support/*.o

# A broken library may hang in each test: 12 seconds then, not 60.  The unbroken one has no more.
run_unit() { # TEST: print what failed, or nothing
	"$cc" "${flags[@]}" "-I$root/lib" "-I$root/tests/support" -o "$work/unit" \
		"$root/tests/unit/$1.c" "$work/support.a" "$work"/o/*.o "$work"/probe/*.o \
		"$work/tune.o" -lblkid -luring -lcheck -lsubunit -lm -lrt -pthread ||
		exit 2
	CK_TIMEOUT_MULTIPLIER=0.2 "$work/unit" >"$work/out" 2>&1 || grep -m 1 ':[FE]:' "$work/out"
}

# The unbroken library must pass where the broken ones fail.
link_crash
for scenario in single wrap mixed reuse; do
	caught=$(run_crash "$scenario")
	if [ -n "$caught" ]; then
		echo "not ok - the library itself fails: $caught"
		exit 1
	fi
done

while read -r name; do
	caught=$(run_unit "$name")
	if [ -n "$caught" ]; then
		echo "not ok - the library itself fails $name: $caught"
		exit 1
	fi
done < <(sed -n 's/^[^#|]*|[^|]*|unit \([a-z_]*\)|.*/\1/p' "$here/mutants.list" | sort -u)

while IFS='|' read -r name file by script; do
	case $name in '' | '#'*) continue ;; esac
	if [ $# -gt 0 ]; then
		case " $* " in *" $name "*) ;; *) continue ;; esac
	fi
	object=$work/o/$(basename "$file" .c).o
	sed "$script" "$root/lib/$file" >"$work/lib/$file"
	if cmp -s "$root/lib/$file" "$work/lib/$file"; then
		echo "not ok - $name: its sed script changes nothing in $file"
		failed=$((failed + 1))
		continue
	fi
	cp "$object" "$work/kept.o"
	compile "$work/lib/$file" "$object" "$work/lib"
	case $by in
	unit*) caught=$(run_unit "${by#unit }") ;;
	*)
		link_crash
		# shellcheck disable=SC2086 # a name and a number
		caught=$(run_crash $by)
		;;
	esac
	if [ -n "$caught" ]; then
		echo "ok - $name: $caught"
	else
		echo "not ok - $name: nobody saw it ($by)"
		failed=$((failed + 1))
	fi
	cp "$root/lib/$file" "$work/lib/$file"
	cp "$work/kept.o" "$object"
done <"$here/mutants.list"
exit $((failed > 0))
