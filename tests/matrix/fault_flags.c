/* SPDX-License-Identifier: MIT */
/*
 * Flags that are changed behind a handle: of the description, and of the inode.
 *
 * Flow: rows of faults.c.
 */
#define _GNU_SOURCE
#include "faults.h"
#include "matrix.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The descriptor. */
static void set_flag(int fd, int set, int clear)
{
	fault_not_here(fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) | set) & ~clear) < 0);
}

void fault_append_set(int fd)
{
	set_flag(fd, O_APPEND, 0);
}

void fault_append_cleared(int fd)
{
	set_flag(fd, 0, O_APPEND);
}

void fault_direct_set(int fd)
{
	set_flag(fd, O_DIRECT, 0);
}

void fault_direct_cleared(int fd)
{
	set_flag(fd, 0, O_DIRECT);
}

/* fcntl(2) says 0 and changes neither: fs/fcntl.c, SETFL_MASK of 6.18. */
void fault_dsync_set(int fd)
{
	set_flag(fd, O_DSYNC, 0);
}

void fault_dsync_cleared(int fd)
{
	set_flag(fd, 0, O_DSYNC);
}

/* The inode. */
static void change_inode(int set)
{
	const int fd = matrix_open(matrix_directory, "pages", 0);
	int flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return fault_not_here(true);
	flags |= set;
	fault_not_here(ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0);
	close(fd);
}

void fault_inode_sync(int fd)
{
	(void)fd;
	change_inode(FS_SYNC_FL);
}

void fault_inode_append(int fd)
{
	(void)fd;
	change_inode(FS_APPEND_FL);
}

void fault_inode_immutable(int fd)
{
	(void)fd;
	change_inode(FS_IMMUTABLE_FL);
}

void fault_inode_journal(int fd)
{
	(void)fd;
	change_inode(FS_JOURNAL_DATA_FL);
}

void fault_free_inode(const char *directory)
{
	const int fd = open(directory, O_RDONLY | O_DIRECTORY);
	const int pages = openat(fd, "pages", O_RDONLY);
	int flags;

	if (pages >= 0 && ioctl(pages, FS_IOC_GETFLAGS, &flags) == 0) {
		flags &= ~(FS_SYNC_FL | FS_APPEND_FL | FS_IMMUTABLE_FL | FS_JOURNAL_DATA_FL);
		(void)ioctl(pages, FS_IOC_SETFLAGS, &flags);
	}
	close(pages);
	close(fd);
}

void fault_inode_plain(void)
{
	fault_free_inode(matrix_directory);
}
