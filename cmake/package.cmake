# SPDX-License-Identifier: MIT
# What cpack does: Debian packages libatomicio0.1, libatomicio-dev, atomicio-tools and, where
# libfuse3 is found, atomicio-crash, and, where SQLite is, libsqlite3-mod-atomicio.
#
#	eval "$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=sh)"
#	export CFLAGS="$CFLAGS $CPPFLAGS"	# CMake knows no CPPFLAGS
#	cmake -S . -B build/deb -DCMAKE_INSTALL_PREFIX=/usr -DATOMICIO_BUILD_TESTS=OFF
#	cmake --build build/deb
#	(cd build/deb && cpack)
#
# CPack's own Debian generator adds scripts that call ldconfig, which Debian forbids, and knows
# no symbols file.  So cpack calls cmake/debian/build.sh, which uses Debian's own tools.
set(CPACK_GENERATOR External)
set(CPACK_PACKAGE_NAME ${PROJECT_NAME})
set(CPACK_PACKAGE_VENDOR "The libatomicio authors")
set(CPACK_EXTERNAL_PACKAGE_SCRIPT ${PROJECT_BINARY_DIR}/package_script.cmake)
configure_file(cmake/package_script.cmake.in package_script.cmake @ONLY)
include(CPack)
