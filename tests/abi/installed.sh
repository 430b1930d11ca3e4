#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The installed tree is enough: pkg-config and CMake users compile, link and run, shared and static.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
prefix=$scratch/prefix
cc=${CC:-cc}

cmake --install "$build" --prefix "$prefix" >"$scratch/log" 2>&1
report $? the_tree_installs "$scratch/log"
pc=$(find "$prefix" -name libatomicio.pc)
libdir=$(dirname "$(dirname "$pc")")
# The file was made for the configured prefix; move it as a packager would.
export PKG_CONFIG_PATH=${pc%/*}
flags() {
	pkg-config --define-variable=prefix="$prefix" "$@" libatomicio
}

# shellcheck disable=SC2046 # flags are words
"$cc" -Wall -Wextra -Werror $(flags --cflags) "$here/consumer.c" -o "$scratch/shared" \
	$(flags --libs) >"$scratch/log" 2>&1 &&
	LD_LIBRARY_PATH=$libdir "$scratch/shared" >>"$scratch/log" 2>&1
report $? a_pkg_config_user_links_shared_and_runs "$scratch/log"
readelf -d "$scratch/shared" >"$scratch/log" 2>&1 && grep -q 'NEEDED.*libatomicio\.so\.' "$scratch/log"
report $? the_shared_program_needs_the_soname "$scratch/log"

# shellcheck disable=SC2046
"$cc" $(flags --cflags) "$here/consumer.c" -o "$scratch/static" \
	$(flags --libs --static | sed 's/-latomicio/-l:libatomicio.a/') >"$scratch/log" 2>&1 &&
	"$scratch/static" >>"$scratch/log" 2>&1 &&
	! readelf -d "$scratch/static" | grep -q libatomicio
report $? a_pkg_config_user_links_static_and_runs "$scratch/log"

cat >"$scratch/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(consumer C)
find_package(libatomicio 0.1 REQUIRED)
add_executable(with_shared ${SOURCE})
target_link_libraries(with_shared PRIVATE libatomicio::atomicio)
add_executable(with_static ${SOURCE})
target_link_libraries(with_static PRIVATE libatomicio::atomicio_static)
CMAKE
{
	cmake -S "$scratch" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" \
		-DCMAKE_C_COMPILER="$cc" -DSOURCE="$here/consumer.c" &&
		cmake --build "$scratch/build"
} >"$scratch/log" 2>&1
report $? a_cmake_user_finds_the_package_and_builds "$scratch/log"
"$scratch/build/with_shared" >"$scratch/log" 2>&1
report $? a_cmake_user_runs_with_the_shared_library "$scratch/log"
"$scratch/build/with_static" >"$scratch/log" 2>&1 &&
	! readelf -d "$scratch/build/with_static" | grep -q libatomicio
report $? a_cmake_user_runs_with_the_static_library "$scratch/log"
finish
