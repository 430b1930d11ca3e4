/* SPDX-License-Identifier: MIT */
/*
 * The journal's own file: fit for a journal, and in nobody else's use?
 *
 * Flow: used by create and open, before anything is read or written.  The file meets the same
 * O_APPEND, limits and second openers as the files under its protection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "journal_internal.h"
#include "sys_refused.h"
#include "sys_reopen.h"

/* Can `fd`, with O_DIRECT, be read and written in blocks of ours, past the cache? */
bool journal_fits_direct(const struct sys_calls *sys, int fd, uint32_t *align)
{
	struct sys_statx stat;

	if (sys_stat(sys, fd, SYS_STATX_BASIC | SYS_STATX_DIOALIGN, &stat))
		return false;
	*align = JOURNAL_BLOCK;
	if (!(stat.mask & SYS_STATX_DIOALIGN)) /* before 6.1; tmpfs ignores O_DIRECT */
		return !journal_is_volatile(sys, fd);
	*align = stat.dio_offset_align; /* 0: through the cache in spite of O_DIRECT */
	return *align && *align <= JOURNAL_BLOCK && stat.dio_mem_align &&
	       stat.dio_mem_align <= JOURNAL_BLOCK;
}

/*
 * A description for our own use, direct where possible.  A block device is opened O_EXCL: a flock
 * belongs to the node, and a device may have many nodes, but O_EXCL is refused with -EBUSY while
 * the device is mounted, or another journal's, whatever the node (block/bdev.c:bd_may_claim, 6.18).
 * Without /proc, or the right to open, the caller's description will do, unless it has O_APPEND:
 * every frame would go to the end of the file.
 */
int journal_open_own(const struct sys_calls *sys, int fd, bool *direct)
{
	struct sys_statx stat;
	uint32_t align;
	int own, status, flags = O_RDWR;
	const bool known = sys_stat(sys, fd, SYS_STATX_BASIC, &stat) == 0;

	*direct = false;
	if (known && S_ISBLK(stat.mode))
		flags |= O_EXCL;
	own = sys_reopen(sys, fd, flags | O_DIRECT, known ? &stat : NULL);
	if (own >= 0) {
		*direct = journal_fits_direct(sys, own, &align);
		if (*direct)
			return own;
		sys->close(own);
	}
	own = sys_reopen(sys, fd, flags, known ? &stat : NULL);
	if (own >= 0 || own == -EBUSY)
		return own;
	status = sys->getfl(fd);
	if (status < 0)
		return status;
	return status & O_APPEND ? -EOPNOTSUPP : fd;
}

void journal_close_own(const struct sys_calls *sys, int own, int fd)
{
	if (own == fd)
		sys->unlock(fd);
	else
		sys->close(own);
}

/* Is fd fit for a journal?  Its mode and size. */
int journal_size_of(const struct sys_calls *sys, int fd, uint32_t *mode, uint64_t *size)
{
	struct sys_statx stat;
	const int error = sys_stat(sys, fd, SYS_STATX_BASIC, &stat);

	if (error)
		return error;
	*mode = stat.mode & S_IFMT;
	*size = stat.size;
	if (*mode == S_IFBLK)
		return sys->device_size(fd, size);
	return *mode == S_IFREG ? 0 : -EINVAL;
}

int journal_check_fd(const struct sys_calls *sys, int fd, uint32_t *mode, uint64_t *size)
{
	const int status = sys->getfl(fd);

	if (status < 0)
		return status;
	if ((status & O_ACCMODE) != O_RDWR || status & O_PATH)
		return -EBADF;
	return journal_size_of(sys, fd, mode, size);
}

int journal_check_append(const struct atomicio_journal *journal)
{
	int status;

	if (journal->fd != journal->caller_fd)
		return 0;
	status = journal->sys->getfl(journal->fd);
	if (status < 0)
		return status;
	return status & O_APPEND ? -EOPNOTSUPP : 0;
}

int journal_check_limit(const struct atomicio_journal *journal, uint64_t end)
{
	const int error = journal_check_append(journal);
	uint64_t limit;

	if (error)
		return error;
	if (!journal->is_file || journal->sys->file_size_limit(&limit))
		return 0;
	return end > limit ? -EFBIG : 0;
}
