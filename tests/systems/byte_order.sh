#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A journal left unclean by a machine of one byte order is recovered by one of the other.
#
#	byte_order.sh THEIRS OURS SYSROOT	two builds; THEIRS runs under qemu-s390x
#
# Method: journal_leave of one build leaves two frames with three pages behind and kills itself;
# the command of the other lists and recovers them, and the files have every byte.
set -eu
theirs=$1 ours=$2 sysroot=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

run() { # BUILD PROGRAM ARGUMENT...
	local build=$1 program=$2
	shift 2
	if [ "$build" = "$theirs" ]; then
		qemu-s390x-static -L "$sysroot" -E LD_LIBRARY_PATH="$build" "$build/$program" "$@"
	else
		"$build/$program" "$@"
	fi
}

# cross_over WRITER READER
cross_over() {
	local journal=$scratch/journal one=$scratch/one two=$scratch/two
	rm -f "$journal" "$one" "$two"
	truncate -s 64K "$one" "$two"
	run "$1" tools/atomicio journal create "$journal" --size 4M
	run "$1" tests/tool/journal_leave "$journal" "$one" "$two" && return 1 # it kills itself
	# The home writes are lost, as after a power cut.
	truncate -s 0 "$one" "$two"
	truncate -s 64K "$one" "$two"
	run "$2" tools/atomicio journal dump "$journal" >"$scratch/dump" || true
	cat "$scratch/dump"
	run "$2" tools/atomicio journal recover "$journal" 1="$one" 32="$two"
	{
		head -c 16384 /dev/zero | tr '\0' A
		head -c 16384 /dev/zero | tr '\0' B
		head -c 32768 /dev/zero
	} | cmp - "$one"
	{
		head -c 100 /dev/zero
		head -c 5000 /dev/zero | tr '\0' C
		head -c 60436 /dev/zero
	} | cmp - "$two"
}
echo "== theirs to ours"
cross_over "$theirs" "$ours"
echo "== ours to theirs"
cross_over "$ours" "$theirs"
