#!/bin/bash
# SPDX-License-Identifier: MIT
# The table of doc/verdicts.md what the library said of each device and filesystem, by kernel.
# Flow: guest/test_library_probe.sh leaves a fact a verdict in each run's record; this script makes
# the Markdown table of them.  run.sh checks a kernel's column after each whole run of it.
#
# usage: table.sh [--build DIR] [--kernel V] [--facts FILE] [--check FILE | --write FILE]
#	no --check or --write: print the table
#	--kernel: that kernel's column alone; --facts: its record, not that of its last run
#
# VT1 a cell holds only what the set-up decides, so that a second run makes the same table.
# VT2 a kernel without a record, or one that lacks a row that another has, is an error: the table is
#    never made smaller by what did not run.
# VT3 the table has a column for each of run.sh's three kernels; another kernel is not checked.
# Exit: 0; 1 with a diff: the FILE says something else; 2: no record, or wrong usage.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../../build
columns="6.1 6.12 7.3"
read -r -a kernels <<<"$columns"
facts=""
mode=print
document=""
while [ $# -gt 0 ]; do
	[ $# -gt 1 ] || set -- --help "$@"
	case $1 in
	--build) build=$2 ;;
	--kernel) kernels=("$2") ;;
	--facts) facts=$2 ;;
	--check | --write) mode=${1#--} document=$2 ;;
	*) sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 2 ;;
	esac
	shift 2
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The verdicts of one kernel, a line each: ROW|CELL.
verdicts() { # FACTS
	sed -n 's/^[a-z0-9_]*: verdict|//p' "$1" | awk -F '|' '
	function size(bytes) {
		if (bytes >= 1048576) return bytes / 1048576 " MiB"
		return bytes >= 1024 ? bytes / 1024 " KiB" : bytes " B"
	}
	# 4-64 KiB, 512 B-64 KiB, 4 KiB
	function range(min, max,	from, to) {
		from = size(min)
		to = size(max)
		if (from == to) return to
		if (substr(from, length(from) - 2) == substr(to, length(to) - 2)) sub(/ .*/, "", from)
		return from "-" to
	}
	{
		reasons = $6
		if ($2 != "none") sub(/^xfs-software,?/, "", reasons) # the cell says so
		gsub(/,/, ", ", reasons)
		if ($2 == "none") cell = "no: " reasons
		if ($2 == "hardware") cell = "hardware " range($3, $4)
		if ($2 == "filesystem") cell = "XFS software " range($3, $4)
		if ($2 == "mixed") cell = "hardware " range($3, $5) ", XFS software to " size($4)
		if ($2 != "none" && reasons != "") cell = cell " (" reasons ")"
		print $1 "|" cell
	}'
}

# The table of the kernels at hand.
table() {
	local kernel
	for kernel in "${kernels[@]}"; do
		verdicts "${facts:-$build/vm/run-$kernel/out/facts}" >"$scratch/$kernel" 2>/dev/null || true
		[ -s "$scratch/$kernel" ] && continue
		echo "table: no verdicts of kernel $kernel: tests/vm/run.sh --kernel $kernel library_probe" >&2
		exit 2
	done
	awk -F '|' -v names="${kernels[*]}" '
	FNR == 1 { file++ }
	{
		if (!($1 in known)) { known[$1] = 1; row[++rows] = $1 }
		cell[$1, file] = $2
	}
	END {
		head = "| device or filesystem"
		line = "|---"
		count = split(names, name, " ")
		for (i = 1; i <= count; i++) {
			head = head " | " name[i]
			line = line "|---"
		}
		print head " |\n" line "|"
		for (i = 1; i <= rows; i++) {
			line = "| " row[i]
			for (k = 1; k <= count; k++) {
				if (!((row[i], k) in cell)) {
					print "table: kernel " name[k] " says nothing of: " row[i] >"/dev/stderr"
					exit 2
				}
				line = line " | " cell[row[i], k]
			}
			print line " |"
		}
	}' "${kernels[@]/#/$scratch/}"
}

# What stands between the marks, with the columns of the kernels at hand only.
standing() {
	sed -n '/^<!-- verdicts -->$/,/^<!-- \/verdicts -->$/{ /^|/p }' "$document" |
		awk -F ' *[|] *' -v names="${kernels[*]}" '
		NR == 1 {
			for (i = 3; i < NF; i++) column[$i] = i
			count = split(names, name, " ")
		}
		{
			line = NR == 2 ? "|" $2 : "| " $2
			for (k = 1; k <= count; k++)
				line = line (NR == 2 ? "|" : " | ") $(column[name[k]])
			print line (NR == 2 ? "|" : " |")
		}'
}

[[ $mode != check || " $columns " == *" ${kernels[0]} "* ]] || exit 0
table >"$scratch/table"
case $mode in
print) cat "$scratch/table" ;;
check)
	standing >"$scratch/standing"
	diff -u --label "$document" --label "this run" "$scratch/standing" "$scratch/table" || {
		echo "table: $document differs from the run: tests/vm/host/table.sh --write doc/verdicts.md" >&2
		exit 1
	}
	;;
write)
	[ ${#kernels[@]} = 3 ] || { echo "table: --write is for all kernels" >&2 && exit 2; }
	[ "$(grep -c -x -E '<!-- /?verdicts -->' "$document")" = 2 ] ||
		{ echo "table: $document has no <!-- verdicts --> and <!-- /verdicts -->" >&2 && exit 2; }
	awk -v table="$scratch/table" '
	/^<!-- \/verdicts -->$/ { skip = 0 }
	!skip
	/^<!-- verdicts -->$/ {
		while ((getline line <table) > 0) print line
		skip = 1
	}' "$document" >"$scratch/document"
	cat "$scratch/document" >"$document"
	;;
esac
