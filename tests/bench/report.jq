# SPDX-License-Identifier: MIT
# The report of run.sh as rows of tab-separated cells: jq -r -L tests/bench 'include "report"; ...'.
#
# Flow: run.sh makes JSON of all results; these functions turn it into what is shown.

def met:
	if .better == "more" then .figure != null and .figure >= .goal
	elif .better == "less" then .figure != null and .figure <= .goal
	else null end;

# As many digits as say something.
def digits($n): . * $n | round / $n | tostring;
def short:
	if . == null then "?"
	elif . == (. | floor) then tostring
	elif . >= 1000 then digits(1)
	elif . >= 100 then digits(10)
	elif . >= 10 then digits(100)
	elif . >= 0.1 then digits(1000)
	else digits(100000) end;

def unit:
	if .unit == "x" then "x" else " " + .unit end;

def name:
	if .way == null then .what
	elif .unit == "x" then "\(.what) / \(.way)"
	else "\(.what): \(.way)" end;

def goal:
	if .goal == null then ""
	else (if .better == "more" then ">= " else "<= " end) + (.goal | short) + unit end;

# The figure of one filesystem among those of one row.
def cell($on):
	map(select(.on == $on or .on == "any"))[0] |
	if . == null then ""
	else (.figure | short) + (if .goal == null then unit elif met then " met" else " SHORT" end) end;

# Rows of all figures, those with a goal first, in the order in which they came.
def rows(f):
	[.figures | to_entries[] | select(.value | f)] |
	group_by([.value.what, .value.way, .value.unit]) | sort_by(.[0].key) |
	map(map(.value) | [(.[0] | name), (.[0] | goal), cell("xfs"), cell("ext4")]);

def ways: ["journal", "double write, batched", "double write, page by page", "copy on write",
	"unprotected"];

# One line a point: what `f` says of each way.
def points($on; $by; f):
	[.sweep[] | select(.on == $on and .by == $by)] | group_by(.at) |
	map([.[0].at] + [. as $point | ways[] as $way |
		([$point[] | select(.way == $way) | f][0] // "?")]);
