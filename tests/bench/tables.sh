# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # run.sh has the other half
# shellcheck disable=SC2016 # the variables in filters are jq's
#
# A report as tables: plain text, or the Markdown of doc/measured.md.  Flow: read by run.sh.

# table TITLE COLUMN...: rows of cells from stdin
table() {
	local title=$1
	shift
	awk -F '\t' -v form="$form" -v title="$title" -v columns="$(printf '%s\t' "$@")" '
		function line(count, row,	i, text) {
			for (i = 1; i <= count; i++)
				text = text (form == "markdown" ? "| " cells[row, i] " " : \
					sprintf("%-*s  ", width[i], cells[row, i]))
			sub(/ +$/, "", text)
			print text (form == "markdown" ? " |" : "")
		}
		{ for (i = 1; i <= NF; i++) {
			cells[NR, i] = $i
			if (length($i) > width[i]) width[i] = length($i) } }
		END {
			if (NR == 0) exit
			count = split(columns, names, "\t") - 1
			for (i = 1; i <= count; i++) {
				cells[0, i] = names[i]
				if (length(names[i]) > width[i]) width[i] = length(names[i]) }
			print "\n" title (form == "markdown" ? "\n" : "")
			line(count, 0)
			if (form == "markdown") {
				for (i = 1; i <= count; i++) printf "|---"
				print "|" }
			for (row = 1; row <= NR; row++) line(count, row)
		}'
}

# sweep_table TYPE AXIS FIELD TITLE
sweep_table() {
	report "points(\$on; \$by; .$3 | short)[] | @tsv" --arg on "$1" --arg by "$2" |
		table "$4" "$2" journal floor "double write" "copy on write" unprotected
}

# tables: all of the text form, what the document has of the other
tables() {
	local type
	report '.machine + ", \(.processors) processors; " + .disk + "; " +
		(.kernel | if $form == "markdown" then sub("-.*"; "") else . end) +
		"; \(.date); \(.seconds) seconds a comparison; load \(.load_before) before, " +
		"\(.load_after) after."' --arg form "$form"
	report 'rows(.goal != null)[] | @tsv' |
		table "Goals.  With >= a ratio is one of speeds: at 2x the first way is twice as fast as the one after the slash.  With <= it is one of times: at 2x the first takes twice as long." \
			what goal XFS ext4 "no loop"
	report 'rates[] | @tsv' |
		table "Durable pages of 16 KiB a second." what on journal floor "double write" \
			"copy on write" unprotected
	report 'rows(.goal == null and .unit != "pages/s")[] | @tsv | sub("\t\t"; "\t")' |
		table "Figures without a goal." what XFS ext4 "no loop"
	[ "$form" = text ] ||
		printf '\n<details><summary>The plot in numbers, and the flushes</summary>\n'
	for type in xfs ext4; do
		sweep_table $type batch pages_per_second \
			"$type: durable pages of 16 KiB a second over the size of a batch."
		sweep_table $type threads pages_per_second \
			"$type: durable pages of 16 KiB a second over threads."
		sweep_table $type batch flushes_a_page \
			"$type: flushes a page over the size of a batch, counted by the device."
		[ "$form" = text ] || break
		sweep_table $type threads flushes_a_page \
			"$type: flushes a page over threads, counted by the device."
		sweep_table $type batch bytes_a_byte \
			"$type: bytes written a byte over the size of a batch, counted by the device."
		sweep_table $type batch p99_us \
			"$type: 99th percentile of a batch's latency in microseconds."
	done
	[ "$form" = text ] || printf '\n</details>\n'
}
