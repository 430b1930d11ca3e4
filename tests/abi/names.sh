#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: an engine that links the archive can never meet a name of ours that is not atomicio_*: its
# own function of that name would be a second definition, or would silently replace ours.
#
# Method: nm's list of what the archive defines is compared with the symbol map and with
# lib/names*.h, in both directions.
#
#	names.sh		compare build/gcc, or $ATOMICIO_BUILD
#	names.sh --write	make lib/names*.h of what that build defines
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

# What <sys/sdt.h>, sanitizers and gcov add is theirs.
"${NM:-nm}" --defined-only "$build/libatomicio.a" |
	awk 'NF == 3 && $2 ~ /^[A-Zuvw]$/ { print $3 }' | grep -vE '^(__|_\.)' | sort -u >"$scratch/archive"
grep -oE '\batomicio_[a-z0-9_]+;' "$root/lib/libatomicio.map" | tr -d ';' | sort >"$scratch/map"
sed -nE 's/^#define ([a-z0-9_]+) atomicio__\1$/atomicio__\1/p' "$root"/lib/names*.h | sort >"$scratch/names"
comm -23 "$scratch/archive" "$scratch/map" >"$scratch/internal"

# write_header NAME: the lines of stdin take the place of those in lib/NAME.h
write_header() {
	local header=$root/lib/$1.h
	{
		[ "$1" != names ] || printf '#include "names_journal.h"\n\n'
		cat
	} >"$scratch/list"
	awk -v list="$scratch/list" '
		/^#define [a-z0-9_]* atomicio__/ || /^#include/ { next }
		/^$/ { blank = 1; next }
		/^#endif/ {
			print ""
			while ((getline line <list) > 0) print line
		}
		blank { print "" }
		{ blank = 0; print }' "$header" >"$scratch/header" && cp "$scratch/header" "$header"
}

if [ "${1:-}" = --write ]; then
	[ -s "$scratch/internal" ] || exit 1
	sed -E 's/^(atomicio__)?(.*)/#define \2 atomicio__\2/' "$scratch/internal" | sort >"$scratch/lines"
	grep '^#define journal_' "$scratch/lines" | write_header names_journal &&
		grep -v '^#define journal_' "$scratch/lines" | write_header names
	exit
fi

[ -s "$scratch/archive" ] && [ -s "$scratch/names" ]
report $? the_archive_and_the_header_have_names
comm -13 "$scratch/archive" "$scratch/map" | sed 's/$/ is in the map, but not in the archive/' >"$scratch/log"
[ ! -s "$scratch/log" ]
report $? the_archive_defines_what_the_map_names "$scratch/log"
comm -23 "$scratch/internal" "$scratch/names" |
	sed -E 's|(atomicio__)?(.*)|lib/names*.h lack: #define \2 atomicio__\2|' >"$scratch/log"
[ ! -s "$scratch/log" ]
report $? every_other_global_name_has_the_prefix "$scratch/log"
comm -13 "$scratch/internal" "$scratch/names" |
	sed 's/atomicio__\(.*\)/lib\/names*.h have \1, which the archive does not define/' >"$scratch/log"
[ ! -s "$scratch/log" ]
report $? the_header_names_nothing_that_is_gone "$scratch/log"
[ $failures = 0 ] ||
	echo "# To make lib/names*.h anew: ATOMICIO_BUILD=$build tests/abi/names.sh --write"
finish
