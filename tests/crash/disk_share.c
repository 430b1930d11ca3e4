/* SPDX-License-Identifier: MIT */
/*
 * Several processes over the simulated disk: locks, and the shared page.
 *
 * Flow: a part of the system table of disk_sys.c.  disk.process makes the calls.  Processes run one
 * after the other, and none ever waits for a lock: a wait is a bug of the library.
 *
 * The page behind the journal is in the page cache: written at once, kept when a process is
 * killed.  A power cut may come before or after the page's write-back.  The simulation always
 * writes back, the harder case: the library must not believe an old page that looks good.
 */
#include <errno.h>
#include <string.h>

#include "disk_internal.h"
#include "journal_share.h"
#include "sys_share.h"

static uint32_t bit_of(uint64_t at)
{
	assert(at >= JOURNAL_LOCK_DOOR && at - JOURNAL_LOCK_DOOR < DISK_RECORDS);
	return (uint32_t)(at - JOURNAL_LOCK_DOOR);
}

void disk_share_close(int fd)
{
	struct disk_description *closed = &disk.descriptions[fd];

	if (disk.journal_lock == (uint32_t)fd)
		disk.journal_lock = 0;
	closed->flock_shared = false;
	closed->locked = 0;
	/* Any close drops the record locks of the process. */
	if (closed->file == DISK_JOURNAL)
		memset(disk.record[disk.process], 0, sizeof(disk.record[disk.process]));
}

int disk_flock(int fd, bool shared)
{
	if (disk.journal_lock && disk.journal_lock != (uint32_t)fd)
		return -EWOULDBLOCK;
	for (int other = 0; other < (int)DISK_DESCRIPTIONS && !shared; other++)
		if (other != fd && disk.descriptions[other].open &&
		    disk.descriptions[other].flock_shared)
			return -EWOULDBLOCK;
	if (!shared)
		disk.journal_lock = (uint32_t)fd;
	disk.descriptions[fd].flock_shared = shared;
	return 0;
}

ssize_t disk_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	const uint32_t file = disk_opened(fd)->file;
	uint32_t call;

	assert(file == DISK_JOURNAL && offset + length <= DISK_JOURNAL_SIZE);
	(void)disk_enter_call(&call);
	disk.state.in_flight = 0;
	if (call == disk.stop_call)
		disk_stop();
	/* A copy into one page is made or not. */
	if (disk_is_dying(call) && disk.fault == FAULT_KILLED_BEFORE)
		disk_die();
	if (offset + length > disk.state.size[file])
		disk.state.size[file] = offset + length;
	memcpy(disk_seen(&disk.state, file) + offset, buffer, length);
	memcpy(disk_durable(&disk.state, file) + offset, buffer, length);
	if (disk_is_dying(call))
		disk_die();
	return (ssize_t)length;
}

static int fake_record_lock(int fd, uint64_t at, enum sys_lock lock, bool wait)
{
	const uint32_t bit = bit_of(at);

	(void)disk_opened(fd);
	for (uint32_t other = 0; other < DISK_PROCESSES; other++) {
		const uint8_t theirs = disk.record[other][bit];

		if (other == disk.process || !theirs || lock == SYS_UNLOCK ||
		    (lock == SYS_LOCK_READ && theirs == SYS_LOCK_READ))
			continue;
		assert(!wait);
		return -EAGAIN;
	}
	disk.record[disk.process][bit] = (uint8_t)lock;
	return 0;
}

static int fake_is_record_locked(int fd, uint64_t at)
{
	(void)disk_opened(fd);
	for (uint32_t other = 0; other < DISK_PROCESSES; other++)
		if (other != disk.process && disk.record[other][bit_of(at)])
			return 1;
	return 0;
}

static int fake_own_lock(int fd, uint64_t at, enum sys_lock lock, bool wait)
{
	const uint32_t mask = 1u << bit_of(at);
	struct disk_description *where = disk_opened(fd);

	where->locked &= ~mask;
	if (lock == SYS_UNLOCK)
		return 0;
	for (int other = 0; other < (int)DISK_DESCRIPTIONS; other++)
		if (disk.descriptions[other].open && disk.descriptions[other].locked & mask) {
			assert(!wait);
			return -EAGAIN;
		}
	where->locked |= mask;
	return 0;
}

static int fake_map(int fd, uint64_t offset, size_t length, const void **mapped)
{
	const uint32_t file = disk_opened(fd)->file;

	assert(offset + length <= disk.state.size[file]);
	*mapped = disk_seen(&disk.state, file) + offset;
	return 0;
}

static void fake_unmap(const void *mapped, size_t length)
{
	(void)mapped;
	(void)length;
}

static const uint32_t *fake_mark_process(void)
{
	return NULL; /* one memory for all processes of the simulation */
}

const struct sys_share_calls disk_share = {
	.record_lock = fake_record_lock,
	.is_record_locked = fake_is_record_locked,
	.own_lock = fake_own_lock,
	.map = fake_map,
	.unmap = fake_unmap,
	.mark_process = fake_mark_process,
};
