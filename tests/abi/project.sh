#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: the library is a good guest in another project, and can be installed anywhere.
#
# Method: a parent takes it with add_subdirectory() or FetchContent, builds, runs and installs; then
# it is installed under a prefix with a space and into an absolute library directory, and used from
# there with what pkg-config says.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-cc}
cp "$here/consumer.c" "$scratch/"
version=$(sed -nE 's/^project\(libatomicio VERSION ([0-9.]+).*/\1/p' "$root/CMakeLists.txt")

# What a user has: the sources, without a build or a repository.
source=$scratch/source
mkdir "$source"
tar -C "$root" --exclude=./build* --exclude=.git -cf - . | tar -C "$source" -xf -

# parent NAME LINE...: a project that takes the library with these lines, built and installed
parent() {
	local name=$1
	shift
	mkdir "$scratch/$name"
	{
		printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(parent C)' "$@"
		cat <<-'CMAKE'
			foreach(name journal queue write probe crash) # names that ours had once
				add_executable(${name} ../consumer.c)
				target_link_libraries(${name} PRIVATE libatomicio::atomicio_static)
			endforeach()
			add_executable(engine ../consumer.c)
			target_link_libraries(engine PRIVATE libatomicio::atomicio)
			install(TARGETS engine RUNTIME DESTINATION bin)
			file(WRITE ${CMAKE_BINARY_DIR}/build-type "[${CMAKE_BUILD_TYPE}]")
		CMAKE
	} >"$scratch/$name/CMakeLists.txt"
	{
		cmake -S "$scratch/$name" -B "$scratch/$name/build" -DCMAKE_C_COMPILER="$cc" &&
			cmake --build "$scratch/$name/build" -j 2 && "$scratch/$name/build/journal" &&
			"$scratch/$name/build/engine" &&
			DESTDIR=$scratch/$name/root cmake --install "$scratch/$name/build"
	} >"$scratch/log" 2>&1
	report $? "${name}_builds_runs_and_installs" "$scratch/log"
	grep -qx '\[\]' "$scratch/$name/build/build-type"
	report $? "${name}_leaves_the_build_type_alone"
	find "$scratch/$name/root" ! -type d -printf '%f\n' | sort >"$scratch/log"
	printf '%s\n' engine "libatomicio.so.${version%.*}" "libatomicio.so.$version" | cmp -s - "$scratch/log"
	report $? "${name}_installs_the_shared_library_and_no_more" "$scratch/log"
	! (cd "$scratch/$name/build" && ctest -N) | grep 'Test *#' >"$scratch/log"
	report $? "${name}_has_no_tests_of_ours" "$scratch/log"
	cmake --build "$scratch/$name/build" --target help | sed 's/^\.* *//' |
		grep -vE '^(atomicio(_static|_objects)?|journal|queue|write|probe|crash|engine|all|clean|depend|edit_cache|rebuild_cache|test|install(/.*)?|list_install_components|default_target|package.*|.*\.(o|i|s|c))( |$)' |
		grep -v '^The following' >"$scratch/log"
	[ ! -s "$scratch/log" ]
	report $? "${name}_gets_no_other_target" "$scratch/log"
}
parent a_parent_with_add_subdirectory "add_subdirectory($source atomicio)"
parent a_parent_with_fetch_content 'include(FetchContent)' \
	"FetchContent_Declare(libatomicio URL $source)" 'FetchContent_MakeAvailable(libatomicio)'

# install NAME OPTION...: a tree of its own, under DESTDIR unless told otherwise
install_tree() {
	local name=$1
	shift
	{
		cmake -S "$source" -B "$scratch/$name" -DCMAKE_C_COMPILER="$cc" -DATOMICIO_BUILD_TESTS=OFF \
			-DATOMICIO_BUILD_TOOLS=OFF -DATOMICIO_BUILD_EXAMPLES=OFF "$@" &&
			cmake --build "$scratch/$name" -j 2 && cmake --install "$scratch/$name"
	} >"$scratch/log" 2>&1
	report $? "$name" "$scratch/log"
}
# uses NAME PC-DIRECTORY LIBRARY-DIRECTORY: pkg-config's flags, as a shell reads them, compile and run
uses() {
	local flags
	flags=$(PKG_CONFIG_PATH=$2 pkg-config --cflags --libs libatomicio 2>"$scratch/log") &&
		echo "# $flags" >"$scratch/log" &&
		eval "\"\$cc\" -Wall -Werror -o \"\$scratch/used\" \"\$scratch/consumer.c\" $flags" \
			>>"$scratch/log" 2>&1 && LD_LIBRARY_PATH=$3 "$scratch/used" >>"$scratch/log" 2>&1
	report $? "$1" "$scratch/log"
}
prefix="$scratch/with a space"
install_tree it_installs_under_a_prefix_with_a_space -DCMAKE_INSTALL_PREFIX="$prefix" \
	-DCMAKE_INSTALL_LIBDIR=lib
uses a_prefix_with_a_space_is_quoted "$prefix/lib/pkgconfig" "$prefix/lib"
libdir=$scratch/elsewhere/lib64
install_tree it_installs_into_an_absolute_library_directory -DCMAKE_INSTALL_PREFIX="$scratch/prefix" \
	-DCMAKE_INSTALL_LIBDIR="$libdir"
uses an_absolute_library_directory_is_used_as_it_is "$libdir/pkgconfig" "$libdir"
! grep "prefix}/.*/$scratch\|//" "$libdir/pkgconfig/libatomicio.pc" >"$scratch/log"
report $? no_directory_has_two_slashes "$scratch/log"
! (
	PKG_CONFIG_LIBDIR=$libdir/pkgconfig pkg-config --cflags --libs --static libatomicio &&
		PKG_CONFIG_LIBDIR=$libdir/pkgconfig pkg-config --cflags libatomicio
) 2>&1 | grep -E 'blkid/|not found|/usr/include' >"$scratch/log"
report $? the_flags_need_no_other_pc_file "$scratch/log"

# Which versions a user is given: the same minor, as long as the major is 0.
wants() {
	mkdir -p "$scratch/wants"
	printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(wants C)' \
		"find_package(libatomicio $1 REQUIRED)" >"$scratch/wants/CMakeLists.txt"
	cmake -S "$scratch/wants" -B "$scratch/wants/build-$1" -DCMAKE_C_COMPILER="$cc" \
		-DCMAKE_PREFIX_PATH="$prefix" >"$scratch/log" 2>&1
}
wants 0.1
report $? a_user_of_this_minor_finds_it "$scratch/log"
! wants 0.0 && ! wants 0.2 && ! wants 1.0
report $? a_user_of_another_minor_does_not "$scratch/log"
finish
