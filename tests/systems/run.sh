#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Build and test on other systems than this: other releases of Debian, processors, C libraries,
# dialects and compilers.
#
#	run.sh [STEP...]	see `steps` below; all by default
#
# Needs root, a mirror of Debian, and disk space for the roots that it keeps in build/systems/.
set -u
# shellcheck source=tests/systems/lib.sh
. "$(dirname "$0")/lib.sh"
here=$root/tests/systems
steps=(dialects musl bullseye i386 s390x trixie bookworm)

# Strict C11 and C23, by both compilers.
step_dialects() {
	local compiler standard
	for compiler in gcc clang; do
		command -v $compiler >/dev/null || { leave_out "dialects_of_$compiler" "$compiler is missing"; continue; }
		for standard in 11 23; do
			[ "$compiler" = gcc ] && [ $standard = 23 ] || [ $standard = 11 ] || [ $compiler = clang ] || continue
			compile "c$standard-$compiler" -DCMAKE_C_COMPILER=$compiler -DCMAKE_C_STANDARD=$standard \
				-DCMAKE_C_EXTENSIONS=OFF || continue
			tests "c$standard-$compiler" '^(unit|fault)/' || continue
			row "strict C$standard, $compiler" "build, unit, fault"
		done
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
	row "musl" "build without libblkid and liburing, archive, command"
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
step_i386() {
	# Lengths are 64 bits everywhere, and bounded before they become a size_t: warnings of
	# -Wconversion are no errors here.
	cross i386 i686-linux-gnu "qemu-i386-static;-L;$kept/i386" -DATOMICIO_WERROR=OFF
}
step_s390x() {
	cross s390x s390x-linux-gnu "qemu-s390x-static;-L;$kept/s390x" || return
	local theirs=$tree
	compile native -DATOMICIO_BUILD_EXAMPLES=OFF || return
	bash "$here/byte_order.sh" "$theirs" "$tree" "$kept/s390x" >"$tree.tests" 2>&1
	report $? a_journal_goes_from_one_byte_order_to_the_other "$tree.tests" &&
		row "s390x, under qemu-user" "build, unit, fault; a journal left unclean by amd64 recovered, and the reverse"
}

# What Debian 11 has: CMake 3.18, gcc 10, glibc 2.31, libblkid 2.36, liburing 0.7.
step_bullseye() {
	minbase bullseye || leave_out bullseye "no root could be made: see build/systems/bullseye.log" || return
	unpack bullseye
	inside "$place" root '
		apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev make cmake \
			pkg-config libblkid-dev liburing-dev check binutils &&
		cmake -S . -B build/old && cmake --build build/old -j 2 &&
		cd build/old && ctest -R "^(unit|fault)/" -j 2 --output-on-failure' >"$work/bullseye.log" 2>&1
	report $? bullseye_builds_and_passes_unit_and_fault "$work/bullseye.log" &&
		row "Debian 11 (CMake 3.18, libblkid 2.36, liburing 0.7)" "build, unit, fault"
	rm -rf "$place"
}

# release SUITE NAME: the README's commands, on a fresh installation, for root and an ordinary user
release() {
	minbase "$1" || leave_out "$1" "no root could be made: see build/systems/$1.log" || return
	unpack "$1"
	local log=$work/$1.log suites="--suite unit fault abi"
	[ -z "${FULL:-}" ] || suites=
	# Nothing is installed yet: an ordinary user is told what to type.
	! inside "$place" ordinary ./tests/run.sh >"$log" 2>&1 && grep -q 'type: sudo apt-get install .*cmake' "$log"
	report $? "$1_tells_an_ordinary_user_what_to_type" "$log"
	inside "$place" root "apt-get update -q && ./examples/demo.sh" >"$log" 2>&1
	report $? "$1_passes_the_demo_as_root" "$log"
	inside "$place" root "ATOMICIO_CMAKE_OPTIONS=-DATOMICIO_WERROR=ON ./tests/run.sh $suites" >"$log" 2>&1
	report $? "$1_passes_its_tests_as_root" "$log"
	chroot "$place" chown -R ordinary: /src
	inside "$place" ordinary ./examples/demo.sh >"$log" 2>&1
	report $? "$1_passes_the_demo_as_an_ordinary_user" "$log"
	inside "$place" ordinary "./tests/run.sh $suites" >"$log" 2>&1
	report $? "$1_passes_its_tests_as_an_ordinary_user" "$log"
	[ $failures = 0 ] && row "$2" "${FULL:+all suites}${FULL:-build with -Werror, unit, fault, abi, demo}; root and ordinary user"
	rm -rf "$place"
}
step_trixie() { release trixie "Debian 13"; }
step_bookworm() { release bookworm "Debian 12"; }

[ $# -gt 0 ] || set -- "${steps[@]}"
[ "$(id -u)" = 0 ] || { echo "the roots of other systems need root"; exit 77; }
for step in "$@"; do
	declare -F "step_$step" >/dev/null || { echo "there is no step $step; there are: ${steps[*]}" >&2; exit 2; }
	started=$SECONDS
	"step_$step"
	echo "# $step took $((SECONDS - started)) s"
done
[ $failures = 0 ]
