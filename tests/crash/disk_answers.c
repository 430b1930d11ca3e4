/* SPDX-License-Identifier: MIT */
/*
 * Calls of the system table with one answer: the disk's filesystem and machine.
 *
 * Flow: a part of the system table of disk_sys.c.
 */
#include <errno.h>
#include <string.h>

#include "disk_internal.h"
#include "sys_magic.h"

int disk_fs_magic(int fd, uint32_t *magic)
{
	(void)fd;
	*magic = disk.server ? SYS_MAGIC_FUSE : SYS_MAGIC_XFS;
	return 0;
}

int disk_mount_flags(int fd, uint64_t *flags)
{
	(void)fd;
	*flags = 0;
	return 0;
}

int disk_inode_flags(int fd, uint32_t *flags)
{
	(void)fd;
	*flags = 0;
	return 0;
}

int disk_keep_blocks(int fd, uint64_t offset, uint64_t length)
{
	if (!disk.full)
		return -EOPNOTSUPP;
	return disk_has_no_room(disk_opened(fd)->file, offset + length) ? -ENOSPC : 0;
}

int disk_seek(int fd, uint64_t offset)
{
	(void)fd;
	(void)offset;
	return 0;
}

int disk_seals(int fd)
{
	(void)fd;
	return -EINVAL;
}

int disk_file_size_limit(uint64_t *limit)
{
	*limit = UINT64_MAX;
	return 0;
}

int disk_populate(const void *start, size_t length)
{
	(void)start;
	(void)length;
	return 0;
}

void disk_sleep_us(uint32_t microseconds)
{
	(void)microseconds;
}

int disk_random(void *buffer, size_t length)
{
	memset(buffer, 0x40 + (int)++disk.state.randoms, length);
	return 0;
}

int disk_getpid(void)
{
	return 1 + (int)disk.process;
}
