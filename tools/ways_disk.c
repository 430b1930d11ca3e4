/* SPDX-License-Identifier: MIT */
/*
 * Pages on their way to the kernel: by plain calls, through its AIO, or through a ring.
 *
 * Flow: ways.c decides what is written and flushed.  Pages go by call and AIO here, in ways_ring.c
 * through a ring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ways.h"

void ways_disk_begin(struct ways_disk *disk)
{
	*disk = (struct ways_disk){.ring = ways_ring_begin(WAYS_PAGES_MAX)};
	disk->has_aio = syscall(SYS_io_setup, WAYS_PAGES_MAX, &disk->aio) == 0;
}

void ways_disk_end(struct ways_disk *disk)
{
	ways_ring_end(disk->ring);
	if (disk->has_aio)
		syscall(SYS_io_destroy, disk->aio);
	*disk = (struct ways_disk){.ring = NULL};
}

/* The system calls of AIO have no wrappers in the C library. */
static int collect(struct ways_disk *disk, uint32_t least)
{
	struct io_event events[WAYS_PAGES_MAX];
	const long now =
		syscall(SYS_io_getevents, disk->aio, (long)least, (long)disk->flying, events, NULL);

	if (now < 0)
		return errno == EINTR ? 0 : -errno;
	for (long i = 0; i < now; i++)
		if (events[i].res != (int64_t)events[i].data)
			disk->error = events[i].res < 0 ? (int)events[i].res : -EIO;
	disk->flying -= (uint32_t)now;
	return 0;
}

static int aio_start(struct ways_disk *disk, int fd, const struct iovec *pages,
		     const uint64_t *offsets, uint32_t count, uint16_t opcode)
{
	struct iocb blocks[WAYS_PAGES_MAX], *list[WAYS_PAGES_MAX];
	uint32_t sent = 0;
	int error = 0;

	for (uint32_t i = 0; i < count; i++) {
		blocks[i] = (struct iocb){.aio_lio_opcode = opcode,
					  .aio_fildes = (uint32_t)fd,
					  .aio_buf = (uintptr_t)pages[i].iov_base,
					  .aio_nbytes = pages[i].iov_len,
					  .aio_offset = (int64_t)offsets[i],
					  .aio_data = pages[i].iov_len};
		list[i] = &blocks[i];
	}
	while (sent < count && !error) {
		const long now =
			syscall(SYS_io_submit, disk->aio, (long)(count - sent), list + sent);

		if (now >= 0) {
			sent += (uint32_t)now;
			disk->flying += (uint32_t)now;
		} else if (errno == EAGAIN && disk->flying) {
			error = collect(disk, 1);
		} else if (errno != EINTR) {
			error = -errno;
		}
	}
	return error;
}

int ways_disk_wait(struct ways_disk *disk)
{
	int error = 0;

	while (disk->flying && !error)
		error = collect(disk, disk->flying);
	if (!error)
		error = disk->error;
	disk->error = 0;
	return error;
}

int ways_disk_start(struct ways_disk *disk, int fd, const struct iovec *pages,
		    const uint64_t *offsets, uint32_t count)
{
	return aio_start(disk, fd, pages, offsets, count, IOCB_CMD_PWRITE);
}

static int aio_run(struct ways_disk *disk, int fd, const struct iovec *pages,
		   const uint64_t *offsets, uint32_t count, uint16_t opcode)
{
	const int error = aio_start(disk, fd, pages, offsets, count, opcode);
	const int answer = ways_disk_wait(disk);

	return error ? error : answer;
}

static int call_put(int fd, const struct iovec *vector, uint32_t count, uint64_t offset, int flags)
{
	uint64_t length = 0;
	ssize_t done;

	for (uint32_t i = 0; i < count; i++)
		length += vector[i].iov_len;
	/* musl has no pwritev2().  The position goes in two halves (fs/read_write.c). */
	done = syscall(SYS_pwritev2, fd, vector, (unsigned long)count, (unsigned long)offset,
		       (unsigned long)(offset >> 32), flags);
	if (done < 0)
		return -errno;
	return (uint64_t)done == length ? 0 : -EIO;
}

int ways_disk_put(struct ways_disk *disk, enum ways_engine engine, int fd,
		  const struct iovec *pages, const uint64_t *offsets, uint32_t count)
{
	int error = 0;

	if (engine == WAYS_RING)
		return ways_ring_put(disk->ring, fd, pages, offsets, count);
	if (engine == WAYS_AIO)
		return aio_run(disk, fd, pages, offsets, count, IOCB_CMD_PWRITE);
	for (uint32_t i = 0; i < count && !error; i++)
		error = call_put(fd, &pages[i], 1, offsets[i], 0);
	return error;
}

/* Neighbours in memory are one part: the kernel walks the parts of a write. */
static uint32_t join(const struct iovec *vector, uint32_t count, struct iovec *joined)
{
	uint32_t parts = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct iovec *last = parts ? &joined[parts - 1] : NULL;

		if (last && (uint8_t *)last->iov_base + last->iov_len == vector[i].iov_base)
			last->iov_len += vector[i].iov_len;
		else
			joined[parts++] = vector[i];
	}
	return parts;
}

int ways_disk_put_durable(struct ways_disk *disk, enum ways_engine engine, int fd,
			  const struct iovec *vector, uint32_t count, uint64_t offset)
{
	struct iovec joined[WAYS_PAGES_MAX + 1];

	count = join(vector, count, joined);
	if (engine == WAYS_RING)
		return ways_ring_put_durable(disk->ring, fd, joined, count, offset);
	return call_put(fd, joined, count, offset, RWF_DSYNC);
}

int ways_disk_get(struct ways_disk *disk, int fd, const struct iovec *pages,
		  const uint64_t *offsets, uint32_t count)
{
	if (disk->has_aio)
		return aio_run(disk, fd, pages, offsets, count, IOCB_CMD_PREAD);
	for (uint32_t i = 0; i < count; i++) {
		const ssize_t done =
			pread(fd, pages[i].iov_base, pages[i].iov_len, (off_t)offsets[i]);

		if (done < 0)
			return -errno;
		if ((size_t)done != pages[i].iov_len)
			return -EIO;
	}
	return 0;
}
