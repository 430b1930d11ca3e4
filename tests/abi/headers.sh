#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public header compiles alone, in every dialect, without a warning.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0

# compile COMPILER LANGUAGE STANDARD HEADER
compile() {
	local name="${4}_compiles_alone_as_${3}_with_${1}"
	printf '#include "libatomicio/%s"\n#include "libatomicio/%s"\n%s\n' "$4" "$4" \
		'int only_to_have_something(void); int only_to_have_something(void) { return 0; }' \
		>"$scratch/alone.$2"
	if "$1" -std="$3" -Wall -Wextra -Werror -pedantic -I "$root/include" -c -o /dev/null \
		"$scratch/alone.$2" 2>"$scratch/errors"; then
		echo "ok - $name"
	else
		sed 's/^/# /' "$scratch/errors"
		echo "not ok - $name"
		failures=$((failures + 1))
	fi
}

for compiler in gcc:g++ clang:clang++; do
	for part in "${compiler%:*}" "${compiler#*:}"; do
		command -v "$part" >/dev/null ||
			echo "ok - headers with $part # SKIP $part is missing"
	done
	for header in "$root"/include/libatomicio/*.h; do
		for standard in c99 c11 c17; do
			command -v "${compiler%:*}" >/dev/null &&
				compile "${compiler%:*}" c $standard "${header##*/}"
		done
		for standard in c++11 c++17 c++20; do
			command -v "${compiler#*:}" >/dev/null &&
				compile "${compiler#*:}" cc $standard "${header##*/}"
		done
	done
done
[ $failures = 0 ]
