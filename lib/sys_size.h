/* SPDX-License-Identifier: MIT */
/*
 * The largest size that a file can have.
 *
 * Flow: next to the sys table; asked once, at open, through a description of our own.
 */
#ifndef LIBATOMICIO_SYS_SIZE_H
#define LIBATOMICIO_SYS_SIZE_H

#include "sys.h"

/*
 * The kernel cuts a write at the filesystem's largest size (fs/read_write.c:
 * generic_write_check_limits; ext4 without extents: ext4_generic_write_checks), and lseek(2)
 * refuses every offset beyond the same size with EINVAL (generic_file_llseek, ext4_llseek; 6.11 to
 * 7.3).  A seek does no I/O and waits for nothing, but moves the cursor: `fd` must be a description
 * of our own.
 *
 * Returns the size; INT64_MAX: no limit, or an unknown limit.
 */
uint64_t sys_largest_size(const struct sys_calls *sys, int fd);

#endif /* LIBATOMICIO_SYS_SIZE_H */
