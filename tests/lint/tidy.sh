#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How the code reads, as far as a machine can tell: lengths, names, and who may use whom.
#
#	tidy.sh OBJECTS		the directory with the library's object files
#
# Method: text rules read the files; rules about names and system calls read the object files
# with nm, which no macro deceives.  A rule prints what breaks it, and is red then.
# `allowed` holds the exceptions, each with its reason.
set -u
cd "$(dirname "$0")/../.." || exit 1
objects=${1:?the directory of the object files}
failures=0

# allowed RULE FILE: an exception
allowed() {
	case "$1 $2" in
	# Two contracts, each in one place, and three quarters of them prose.
	"length include/libatomicio/atomicio.h" | "length include/libatomicio/journal.h") true ;;
	*) false ;;
	esac
}

# rule NAME: red if the rule's function of that name prints something
rule() {
	local found
	mapfile -t found < <("$1")
	if [ ${#found[@]} = 0 ]; then
		echo "ok - $1"
	else
		printf '# %s\n' "${found[@]}"
		echo "not ok - $1"
		failures=$((failures + 1))
	fi
}

# sources PATTERN...: files of the project by name
sources() {
	local pattern arguments=()
	for pattern in "$@"; do
		arguments+=(-o -name "$pattern")
	done
	find . \( -name .git -o -path './build*' \) -prune -o -type f \( "${arguments[@]:1}" \) \
		-print | sed 's,^\./,,' | sort
}

files_have_at_most_350_lines() {
	local file
	for file in $(sources '*.[ch]' '*.sh' '*.cmake' CMakeLists.txt); do
		[ "$(wc -l <"$file")" -le 350 ] || allowed length "$file" ||
			echo "$file: $(wc -l <"$file") lines"
	done
}

# In kernel style a function's body opens and closes with a brace in the first column.
functions_have_at_most_50_lines() {
	local file
	for file in $(sources '*.c' '*.h'); do
		awk -v file="$file" '
			/^$/ || /;$/ || /\*\/$/ || /^#/ { head = NR }
			/^\{$/ { open = head ? head : NR }
			/^\}$/ && open {
				if (NR - open > 50)
					print file ":" open + 1 ": " NR - open " lines"
				open = 0
			}
			/^\}/ { head = NR }' "$file"
	done
}

lines_have_at_most_100_columns() {
	local file
	for file in $(sources '*.[ch]' '*.cmake' CMakeLists.txt '*.[1-9]'); do
		expand "$file" | awk -v file="$file" 'length($0) > 100 { print file ":" NR }'
	done
}

# A rule is where its label begins a line of a comment.  One label, one rule, in the whole tree.
rule_labels_are_unique() {
	local label
	# shellcheck disable=SC2046 # names without spaces
	grep -oHE '^( \*|#) [A-Z]{1,2}[0-9]{1,2} [[:alpha:]`(]' $(sources '*.[ch]' '*.sh') |
		sed -E 's/^([^:]*):( \*|#) ([A-Z0-9]+) .*/\3 \1/' | sort >"$objects/labels"
	while read -r label; do
		echo "$label: $(sed -n "s/^$label //p" "$objects/labels" | tr '\n' ' ')"
	done < <(cut -d' ' -f1 "$objects/labels" | uniq -d)
}

# A label that lib/ or the list of mutants cites has its rule somewhere in lib/.
cited_labels_have_a_rule() {
	local families
	grep -ohE '^ \* [A-Z]{1,2}[0-9]{1,2} [[:alpha:]`(]' lib/*.[ch] | cut -d' ' -f3 | sort -u >"$objects/rules"
	families=$(tr -d '0-9' <"$objects/rules" | sort -u | paste -s -d'|')
	{
		grep -onwE "($families)[0-9]{1,2}" lib/*.[ch]
		grep -onE "^($families)[0-9]{1,2}-" tests/mutants/list | sed 's/^/tests\/mutants\/list:/; s/-$//'
	} | awk -F: -v rules="$objects/rules" '
		BEGIN { while ((getline label <rules) > 0) known[label] = 1 }
		!known[$3]'
}

# The table of DESIGN.md, between its marks, has the letters of each rule of the library.
design_names_every_family_of_rules() {
	local letters
	sed -n '/^<!-- rules -->$/,/^<!-- .rules -->$/s/^| \([A-Z, ]*\) |.*/\1/p' DESIGN.md | tr -d ' ' |
		tr ',' '\n' | sort >"$objects/designed"
	for letters in $(grep -ohE '^ \* [A-Z]{1,2}[0-9]{1,2} ' lib/*.[ch] | tr -d ' *0-9' | sort -u); do
		grep -qx "$letters" "$objects/designed" || echo "DESIGN.md: $letters"
	done
}

files_name_their_licence() {
	local file
	for file in $(sources '*.[ch]' '*.sh' '*.cmake' CMakeLists.txt '*.[1-9]') .ci/run; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT' || echo "$file"
	done
}

headers_have_guards_of_their_own() {
	local file guard
	for file in lib/*.h include/libatomicio/*.h tools/*.h; do
		guard=$(grep -m 1 '^#' "$file" | sed -nE 's/^#ifndef ([A-Z0-9_]+_H)$/\1/p')
		if [ -z "$guard" ] || ! grep -q "^#define $guard$" "$file"; then
			echo "$file: no guard"
		else
			echo "$guard"
		fi
	done | sort | uniq -c | awk '$3 != "" || $1 > 1 { $1 = ""; print }'
}

# The direction: sys <- loss <- journal <- write, sys <- probe.  abi, trace and the reasons' texts are
# for everybody; of the family below only the head file's header is in sight.
families_include_only_what_is_below() {
	local file family name
	for file in lib/*.[ch]; do
		family=${file##*/}
		family=${family%%[_.]*}
		sed -nE 's/^#include "([^"]+)".*/\1/p' "$file" | while read -r name; do
			case $family:$name in
			*:abi.h | *:abi_first.h | *:trace.h | *:libatomicio/*.h) ;;
			"$family:$family"[_.]*) ;;
			probe:sys.h | loss:sys.h | journal:sys.h | write:sys.h) ;;
			*:sys_refused.h | *:sys_reopen.h | *:sys_size.h) ;; # stand-ins for calls of the first
			*:sys_cancel.h) ;;  # the guard of the public calls
			journal:loss.h | write:loss.h) ;;
			write:sys_ring.h) ;; # the second seam: io_uring
			journal:sys_aio.h | journal:sys_flight.h | loss:sys_flight.h) ;; # the third: AIO
			journal:sys_share.h) ;; # and of processes that share a file
			write:journal.h | write:probe.h) ;;
			*) echo "$file includes $name" ;;
			esac
		done
	done
}

# Of two files of lib/ at most one calls into the other, however long the way round.  nm says who
# calls whom, and tsort finds the circles.
calls_of_files_form_no_circle() {
	nm -A --defined-only -g "$objects"/*.o | sed -E 's,^.*/([^/]*)\.c\.o:.* ,\1 ,' |
		awk '{ print $2, $1 }' | sort >"$objects/homes"
	nm -A -u "$objects"/*.o | sed -E 's,^.*/([^/]*)\.c\.o:.* ,\1 ,' |
		awk '{ print $2, $1 }' | sort | join - "$objects/homes" |
		awk '$2 != $3 { print $2, $3 }' | sort -u >"$objects/calls"
	[ -s "$objects/calls" ] || echo "nobody calls anybody"
	tsort "$objects/calls" 2>&1 >/dev/null | sed -n 's/^tsort: \([^:]*\)$/\1/p' | tr '\n' ' ' | grep .
}

# The C library's functions that are pure, print into memory, lock, or guard a public call; a timed wait
# needs its clock.  Every other function that is not ours makes a system call, hides one, or
# allocates: its place is sys*.c.
libc_without_system_calls='mem(cpy|move|set|cmp|chr)|__mem(cpy|move|set)_chk|str(len|nlen|cmp|ncmp|chr|rchr|str)|v?snprintf|__v?snprintf_chk|strtou?ll?|qsort|__assert_fail|__stack_chk_fail|__cpu_model|__cpu_indicator_init|pthread_(mutex|cond|condattr)_(init|destroy|lock|unlock|trylock|wait|timedwait|signal|broadcast|setclock)|pthread_self|pthread_setcancelstate|clock_gettime|_GLOBAL_OFFSET_TABLE_'

# undefined: OBJECT NAME for each name that an object file takes from elsewhere
undefined() {
	local object name
	for object in "$objects"/*.o; do
		name=${object##*/}
		case $name in sys[_.]*) continue ;; esac
		nm -u "$object" | awk -v object="${name%.o}" '{ sub(/^atomicio__/, "", $NF); print object, $NF }'
	done
}

only_sys_makes_system_calls() {
	undefined | grep -vE " (((atomicio|probe|write|journal|loss|sys|reason|abi)_[a-z0-9_]+)|$libc_without_system_calls|__(asan|ubsan|tsan|gcov|sanitizer)_.*)$" |
		grep -v ' __errno_location$'
}

only_sys_sees_errno() {
	undefined | grep ' __errno_location$'
}

# _.stapsdt.base is of <sys/sdt.h>, hidden and weak.
global_names_carry_their_family() {
	local object family
	for object in "$objects"/*.o; do
		family=${object##*/}
		family=${family%%[_.]*}
		nm --defined-only -g "$object" | awk '{ sub(/^atomicio__/, "", $NF); print $NF }' |
			grep -vE "^((atomicio|$family)_|_\.stapsdt\.base$)" |
			sed "s/^/${object##*/}: /"
	done
}

no_work_is_left_to_do() {
	sources '*.[ch]' '*.sh' '*.cmake' CMakeLists.txt '*.[1-9]' |
		xargs grep -nwE 'TO''DO|FIX''ME|XX''X'
}

[ -e "$objects/sys.c.o" ] || {
	echo "not ok - the_objects_are_there"
	exit 1
}
rule files_have_at_most_350_lines
rule functions_have_at_most_50_lines
rule lines_have_at_most_100_columns
rule rule_labels_are_unique
rule cited_labels_have_a_rule
rule design_names_every_family_of_rules
rule files_name_their_licence
rule headers_have_guards_of_their_own
rule families_include_only_what_is_below
rule calls_of_files_form_no_circle
rule only_sys_makes_system_calls
rule only_sys_sees_errno
rule global_names_carry_their_family
rule no_work_is_left_to_do
[ $failures = 0 ]
