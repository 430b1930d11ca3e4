/* SPDX-License-Identifier: MIT */
/*
 * The calls over the journal in memory.  See memory_sys.h.
 */
#define _GNU_SOURCE
#include "memory_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct memory memory;

static int memory_open(const char *path, int flags)
{
	(void)path;
	(void)flags;
	return -ENOENT; /* no /proc: the caller's descriptor will do */
}

static int memory_close(int fd)
{
	(void)fd;
	return 0;
}

static int memory_statx(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	(void)path;
	*out = (struct sys_statx){
		.mask = mask, .mode = S_IFREG, .size = memory.size, .ino = (uint64_t)fd};
	return 0;
}

static int memory_getfl(int fd)
{
	(void)fd;
	return O_RDWR;
}

static int memory_lock(int fd)
{
	(void)fd;
	return 0;
}

static int memory_truncate(int fd, uint64_t size)
{
	(void)fd;
	memory.size = size;
	return 0;
}

static struct {
	uint8_t bytes[MEMORY_SIZE];
	uint64_t offset, length;
	int fd;
} home;

static ssize_t home_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (fd != home.fd || offset < home.offset || offset - home.offset >= home.length)
		return 0;
	if (length > home.length - (offset - home.offset))
		length = home.length - (offset - home.offset);
	memcpy(buffer, home.bytes + (offset - home.offset), length);
	return (ssize_t)length;
}

/* A run of pages, of several frames: each part of the vector lies in one of them. */
static ssize_t home_pwritev(int fd, const struct iovec *vector, int count, uint64_t offset)
{
	uint64_t done = 0;

	for (int i = 0; i < count; i++) {
		const uint64_t length = vector[i].iov_len;

		if (length > sizeof(home.bytes) - done)
			abort();
		if (memory.home_write)
			memory.home_write(fd, vector[i].iov_base, length, offset + done);
		memcpy(home.bytes + done, vector[i].iov_base, length);
		done += length;
	}
	home.fd = fd;
	home.offset = offset;
	home.length = done;
	return (ssize_t)done;
}

static ssize_t memory_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (fd != MEMORY_JOURNAL_FD) /* the last written bytes are read back */
		return home_pread(fd, buffer, length, offset);
	if (offset >= memory.size)
		return 0;
	if (length > memory.size - offset)
		length = memory.size - offset;
	memcpy(buffer, memory.journal + offset, length);
	return (ssize_t)length;
}

static ssize_t memory_pwritev2(int fd, const struct iovec *vector, int count, uint64_t offset,
			       int flags)
{
	const uint64_t length = vector->iov_len;

	(void)flags;
	if (count == 0) /* is there a pwritev2? */
		return 0;
	if (fd != MEMORY_JOURNAL_FD)
		return home_pwritev(fd, vector, count, offset);
	if (count != 1)
		abort();
	if (offset > MEMORY_SIZE || length > MEMORY_SIZE - offset)
		abort();
	if (memory.journal_write)
		memory.journal_write(vector->iov_base, length, offset);
	memcpy(memory.journal + offset, vector->iov_base, length);
	if (offset + length > memory.size)
		memory.size = offset + length;
	return (ssize_t)length;
}

static int memory_fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static int memory_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	return 0;
}

static int memory_fs_magic(int fd, uint32_t *magic)
{
	(void)fd;
	*magic = 0x58465342; /* XFS */
	return 0;
}

static int memory_random(void *buffer, size_t length)
{
	memset(buffer, 0x5a, length);
	return 0;
}

static void *memory_allocate(size_t alignment, size_t size)
{
	void *block = aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));

	if (block) {
		memset(block, 0, size);
		memory.blocks++;
	}
	return block;
}

static void memory_release(void *block)
{
	memory.blocks--;
	free(block);
}

static int memory_file_size_limit(uint64_t *limit)
{
	*limit = UINT64_MAX;
	return 0;
}

static int memory_getpid(void)
{
	return 1;
}

const struct sys_calls memory_sys = {
	.open = memory_open,
	.close = memory_close,
	.statx = memory_statx,
	.getfl = memory_getfl,
	.lock = memory_lock,
	.unlock = memory_lock,
	.truncate = memory_truncate,
	.pread = memory_pread,
	.pwritev2 = memory_pwritev2,
	.fdatasync = memory_fdatasync,
	.write_back = memory_write_back,
	.start_write_back = memory_write_back,
	.fs_magic = memory_fs_magic,
	.file_size_limit = memory_file_size_limit,
	.random = memory_random,
	.allocate = memory_allocate,
	.getpid = memory_getpid,
	.release_memory = memory_release,
};

/* For the library's exported calls, which this program never makes. */
const struct sys_calls sys_linux;
