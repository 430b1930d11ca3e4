#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Build and test on other systems than this: other releases of Debian, processors, C libraries,
# dialects and compilers.
#
#	run.sh [STEP...]	see `steps` below; all by default
#	FULL=1 run.sh ...	every suite in the releases, every dialect
#
# Needs root, a mirror of Debian, and disk space for the roots that it keeps in build/systems/.
set -u
# shellcheck source=tests/systems/lib.sh
. "$(dirname "$0")/lib.sh"
here=$root/tests/systems
steps=(dialects musl bullseye i386 s390x figures trixie bookworm)

# Strict C11 and C23, each by one compiler, or by both with FULL.
step_dialects() {
	local dialect compiler standard
	for dialect in gcc:11 clang:23 ${FULL:+gcc:23 clang:11}; do
		compiler=${dialect%:*} standard=${dialect#*:}
		command -v "$compiler" >/dev/null ||
			leave_out "c$standard-$compiler" "$compiler is missing" || continue
		compile "c$standard-$compiler" -DCMAKE_C_COMPILER="$compiler" \
			-DCMAKE_C_STANDARD="$standard" -DCMAKE_C_EXTENSIONS=OFF || continue
		tests "c$standard-$compiler" '^(unit|fault)/' || continue
		row "strict C$standard, $compiler" "build with -Werror, unit, fault"
	done
}

# musl: the library alone, with what it needs of no other; its programs run on this kernel.
step_musl() {
	packages musl-tools linux-libc-dev || leave_out musl "musl-tools is missing" || return
	# The kernel's headers, which musl-gcc does not look for.
	mkdir -p "$work/kernel-headers"
	ln -sfn /usr/include/linux "$work/kernel-headers/linux"
	ln -sfn /usr/include/asm-generic "$work/kernel-headers/asm-generic"
	ln -sfn "/usr/include/$(gcc -print-multiarch)/asm" "$work/kernel-headers/asm"
	compile musl -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_C_FLAGS="-idirafter $work/kernel-headers" \
		-DATOMICIO_BLKID=OFF -DATOMICIO_URING=OFF -DATOMICIO_BUILD_TESTS=OFF -DATOMICIO_TRACE=OFF || return
	CC=musl-gcc ATOMICIO_BUILD=$tree bash "$root/tests/abi/archive.sh" >"$tree.tests" 2>&1
	report $? musl_links_the_archive "$tree.tests"
	musl-gcc -idirafter "$work/kernel-headers" -DFIRST_IS_OURS=1 -I "$root/include" -o "$tree/growth" \
		"$root/tests/abi/growth.c" "$tree/libatomicio.a" >"$tree.tests" 2>&1 &&
		"$tree/growth" "$tree/file" "$tree/journal" >>"$tree.tests" 2>&1
	report $? musl_runs_every_call_that_fills_a_struct "$tree.tests" || return
	readelf -d "$tree/libatomicio.so" | grep NEEDED >"$tree.tests"
	[ "$(wc -l <"$tree.tests")" = 1 ]
	report $? musl_needs_libc_alone "$tree.tests"
	"$tree/tools/atomicio" probe --json "$tree/file" >"$tree.tests" 2>&1
	grep -q '"reasons"' "$tree.tests"
	report $? musl_runs_the_command "$tree.tests" || return
	row "musl" "build with -Werror, without libblkid and liburing; archive, command"
}

# cross ARCHITECTURE COMPILER-PREFIX EMULATOR [OPTION...]: built here, run under qemu-user
cross() {
	local architecture=$1 triplet=$2 emulator=$3
	packages "gcc-$triplet" "libc6-dev-$architecture-cross" qemu-user-static ||
		leave_out "$architecture" "gcc-$triplet or qemu-user-static cannot be installed" || return
	extracted bookworm "$architecture" libc6 libblkid-dev liburing-dev check ||
		leave_out "$architecture" "no packages for $architecture from the mirror" || return
	local sysroot=$kept/$architecture multiarch
	multiarch=$(basename "$(dirname "$(find "$sysroot/usr/lib" -name libcheck.a -o -name libcheck_pic.a | head -n 1)")")
	local libraries=$sysroot/usr/lib/$multiarch
	export PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$sysroot/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$sysroot
	compile "$architecture" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$architecture" \
		-DCMAKE_C_COMPILER="$triplet-gcc" -DATOMICIO_TRACE=OFF "${@:4}" \
		-DCMAKE_CROSSCOMPILING_EMULATOR="$emulator" \
		-DCMAKE_EXE_LINKER_FLAGS="-Wl,-rpath-link,$libraries:$sysroot/lib/$multiarch -L$libraries"
	local status=$?
	unset PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
	[ $status = 0 ] || return
	tests "$architecture" '^(unit|fault)/' && row "$architecture, under qemu-user" "build, unit, fault"
}
# wide NAME OPTION...: places beyond 4 GiB and pauses, by the last tree's archive
wide() {
	i686-linux-gnu-gcc -Wall -Wextra -Werror -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 "${@:2}" \
		-include "$root/lib/names.h" -I "$root/include" -I "$root/lib" -static \
		-o "$tree/wide" "$here/wide.c" "$tree/libatomicio.a" -latomic >"$tree.tests" 2>&1 &&
		qemu-i386-static "$tree/wide" "$tree/file" >>"$tree.tests" 2>&1
	report $? "$1_reaches_beyond_4_GiB_and_pauses" "$tree.tests"
	local status=$?
	rm -f "$tree/file"
	return $status
}
# Lengths are 64 bits everywhere, and bounded before they become a size_t: that warning is no error
# here, but all others are.
step_i386() {
	local narrow=-Wno-error=conversion
	cross i386 i686-linux-gnu "qemu-i386-static;-L;$kept/i386" -DCMAKE_C_FLAGS=$narrow || return
	# The library alone: without 64-bit atomic instructions, and with a time_t that is wider than a long.
	narrow+=" -march=i486"
	narrow_library i486 "$narrow" && grep -q '^Libs.private:.* -latomic' "$tree/libatomicio.pc"
	report $? i486_names_libatomic "$tree/libatomicio.pc" && wide i486 -march=i486 &&
		row "i486" "build with libatomic, archive"
	narrow+=" -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64"
	narrow_library time64 "$narrow" && wide time64 -D_TIME_BITS=64 &&
		row "i486, 64-bit time_t" "build with libatomic, archive"
}
narrow_library() { # NAME FLAGS
	compile "$1" -DCMAKE_C_COMPILER=i686-linux-gnu-gcc -DCMAKE_C_FLAGS="$2" -DATOMICIO_TRACE=OFF \
		-DATOMICIO_BLKID=OFF -DATOMICIO_URING=OFF -DATOMICIO_BUILD_TESTS=OFF \
		-DATOMICIO_BUILD_TOOLS=OFF -DATOMICIO_BUILD_EXAMPLES=OFF
}
# What doc/install.md says that it costs: processor time, within a factor of four.
figure() { # NAME COMMAND...
	local told took TIMEFORMAT='%U %S'
	told=$(sed -nE "s/^\| $1 \| ([0-9]+) s \|$/\1/p" "$root/doc/install.md")
	took=$({ time "${@:2}" >"$kept/figure.log" 2>&1; } 2>&1 | awk '{ printf "%d", $1 + $2 + 0.5 }')
	echo "# $1: $took s, and doc/install.md says '$told'" | tee -a "$kept/figure.log"
	[ -n "$told" ] && [ "$took" -le $((told * 4)) ] && [ $((took * 4)) -ge "$told" ]
	report $? "${1// /_}_is_as_told" "$kept/figure.log"
}
step_figures() {
	local library=(-DATOMICIO_BUILD_TESTS=OFF -DATOMICIO_BUILD_TOOLS=OFF -DATOMICIO_BUILD_EXAMPLES=OFF)
	tree=$work/figures
	rm -rf "$tree"
	cmake -S "$root" -B "$tree" "${library[@]}" >/dev/null
	figure "processor time to build the library" cmake --build "$tree"
	rm -rf "$tree"
	cmake -S "$root" -B "$tree" >/dev/null
	figure "processor time to build all, with the tests" cmake --build "$tree" -j "$(nproc)"
}
# The other byte order.
step_s390x() {
	cross s390x s390x-linux-gnu "qemu-s390x-static;-L;$kept/s390x" || return
	local theirs=$tree
	tree=$work/native
	rm -rf "$tree"
	{ cmake -S "$root" -B "$tree" && cmake --build "$tree" -j "$(nproc)" \
		--target atomicio_tool atomicio_tool_journal_leave; } >"$tree.log" 2>&1
	report $? native_builds "$tree.log" || return
	bash "$here/byte_order.sh" "$theirs" "$tree" "$kept/s390x" >"$tree.tests" 2>&1
	report $? a_journal_goes_from_one_byte_order_to_the_other "$tree.tests" &&
		row "s390x, under qemu-user" "build, unit, fault; a journal left unclean by amd64 recovered, and the reverse"
}

# What Debian 11 has: CMake 3.18, gcc 10, glibc 2.31, libblkid 2.36, liburing 0.7.
step_bullseye() {
	minbase bullseye || leave_out bullseye "no root could be made: see build/systems/bullseye.log" || return
	unpack bullseye
	# An ordinary user, for whom run.sh installs nothing more.
	inside "$place" root 'apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev \
		make cmake pkg-config libblkid-dev liburing-dev check binutils' >"$work/bullseye.log" 2>&1 &&
		inside "$place" ordinary './tests/run.sh --suite unit fault' >"$work/bullseye.log" 2>&1 &&
		grep -q -- '-- fault (ctest)' "$work/bullseye.log"
	report $? bullseye_builds_and_passes_unit_and_fault "$work/bullseye.log" &&
		row "Debian 11 (CMake 3.18, libblkid 2.36, liburing 0.7)" "build, unit, fault"
	rm -rf "$place"
}

# commands USER WHAT COMMAND: one of the README's, on the fresh installation
commands() {
	local from=$SECONDS
	inside "$place" "$1" "$3" >"$work/$suite.log" 2>&1
	report $? "${suite}_passes_${2}_as_$1" "$work/$suite.log"
	echo "# $2 as $1 took $((SECONDS - from)) s"
}
# release SUITE NAME: the README's commands, on a fresh installation, for root and an ordinary user
release() {
	local suite=$1 before=$failures suites="--suite unit fault abi"
	local what="build with -Werror, unit, fault, abi"
	[ -z "${FULL:-}" ] || suites='' what="build with -Werror, all suites"
	minbase "$suite" || leave_out "$suite" "no root could be made: see build/systems/$1.log" || return
	unpack "$suite"
	# Nothing is installed yet: an ordinary user is told what to type.
	! inside "$place" ordinary ./tests/run.sh >"$work/$suite.log" 2>&1 &&
		grep -q 'type: sudo apt-get install .*cmake' "$work/$suite.log"
	report $? "${suite}_tells_an_ordinary_user_what_to_type" "$work/$suite.log"
	commands root the_demo "apt-get update -q && ./examples/demo.sh"
	commands root its_tests "ATOMICIO_CMAKE_OPTIONS=-DATOMICIO_WERROR=ON ./tests/run.sh $suites"
	# A bare chroot is no reason to fail.
	[ -z "${FULL:-}" ] || bare=yes commands root a_chroot_without_devices "./tests/run.sh --suite tool kernel"
	chroot "$place" chown -R ordinary: /src
	commands ordinary the_demo ./examples/demo.sh
	commands ordinary its_tests "./tests/run.sh $suites"
	[ $failures != "$before" ] || row "$2" "$what, demo; root and ordinary user"
	rm -rf "$place"
}
step_trixie() { release trixie "Debian 13"; }
step_bookworm() { release bookworm "Debian 12"; }

[ $# -gt 0 ] || { set -- "${steps[@]}" && rm -f "$kept/table"; }
[ "$(id -u)" = 0 ] || { echo "the roots of other systems need root"; exit 77; }
for step in "$@"; do
	declare -F "step_$step" >/dev/null || { echo "there is no step $step; there are: ${steps[*]}" >&2; exit 2; }
	started=$SECONDS
	"step_$step"
	echo "# $step took $((SECONDS - started)) s"
done
# What passed must stand in the README: tests/systems/table.sh --write README.md puts it there.
bash "$here/table.sh" --check "$root/README.md" >"$work/table.$$" 2>&1
report $? the_README_has_a_row_of_each_system_that_passed "$work/table.$$"
rm -f "$work/table.$$"
[ $failures = 0 ]
