/* SPDX-License-Identifier: MIT */
/*
 * Record locks and a mapped page, for processes that share a file: a part of the system table.
 *
 * Flow: below journal_share.c, its only user; sys.h has the rules.
 *
 * A record lock (F_SETLK) belongs to the process.  A child does not inherit the lock, and the lock
 * ends with the process, even if another process has copies of the descriptors.  But any close of
 * the file by the process drops the lock, too.  A description's lock (F_OFD_SETLK, 3.15) is dropped
 * only by the last close of the description, and a forked child holds the lock as well.
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
	/*
	 * Lock one byte for the process. -EAGAIN: another process has the lock; with `wait`,
	 * -EINTR.
	 */
	int (*record_lock)(int fd, uint64_t at, enum sys_lock lock, bool wait);
	/* 1: another process has a record lock on the byte; 0: no other process has. */
	int (*is_record_locked)(int fd, uint64_t at);
	/* Lock one byte for the description. */
	int (*own_lock)(int fd, uint64_t at, enum sys_lock lock, bool wait);
	/* Map a part of a file for reading, shared, and keep it in memory: no reclaim drops it.
	 * -ENOMEM: RLIMIT_MEMLOCK, too. */
	int (*map)(int fd, uint64_t offset, size_t length, const void **mapped);
	void (*unmap)(const void *mapped, size_t length);
	/*
	 * Take SYS_SHARE_MARK bytes of memory.  The first word is 1 in this process and 0 in a
	 * forked child, and costs no system call.  NULL: not on this kernel.
	 */
	const uint32_t *(*mark_process)(void);
};

#define SYS_SHARE_MARK 4096u

/* The size of a page of memory, the unit of mappings. */
long sys_share_page_size(void);

#endif /* LIBATOMICIO_SYS_SHARE_H */
