/* SPDX-License-Identifier: MIT */
/*
 * Make a handle's file known to its journal.
 *
 * Flow: a step of open (write_open.c): the description for home writes, their shapes, and the
 * questions before them.
 */
#define _GNU_SOURCE
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys_refused.h"
#include "sys_reopen.h"

/* Unit of direct home writes where the kernel does not tell. */
#define HOME_BLOCK 4096u

/*
 * The unit of journaled pages, taken from their home writes, because a refused home write would
 * fail the file.  Whole blocks for a direct descriptor whose alignment the kernel does not tell
 * (before 6.1, and many filesystems since).  An alignment of 0 means that the kernel writes
 * buffered (ext4, data=journal).
 */
static uint32_t home_alignment(const struct atomicio_caps *caps, int status)
{
	if (!(status & O_DIRECT))
		return 1;
	if (!(caps->statx_mask & SYS_STATX_DIOALIGN))
		return HOME_BLOCK;
	return caps->offset_align ? caps->offset_align : 1;
}

/*
 * Home writes go through a description of the library's own, as direct as the caller's: O_APPEND or
 * O_DIRECT set by fcntl(2) later would move or refuse writes through the caller's.  Where no
 * description can be had, or closing it would drop the caller's POSIX locks, the caller's is looked
 * at before each write.
 */
static void open_home(struct atomicio_file *file, int status)
{
	struct journal_file *home = &file->home;
	const int flags = status & (O_ACCMODE | O_DIRECT);

	home->fd = file->caller_fd;
	home->rwf = file->plain_noappend ? SYS_RWF_NOAPPEND : 0;
	home->checks_flags = !file->plain_noappend;
	if (file->options.flags & ATOMICIO_OPEN_NO_WITNESS)
		return;
	home->fd = sys_reopen(file->sys, file->caller_fd, flags, NULL);
	home->own_fd = home->fd >= 0;
	if (!home->own_fd) {
		home->fd = file->caller_fd;
		return;
	}
	home->checks_flags = false;
	loss_add_home(&file->loss, home->fd);
}

/* Obstacles of a home write that can be asked for before (K6). */
static void prepare_claims(struct atomicio_file *file, const struct sys_statx *stat)
{
	struct journal_file *home = &file->home;

	home->grows = !file->is_device;
	home->may_be_sealed = home->grows && file->sys->seals(home->fd) >= 0;
	home->room = stat->size;
}

/* Make the file known to its journal. */
int write_attach(struct atomicio_file *file, int status)
{
	struct journal_file *home = &file->home;
	struct sys_statx stat;
	int error;

	if (!file->options.journal)
		return 0;
	if (file->caps.reasons & ATOMICIO_REASON_APPEND_ONLY)
		return -EPERM;
	if (status & O_APPEND && !file->plain_noappend)
		return -EOPNOTSUPP;
	error = sys_stat(file->sys, file->caller_fd, SYS_STATX_BASIC, &stat);
	if (error)
		return error;
	open_home(file, status);
	prepare_claims(file, &stat);
	home->loss = &file->loss;
	home->poisoned = &file->poisoned;
	home->file_id = file->options.file_id;
	memcpy(home->tag, file->options.file_tag, sizeof(home->tag));
	home->inode = file->is_device ? 0 : stat.ino;
	home->device_major = file->is_device ? stat.rdev_major : stat.dev_major;
	home->device_minor = file->is_device ? stat.rdev_minor : stat.dev_minor;
	file->home_align = home_alignment(&file->caps, status);
	error = journal_attach(file->options.journal, home);
	file->attached = !error;
	/* BH4: what was left behind goes home; an error fails the file, and is told there. */
	if (!error && home->two_ways)
		(void)journal_await_homes(file->options.journal, home, 0, UINT64_MAX);
	return error;
}
