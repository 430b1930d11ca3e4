/* SPDX-License-Identifier: MIT */
/*
 * The system calls over the simulated disk: crash points, faults, and who has heard of an error.
 *
 * Flow: the library under test calls these; each write and each sync is a point where the
 * explorer may crash the machine, make the call fail, or let another thread run.
 */
#define _GNU_SOURCE
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_internal.h"

#define ARENA_SIZE (8u << 20)

static uint8_t arena[ARENA_SIZE] __attribute__((aligned(4096)));

void disk_boot(void)
{
	memset(disk.descriptions, 0, sizeof(disk.descriptions));
	disk.faulted = false;
	for (uint32_t file = 0; file < DISK_FILES; file++) {
		const uint32_t seen = disk.state.reported[file];

		if (seen != disk.state.errors[file])
			disk.faulted = true;

		disk.descriptions[DISK_FD(file)] = (struct disk_description){
			.open = true, .direct = true, .file = file, .seen = seen};
		disk.descriptions[DISK_FD_BUFFERED(file)] =
			(struct disk_description){.open = true, .file = file, .seen = seen};
	}
	disk.journal_lock = 0;
	disk.process = disk.stranger = 0;
	disk.stranger_written = false;
	disk.killed = NULL;
	memset(disk.record, 0, sizeof(disk.record));
	disk.calls = 0;
	disk.arena_used = 0;
	disk_aio_boot();
}

struct disk_description *disk_opened(int fd)
{
	assert(fd > 0 && fd < (int)DISK_DESCRIPTIONS && disk.descriptions[fd].open);
	return &disk.descriptions[fd];
}

static int fake_open(const char *path, int flags)
{
	const char *number = strncmp(path, "/proc/self/fd/", 14) == 0 ? path + 14 : NULL;
	uint32_t file;

	if (!number)
		return -ENOENT;
	file = disk_opened(atoi(number))->file;
	if (flags & O_DIRECT &&
	    ((file == DISK_JOURNAL && disk.journal_buffered) || (file == 2 && disk.cache_lies)))
		return -EINVAL;
	for (int fd = DISK_OWN_FIRST; fd < (int)DISK_DESCRIPTIONS; fd++) {
		if (disk.descriptions[fd].open)
			continue;
		disk.descriptions[fd] = (struct disk_description){
			.open = true,
			.direct = (flags & O_DIRECT) != 0,
			.file = file,
			.seen = disk.state.reported[file],
			.process = disk.process,
		};
		return fd;
	}
	return -EMFILE;
}

static int fake_close(int fd)
{
	struct disk_description *closed = disk_opened(fd);

	/* O5: nothing is given up that the kernel still uses. */
	assert(!disk_is_in_air(fd));
	closed->open = false;
	disk_share_close(fd);
	return 0;
}

static int fake_statx(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	const uint32_t file = disk_opened(fd)->file;

	(void)path;
	*out = (struct sys_statx){
		.mask = mask,
		.mode = S_IFREG | 0600,
		.nlink = 1,
		.ino = file + 1 + (file == disk.stranger ? 100 : 0),
		.size = disk.state.size[file],
		.dev_major = 8,
		.dio_mem_align = SECTOR,
		.dio_offset_align = SECTOR,
	};
	return 0;
}

static int fake_getfl(int fd)
{
	return O_RDWR | (disk_opened(fd)->direct ? O_DIRECT : 0);
}

static int fake_lock(int fd)
{
	return disk_flock(fd, false);
}

static int fake_lock_shared(int fd)
{
	return disk_flock(fd, true);
}

static int fake_unlock(int fd)
{
	if (disk.journal_lock == (uint32_t)fd)
		disk.journal_lock = 0;
	return 0;
}

static int fake_truncate(int fd, uint64_t size)
{
	disk.state.size[disk_opened(fd)->file] = size;
	return 0;
}

static ssize_t fake_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	const uint32_t file = disk_opened(fd)->file;
	const uint64_t size = disk.state.size[file];

	if (offset >= size)
		return 0;
	if (length > size - offset)
		length = size - offset;
	if (disk_opened(fd)->direct && disk_cache_lies(file, offset, length))
		disk_read_direct(file, buffer, length, offset);
	else
		memcpy(buffer, disk_seen(&disk.state, file) + offset, length);
	return (ssize_t)length;
}

/* Does this call report a failed write-back?  Once per description. */
static bool reports_error(struct disk_description *where)
{
	if (where->seen == disk.state.errors[where->file])
		return false;
	where->seen = disk.state.errors[where->file];
	disk.state.reported[where->file] = where->seen;
	return true;
}

static bool is_aligned(const struct iovec *vector, int count, uint64_t offset)
{
	for (int i = 0; i < count; i++)
		if (vector[i].iov_len % SECTOR || (uintptr_t)vector[i].iov_base % SECTOR)
			return false;
	return offset % SECTOR == 0;
}

static ssize_t fake_pwritev2(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	static uint8_t gathered[DISK_GATHER];
	struct disk_description *where = disk_opened(fd);
	struct disk_state *state = &disk.state;
	const uint8_t *bytes;
	uint64_t length;
	uint32_t call;
	bool fails, lies;

	if (count == 0) /* is there a pwritev2? */
		return 0;
	if (where->direct && !is_aligned(vector, count, offset))
		return -EINVAL;
	if (flags & SYS_RWF_ATOMIC && !where->direct)
		return -EOPNOTSUPP;
	fails = disk_enter_call(&call);
	if (call == disk.busy_call)
		return -EAGAIN;
	bytes = count == 1 ? vector->iov_base : gathered;
	length = count == 1 ? vector->iov_len : disk_gather(vector, (uint32_t)count, gathered);
	if (fails && call != disk.stop_call)
		return disk_failed_write(where->file, bytes, length, offset, flags);
	if (disk_has_no_room(where->file, offset + length))
		return -ENOSPC;
	lies = !where->direct && disk_cache_lies(where->file, offset, length);
	disk_write(state, where->file, offset, bytes, length, flags & SYS_RWF_ATOMIC);
	if (lies)
		disk_lose(state, where->file, state->pending_count - state->in_flight);
	if (call == disk.stop_call)
		disk_stop();
	if (disk_is_dying(call))
		disk_die();
	if (flags & SYS_RWF_DSYNC && !disk.server) {
		if (reports_error(where)) {
			state->in_flight = 0;
			return -EIO;
		}
		disk_sync(state, where->file,
			  disk.dsync_flushes ? 0 : state->pending_count - state->in_flight,
			  UINT32_MAX);
	}
	state->in_flight = 0;
	return (ssize_t)length;
}

int disk_ends_sync(int fd, uint32_t before, bool fails)
{
	struct disk_description *where = disk_opened(fd);

	if (fails)
		disk_lose_writeback(where->file);
	disk_sync(&disk.state, where->file, 0, before);
	return reports_error(where) ? -EIO : 0;
}

static int fake_fdatasync(int fd)
{
	uint32_t call;
	const bool fails = disk_enter_call(&call);

	disk.state.in_flight = 0;
	if (call == disk.stop_call)
		disk_stop();
	if (disk_is_dying(call) && disk.fault != FAULT_KILLED_AFTER)
		disk_die();
	if (disk_is_dying(call)) {
		(void)disk_ends_sync(fd, UINT32_MAX, false);
		disk_die();
	}
	return disk_ends_sync(fd, UINT32_MAX, fails);
}

/* sync_file_range() with WAIT reports errors as a sync does (mm/filemap.c: */
/* file_fdatawait_range, 4.13 to 7.3), but makes nothing durable. */
static int fake_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)offset;
	(void)length;
	return reports_error(disk_opened(fd)) ? -EIO : 0;
}

/* Without a wait it reports nothing. */
static int fake_start_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	return 0;
}

static void *fake_allocate(size_t alignment, size_t size)
{
	uint8_t *memory;

	disk.arena_used = (disk.arena_used + alignment - 1) & ~(alignment - 1);
	memory = arena + disk.arena_used;
	disk.arena_used += size;
	assert(disk.arena_used <= ARENA_SIZE);
	memset(memory, 0, size);
	return memory;
}

static void fake_release_memory(void *memory)
{
	(void)memory; /* the next boot takes all of it back */
}

const struct sys_calls disk_sys = {
	.open = fake_open,
	.close = fake_close,
	.statx = fake_statx,
	.getfl = fake_getfl,
	.lock = fake_lock,
	.lock_shared = fake_lock_shared,
	.unlock = fake_unlock,
	.truncate = fake_truncate,
	.pread = fake_pread,
	.pwrite = disk_pwrite,
	.pwritev2 = fake_pwritev2,
	.aio = &disk_aio,
	.share = &disk_share,
	.fdatasync = fake_fdatasync,
	.write_back = fake_write_back,
	.start_write_back = fake_start_write_back,
	.drop_cache = disk_drop_cache,
	.cachestat = disk_cachestat,
	.keep_blocks = disk_keep_blocks,
	.seals = disk_seals,
	.seek = disk_seek,
	.fs_magic = disk_fs_magic,
	.mount_flags = disk_mount_flags,
	.inode_flags = disk_inode_flags,
	.file_size_limit = disk_file_size_limit,
	.populate = disk_populate,
	.sleep_us = disk_sleep_us,
	.random = disk_random,
	.allocate = fake_allocate,
	.getpid = disk_getpid,
	.release_memory = fake_release_memory,
};
