#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: the table of doc/verdicts.md has a row for each that the virtual machine's tests record,
# and tests/vm/host/table.sh, which checks its cells after each run, finds what is wrong.
#
# Method: the rows named in test_library_probe.sh are compared with those of doc/verdicts.md; then
# table.sh makes a table of records written here, and must notice each change to them.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

table() {
	"$root/tests/vm/host/table.sh" --build "$scratch" "$@" >"$scratch/output" 2>&1
}

# ends NAME STATUS OPTION...: table.sh ends with that status
ends() {
	local name=$1 wanted=$2 status=0
	shift 2
	table "$@" || status=$?
	[ $status = "$wanted" ] || sed 's/^/# /' "$scratch/output"
	[ $status = "$wanted" ]
	report $? "$name"
}

# shellcheck disable=SC2016 # the dollar is part of the text looked for
sed -nE 's/^\t(says "\$[^"]*"|on) "([^"$]+)".*/\2/p' \
	"$root/tests/vm/guest/test_library_probe.sh" | sort -u >"$scratch/rows"
sed -n '/^<!-- verdicts -->$/,/^<!-- \/verdicts -->$/s/^| \([^|]*\) |.*/\1/p' "$root/doc/verdicts.md" |
	tail -n +2 | sort >"$scratch/document-rows"
[ "$(wc -l <"$scratch/rows")" -gt 40 ]
report $? rows_were_found
diff "$scratch/rows" "$scratch/document-rows" | sed 's/^/# /'
cmp -s "$scratch/rows" "$scratch/document-rows"
report $? the_document_has_a_row_for_each_recorded_verdict

for kernel in 6.1 6.12 7.3; do
	mkdir -p "$scratch/vm/run-$kernel/out"
	printf '%s\n' 'a: verdict|a disk|hardware|512|65536|65536|' 'a: sizes: tried=1' \
		'b: verdict|a file|mixed|4096|1048576|16384|' \
		'c: verdict|another|none|0|0|0|overlay,dax' >"$scratch/vm/run-$kernel/out/facts"
done
facts=$scratch/vm/run-6.12/out/facts
sed -i 's/hardware|512|/hardware|4096|/' "$facts"
document=$scratch/verdicts.md
printf '%s\n' before '<!-- verdicts -->' old '<!-- /verdicts -->' after >"$document"
ends a_table_is_written 0 --write "$document"
cmp -s "$document" - <<'TEXT'
before
<!-- verdicts -->
| device or filesystem | 6.1 | 6.12 | 7.3 |
|---|---|---|---|
| a disk | hardware 512 B-64 KiB | hardware 4-64 KiB | hardware 512 B-64 KiB |
| a file | hardware 4-16 KiB, XFS software to 1 MiB | hardware 4-16 KiB, XFS software to 1 MiB | hardware 4-16 KiB, XFS software to 1 MiB |
| another | no: overlay, dax | no: overlay, dax | no: overlay, dax |
<!-- /verdicts -->
after
TEXT
report $? the_table_is_between_its_marks
ends the_same_records_agree 0 --check "$document"
ends one_column_agrees 0 --kernel 6.12 --check "$document"
ends a_kernel_without_a_column_is_not_checked 0 --kernel 6.18 --check "$document"
sed -i 's/|65536|65536|/|32768|32768|/' "$facts"
ends another_verdict_is_found 1 --kernel 6.12 --check "$document"
ends the_other_columns_still_agree 0 --kernel 7.3 --check "$document"
sed -i '/a disk/d' "$facts"
ends a_lost_verdict_is_found 1 --kernel 6.12 --check "$document"
ends a_lost_verdict_is_no_table 2 --write "$document"
rm "$facts"
ends a_lost_record_is_found 2 --kernel 6.12 --check "$document"
finish
