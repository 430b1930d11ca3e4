/* SPDX-License-Identifier: MIT */
/*
 * Another description of a file that is open.
 *
 * Flow: next to the sys table; makes the witness, the direct description of a buffered file, and
 * the descriptions for home writes and recovery.
 */
#ifndef LIBATOMICIO_SYS_REOPEN_H
#define LIBATOMICIO_SYS_REOPEN_H

#include "sys.h"

/* Are both answers of sys_stat() of one file? */
bool sys_is_same(const struct sys_statx *a, const struct sys_statx *b);

/*
 * Open the file behind fd once more, with the flags of open(2).  /proc leads to the very file, also
 * after a rename or unlink; inode and device are compared all the same, because /proc may be
 * somebody's own.  `theirs` is the answer of sys_stat() for fd; NULL: fd is asked.
 *
 * Returns a descriptor, the caller's to close, or a negative errno: -ESTALE: another file.
 */
int sys_reopen(const struct sys_calls *sys, int fd, int flags, const struct sys_statx *theirs);

#endif /* LIBATOMICIO_SYS_REOPEN_H */
