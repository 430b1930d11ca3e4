# SPDX-License-Identifier: MIT
# The libraries that ours may use: ATOMICIO_LIBRARIES are targets, and ATOMICIO_PLAIN_LIBRARIES the
# names that a static link needs.  One sentence for each that is missing or too old.
set(ATOMICIO_LIBRARIES)
set(ATOMICIO_PLAIN_LIBRARIES)
if(ATOMICIO_BLKID OR ATOMICIO_URING OR ATOMICIO_BUILD_TESTS)
	find_package(PkgConfig)
	if(NOT PKG_CONFIG_FOUND)
		message(FATAL_ERROR "pkg-config is missing: install the Debian package pkg-config.")
	endif()
endif()

# atomicio_require(PREFIX MODULE VERSION PACKAGE ADVICE): the target PkgConfig::PREFIX
function(atomicio_require prefix module version package advice)
	pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module}>=${version})
	if(${prefix}_FOUND)
		return()
	endif()
	pkg_check_modules(${prefix}_ANY QUIET ${module})
	if(${prefix}_ANY_FOUND)
		message(FATAL_ERROR "${module} is ${${prefix}_ANY_VERSION}, older than ${version}: "
			"install a newer ${package}${advice}.")
	endif()
	message(FATAL_ERROR
		"${module} is missing: install the Debian package ${package}${advice}.")
endfunction()

# The floors are what Debian 11 has: all that is used was there before.
if(ATOMICIO_BLKID)
	atomicio_require(ATOMICIO_PC_BLKID blkid 2.36 libblkid-dev
		", or configure with -DATOMICIO_BLKID=OFF")
	list(APPEND ATOMICIO_LIBRARIES PkgConfig::ATOMICIO_PC_BLKID)
	list(APPEND ATOMICIO_PLAIN_LIBRARIES blkid)
endif()
if(ATOMICIO_URING)
	atomicio_require(ATOMICIO_PC_URING liburing 0.7 liburing-dev
		", or configure with -DATOMICIO_URING=OFF")
	list(APPEND ATOMICIO_LIBRARIES PkgConfig::ATOMICIO_PC_URING)
	list(APPEND ATOMICIO_PLAIN_LIBRARIES uring)
endif()
if(ATOMICIO_BUILD_TESTS)
	atomicio_require(ATOMICIO_PC_CHECK check 0.10 check
		", or configure with -DATOMICIO_BUILD_TESTS=OFF")
endif()

# Machines without 64-bit atomic instructions (i486, armel, mips) have them in a library.
include(CheckCSourceCompiles)
set(atomicio_atomics "#include <stdatomic.h>
#include <stdint.h>
static _Atomic uint64_t n;
int main(void) { atomic_fetch_add(&n, 1); return (int)atomic_load(&n); }")
check_c_source_compiles("${atomicio_atomics}" ATOMICIO_HAVE_ATOMICS)
if(NOT ATOMICIO_HAVE_ATOMICS)
	set(CMAKE_REQUIRED_LIBRARIES atomic)
	check_c_source_compiles("${atomicio_atomics}" ATOMICIO_HAVE_LIBATOMIC)
	unset(CMAKE_REQUIRED_LIBRARIES)
	if(NOT ATOMICIO_HAVE_LIBATOMIC)
		message(FATAL_ERROR "64-bit atomic operations are missing: install the compiler's "
			"libatomic.")
	endif()
	list(APPEND ATOMICIO_LIBRARIES atomic)
	list(APPEND ATOMICIO_PLAIN_LIBRARIES atomic)
endif()

# Before glibc 2.34 (Debian 11) the mutexes are in a library of their own.
find_package(Threads REQUIRED)
if(CMAKE_THREAD_LIBS_INIT)
	list(APPEND ATOMICIO_LIBRARIES pthread)
	list(APPEND ATOMICIO_PLAIN_LIBRARIES pthread)
endif()

# Static probes for bpftrace and perf, where <sys/sdt.h> is there (Debian: systemtap-sdt-dev).
include(CheckIncludeFile)
check_include_file(sys/sdt.h ATOMICIO_HAVE_SDT)
set(ATOMICIO_SDT OFF)
if(ATOMICIO_TRACE STREQUAL ON AND NOT ATOMICIO_HAVE_SDT)
	message(FATAL_ERROR "sys/sdt.h is missing: install the Debian package systemtap-sdt-dev.")
elseif(ATOMICIO_TRACE AND ATOMICIO_HAVE_SDT)
	set(ATOMICIO_SDT ON)
endif()
