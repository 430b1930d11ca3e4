#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every figure that this library is judged by, in one command, on XFS and on ext4 over a loop device,
# and on the filesystem of TMPDIR.
#
#	tests/bench/run.sh [--quick] [--seconds S] [--rounds N] [--only PART...] [--json FILE]
#	                   [--plots DIRECTORY] [--markdown] [--doc] [--from FILE] [--strict] [--check]
#
#	--quick     about a minute: short slices, few points, no crash states
#	--seconds   for each comparison and each point of a plot (4; quick: 0.3)
#	--rounds    for what is measured in rounds (21; quick: 5)
#	--only      of hotpath probe queue journal latency reopen sweep peers crash
#	--json      all results, machine and kernel in one object
#	--plots     throughput, latency and overhead as SVG, with gnuplot
#	--markdown  the table as it stands in doc/measured.md
#	--doc       measure all but crash; write the tables into doc/measured.md, and the plot into
#	            doc/measured.svg
#	--from      measure nothing: take the results from an earlier --json
#	--strict    fail where a goal is not met
#	--check     short, and prints TAP: what is counted must be right, the report whole, and the
#	            rows and goals those that doc/measured.md shows
#
# Contenders take turns within one run, and a ratio is the median of the rounds' ratios, so what
# else the machine does hits them alike.  Times depend on the disk below; counts (instructions,
# system calls, flushes, bytes) do not, and only these fail the run without --strict.
# shellcheck disable=SC2016 # the variables in filters are jq's
set -u

here=$(cd "$(dirname "$0")" && pwd)
parts=(hotpath probe queue journal latency reopen sweep peers crash)
only=no
seconds=4
rounds=21
strict=no
check=no
quick=no
form=text
json=
plots=
from=
write=no
failed=0

usage() {
	sed -n '/^#\t/s/^#\t//p' "$0" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=yes ;;
	--check) check=yes ;;
	--strict) strict=yes ;;
	--markdown) form=markdown ;;
	--doc) write=yes ;;
	--only)
		parts=()
		only=yes
		while [ $# -gt 1 ] && [ "${2#--}" = "$2" ]; do
			[ -e "$here/$2.sh" ] || usage
			parts+=("$2")
			shift
		done
		;;
	--seconds | --rounds | --json | --plots | --from)
		[ $# -gt 1 ] || usage
		declare "given_${1#--}=$2"
		shift
		;;
	*) usage ;;
	esac
	shift
done
if [ $quick$check != nono ]; then
	seconds=0.3
	rounds=5
	[ $check = no ] || seconds=${ATOMICIO_BENCH_SECONDS:-0.15}
	[ $check = no ] || rounds=3
	# A check takes no longer for want of a package.
	[ $check = no ] || [ -x "$here/../../build/vm/fio/usr/bin/fio" ] || [ -n "${ATOMICIO_FIO:-}" ] ||
		parts=("${parts[@]/peers/}")
fi
# The crash states take minutes.
[ $quick$check$write = nonono ] || [ $only = yes ] || parts=("${parts[@]/crash/}")
seconds=${given_seconds:-$seconds}
rounds=${given_rounds:-$rounds}
json=${given_json:-}
plots=${given_plots:-}
from=${given_from:-}

# shellcheck source=tests/bench/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/bench/tables.sh
. "$here/tables.sh"
[ "$(id -u)" = 0 ] || [ -n "$from" ] || kernel_skip "needs root to mount filesystems"
command -v jq >/dev/null || kernel_skip "the command jq is missing"

build_it() {
	local root=$here/../.. log
	log=$(mktemp) || exit 1
	echo "run.sh: building build/gcc" >&2
	if ! { cmake -S "$root" -B "$root/build/gcc" && cmake --build "$root/build/gcc" -j "$(nproc)"; } \
		>"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm "$log"
		echo "run.sh: the build failed: tests/run.sh installs what it needs" >&2
		exit 2
	fi
	rm "$log"
}
if [ -n "$from" ]; then
	[ -r "$from" ] || {
		echo "run.sh: $from cannot be read: name a file that --json made" >&2
		exit 2
	}
elif [ ! -x "$BENCH_BIN/sweep" ]; then
	[ -z "${ATOMICIO_BUILD:-}" ] || {
		echo "run.sh: $BENCH_BIN/sweep is not built: build there, or unset ATOMICIO_BUILD" >&2
		exit 2
	}
	build_it
fi
partial=no # was a part left out?
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
child=
trap '[ -z "$child" ] || { kill "$child" && wait "$child"; } 2>/dev/null; exit 1' INT TERM HUP

# tap STATUS NAME: the run's own checks
tap() {
	local line="ok - $2"
	[ "$1" = 0 ] || {
		line="not ok - $2"
		failed=$((failed + 1))
	}
	[ $check = no ] && [ "$1" = 0 ] || echo "$line"
}

# run PART: its results go to $work/results, its failures to our output
run() {
	local part=$1 status
	shift
	"$here/$part.sh" --seconds "$seconds" --rounds "$rounds" --json "$work/$part" \
		>"$work/$part.log" &
	child=$!
	wait "$child"
	status=$?
	child=
	[ $status != 77 ] || [ "$part" = peers ] || partial=yes
	[ ! -e "$work/$part" ] || cat "$work/$part" >>"$work/results"
	if [ $check = yes ] && { [ $status != 77 ] || [ "$part" != peers ]; }; then
		grep -E '^(ok|not ok) ' "$work/$part.log"
	else
		grep '^not ok' "$work/$part.log"
		sed -n 's/^ok - \(.*\) # SKIP \(.*\)/# \1 is left out: \2/p' "$work/$part.log"
	fi
	[ $status = 0 ] || [ $status = 77 ] || {
		failed=$((failed + 1))
		grep -q '^not ok' "$work/$part.log" || echo "not ok - $part ended with status $status"
	}
}

report() { # FILTER [OPTION...]: of jq, with the functions of report.jq
	local filter=$1
	shift
	jq -r -L "$here" "$@" "include \"report\"; $filter" "$work/report"
}

# collect LOAD: all results as one object
collect() {
	jq -s --arg machine "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u | head -n 1)" \
		--arg processors "$(nproc)" --arg disk "$(bench_disk "${TMPDIR:-/tmp}")" \
		--arg kernel "Linux $(uname -r)" --arg date "$(date -u +%FT%TZ)" \
		--arg load "$(cut -d' ' -f1 /proc/loadavg)" --arg before "$1" \
		--arg seconds "$seconds" --arg rounds "$rounds" -L "$here" 'include "report";
		{machine: $machine, processors: ($processors | tonumber), disk: $disk, kernel: $kernel,
			date: $date, load_before: ($before | tonumber), load_after: ($load | tonumber),
			seconds: ($seconds | tonumber), rounds: ($rounds | tonumber),
			figures: map(select(.what) | if .goal then . + {met: met} else . end),
			sweep: map(select(.by))}' "$work/results" >"$work/report"
}

# The goals of doc/measured.md and the rows of this run: each must have every row of the other.
check_rows() {
	report 'goals_of_doc[] | .[0:2] | @tsv' | sort >"$work/rows"
	awk -F ' *[|] *' '/^<!-- measured: / { here = !/end/ }
		here && /^[|] what [|] goal / { rows = 1; next }
		!/^[|]/ { rows = 0 }
		here && rows && !/^[|]---/ && !/crash states|broken/ { print $2 "\t" $3 }' \
		"$here/../../doc/measured.md" | sort >"$work/shown"
	[ $partial = no ] || { # what is not measured here cannot be missing there
		echo "ok - the_rows_are_those_of_the_document # SKIP a part was left out"
		return
	}
	diff "$work/shown" "$work/rows" >"$work/diff"
	tap $? the_rows_are_those_of_the_document
	sed -n 's,^< ,# only in doc/measured.md: ,p; s,^> ,# only in this run: ,p' "$work/diff"
}

# What a check demands of the report itself.  The device counts whatever falls into the few steps of
# a check: a checkpoint, or a commit of the filesystem's.
check_report() {
	local part
	jq -e '(.kernel | length > 6) and .processors > 0 and (.figures | length > 30) and
		(.sweep | length >= 32) and all(.figures[]; .what and .unit and
			(.figure | type == "number") and (.on | IN("xfs", "ext4", "host", "any"))) and
		all(.sweep[]; .pages_per_second > 0 and .p50_us > 0 and .on and .at > 0)' \
		"$work/report" >/dev/null
	tap $? the_report_is_valid_and_has_all_parts
	jq -e '[.sweep[] | select(.by == "batch" and .at == 64 and .way == "journal")] | length == 2 and
		all(.[]; .flushes_a_page >= 0.0156 and .flushes_a_page <= 0.03 and
			.bytes_a_byte > 2 and .bytes_a_byte <= 2.05)' \
		"$work/report" >/dev/null
	tap $? the_device_counts_one_flush_for_64_pages_and_two_bytes_a_byte
	jq -e '[.sweep[] | select(.by == "batch" and .at == 1 and .on == "ext4")] |
		(map({(.way): .flushes_a_page}) | add) as $flushes |
		$flushes["unprotected"] >= 0.99 and
		$flushes["journal"] >= 0.99 and $flushes["journal"] <= 1.5 and
		$flushes["double write"] >= 1.99' "$work/report" >/dev/null
	tap $? a_page_through_the_journal_takes_one_flush_and_a_double_write_two
	check_rows
	for part in markdown text; do
		form=$part tables >"$work/$part"
		[ "$(grep -c journal "$work/$part")" -gt 15 ]
		tap $? "the_${part}_table_has_the_journal"
	done
}

draw() { # DIRECTORY
	if ! command -v gnuplot >/dev/null; then
		echo "# no plots: the command gnuplot is missing" >&2
		return
	fi
	"$here/plots.sh" "$work/report" "$1" 2>"$work/plots.log"
	tap $? the_plots_are_drawn
	for plot in $(report '(if .sweep == [] then [] else ["throughput-xfs", "throughput-ext4",
			"latency-xfs", "latency-ext4"] end + if any(.figures[]; .what | startswith("queue"))
			then ["overhead"] else [] end)[]'); do
		grep -q '</svg>' "$1/$plot.svg" || {
			tap 1 "the_plot_${plot}_is_whole"
			head -n 5 "$work/plots.log" | sed 's/^/# /'
		}
	done
}

# What stands between the marks in doc/measured.md, and the plot that it shows.
write_doc() {
	local file=$here/../../doc/measured.md
	form=markdown tables >"$work/table"
	awk -v table="$work/table" '
		/^<!-- measured: end -->/ { inside = 0 }
		!inside { print }
		/^<!-- measured: / && !/end -->/ {
			inside = 1
			while ((getline line <table) > 0) print line
		}' "$file" >"$work/document"
	"$here/plots.sh" "$work/report" "$work/plots" 2>"$work/plots.log" &&
		cp "$work/plots/throughput-xfs.svg" "$here/../../doc/measured.svg" &&
		cp "$work/document" "$file"
	tap $? the_document_is_written
	head -n 5 "$work/plots.log" | sed 's/^/# /'
}

measure() {
	local load part done=0
	load=$(cut -d' ' -f1 /proc/loadavg)
	: >"$work/results"
	for part in "${parts[@]}"; do
		done=$((done + 1))
		[ -n "$part" ] || continue
		[ -t 2 ] || echo "run.sh: $part, $done of ${#parts[@]}" >&2
		run "$part"
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
	collect "$load"
}

if [ -n "$from" ]; then
	cp "$from" "$work/report" || exit 2
else
	measure
fi
if [ $check = yes ]; then
	check_report
	plots=${plots:-$work/plots}
else
	tables
fi
[ -z "$json" ] || cp "$work/report" "$json"
[ -z "$plots" ] || draw "$plots"
if [ $write = yes ] && [ $failed != 0 ]; then
	echo "run.sh: a part failed, and doc/measured.md stays as it is" >&2
elif [ $write = yes ]; then
	write_doc
fi
if [ $strict = yes ]; then
	report '.figures[] | select(.met == false) | "not ok - \(.on): \(name): \(.figure | short), goal \(goal)"'
	report '.figures[] | select(.met == false) | 1' | grep -q 1 && failed=$((failed + 1))
fi
[ $failed = 0 ]
