/* SPDX-License-Identifier: MIT */
/*
 * The trouble of the journal's own file: trouble_machine.h, with replaced calls where a memfd
 * cannot refuse.
 *
 * Flow: included by the tests of the journal's own file; each has a machine of its own.
 */
#ifndef OWN_MACHINE_H
#define OWN_MACHINE_H

#include <fcntl.h>

#include "trouble_machine.h"

static struct {
	int open_error;	       /* of every open */
	int own_write_error;   /* of every write to the journal */
	uint32_t own_writes;   /* made */
	uint32_t noappends;    /* of them, with RWF_NOAPPEND */
	uint32_t dies_after;   /* dies after this many writes; 0: never */
	uint32_t headers;      /* written */
	uint32_t header_fails; /* from this write on all are made, and give -EIO; 0: none */
	uint32_t own_syncs;
	uint32_t interrupts;	   /* number of file syncs that give -EINTR first */
	uint64_t bad_from, bad_to; /* of the journal cannot be read */
	uint64_t low, high;	   /* of writes to the log area */
	uint32_t magic, flags;	   /* of the filesystem, and the inode */
	int flag_error;
	bool excluded; /* by O_EXCL */
	bool hangs;    /* every write of a header */
} own;

static inline bool is_journal(int fd)
{
	struct stat stat, journals;

	return fstat(fd, &stat) == 0 && fstat(journal_fd, &journals) == 0 &&
	       stat.st_ino == journals.st_ino;
}

static inline int open_or_not(const char *path, int flags)
{
	if (own.open_error)
		return own.open_error;
	if (own.excluded && flags & O_EXCL)
		return -EBUSY;
	return sys_linux.open(path, flags & ~O_EXCL);
}

/* A memfd keeps no promise: where an emulator has no pwritev2, pwrite will do. */
static inline ssize_t memfd_write(int fd, const struct iovec *vector, int count, uint64_t offset,
				  int flags)
{
	const ssize_t result = sys_linux.pwritev2(fd, vector, count, offset, flags);
	ssize_t done = 0;

	if (result != -ENOSYS)
		return result;
	for (int i = 0; i < count; i++)
		done += sys_linux.pwrite(fd, vector[i].iov_base, vector[i].iov_len,
					 offset + (uint64_t)done);
	return done;
}

static inline ssize_t own_write(int fd, const struct iovec *vector, int count, uint64_t offset,
				int flags)
{
	if (!count || !is_journal(fd))
		return troubled_write(fd, vector, count, offset, flags);
	if (own.own_write_error)
		return own.own_write_error;
	if (own.dies_after && own.own_writes == own.dies_after)
		return -EIO;
	own.own_writes++;
	own.noappends += (flags & SYS_RWF_NOAPPEND) != 0;
	if (own.hangs && offset < JOURNAL_RING_START)
		hang(&own.hangs);
	if (offset < JOURNAL_RING_START && ++own.headers >= own.header_fails && own.header_fails) {
		(void)memfd_write(fd, vector, count, offset, flags);
		return -EIO;
	}
	if (offset >= JOURNAL_RING_START) {
		const uint64_t end = offset + vector->iov_len;

		ck_assert(end <= own.bad_from || offset >= own.bad_to);
		own.low = offset < own.low ? offset : own.low;
		own.high = end > own.high ? end : own.high;
	}
	return memfd_write(fd, vector, count, offset, flags);
}

static inline ssize_t own_read(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (offset < own.bad_to && offset + length > own.bad_from && is_journal(fd))
		return -EIO;
	return sys_linux.pread(fd, buffer, length, offset);
}

static inline int interrupted_sync(int fd)
{
	own.own_syncs += is_journal(fd);
	if (!is_journal(fd) && own.interrupts) {
		own.interrupts--;
		return -EINTR;
	}
	return troubled_sync(fd);
}

static inline int own_magic(int fd, uint32_t *magic)
{
	if (!own.magic)
		return sys_linux.fs_magic(fd, magic);
	*magic = own.magic;
	return 0;
}

static inline int own_flags(int fd, uint32_t *flags)
{
	(void)fd;
	*flags = own.flags;
	return own.flag_error;
}

static inline int set_own_flags(int fd, uint32_t flags)
{
	struct stat stat;

	ck_assert_int_eq(fstat(fd, &stat), 0);
	ck_assert_int_eq(stat.st_size, 0); /* NOCOW cannot be given to any other */
	own.flags = flags;
	return own.flag_error;
}

static inline void own_setup(void)
{
	setup();
	memset(&own, 0, sizeof(own));
	own.low = UINT64_MAX;
	calls.open = open_or_not;
	calls.pwritev2 = own_write;
	calls.pread = own_read;
	calls.fdatasync = interrupted_sync;
	calls.fs_magic = own_magic;
	calls.inode_flags = own_flags;
	calls.set_inode_flags = set_own_flags;
}

/* The leftovers of a killed process, with a page of file 0. */
static inline void leave_page(int value)
{
	static uint8_t bytes[JOURNAL_RING_START + 8 * FRAME];

	ck_assert_int_eq(write_page(0, 1, value), 0);
	ck_assert_int_eq(pread(journal_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	end_process();
	ck_assert_int_eq(pwrite(journal_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
}

#endif /* OWN_MACHINE_H */
