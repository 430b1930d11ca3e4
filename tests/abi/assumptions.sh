#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: each numbered assumption of atomicio-kernel(7) has tests that exist and carry its number,
# and no test carries a number that the page does not give it.
#
# Method: two lists of pairs, NUMBER TEST, are compared in both directions: what the page names
# under `Tests:`, and the comments directly above the test functions of tests/vm/guest/*.sh
# (`# A7, A12`) and tests/kernel/*.c (`/* A7, A12 */`).  Then each way to be wrong is tried on a
# copy, and must be found.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

# page_pairs PAGE: NUMBER TEST; `A7 -` for one that names none
page_pairs() {
	awk '
	function end() {
		if (number != "" && !tests) print number, "-"
		number = ""
		inside = 0
	}
	/^\.It Sy A[0-9]+$/ { end(); number = $3; tests = 0; next }
	/^\.(El|Sh)/ { end() }
	/^\.Em Tests :$/ { inside = 1; next }
	inside && /^\.Ic / {
		for (i = 2; i <= NF; i++)
			if ($i !~ /^[,.]$/) { print number, $i; tests++ }
		next
	}
	{ inside = 0 }
	END { end() }' "$1"
}

# test_pairs FILE...: NUMBER TEST; `? TEXT` for a comment with numbers that is above no test
test_pairs() {
	awk '
	function lost() {
		if (comment != "") print "?", place ": " comment
		comment = ""
	}
	FNR == 1 { lost() }
	comment != "" && (match($0, /^test_[a-z0-9_]+\(\)/) || /^static void [a-z0-9_]+\(void\)$/) {
		name = RSTART ? substr($0, 6, RLENGTH - 7) : $3
		sub(/\(void\)/, "", name)
		gsub(/[^A0-9]+/, " ", comment)
		count = split(comment, numbers, " ")
		for (i = 1; i <= count; i++) print numbers[i], name
		comment = ""
		next
	}
	{ lost(); RSTART = 0 }
	/^(#|\/\*) *A[0-9]/ {
		comment = $0
		place = FILENAME ":" FNR
		if ($0 !~ /^(#|\/\*) A[0-9]+(, A[0-9]+)*( \*\/)?$/) lost()
	}
	END { lost() }' "$@"
}

# all_tests FILE...: the name of every test, as often as it is there
all_tests() {
	sed -nE -e 's/^test_([a-z0-9_]+)\(\).*/\1/p' -e 's/.*\<TEST\(([a-z0-9_]+)\).*/\1/p' "$@"
}

# complaints ROOT: everything that is wrong, a line each
complaints() {
	local page=$1/man/atomicio-kernel.7 files
	files=("$1"/tests/vm/guest/test_*.sh "$1"/tests/kernel/*.c)
	page_pairs "$page" | sort >"$scratch/page"
	test_pairs "${files[@]}" | sort >"$scratch/carried"
	all_tests "${files[@]}" | sort >"$scratch/tests"
	sed -nE 's/^\.It Sy A([0-9]+)$/\1/p' "$page" >"$scratch/numbers"
	[ -s "$scratch/numbers" ] || echo "the page has no assumptions"
	seq "$(wc -l <"$scratch/numbers")" | diff -q - "$scratch/numbers" >/dev/null ||
		echo "the numbers of the page are not 1, 2, 3 and so on"
	sed -nE 's/^(A[0-9]+) -$/no test for \1/p' "$scratch/page"
	sed -nE "s|^\? $1/|numbers above no test: |p" "$scratch/carried"
	sed -E '/^A[0-9]+ -$/d; s/.* //' "$scratch/page" | sort -u | comm -23 - <(sort -u "$scratch/tests") |
		sed 's/^/the page names a test that does not exist: /'
	sed -E 's/.* //' "$scratch/page" | sort -u | comm -12 - <(uniq -d "$scratch/tests") |
		sed 's/^/the page names a test that exists twice: /'
	comm -23 <(grep -v ' -$' "$scratch/page") "$scratch/carried" | sed 's/^/only the page says: /'
	comm -13 "$scratch/page" <(grep -v '^?' "$scratch/carried") | sed 's/^/only the test says: /'
	uniq -d "$scratch/page" | sed 's/^/twice on the page: /'
	uniq -d "$scratch/carried" | sed 's/^/twice above the test: /'
}

complaints "$root" >"$scratch/complaints"
sed 's/^/# /' "$scratch/complaints"
[ ! -s "$scratch/complaints" ]
report $? assumptions_and_tests_agree
[ $failures = 0 ] || exit 1

# found NAME PATTERN FILE SED-SCRIPT: with this wrong, the complaints have that line
found() {
	rm -rf "$scratch/copy"
	mkdir -p "$scratch/copy/tests/vm"
	cp -r "$root/man" "$scratch/copy/"
	cp -r "$root/tests/kernel" "$scratch/copy/tests/"
	cp -r "$root/tests/vm/guest" "$scratch/copy/tests/vm/"
	sed -i -E "$4" "$scratch/copy/$3"
	complaints "$scratch/copy" >"$scratch/complaints"
	grep -qE "^$2" "$scratch/complaints"
	report $? "$1"
}
page=man/atomicio-kernel.7
guest=tests/vm/guest/test_raw_disks.sh
found an_assumption_without_a_test_is_found 'no test for A1$' \
	$page '/^\.It Sy A1$/,/^\.It Sy A2$/{ /^\.Ic/d }'
found a_test_that_does_not_exist_is_found 'the page names a test that does not exist: gone$' \
	$page '0,/^\.Ic /s//.Ic gone , /'
found a_renamed_test_is_found 'the page names a test that does not exist: scsi_1k_to_64k$' \
	$guest 's/^test_scsi_1k_to_64k/test_scsi_renamed/'
found a_number_that_the_page_lacks_is_found 'only the test says: A999 ' $guest '0,/^# A1,/s//# A999, A1,/'
found a_test_that_lost_its_numbers_is_found 'only the page says: A[0-9]+ md_raid1$' \
	$guest '/^# A/{N; /\ntest_md_raid1\(/s/^[^\n]*\n//}'
found an_assumption_that_was_removed_is_found 'the numbers of the page are not' \
	$page '/^\.It Sy A2$/,/^\.It Sy A3$/{ /^\.It Sy A3$/!d }'
found numbers_above_no_test_are_found 'numbers above no test: ' $guest 's/^test_md_raid1\(/\n&/'
found a_comment_in_another_form_is_found 'numbers above no test: ' $guest '0,/^# A1,/s//# A1 and/'
found a_number_of_a_c_test_is_read 'only the test says: A998 ' \
	tests/kernel/silent.c '0,/^\/\* A/s//\/* A998, A/'
finish
