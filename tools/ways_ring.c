/* SPDX-License-Identifier: MIT */
/*
 * Pages on their way to the kernel through a ring.
 *
 * Flow: below ways_disk.c.  Nothing is here where the library is built without liburing, and no
 * ring where the kernel or a container forbids io_uring: then that engine is not measured.
 *
 * The best ring for one thread: as deep as a batch, files registered, one system call for all
 * entries and completions.  A flush is fdatasync(2) and no entry: io_uring gives each fsync to a
 * worker thread (io_uring/sync.c), which costs more than the call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "ways.h"

#ifdef ATOMICIO_NO_URING

struct ways_ring *ways_ring_begin(uint32_t depth)
{
	(void)depth;
	return NULL;
}

void ways_ring_end(struct ways_ring *ring)
{
	(void)ring;
}

int ways_ring_put(struct ways_ring *ring, int fd, const struct iovec *pages,
		  const uint64_t *offsets, uint32_t count)
{
	(void)ring, (void)fd, (void)pages, (void)offsets, (void)count;
	return -ENOSYS;
}

int ways_ring_put_durable(struct ways_ring *ring, int fd, const struct iovec *vector,
			  uint32_t count, uint64_t offset)
{
	(void)ring, (void)fd, (void)vector, (void)count, (void)offset;
	return -ENOSYS;
}

#else

#include <liburing.h>

#define FILES_MAX 4u	       /* known to the ring by number */
#define DSYNC_BIT 0x2	       /* RWF_DSYNC, from either header */
#define COOP_TASKRUN (1u << 8) /* IORING_SETUP_COOP_TASKRUN, 5.19 */

struct ways_ring {
	struct io_uring ring;
	bool has_files;
	int files[FILES_MAX]; /* registered, in the order of their numbers */
	uint32_t file_count;
};

struct ways_ring *ways_ring_begin(uint32_t depth)
{
	static const int nothing[FILES_MAX] = {-1, -1, -1, -1};
	struct ways_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	if (io_uring_queue_init(depth, &ring->ring, COOP_TASKRUN) != 0 &&
	    io_uring_queue_init(depth, &ring->ring, 0) != 0) {
		free(ring);
		return NULL;
	}
	ring->has_files = io_uring_register_files(&ring->ring, nothing, FILES_MAX) == 0;
	return ring;
}

void ways_ring_end(struct ways_ring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->ring);
	free(ring);
}

/* The number under which the ring knows a file, or -1. */
static int file_number(struct ways_ring *ring, int fd)
{
	for (uint32_t i = 0; i < ring->file_count; i++)
		if (ring->files[i] == fd)
			return (int)i;
	if (!ring->has_files || ring->file_count == FILES_MAX ||
	    io_uring_register_files_update(&ring->ring, ring->file_count, &fd, 1) != 1)
		return -1;
	ring->files[ring->file_count] = fd;
	return (int)ring->file_count++;
}

static void name_file(struct ways_ring *ring, struct io_uring_sqe *sqe, int fd)
{
	const int number = file_number(ring, fd);

	if (number < 0)
		return;
	sqe->fd = number;
	sqe->flags |= IOSQE_FIXED_FILE;
}

/* Submit all filled entries, and wait for them.  user_data is the length that is expected. */
static int ring_finish(struct ways_ring *ring, uint32_t count)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen;
	int error = 0, done;

	for (uint32_t left = count; left > 0; left -= seen) {
		done = io_uring_submit_and_wait(&ring->ring, left);
		if (done < 0 && done != -EINTR)
			return done;
		seen = 0;
		io_uring_for_each_cqe(&ring->ring, head, cqe)
		{
			seen++;
			if (cqe->res < 0)
				error = cqe->res;
			else if ((uint64_t)cqe->res != cqe->user_data)
				error = -EIO;
		}
		io_uring_cq_advance(&ring->ring, seen);
	}
	return error;
}

int ways_ring_put(struct ways_ring *ring, int fd, const struct iovec *pages,
		  const uint64_t *offsets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);

		if (!sqe)
			return -EAGAIN;
		io_uring_prep_write(sqe, fd, pages[i].iov_base, (unsigned int)pages[i].iov_len, 0);
		sqe->off = offsets[i]; /* off_t or __u64 above, by liburing's age */
		sqe->user_data = pages[i].iov_len;
		name_file(ring, sqe, fd);
	}
	return ring_finish(ring, count);
}

int ways_ring_put_durable(struct ways_ring *ring, int fd, const struct iovec *vector,
			  uint32_t count, uint64_t offset)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);
	uint64_t length = 0;

	if (!sqe)
		return -EAGAIN;
	for (uint32_t i = 0; i < count; i++)
		length += vector[i].iov_len;
	io_uring_prep_writev(sqe, fd, vector, count, 0);
	sqe->off = offset;
	sqe->rw_flags = DSYNC_BIT;
	sqe->user_data = length;
	name_file(ring, sqe, fd);
	return ring_finish(ring, 1);
}

#endif
