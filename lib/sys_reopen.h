/* SPDX-License-Identifier: MIT */
/*
 * Another description of a file that is open.
 *
 * Flow: next to the sys table; the witness, the direct description of a buffered file, those of
 * home writes and of recovery are made here.
 */
#ifndef LIBATOMICIO_SYS_REOPEN_H
#define LIBATOMICIO_SYS_REOPEN_H

#include "sys.h"

/*
 * Open the file behind fd once more, with the flags of open(2).  /proc leads to the very file, also
 * if it was renamed or unlinked; inode and device are compared all the same, for /proc may be
 * somebody's own.  `theirs` is what sys_stat() said of fd; NULL: it is asked.
 *
 * Returns a descriptor, the caller's to close, or a negative errno: -ESTALE: another file.
 */
int sys_reopen(const struct sys_calls *sys, int fd, int flags, const struct sys_statx *theirs);

#endif /* LIBATOMICIO_SYS_REOPEN_H */
