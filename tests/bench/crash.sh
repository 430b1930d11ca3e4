#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How much the crash suite looks at: different states, bad ones, and broken builds not caught.
#
#	tests/bench/crash.sh [--json FILE] [--strict]
#
# Takes some minutes: these are the tests themselves, run by ctest too.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

[ -x "$BENCH_BIN/crash/crash" ] || kernel_skip "the crash program is not built"
kernel_scratch=$(mktemp -d) || exit 1
trap kernel_end EXIT
trap 'exit 1' INT TERM HUP

bench_says "states"
"$BENCH_BIN/crash/crash" >"$kernel_scratch/states"
line=$(grep ' crash states, ' "$kernel_scratch/states")
states=$(sed -nE 's/.*, ([0-9]+) of them different.*/\1/p' <<<"$line")
bad=$(sed -nE 's/.* ([0-9]+) failed.*/\1/p' <<<"$line")
echo "# ${line#\# }"
bench_figure any "crash states that differ" "$states" states 1000000 more
bench_figure any "crash states that break a promise" "$bad" states 0 less
[ -n "$states" ] && [ "$states" -ge 1000000 ] && [ "$bad" = 0 ]
kernel_report $? "a_million_crash_states_keep_the_promise"

bench_says "broken builds"
"$BENCH_HERE/../mutants/run.sh" --suite crash >"$kernel_scratch/mutants"
builds=$(grep -c . "$kernel_scratch/mutants")
missed=$(grep -c '^not ok' "$kernel_scratch/mutants")
echo "# $builds broken builds, $missed of them not caught"
bench_figure any "builds with one rule of the journal broken" "$builds" builds
bench_figure any "broken builds not caught" "$missed" builds 0 less
[ "$builds" -gt 20 ] && [ "$missed" = 0 ]
kernel_report $? "every_broken_build_is_caught"
kernel_finish
