#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The binary interface is the one that is stored: functions, types, sizes, offsets.
#
#	abidiff.sh		compare build/gcc, or $ATOMICIO_BUILD
#	abidiff.sh --accept	store what that build has; do this on purpose, and say why
#
# Method: libatomicio.abi.xml is abidw's reading of the debug information.  Its bytes differ with
# the compiler, so abidiff compares its meaning: any change is red, also a compatible one.
set -u
here=$(cd "$(dirname "$0")" && pwd)
library=${ATOMICIO_BUILD:-$here/../../build/gcc}/libatomicio.so
stored=$here/libatomicio.abi.xml

if ! command -v abidiff >/dev/null || ! command -v abidw >/dev/null; then
	echo "ok - the_abi_is_the_stored_one # SKIP abidiff is missing (Debian package abigail-tools)"
	exit 0
fi
if [ "$(uname -m)" != x86_64 ]; then
	echo "ok - the_abi_is_the_stored_one # SKIP the stored one is of x86_64"
	exit 0
fi
if [ ! -e "$library" ]; then
	echo "# $library is not built: type tests/run.sh --suite abi"
	echo "not ok - the_library_is_built"
	exit 1
fi
if ! readelf -S "$library" | grep -q '\.debug_info'; then
	echo "not ok - the_library_has_debug_information"
	exit 1
fi

if [ "${1:-}" = --accept ]; then
	abidw --suppressions "$here/public_types.ini" --no-corpus-path --no-comp-dir-path \
		--no-show-locs --no-elf-needed --no-parameter-names \
		--exported-interfaces-only --out-file "$stored" "$library" || exit 1
	echo "stored $stored"
	exit 0
fi

if abidiff --suppressions "$here/public_types.ini" "$stored" "$library" >"$library.abidiff" 2>&1; then
	echo "ok - the_abi_is_the_stored_one"
else
	sed 's/^/# /' "$library.abidiff"
	echo "# If this is meant: tests/abi/abidiff.sh --accept"
	echo "not ok - the_abi_is_the_stored_one"
	exit 1
fi
