#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Draw the plots of a report that run.sh has written: throughput-*.svg, latency-*.svg, overhead.svg.
#
#	tests/bench/plots.sh REPORT.json DIRECTORY
# shellcheck disable=SC2016 # the variables in filters are jq's
set -eu -o pipefail

[ $# = 2 ] || {
	sed -n '/^#\t/s/^#\t/usage: /p' "$0" >&2
	exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
mkdir -p "$2"

report() { # FILTER [OPTION...]: of jq, with the functions of report.jq
	local filter=$1
	shift
	jq -r -L "$here" "$@" "include \"report\"; $filter" "$report"
}
report=$1
label=$(report '(.kernel | sub("-.*"; "")) + ", " + .disk + ", " + (.processors | tostring) + " processors"')
for type in $(report '[.sweep[].on] | unique[]'); do
	for axis in batch threads; do
		for quantity in rate p50 p90 p99 p999; do
			field=${quantity}_us
			[ $quantity != rate ] || field=pages_per_second
			report "points(\$on; \$by; .$field)[] | @tsv" --arg on "$type" --arg by $axis \
				>"$data/$type-$axis-$quantity.tsv"
		done
	done
	range=$(report '[.sweep[] | select(.on == $on) | .p50_us, .p90_us, .p99_us, .p999_us | values] |
		"low=\(min / 1.5); high=\(max * 1.5)"' --arg on "$type")
	gnuplot -e "data='$data'; out='$2'; type='$type'; label='$type: $label'; $range" "$here/plot.gp"
done
report '.figures[] | select(.on == "xfs" and .unit == "instructions" and .goal < 1000) |
	[(.what | split(",")[0]), .figure, .goal] | @tsv' >"$data/instructions.tsv"
report '.figures[] | select(.on == "xfs" and .unit == "x" and .goal != null and
		(.what | contains("/ raw")) and
		(.what | contains("by processor") | not)) |
	[(.what | if startswith("queue") then "queue, " else "write, " end +
		(capture("(?<size>[0-9]+ KiB)").size)), .figure, .goal] | @tsv' >"$data/ratios.tsv"
if [ -s "$data/instructions.tsv" ] && [ -s "$data/ratios.tsv" ]; then
	gnuplot -e "data='$data'; out='$2'; label='$label'" "$here/overhead.gp"
fi
