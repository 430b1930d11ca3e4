#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: a struct that travels with its size can grow, and neither an old program with the new library
# nor a new program with the old one notices.
#
# Method: a copy of the library is built in which every struct of lib/abi_first.h has grown.  A
# program compiled before (growth.c) runs with it, and one compiled with the new headers runs
# with the library of today.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-cc}
if grep -qE '^ATOMICIO_(SANITIZE:STRING=.|COVERAGE:BOOL=ON)' "$build/CMakeCache.txt"; then
	echo "ok - structs_can_grow # SKIP an instrumented library needs its runtime, too"
	exit 0
fi

# The table names every struct whose size is the next argument.
sed -nE 's/^#define ABI_FIRST_[A-Z_]+ ABI_FIRST\((\w+), .*/\1/p' "$root/lib/abi_first.h" |
	sort -u >"$scratch/table"
cat "$root"/include/libatomicio/*.h | tr -s '\n\t ' ' ' |
	grep -oE 'struct \w+ \*(\w+), size_t \w+_size\b' | awk '{ print $2 }' | sort -u >"$scratch/headers"
diff "$scratch/table" "$scratch/headers" >"$scratch/log" && [ -s "$scratch/table" ]
report $? the_table_has_every_struct_that_travels_with_its_size "$scratch/log"

mkdir "$scratch/new" || exit 1
cp -r "$root/include" "$root/lib" "$root/cmake" "$root/man" "$root/CMakeLists.txt" "$root/README.md" "$root/doc" \
	"$root/libatomicio.pc.in" "$scratch/new/"
while read -r name; do
	sed -i "/^struct $name {\$/,/^};/s/^};/	uint64_t grown[3];\n};/" \
		"$scratch/new/include/libatomicio/"*.h
done <"$scratch/table"
[ "$(cat "$scratch/new/include/libatomicio/"*.h | grep -c 'grown\[3\]')" = "$(wc -l <"$scratch/table")" ]
report $? every_struct_of_the_table_is_made_to_grow

mapfile -t options < <(sed -nE 's/^(ATOMICIO_(BLKID|URING):BOOL=.*|CMAKE_C_FLAGS:STRING=.*)/-D\1/p' \
	"$build/CMakeCache.txt")
{
	cmake -S "$scratch/new" -B "$scratch/new/build" -DCMAKE_C_COMPILER="$cc" "${options[@]}" \
		-DATOMICIO_BUILD_TESTS=OFF -DATOMICIO_BUILD_TOOLS=OFF -DATOMICIO_BUILD_EXAMPLES=OFF \
		-DATOMICIO_BUILD_ENGINES=OFF &&
		cmake --build "$scratch/new/build" --target atomicio
} >"$scratch/log" 2>&1
report $? the_library_builds_with_grown_structs "$scratch/log"

# program NAME INCLUDE [DEFINE]
program() {
	"$cc" -std=gnu11 -Wall -Wextra -Werror "-DFIRST_IS_OURS=$3" -I "$2/include" -o "$scratch/$1" \
		"$here/growth.c" -L "$build" -latomicio
}
# runs NAME LIBRARY-DIRECTORY [ARGUMENT]
runs() {
	LD_LIBRARY_PATH=$2 "$scratch/$1" "$scratch/file" "$scratch/journal" ${3:+"$3"}
}
program old "$root" 1 >"$scratch/log" 2>&1 && program young "$scratch/new" 0 >>"$scratch/log" 2>&1
report $? programs_of_both_compile "$scratch/log"
runs old "$build" >"$scratch/log" 2>&1
report $? an_old_program_runs_with_the_old_library "$scratch/log"
runs old "$scratch/new/build" >"$scratch/log" 2>&1
report $? an_old_program_runs_with_the_new_library "$scratch/log"
runs young "$build" >"$scratch/log" 2>&1
report $? a_new_program_with_zero_tails_runs_with_the_old_library "$scratch/log"
runs young "$build" tail >"$scratch/log" 2>&1
report $? an_option_that_the_old_library_does_not_know_is_refused "$scratch/log"
runs young "$scratch/new/build" >"$scratch/log" 2>&1
report $? a_new_program_runs_with_the_new_library "$scratch/log"
finish
