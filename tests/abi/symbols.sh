#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The functions that the public headers declare, the symbol map and the binary agree.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

# A declaration is a statement with a call-like name and no typedef.
for header in "$root"/include/libatomicio/*.h; do
	"${CC:-cc}" -E -P -I "$root/include" "$header" || exit 1
done | tr '\n' ' ' | tr ';' '\n' | grep -v typedef |
	grep -oE '\batomicio_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$scratch/header"
sed -n '/global:/,/local:/p' "$root/lib/libatomicio.map" |
	grep -oE '\batomicio_[a-z0-9_]+' | sort >"$scratch/map"
nm -D --defined-only "$build/libatomicio.so" |
	awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$scratch/binary"

[ -s "$scratch/header" ]
report $? the_headers_declare_functions
diff "$scratch/header" "$scratch/map" | sed 's/^/# header, map: /'
cmp -s "$scratch/header" "$scratch/map"
report $? the_map_names_what_the_headers_declare
diff "$scratch/map" "$scratch/binary" | sed 's/^/# map, binary: /'
cmp -s "$scratch/map" "$scratch/binary"
report $? the_binary_exports_what_the_map_names
nm -D --defined-only "$build/libatomicio.so" | grep -q '@@LIBATOMICIO_0\.1$'
report $? symbols_carry_the_version_that_brought_them
# While the major is 0, a minor breaks: a SONAME and a map of its own.
version=$(sed -nE 's/^project\(libatomicio VERSION ([0-9.]+).*/\1/p' "$root/CMakeLists.txt")
minor=${version%.*}
soname=${minor%%.*}
[ "$soname" != 0 ] || soname=$minor
readelf -d "$build/libatomicio.so" | grep -qF "[libatomicio.so.$soname]"
report $? the_soname_is_the_version_that_breaks
grep -oE '^LIBATOMICIO_[0-9.]+' "$root/lib/libatomicio.map" >"$scratch/nodes"
[ "${minor%%.*}" != 0 ] || echo "LIBATOMICIO_$minor" | cmp -s - "$scratch/nodes"
report $? the_map_starts_anew_with_each_minor_of_0
finish
