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

/* io_submit(2) and io_getevents(2), which have no wrapper in the C library. */
static int aio_run(struct ways_disk *disk, int fd, const struct iovec *pages,
		   const uint64_t *offsets, uint32_t count, uint16_t opcode)
{
	struct iocb blocks[WAYS_PAGES_MAX], *list[WAYS_PAGES_MAX];
	struct io_event events[WAYS_PAGES_MAX];
	uint32_t sent = 0, done = 0;
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
	while (done < count) {
		if (sent < count) {
			const long now = syscall(SYS_io_submit, disk->aio, (long)(count - sent),
						 list + sent);

			if (now < 0 && errno != EINTR && (errno != EAGAIN || sent == done))
				return -errno;
			sent += now < 0 ? 0 : (uint32_t)now;
		}
		if (sent > done) {
			const long now = syscall(SYS_io_getevents, disk->aio, (long)(sent - done),
						 (long)(sent - done), events, NULL);

			if (now < 0 && errno != EINTR)
				return -errno;
			for (long i = 0; i < now; i++)
				if (events[i].res != (int64_t)events[i].data)
					error = events[i].res < 0 ? (int)events[i].res : -EIO;
			done += now < 0 ? 0 : (uint32_t)now;
		}
	}
	return error;
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

int ways_disk_put_durable(struct ways_disk *disk, enum ways_engine engine, int fd,
			  const struct iovec *vector, uint32_t count, uint64_t offset)
{
	if (engine == WAYS_RING)
		return ways_ring_put_durable(disk->ring, fd, vector, count, offset);
	return call_put(fd, vector, count, offset, RWF_DSYNC);
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
