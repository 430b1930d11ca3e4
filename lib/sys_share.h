/* SPDX-License-Identifier: MIT */
/*
 * What processes need to share a file: record locks and a mapped page, as a part of the system
 * table.
 *
 * Flow: below journal_share.c, its only user; sys.h has the rules.
 *
 * A record lock (F_SETLK) is the process's: a child does not inherit it, and it is gone when the
 * process is, whoever else has its descriptors; but any close of that file by the process drops
 * it, too.  A description's lock (F_OFD_SETLK, 3.15) is dropped by the last close of that
 * description alone, and a forked child holds it as well.
 */
#ifndef LIBATOMICIO_SYS_SHARE_H
#define LIBATOMICIO_SYS_SHARE_H

#include "sys.h"

enum sys_lock {
	SYS_UNLOCK,
	SYS_LOCK_READ,
	SYS_LOCK_WRITE,
};

struct sys_share_calls {
	/* One byte, the process's.  -EAGAIN: another process has it; with `wait`, -EINTR. */
	int (*record_lock)(int fd, uint64_t at, enum sys_lock lock, bool wait);
	/* 1: another process has a record lock there, 0: none has. */
	int (*is_record_locked)(int fd, uint64_t at);
	/* One byte, the description's. */
	int (*own_lock)(int fd, uint64_t at, enum sys_lock lock, bool wait);
	/* Map a part of a file for reading, shared, and keep it in memory: no reclaim drops it.
	 * -ENOMEM: RLIMIT_MEMLOCK, too. */
	int (*map)(int fd, uint64_t offset, size_t length, const void **mapped);
	void (*unmap)(const void *mapped, size_t length);
};

/* Of memory, and so of a mapping. */
long sys_share_page_size(void);

#endif /* LIBATOMICIO_SYS_SHARE_H */
