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
	elif .figure == null then "not there" + (if .goal == null then "" else " SHORT" end)
	else (.figure | short) + (if .goal == null then unit elif met then " met" else " SHORT" end) end;

# Rows of all figures, those with a goal first, in the order in which they came.
def rows(f):
	[.figures | to_entries[] | select(.value | f)] |
	group_by([.value.what, .value.way, .value.unit]) | sort_by(.[0].key) |
	map(map(.value) | [(.[0] | name), (.[0] | goal), cell("xfs"), cell("ext4"), cell("host")]);

# What a run without the part `crash` has, too: what doc/measured.md and a check must both have.
def goals_of_doc:
	[rows(.goal != null)[] | select(.[0] | test("crash states|broken") | not)];

def ways: ["journal", "floor", "double write", "copy on write", "unprotected"];

# Pages a second of a comparison, a row for each filesystem: of each way that is in it.
def rates:
	[.figures | to_entries[] | select(.value.rate != null)] |
	group_by([.value.what, .value.on]) | sort_by(.[0].key) |
	map(map(.value) as $row |
		[$row[0].what, ($row[0].on | if . == "host" then "no loop" else . end)] + [ways[] as $way |
			([$row[] | select(.way | startswith($way)) | .rate][0] |
				if . == null then "" else round | tostring end)]);

# One line a point: what `f` says of each way.
def points($on; $by; f):
	[.sweep[] | select(.on == $on and .by == $by)] | group_by(.at) |
	map([.[0].at] + [. as $point | ways[] as $way |
		([$point[] | select(.way == $way) | f][0] // "?")]);
