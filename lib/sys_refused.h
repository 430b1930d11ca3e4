/* SPDX-License-Identifier: MIT */
/*
 * Calls with a stand-in, for a sandbox that refuses the call or a kernel that is too old.
 *
 * Flow: next to the sys table; probe, write and journal call these in place of the table's statx,
 * pwritev2 (without RWF_ATOMIC) and getrandom.
 *
 * Rules:
 * SR1 a refusal is told from an error of the file by a second, harmless call, and not by its
 *     number: a filter (seccomp) may answer any errno, and a sealed or append-only file gives EPERM
 *     too.
 * SR2 a stand-in keeps the promise of the call it replaces, or says -EOPNOTSUPP.
 * SR3 nothing is remembered: a process may install a filter after opening its files.
 */
#ifndef LIBATOMICIO_SYS_REFUSED_H
#define LIBATOMICIO_SYS_REFUSED_H

#include "sys.h"

/*
 * Does every pwritev2 fail with this error?  Checked by a call of no vectors, which Linux answers
 * with 0 before a look at the file's seals or flags (4.6 to 7.3, fs/read_write.c:vfs_writev); EBADF
 * and EINVAL are answers of Linux itself.
 */
bool sys_refuses_pwritev2(const struct sys_calls *sys, int fd, ssize_t error);

/*
 * Write as pwritev2 does, except RWF_ATOMIC.  Where pwritev2 is refused, or knows no flags (before
 * 4.7, and gVisor, whose release is 4.4.0), write by pwrite64: RWF_DSYNC becomes an fdatasync
 * afterwards.  RWF_NOWAIT gives -EOPNOTSUPP, like O_APPEND, which pwrite64 would obey.
 */
ssize_t sys_write_at(const struct sys_calls *sys, int fd, const struct iovec *vector, int count,
		     uint64_t offset, int rwf);

/*
 * Ask statx, else fstat (marked by SYS_STATX_STAND_IN in out->mask), which has no alignments, no
 * birth time and no claims.  Immutable and append-only then come from FS_IOC_GETFLAGS.
 */
int sys_stat(const struct sys_calls *sys, int fd, uint32_t mask, struct sys_statx *out);

/* Random bytes: getrandom, else /dev/urandom. */
int sys_random_bytes(const struct sys_calls *sys, void *buffer, size_t length);

#endif /* LIBATOMICIO_SYS_REFUSED_H */
