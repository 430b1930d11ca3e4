#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: the headers can be read by the tools that make bindings for other languages, and no constant
# or function is lost on the way.
#
# Method: a Rust program over bindgen's output, a Go program and a Python one probe a file through
# the built library, go through its reasons with atomicio_reason_next(), and print each with its
# name; all must say what C says.  Then every constant and function of the headers is looked up in
# what each tool made of them.
#
#	run.sh		with build/gcc, or $ATOMICIO_BUILD
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/abi/lib.sh
. "$here/../abi/lib.sh"
export LD_LIBRARY_PATH=$build${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} LC_ALL=C
headers=("$root"/include/libatomicio/{atomicio,journal,turns,uring}.h)

# all TOOL PACKAGE...: true if these tools are there, else a skip with the packages to install
have() {
	local language=$1 tool missing=()
	shift
	for tool in "$@"; do
		command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
	done
	[ ${#missing[@]} = 0 ] && return
	echo "ok - $language # SKIP not installed: ${missing[*]}"
	return 1
}

sed -nE 's/^#define (ATOMICIO_[A-Z0-9_]+) +([^ ].*)/\1/p' "${headers[@]}" | sort -u >"$scratch/constants"
# A value on the next line, as clang-format may put it.
sed -nE 's/^#define (ATOMICIO_[A-Z0-9_]+)[[:space:]]*\\$/\1/p' "${headers[@]}" | sort -u >>"$scratch/constants"
sort -u -o "$scratch/constants" "$scratch/constants"
grep -oE '\batomicio_[a-z0-9_]+;' "$root/lib/libatomicio.map" | tr -d ';' | sort >"$scratch/functions"
grep -q '^ATOMICIO_REASON_DAX$' "$scratch/constants" && grep -q '^ATOMICIO_KIND_BUSY$' "$scratch/constants" &&
	[ "$(wc -l <"$scratch/constants")" -gt 80 ] && [ -s "$scratch/functions" ]
report $? constants_and_functions_were_found

# What C says of them: "NAME VALUE" of each constant, and the reasons of a file.
{
	printf '#include <inttypes.h>\n#include <fcntl.h>\n#include <stdio.h>\n'
	printf '#include <libatomicio/%s>\n' atomicio.h journal.h turns.h uring.h
	cat <<-'C'
		int main(int argc, char **argv)
		{
			struct atomicio_caps caps;
			uint64_t reason;
			if (argc == 2) {
				if (atomicio_probe(open(argv[1], O_RDONLY), &caps, sizeof(caps)))
					return 1;
				while ((reason = atomicio_reason_next(&caps.reasons)))
					printf("%s %" PRIu64 "\n", atomicio_reason_name(reason), reason);
				return 0;
			}
	C
	sed 's/.*/	printf("& %" PRIu64 "\\n", (uint64_t)&);/' "$scratch/constants"
	printf '\treturn 0;\n}\n'
} >"$scratch/says.c"
"${CC:-cc}" -Wall -Werror -I "$root/include" -o "$scratch/says" "$scratch/says.c" -L "$build" -latomicio \
	>"$scratch/log" 2>&1 && "$scratch/says" >"$scratch/values" && "$scratch/says" "$0" >"$scratch/reasons"
report $? a_c_program_runs "$scratch/log"
[ -s "$scratch/reasons" ]
report $? the_file_has_reasons

# compare LANGUAGE: its two answers, "NAME VALUE" of the constants and the reasons of the file
compare() {
	sort "$scratch/$1-values" | diff "$scratch/values" - >"$scratch/log" 2>&1
	report $? "every_constant_has_its_value_in_$1" "$scratch/log"
	diff "$scratch/reasons" "$scratch/$1-reasons" >"$scratch/log" 2>&1
	report $? "a_program_in_$1_probes_and_names_the_reasons" "$scratch/log"
}

rust() {
	have rust bindgen:bindgen rustc:rustc || return
	bindgen --allowlist-function 'atomicio_.*' --allowlist-type 'atomicio_.*' \
		--allowlist-var 'ATOMICIO_.*' --with-derive-default "$here/all.h" \
		-o "$scratch/atomicio.rs" -- -I "$root/include" >"$scratch/log" 2>&1
	report $? bindgen_reads_the_headers "$scratch/log"
	while read -r name; do
		grep -q "pub fn $name(\|pub fn $name\$" "$scratch/atomicio.rs" || echo "$name"
	done <"$scratch/functions" >"$scratch/log"
	[ ! -s "$scratch/log" ]
	report $? bindgen_keeps_every_function "$scratch/log"
	cp "$here/probe.rs" "$scratch/"
	sed 's/.*/    ("&", atomicio::& as u64),/' "$scratch/constants" |
		sed -e '1i pub const ALL: \&[(\&str, u64)] = \&[' -e '$a ];' >"$scratch/constants.rs"
	rustc --edition 2021 -L "$build" -o "$scratch/rust" "$scratch/probe.rs" >"$scratch/log" 2>&1
	report $? a_rust_program_compiles_and_links "$scratch/log"
	"$scratch/rust" >"$scratch/rust-values" 2>&1
	"$scratch/rust" "$0" >"$scratch/rust-reasons" 2>&1
	compare rust
}

go_language() {
	have go go:golang || return
	mkdir "$scratch/go"
	cp "$here/probe.go" "$scratch/go/"
	{
		printf 'package main\n\n/*\n#include "all.h"\n*/\nimport "C"\n\nfunc all() []constant {\n\treturn []constant{\n'
		sed 's/.*/		{"&", C.&},/' "$scratch/constants"
		printf '\t}\n}\n\nvar functions = []interface{}{\n'
		sed 's/.*/	C.&,/' "$scratch/functions" | sed 's/C\.\([a-z_0-9]*\)/(*[0]byte)(C.\1)/'
		printf '}\n'
	} >"$scratch/go/constants.go"
	printf 'module probe\n\ngo 1.15\n' >"$scratch/go/go.mod"
	(
		cd "$scratch/go" || exit 1
		export GOCACHE=$scratch/go-cache GOPATH=$scratch/go-path GOFLAGS=-mod=mod GO111MODULE=on
		export GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=1
		export CGO_CFLAGS="-I$root/include -I$here" CGO_LDFLAGS="-L$build -latomicio"
		go build -o "$scratch/go-probe" .
	) >"$scratch/log" 2>&1
	report $? a_go_program_with_every_constant_and_function_builds "$scratch/log"
	"$scratch/go-probe" >"$scratch/go-values" 2>&1
	"$scratch/go-probe" "$0" >"$scratch/go-reasons" 2>&1
	compare go
}

python() {
	have python python3:python3 || return
	python3 -c 'import cffi' 2>/dev/null || {
		echo "ok - python # SKIP not installed: python3-cffi"
		return
	}
	# cffi reads declarations without includes; its parser keeps a #define of a plain number alone.
	"${CC:-cc}" -E -P -I "$root/include" "$here/all.h" | sed -n '/struct atomicio_file;/,$p' >"$scratch/cdef.h"
	grep -hE '^#define ATOMICIO_[A-Z0-9_]+ +[0-9]' "${headers[@]}" | sed -E 's,/\*.*,,' >>"$scratch/cdef.h"
	# A value on a line of its own.
	sed -nE '/^#define ATOMICIO_[A-Z0-9_]+[[:space:]]*\\$/{s/[[:space:]]*\\$//;N;s/\n[[:space:]]*/ /;s,/\*.*,,;p}' \
		"${headers[@]}" >>"$scratch/cdef.h"
	python3 "$here/probe.py" "$scratch/cdef.h" "$build/libatomicio.so" "$scratch/functions" \
		>"$scratch/python-values" 2>"$scratch/log"
	report $? cffi_reads_the_headers_and_finds_every_function "$scratch/log"
	python3 "$here/probe.py" "$scratch/cdef.h" "$build/libatomicio.so" "$scratch/functions" "$0" \
		>"$scratch/python-reasons" 2>>"$scratch/log"
	compare python
}

cpp() {
	have cpp "c++:g++" || return
	# A struct and a function of one name would need `struct` here.
	cat >"$scratch/names.cc" <<-'CC'
		#include "all.h"
		int main()
		{
			atomicio_caps caps; atomicio_stats stats; atomicio_queue_stats queue;
			atomicio_journal_info info; atomicio_recovery recovery; atomicio_options options;
			atomicio_failure failure; atomicio_op op; atomicio_request request;
			return sizeof(caps) + sizeof(stats) + sizeof(queue) + sizeof(info) + sizeof(recovery) +
				sizeof(options) + sizeof(failure) + sizeof(op) + sizeof(request) == 0;
		}
	CC
	c++ -Wall -Wno-unused -I "$root/include" -I "$here" -c -o /dev/null "$scratch/names.cc" >"$scratch/log" 2>&1
	report $? every_struct_has_a_name_of_its_own_in_cpp "$scratch/log"
}

swig() {
	have swig swig:swig || return
	{
		printf '%%module atomicio\n%%include "stdint.i"\n%%{\n#include "all.h"\n%%}\n'
		printf '%%include "%s"\n' "${headers[@]}"
	} >"$scratch/atomicio.i"
	command swig -python -o "$scratch/swig.c" "$scratch/atomicio.i" >"$scratch/log" 2>&1
	report $? swig_reads_the_headers "$scratch/log"
	while read -r name; do
		grep -q "\"$name\"" "$scratch/swig.c" || echo "$name"
	done < <(cat "$scratch/constants" "$scratch/functions") >"$scratch/log"
	[ ! -s "$scratch/log" ]
	report $? swig_keeps_every_constant_and_function "$scratch/log"
}

rust
go_language
python
cpp
swig
finish
