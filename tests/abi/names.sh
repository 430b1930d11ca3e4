#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: an engine that links the archive can never meet a name of ours that is not atomicio_*: its
# own function of that name would be a second definition, or would silently replace ours.
#
# Method: nm's list of what the archive defines is compared with the symbol map and with
# lib/names.h, in both directions.
#
#	names.sh		compare build/gcc, or $ATOMICIO_BUILD
#	names.sh --write	make lib/names.h of what that build defines
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
header=$root/lib/names.h

# What <sys/sdt.h>, sanitizers and gcov add is theirs.
"${NM:-nm}" --defined-only "$build/libatomicio.a" |
	awk 'NF == 3 && $2 ~ /^[A-Zuvw]$/ { print $3 }' | grep -vE '^(__|_\.)' | sort -u >"$scratch/archive"
grep -oE '\batomicio_[a-z0-9_]+;' "$root/lib/libatomicio.map" | tr -d ';' | sort >"$scratch/map"
sed -nE 's/^#define ([a-z0-9_]+) atomicio__\1$/atomicio__\1/p' "$header" | sort >"$scratch/names"
comm -23 "$scratch/archive" "$scratch/map" >"$scratch/internal"

if [ "${1:-}" = --write ]; then
	[ -s "$scratch/internal" ] || exit 1
	{
		sed '/^#define [a-z0-9_]* atomicio__/,$d' "$header"
		sed -E 's/^(atomicio__)?(.*)/#define \2 atomicio__\2/' "$scratch/internal" | sort
		printf '\n#endif /* LIBATOMICIO_NAMES_H */\n'
	} >"$scratch/header" && cp "$scratch/header" "$header"
	exit
fi

[ -s "$scratch/archive" ] && [ -s "$scratch/names" ]
report $? the_archive_and_the_header_have_names
comm -13 "$scratch/archive" "$scratch/map" | sed 's/$/ is in the map, but not in the archive/' >"$scratch/log"
[ ! -s "$scratch/log" ]
report $? the_archive_defines_what_the_map_names "$scratch/log"
comm -23 "$scratch/internal" "$scratch/names" |
	sed -E 's|(atomicio__)?(.*)|lib/names.h lacks: #define \2 atomicio__\2|' >"$scratch/log"
[ ! -s "$scratch/log" ]
report $? every_other_global_name_has_the_prefix "$scratch/log"
comm -13 "$scratch/internal" "$scratch/names" |
	sed 's/atomicio__\(.*\)/lib\/names.h has \1, which the archive does not define/' >"$scratch/log"
[ ! -s "$scratch/log" ]
report $? the_header_names_nothing_that_is_gone "$scratch/log"
[ $failures = 0 ] ||
	echo "# To make lib/names.h anew: ATOMICIO_BUILD=$build tests/abi/names.sh --write"
finish
