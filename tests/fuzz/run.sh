#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzz the journal's decoding and recovery with libFuzzer (clang).
#
#	tests/fuzz/run.sh [SECONDS [CORPUS]]
#
# SECONDS for each target, 30 if not given.  CORPUS is a directory that keeps what was found
# between runs; without one, the run starts from the seeds.  A crash leaves its input in the
# current directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=${1:-30}
if ! command -v clang >/dev/null; then
	echo "skip: clang is missing: install the Debian packages clang and libclang-rt-14-dev" >&2
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=${2:-$work/corpus}

sources=()
for file in "$root"/lib/journal*.c "$root"/lib/sys_refused.c; do
	sources+=("$file")
done
flags=(-std=gnu11 -g -O1 -Wall -Wextra "-I$root/include" "-I$root/lib"
	"-fsanitize=address,undefined" -fno-sanitize-recover=all)

clang "${flags[@]}" -o "$work/seeds" "$here/seeds.c" "$here/memory_sys.c" "${sources[@]}"
mkdir -p "$corpus/recover" "$corpus/decode"
"$work/seeds" "$corpus/recover"
# What decode reads starts with a header or a frame: cut both out of a journal.
dd if="$corpus/recover/live-0" of="$corpus/decode/header" bs=1 skip=1 count=4096 status=none
dd if="$corpus/recover/live-0" of="$corpus/decode/frame" bs=1 skip=8193 count=32768 status=none

for target in decode recover; do
	clang "${flags[@]}" -fsanitize=fuzzer -o "$work/$target" "$here/$target.c" \
		"$here/memory_sys.c" "${sources[@]}"
	"$work/$target" -max_total_time="$seconds" -max_len=131072 -len_control=0 \
		-print_final_stats=1 "$corpus/$target" >"$work/log" 2>&1 || {
		tail -n 60 "$work/log"
		echo "not ok - fuzz $target"
		exit 1
	}
	echo "ok - fuzz $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")" \
		"inputs, $(find "$corpus/$target" -type f | wc -l) kept"
done
