#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzz the journal's decoding and recovery, and the agreement of its two readers, with libFuzzer
# (clang).
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
for file in "$root"/lib/journal*.c "$root"/lib/loss*.c "$root"/lib/sys_{flight,refused,reopen,share,size}.c; do
	sources+=("$file")
done
flags=(-std=gnu11 -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -g -O1 -Wall -Wextra "-I$root/include" "-I$root/lib"
	"-fsanitize=address,undefined" -fno-sanitize-recover=all)

clang "${flags[@]}" -o "$work/seeds" "$here/seeds.c" "$here/memory_sys.c" "${sources[@]}"
mkdir -p "$corpus/recover" "$corpus/decode" "$corpus/agree"
"$work/seeds" "$corpus/recover"
# And journals with holes, chains and escapes, which no program leaves by itself.
clang "${flags[@]}" -o "$work/craft" "$root/tests/tool/journal_craft.c" \
	"$root"/lib/journal_{crc,escape,format}.c
for case in hole void lost chain chain-cut escape inside bare padding "done" clean; do
	"$work/craft" "$work/case" $case
	{ printf '\003'; cat "$work/case"; } >"$corpus/recover/$case"
done
cp "$corpus"/recover/* "$corpus/agree"
# What decode reads starts with a header or a frame: cut both out of a journal.
dd if="$corpus/recover/live-0" of="$corpus/decode/header" bs=1 skip=1 count=4096 status=none
dd if="$corpus/recover/live-0" of="$corpus/decode/frame" bs=1 skip=16385 count=32768 status=none

for target in decode recover agree; do
	more=("$here/memory_sys.c" "$here/repair.c")
	[ $target != agree ] || more+=("$root"/tools/journal_{bytes,read,verdict}.c)
	clang "${flags[@]}" -fsanitize=fuzzer -o "$work/$target" "$here/$target.c" "${more[@]}" \
		"${sources[@]}"
	"$work/$target" -max_total_time="$seconds" -max_len=262145 -len_control=0 \
		-print_final_stats=1 "$corpus/$target" >"$work/log" 2>&1 || {
		tail -n 60 "$work/log"
		echo "not ok - fuzz $target"
		exit 1
	}
	echo "ok - fuzz $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")" \
		"inputs, $(find "$corpus/$target" -type f | wc -l) kept"
done
