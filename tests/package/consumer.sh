#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The packages in use: install, run, link, remove.  See run.sh, which starts this in a root that
# can be thrown away.
#
#	consumer.sh DIRECTORY		packages and consumer.c are there, and the log goes there
set -u
cd "$1" || exit 1
failures=0
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

report() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		sed 's/^/# /' log
		echo "not ok - $2"
		failures=$((failures + 1))
	fi
}

dpkg -i ./*.deb >log 2>&1
report $? the_packages_install
dpkg --audit >log 2>&1 && [ ! -s log ]
report $? the_packages_are_configured
dpkg -V libatomicio0.1 libatomicio-dev atomicio-tools atomicio-crash libsqlite3-mod-atomicio >log 2>&1 && [ ! -s log ]
report $? the_installed_files_have_the_sums_of_their_packages

truncate -s 1M file
{ atomicio --version && atomicio probe file && atomicio probe --json file; } >log 2>&1
report $? the_command_runs
atomicio crash --help >log 2>&1 && grep -q 'usage: atomicio crash run' log
report $? the_command_starts_the_program_for_power_cuts
for page in man1/atomicio.1 $(sed -n 's/^manual: //p' expected); do
	[ -s "/usr/share/man/$page.gz" ] || echo "no manual page $page"
done >log
[ ! -s log ]
report $? the_manual_is_there

if command -v sqlite3 >/dev/null; then
	printf '%s\n' ".load $(echo /usr/lib/*/libatomicio/mod_atomicio.so)" '.open file:x.db?vfs=atomicio' 'CREATE TABLE t(a);' \
		'INSERT INTO t VALUES(1);' 'SELECT * FROM t;' 'PRAGMA atomicio;' | sqlite3 -bail >log 2>&1 &&
		grep -q 'guard=on' log && atomicio-sqlite status x.db >>log 2>&1 &&
		grep -q 'not guarded' log
	report $? sqlite_loads_the_extension
else
	echo "ok - sqlite_loads_the_extension # SKIP the command sqlite3 is missing"
fi

cp consumer.c consumer.cc
# shellcheck disable=SC2046 # flags are words
cc -Wall -Wextra -Werror $(pkg-config --cflags libatomicio) consumer.c -o c_program \
	$(pkg-config --libs libatomicio) >log 2>&1 && ./c_program file >>log 2>&1
report $? a_c_program_builds_with_pkg_config_and_runs
# shellcheck disable=SC2046
c++ -Wall -Wextra -Werror $(pkg-config --cflags libatomicio) consumer.cc -o cc_program \
	$(pkg-config --libs libatomicio) >log 2>&1 && ./cc_program file >>log 2>&1
report $? a_cpp_program_builds_with_pkg_config_and_runs
# shellcheck disable=SC2046
cc $(pkg-config --cflags libatomicio) consumer.c -o static_program \
	$(pkg-config --libs --static libatomicio | sed 's/-latomicio/-l:libatomicio.a/') \
	>log 2>&1 && ./static_program file >>log 2>&1
report $? a_c_program_links_the_static_library

mkdir -p project
cat >project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(consumer C CXX)
find_package(libatomicio 0.1 REQUIRED)
add_executable(in_c ../consumer.c)
target_link_libraries(in_c PRIVATE libatomicio::atomicio)
add_executable(in_cpp ../consumer.cc)
target_link_libraries(in_cpp PRIVATE libatomicio::atomicio)
add_executable(in_c_static ../consumer.c)
target_link_libraries(in_c_static PRIVATE libatomicio::atomicio_static)
CMAKE
{ cmake -S project -B project/build && cmake --build project/build; } >log 2>&1
report $? a_c_and_a_cpp_project_find_the_cmake_package
{ project/build/in_c file && project/build/in_cpp file && project/build/in_c_static file; } >log 2>&1
report $? the_programs_of_the_cmake_project_run

! dpkg -r libatomicio0.1 >log 2>&1
report $? the_library_stays_while_the_command_needs_it
dpkg -P libsqlite3-mod-atomicio-dbgsym libsqlite3-mod-atomicio atomicio-crash-dbgsym atomicio-crash atomicio-tools-dbgsym libatomicio0.1-dbgsym atomicio-tools libatomicio-dev libatomicio0.1 >log 2>&1
report $? the_packages_are_removed
! ldconfig -p | grep libatomicio >log
report $? the_linker_has_forgotten_the_library
[ $failures = 0 ]
