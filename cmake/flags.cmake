# SPDX-License-Identifier: MIT
# What every file of the project is compiled with: the target atomicio_flags, which is no user's.
add_library(atomicio_flags INTERFACE)
target_compile_options(atomicio_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion
	-Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla)
target_compile_options(atomicio_flags INTERFACE
	-ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -ffile-prefix-map=${PROJECT_BINARY_DIR}=build
	-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
# Linux's own calls also where the C standard is asked for strictly, and files beyond 2 GiB on
# 32-bit machines.  No public header has an off_t, so neither is a user's business.
target_compile_definitions(atomicio_flags INTERFACE "_GNU_SOURCE=" _FILE_OFFSET_BITS=64)
foreach(part BLKID URING)
	if(NOT ATOMICIO_${part})
		target_compile_definitions(atomicio_flags INTERFACE ATOMICIO_NO_${part})
	endif()
endforeach()
if(ATOMICIO_WERROR)
	target_compile_options(atomicio_flags INTERFACE -Werror)
endif()
if(ATOMICIO_SANITIZE)
	target_compile_options(atomicio_flags INTERFACE -fsanitize=${ATOMICIO_SANITIZE}
		-fno-sanitize-recover=all -fno-omit-frame-pointer)
	target_link_options(atomicio_flags INTERFACE -fsanitize=${ATOMICIO_SANITIZE})
endif()
if(ATOMICIO_COVERAGE)
	target_compile_options(atomicio_flags INTERFACE --coverage -O0)
	target_link_options(atomicio_flags INTERFACE --coverage)
endif()
