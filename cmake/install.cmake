# SPDX-License-Identifier: MIT
# Install, in three components: runtime (the shared library), dev, and tools.  A parent project gets
# the first alone, for its own programs to run, unless it sets ATOMICIO_INSTALL.
if(NOT ATOMICIO_INSTALL)
	install(TARGETS atomicio LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
		NAMELINK_SKIP)
	return()
endif()

include(CMakePackageConfigHelpers)
install(TARGETS atomicio EXPORT libatomicio-targets
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
install(TARGETS atomicio_static EXPORT libatomicio-targets
	ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/libatomicio DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	COMPONENT dev FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples
	DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libatomicio-dev
	COMPONENT dev FILES_MATCHING PATTERN "*.c")
install(FILES ${PROJECT_SOURCE_DIR}/README.md
	DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libatomicio-dev COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/doc
	DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libatomicio-dev COMPONENT dev)

# pkg-config.  Directories follow the prefix, so that the tree can be moved, unless absolute.
# The private libraries are named, and not their .pc files: no header of ours needs theirs.
foreach(kind LIBDIR INCLUDEDIR)
	set(ATOMICIO_PC_${kind} "\${prefix}/${CMAKE_INSTALL_${kind}}")
	if(IS_ABSOLUTE "${CMAKE_INSTALL_${kind}}")
		set(ATOMICIO_PC_${kind} "${CMAKE_INSTALL_${kind}}")
	endif()
endforeach()
set(ATOMICIO_PC_PRIVATE)
foreach(needed IN LISTS ATOMICIO_PLAIN_LIBRARIES)
	string(APPEND ATOMICIO_PC_PRIVATE " -l${needed}")
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/libatomicio.pc.in ${PROJECT_BINARY_DIR}/libatomicio.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/libatomicio.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

set(ATOMICIO_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/libatomicio)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/libatomicio-config.cmake.in
	${PROJECT_BINARY_DIR}/libatomicio-config.cmake INSTALL_DESTINATION ${ATOMICIO_CMAKE_DIR})
# From 1.0 on, a minor only adds; before, it may break.
set(ATOMICIO_COMPATIBILITY SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
	set(ATOMICIO_COMPATIBILITY SameMinorVersion)
endif()
write_basic_package_version_file(${PROJECT_BINARY_DIR}/libatomicio-config-version.cmake
	COMPATIBILITY ${ATOMICIO_COMPATIBILITY})
install(EXPORT libatomicio-targets NAMESPACE libatomicio:: DESTINATION ${ATOMICIO_CMAKE_DIR}
	COMPONENT dev)
install(FILES ${PROJECT_BINARY_DIR}/libatomicio-config.cmake
	${PROJECT_BINARY_DIR}/libatomicio-config-version.cmake DESTINATION ${ATOMICIO_CMAKE_DIR}
	COMPONENT dev)
add_subdirectory(${PROJECT_SOURCE_DIR}/man ${PROJECT_BINARY_DIR}/man)
