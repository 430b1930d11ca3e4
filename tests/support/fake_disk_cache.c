/* SPDX-License-Identifier: MIT */
/*
 * The cached pages of the files in memory, and the pages lost on their way (FD5).
 *
 * Flow: entries of fake_disk.c.
 */
#include "fake_disk_cache.h"

#include <errno.h>
#include <string.h>

/* The file's write-back error, and how much of it each description was told. */
static struct {
	int error;
	uint32_t count, seen; /* of all losses, and of the reported ones */
	uint32_t told[DISK_FD_MAX];
} lost;

void disk_lose(int error)
{
	lost.error = error;
	lost.count++;
}

bool disk_would_report(int fd)
{
	return lost.told[fd] != lost.count;
}

void disk_restart(void)
{
	lost.told[FAKE_FD] = lost.told[DISK_JOURNAL_FD] = lost.seen;
}

void disk_forget_losses(void)
{
	memset(&lost, 0, sizeof(lost));
}

void disk_opened_now(int fd)
{
	lost.told[fd] = lost.seen;
}

int disk_tell(int fd)
{
	if (!disk_would_report(fd))
		return 0;
	lost.told[fd] = lost.seen = lost.count;
	return lost.error;
}

int disk_enter_device(int flags, bool *buffered)
{
	if (disk.cached && (flags & SYS_RWF_NOWAIT))
		return -EAGAIN;
	if ((flags & SYS_RWF_NOWAIT) && disk.queue_full) {
		disk.queue_full--;
		return -EAGAIN;
	}
	*buffered = disk.cached && disk.drops_needed;
	if (disk.arrivals) {
		if (disk.arrivals != DISK_FOREVER)
			disk.arrivals--;
		disk.cached = !disk.arrivals_vanish;
		disk.dirty = true;
		*buffered = true;
	}
	return 0;
}

int disk_write_back(int fd, uint64_t offset, uint64_t length)
{
	const int result = fake_sys.write_back(fd, offset, length);

	disk.write_backs++;
	fake.inode_flags &= ~SYS_INODE_INLINE_DATA;
	return result ? result : disk_tell(fd);
}

int disk_start_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	disk.started++;
	disk.started_first = offset;
	disk.started_end = offset + length;
	return 0;
}

int disk_drop_cache(int fd, uint64_t offset, uint64_t length)
{
	const int result = fake_sys.drop_cache(fd, offset, length);

	disk.drops++;
	if (result == 0 && disk.drops_needed != DISK_FOREVER) {
		if (disk.drops_needed)
			disk.drops_needed--;
		if (disk.drops_needed == 0) {
			disk.cached = 0;
			disk.dirty = false;
		}
	}
	return result;
}

int disk_cachestat(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out)
{
	const int result = fake_sys.cachestat(fd, offset, length, out);

	if (result == 0)
		*out = (struct sys_cachestat){.cache = disk.cached,
					      .dirty = disk.dirty ? disk.cached : 0};
	return result;
}
