# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC2031 # run.sh has the other half
#
# The driver for tests of a guest: failures that look like success.
#
# Method: a `library` is built for each line, a guest script runs the line's tests with each, and
# tests/vm/run.sh boots once.  The same tests run with the unbroken library, too.  All tests of a line
# must be red.  KERNEL is the guest's (7.3).

vm_here=$root/tests/vm

# vm_compile OBJECTS LIB SOURCE...: sources into objects, with the headers of that library.
vm_compile() {
	local objects=$1 headers=$2
	shift 2
	(cd "$objects" && "${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -O1 -w \
		"-I$root/include" -pthread "-I$headers" -c "$@") >>"$vm_run/build.log" 2>&1
}

# The unbroken library's objects, once.
vm_compile_all() {
	local program
	mkdir -p "$vm_run/objects"
	vm_compile "$vm_run/objects" "$root/lib" "$root"/lib/*.c || return
	for program in library library_way library_sizes library_dirty library_crowd library_orphan raw_shot; do
		vm_compile "$vm_run/objects" "$root/lib" "$vm_here/guest/$program.c" || return
	done
}

# vm_break NAME HOW FILE...: a copy with the defence taken away, linked as bin/library-NAME.
vm_break() {
	local name=$1 how=$2 tree=$vm_run/$1/lib file sources=()
	shift 2
	mkdir -p "$tree" "$vm_run/$name/objects"
	cp "$root"/lib/*.[ch] "$tree"
	cp "$vm_run"/objects/*.o "$vm_run/$name/objects"
	for file in "$@"; do
		if ! mutate "$how" "$root/lib/$file" "$tree/$file"; then
			echo "changes nothing in $file"
			return 1
		fi
		if [ "${file%.h}" != "$file" ]; then
			sources+=("$tree"/*.c)
		else
			sources+=("$tree/$file")
		fi
	done
	vm_compile "$vm_run/$name/objects" "$tree" "${sources[@]}" &&
		"${CC:-gcc}" -o "$build/vm/bin/library-$name" "$vm_run/$name"/objects/*.o -pthread \
			-lblkid -luring >>"$vm_run/build.log" 2>&1 && return
	echo "cannot be built: $(grep -m 1 error "$vm_run/build.log")"
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
	done <"$vm_run/list"
}

# An `ok` or `not ok` of tests/vm/run.sh, as a result.
vm_result() {
	local line=$1 name why
	case $line in
	*/mutant_*)
		name=${line#*/mutant_}
		name=${name%% *}
		why=${line#* - }
		case $line in
		"ok "*)
			result "$name" "$(sed -n "s/^$name: //p" "$build/vm/run-$vm_name/out/caught" |
				head -n 1 | cut -c 1-160)"
			;;
		*) result "$name" "" ;;
		esac
		;;
	"not ok "*) why=${line#not ok } result "the unbroken library" "" ;;
	esac
}

vm_mutants() {
	local build=$root/build kernel=${KERNEL:-7.3} why status=0
	local vm_run=$build/vm/mutants vm_name name files tests how line
	vm_name=mutants-$kernel
	(
		here=$vm_here source_root=$root name=mutants
		# shellcheck source=tests/vm/host/machine.sh
		. "$vm_here/host/machine.sh"
		prepare_host "$kernel"
	) || status=$?
	if [ $status = 77 ]; then
		skip vm "the virtual machine cannot run"
		return 0
	fi
	[ $status = 0 ] || return $status
	rm -rf "$vm_run" "$build"/vm/bin/library-*
	mkdir -p "$vm_run"
	vm_compile_all || { echo "not ok - the library cannot be built: see $vm_run/build.log" && return 1; }
	: >"$vm_run/list"
	while IFS='|' read -r name files tests how; do
		# shellcheck disable=SC2086 # a list of words
		if why=$(vm_break "$name" "$how" $files); then
			echo "$name|$files|$tests|$how" >>"$vm_run/list"
		else
			result "$name" ""
		fi
	done <"$lines"
	[ -s "$vm_run/list" ] || return 0

	guest_script >"$vm_run/test_mutants.sh"
	# shellcheck disable=SC2046 # a list of words
	VM_PREPARED=yes VM_EXTRA_TESTS=$vm_run/test_mutants.sh "$vm_here/run.sh" --kernel "$kernel" \
		--build "$build" --name mutants mutants $(cut -d'|' -f3 "$vm_run/list" | xargs -n 1 | sort -u) \
		>"$vm_run/log" 2>&1 || status=$?
	if [ $status = 77 ]; then
		skip vm "$(tail -n 1 "$vm_run/log")"
		return 0
	fi
	while read -r line; do
		vm_result "$line"
	done < <(grep -E '^(ok|not ok) ' "$vm_run/log")
	grep '^vm: ' "$vm_run/log"
	# A boot that failed has no line for any of them.
	why="no result: see $vm_run/log"
	while IFS='|' read -r name _; do
		grep -qE "/mutant_$name( |$)" "$vm_run/log" || result "$name" ""
	done <"$vm_run/list"
}
