#!/bin/bash
# SPDX-License-Identifier: MIT
# Take away the library's defences against failures that look like success, one at a time: a test in
# the guest must go red for each.
# Flow: builds a `library` for each line of mutants.list, writes a guest script that runs the line's
# tests with it, and has run.sh boot once.  The same tests run with the unbroken library, too.
#
# usage: mutants.sh [--kernel 7.3] [--build DIR] [NAME...]
#
# Prints a line a mutant, with the test that caught it; the last line is `N caught, N survived`.
# Exit: 0 all caught; 1 else; 77 with one sentence: cannot run here.
set -u

here=$(cd "$(dirname "$0")" && pwd)
source_root=$(cd "$here/../.." && pwd)
build=$source_root/build
kernel=7.3
name=mutants
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2 ;;
	--build) build=$2 ;;
	-*) sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 2 ;;
	*) break ;;
	esac
	shift 2
done
only=("$@")
. "$here/machine.sh"

cc=${CC:-gcc}
flags=(-std=gnu11 -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -O1 -w "-I$source_root/include" "-I$here" -pthread)
survived=0
survives() { # NAME WHY
	echo "not ok - $1: $2"
	survived=$((survived + 1))
}

# compile OBJECTS LIB SOURCE...: sources into objects, with the headers of that library.
compile() {
	local objects=$1 headers=$2
	shift 2
	(cd "$objects" && "$cc" "${flags[@]}" "-I$headers" -c "$@") >>"$run/build.log" 2>&1
}

# The unbroken library's objects, once.
compile_all() {
	local program
	mkdir -p "$run/objects"
	compile "$run/objects" "$source_root/lib" "$source_root"/lib/*.c || return
	for program in library library_way library_sizes library_dirty library_crowd library_orphan raw_shot; do
		compile "$run/objects" "$source_root/lib" "$here/$program.c" || return
	done
}

# break_library NAME SED FILE...: a copy with the defence taken away, linked as bin/library-NAME.
break_library() {
	local name=$1 script=$2 tree=$run/$1/lib file sources=()
	shift 2
	mkdir -p "$tree" "$run/$name/objects"
	cp "$source_root"/lib/*.[ch] "$tree"
	cp "$run"/objects/*.o "$run/$name/objects"
	for file in "$@"; do
		sed "$script" "$source_root/lib/$file" >"$tree/$file"
		if cmp -s "$source_root/lib/$file" "$tree/$file"; then
			echo "its sed script changes nothing in $file"
			return 1
		fi
		if [ "${file%.h}" != "$file" ]; then
			sources+=("$tree"/*.c)
		else
			sources+=("$tree/$file")
		fi
	done
	compile "$run/$name/objects" "$tree" "${sources[@]}" &&
		"$cc" -o "$build/vm/bin/library-$name" "$run/$name"/objects/*.o -pthread -lblkid \
			-luring >>"$run/build.log" 2>&1 && return
	echo "it cannot be built: $(grep -m 1 error "$run/build.log")"
	return 1
}

# The guest's part: a test is red only if it fails by a check of its own.  Some race with another
# process, so each has three tries.
guest_script() {
	cat <<'EOF'
# SPDX-License-Identifier: MIT
# Goal: each broken library is caught.  Method: run the tests named with it; each must fail.

caught() { # MUTANT TEST...
	local mutant=$1 test script status try
	shift
	[ -x "$VM_BIN/library-$mutant" ] || fail "no library-$mutant"
	for test in "$@"; do
		script=$(grep -l "^test_$test()" "$VM_GUEST"/test_library_*.sh) || fail "no test $test"
		for try in 1 2 3; do
			LIBRARY=library-$mutant "$VM_GUEST/one" "$script" "$test" \
				>/scratch/caught 2>&1
			status=$?
			cat /scratch/caught
			[ $status = 0 ] || break
		done
		[ $status = 1 ] && grep -q '^fail: ' /scratch/caught ||
			fail "$test does not notice (status $status)"
		grep -q '^fail: not undone' /scratch/caught && fail "$test is not undone"
		echo "$mutant: $test: $(sed -n 's/^fail: //p' /scratch/caught | tail -n 1)" >>/out/caught
	done
}
EOF
	while IFS='|' read -r name _ tests _; do
		echo "test_mutant_$name() {"
		echo "	caught $name $tests"
		echo "}"
	done <"$run/list"
}

# An `ok` or `not ok` of run.sh, as a line of this list.
report() {
	local line=$1 name reason
	name=${line#*/mutant_}
	name=${name%% *}
	case $line in
	"ok "*)
		caught=$((caught + 1))
		sed -n "s/^$name: \([^:]*\): \(.*\)/ok - $name: caught by \1: \2/p" \
			"$build/vm/run-$kernel_run/out/caught" | cut -c 1-160
		;;
	*) survives "$name" "${line#* - }" ;;
	esac
}

prepare_host "$kernel" || exit
run=$build/vm/mutants
kernel_run=mutants-$kernel
rm -rf "$run" "$build"/vm/bin/library-*
mkdir -p "$run"
compile_all || { echo "not ok - the library cannot be built: see $run/build.log" && exit 1; }
: >"$run/list"
while IFS='|' read -r name files tests script; do
	case $name in '' | '#'*) continue ;; esac
	[ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $name "* ]] || continue
	if why=$(break_library "$name" "$script" $files); then
		echo "$name|$files|$tests|$script" >>"$run/list"
	else
		survives "$name" "$why"
	fi
done <"$here/mutants.list"
[ -s "$run/list" ] || { echo "not ok - there is nothing to run" && exit 1; }

guest_script >"$run/test_mutants.sh"
VM_PREPARED=yes VM_EXTRA_TESTS=$run/test_mutants.sh "$here/run.sh" --kernel "$kernel" \
	--build "$build" --name mutants mutants $(cut -d'|' -f3 "$run/list" | xargs -n 1 | sort -u) \
	>"$run/log" 2>&1
status=$?
[ $status = 77 ] && tail -n 1 "$run/log" && exit 77
caught=0
while read -r line; do
	case $line in
	*/mutant_*) report "$line" ;;
	"not ok "*) survives "the unbroken library" "${line#not ok }" ;;
	esac
done < <(grep -E '^(ok|not ok) ' "$run/log")
[ $caught -gt 0 ] || tail -n 5 "$run/log"
grep '^vm: ' "$run/log"
[ $survived != 0 ] || rm -rf "$run" "$build"/vm/bin/library-*
echo "$caught caught, $survived survived"
[ $status = 0 ] && [ $survived = 0 ] && [ $caught = "$(grep -c . "$run/list" 2>/dev/null || echo $caught)" ]
