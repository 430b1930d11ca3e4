#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual names all that there is, and its examples, and those of the README, compile.
#
# Method: the symbol map, lib/reason.c and the headers are the truth; each of their names is
# looked up in man/.  An example is what stands between .Bd and .Ed after the comment
#	.\" example: compile
# and what stands between ```c and ``` in the README.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

# none_missing NAME FILE: FILE lists what is missing, with nothing missing a pass
none_missing() {
	sed 's/^/# missing: /' "$2"
	[ ! -s "$2" ]
	report $? "$1"
}

# absent FILE...: those words of stdin that stand in none of the files
absent() {
	local word
	while read -r word; do
		grep -qw -e "$word" "$@" || echo "$word"
	done
}

# Pages.
pages=("$root"/man/*.[1-8])
if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "${pages[@]}" >"$scratch/lint" 2>&1
	status=$?
	sed 's/^/# /' "$scratch/lint"
	report $status pages_pass_mandoc_lint
else
	echo "ok - pages_pass_mandoc_lint # SKIP mandoc is missing"
fi
sed -nE 's/^\.Xr (atomicio[a-z_-]*) ([1-8]).*/\1 \2/p' "${pages[@]}" | sort -u >"$scratch/xrefs"
sed -nE '/^\.Sh NAME/,/^\.Nd/s/^\.Nm ([^ ]+).*/\1/p' "$root"/man/*.3 | sort >"$scratch/names"
while read -r name section; do
	[ -e "$root/man/$name.$section" ] || [ -e "$root/engines/sqlite/$name.$section" ] && continue
	if [ "$section" = 3 ]; then
		grep -qx "$name" "$scratch/names" && continue
	fi
	echo "$name($section)"
done <"$scratch/xrefs" >"$scratch/missing"
[ -s "$scratch/xrefs" ]
report $? pages_refer_to_each_other
none_missing each_page_referred_to_exists "$scratch/missing"

# Names.
sed -n '/global:/,/local:/p' "$root/lib/libatomicio.map" |
	grep -oE '\batomicio_[a-z0-9_]+' | sort >"$scratch/symbols"
grep -hoE '^#define ATOMICIO_[A-Z0-9_]+' "$root"/include/libatomicio/*.h |
	awk '{ print $2 }' | sort -u >"$scratch/constants"
sed -nE 's/^[[:space:]]*\{ATOMICIO_REASON_[A-Z0-9_]+, "([a-z0-9-]+)".*/\1/p' \
	"$root/lib/reason.c" >"$scratch/reasons"
[ -s "$scratch/symbols" ] && [ -s "$scratch/constants" ] &&
	[ "$(wc -l <"$scratch/reasons")" = "$(grep -c '{ATOMICIO_REASON_' "$root/lib/reason.c")" ]
report $? symbols_constants_and_reasons_were_found
comm -23 "$scratch/symbols" "$scratch/names" >"$scratch/missing"
none_missing every_exported_symbol_has_a_page "$scratch/missing"
# A prototype in the SYNOPSIS, too.
sed -nE '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/s/^\.F[no] ([a-z0-9_]+).*/\1/p' "$root"/man/*.3 |
	sort -u | comm -23 "$scratch/symbols" - >"$scratch/missing"
none_missing every_exported_symbol_has_a_synopsis "$scratch/missing"
# grep -w would take direct for not-direct.
while read -r name; do
	grep -qE "^\.It Sy $name( |\$)" "$root/man/atomicio_probe.3" || echo "$name"
done <"$scratch/reasons" >"$scratch/missing"
none_missing every_reason_is_in_atomicio_probe "$scratch/missing"
absent "${pages[@]}" <"$scratch/constants" >"$scratch/missing"
none_missing every_constant_of_the_headers_is_mentioned "$scratch/missing"
grep -hv '^\.Dt' "${pages[@]}" "$root/README.md" "$root"/doc/*.md |
	grep -oE '\bATOMICIO_[A-Z0-9_]*[A-Z0-9]\b' | sort -u |
	grep -vE '^ATOMICIO_(BUILD_|SANITIZE$|REQUIRE$|WERROR$|BENCH_CACHED$|BLKID$|URING$|INSTALL$)' |
	absent "$root"/include/libatomicio/*.h >"$scratch/missing"
[ -e "$root/include/libatomicio/uring.h" ] ||
	sed -i '/^ATOMICIO_AGAIN_SQE$/d; /^ATOMICIO_REGISTERED_BUFFER$/d' "$scratch/missing"
[ -e "$root/man/atomicio_journal.3" ] || sed -i '/^ATOMICIO_JOURNAL_/d' "$scratch/missing"
none_missing no_page_names_a_constant_that_does_not_exist "$scratch/missing"

# Examples: cut out as FILE-NUMBER.c, with \e, the backslash of mdoc, undone.
for page in "${pages[@]}"; do
	awk -v out="$scratch/${page##*/}" '
		/^\.\\" example: compile/ { marked = 1; next }
		marked && /^\.Bd -literal/ { marked = 0; file = out "-" ++count ".c"; next }
		marked { print "marked, but no .Bd -literal follows: " $0 >out ".bad"; marked = 0 }
		/^\.Ed/ { file = "" }
		file { gsub(/\\e/, "\\"); print >file }' "$page"
done
awk -v out="$scratch/README.md" '
	/^```/ { file = /^```c$/ ? out "-" ++count ".c" : ""; next }
	file { print >file }' "$root/README.md"
cat "$scratch"/*.bad 2>/dev/null | sed 's/^/# /'
[ -z "$(find "$scratch" -name '*.bad')" ]
report $? each_mark_stands_before_an_example
for example in "$scratch"/*.c; do
	name=${example##*/}
	"${CC:-cc}" -std=gnu11 -Wall -Wextra -Werror -I "$root/include" -c -o "$scratch/object" \
		"$example" 2>"$scratch/errors"
	status=$?
	[ $status = 0 ] || sed "s|$scratch/||; s/^/# /" "$scratch/errors"
	report $status "${name%.c}_compiles"
done
for page in "$root"/man/*.3 "$root/man/atomicio.7" "$root/README.md"; do
	[ -e "$scratch/${page##*/}-1.c" ] || echo "an example in ${page##*/}"
done >"$scratch/missing"
none_missing every_page_of_calls_and_the_readme_have_an_example "$scratch/missing"

# The installed tree.
cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/log" 2>&1 ||
	sed 's/^/# /' "$scratch/log"
while read -r name; do
	page=$(find "$scratch/prefix" -path "*/man3/$name.3")
	if [ -z "$page" ]; then
		echo "$name(3)"
	elif grep -q '^\.so ' "$page" && [ ! -e "${page%/man3/*}/$(sed 's/^\.so //' "$page")" ]; then
		echo "what $name(3) points to"
	fi
done <"$scratch/symbols" >"$scratch/missing"
none_missing every_exported_symbol_is_found_by_man "$scratch/missing"
finish
