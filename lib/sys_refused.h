/* SPDX-License-Identifier: MIT */
/*
 * Calls with a stand-in, for where a sandbox refuses them or the kernel is too old.
 *
 * Flow: next to the sys table; probe, write and journal call these where they would otherwise call
 * statx, pwritev2 (without RWF_ATOMIC) or getrandom of the table.
 *
 * Rules:
 * SR1 a refusal is told from an error of the file by a second, harmless call, and not by its
 *     number: a filter (seccomp) may answer any errno, and a sealed or append-only file gives
 *     EPERM too.
 * SR2 a stand-in keeps the promise of what it stands in for, or says -EOPNOTSUPP.
 * SR3 nothing is remembered: a process may install its filter after it has opened its files.
 */
#ifndef LIBATOMICIO_SYS_REFUSED_H
#define LIBATOMICIO_SYS_REFUSED_H

#include "sys.h"

/*
 * Does pwritev2 fail with this error, whatever is asked of it?  Asked with a call of no vectors,
 * which Linux answers with 0 before it looks at the file's seals or flags (4.6 to 7.3,
 * fs/read_write.c:vfs_writev); EBADF and EINVAL are answers of Linux itself.
 */
bool sys_refuses_pwritev2(const struct sys_calls *sys, int fd, ssize_t error);

/*
 * Write as pwritev2 does, but for RWF_ATOMIC.  Where it is refused, or knows no flags (before 4.7,
 * and gVisor, whose release is 4.4.0), by pwrite64: then RWF_DSYNC is an fdatasync after it,
 * RWF_NOWAIT is -EOPNOTSUPP, and so is O_APPEND, which pwrite64 would obey.
 */
ssize_t sys_write_at(const struct sys_calls *sys, int fd, const struct iovec *vector, int count,
		     uint64_t offset, int rwf);

/*
 * Ask statx, else fstat, which SYS_STATX_STAND_IN in out->mask says; fstat has no alignments, no
 * birth time and no claims.  Immutable and append-only are then asked of FS_IOC_GETFLAGS.
 */
int sys_stat(const struct sys_calls *sys, int fd, uint32_t mask, struct sys_statx *out);

/* Random bytes: getrandom, else /dev/urandom. */
int sys_random_bytes(const struct sys_calls *sys, void *buffer, size_t length);

#endif /* LIBATOMICIO_SYS_REFUSED_H */
