/* SPDX-License-Identifier: MIT */
/*
 * The io_uring of this machine's kernel, through liburing: the table sys_ring_linux.
 *
 * Flow: below the queue; see sys_ring.h.
 */
#define _GNU_SOURCE
#include "sys_ring.h"

#include <errno.h>

#ifndef ATOMICIO_NO_URING
#include <liburing.h>

/* IORING_SETUP_SUBMIT_ALL and _COOP_TASKRUN, since 5.18 and 5.19: an older kernel says EINVAL. */
#define RING_FLAGS (1u << 7 | 1u << 8)

static int linux_ring_create(void *ring, uint32_t depth)
{
	const int saved = errno;
	struct io_uring_params params = {.flags = RING_FLAGS};
	int error = io_uring_queue_init_params(depth, ring, &params);

	if (error == -EINVAL) {
		params = (struct io_uring_params){.flags = 0};
		error = io_uring_queue_init_params(depth, ring, &params);
	}
	/* Without NODROP a full completion queue would lose completions (before 5.5). */
	if (!error && !(params.features & IORING_FEAT_NODROP)) {
		io_uring_queue_exit(ring);
		error = -ENOSYS;
	}
	errno = saved;
	return error;
}

static void linux_ring_destroy(void *ring)
{
	const int saved = errno;

	io_uring_queue_exit(ring);
	errno = saved;
}

static struct io_uring_sqe *linux_ring_next(void *ring)
{
	return io_uring_get_sqe(ring);
}

static int linux_ring_enter(void *ring, uint32_t wait)
{
	const int saved = errno;
	const int result = io_uring_submit_and_wait(ring, wait);

	errno = saved;
	return result;
}

static uint32_t linux_ring_left(void *ring)
{
	return io_uring_sq_ready(ring);
}

static uint32_t linux_ring_reap(void *ring, struct sys_completion *done, uint32_t max)
{
	struct io_uring *uring = ring;
	struct io_uring_cqe *cqe;
	unsigned int head;
	uint32_t count = 0;

	io_uring_for_each_cqe(uring, head, cqe)
	{
		if (count == max)
			break;
		done[count++] =
			(struct sys_completion){.user_data = cqe->user_data, .result = cqe->res};
	}
	io_uring_cq_advance(uring, count);
	return count;
}

const struct sys_ring_calls sys_ring_linux = {
	.size = sizeof(struct io_uring),
	.create = linux_ring_create,
	.destroy = linux_ring_destroy,
	.next = linux_ring_next,
	.enter = linux_ring_enter,
	.left = linux_ring_left,
	.reap = linux_ring_reap,
};

#else /* Built without liburing: a queue works through pwritev2(2), and says why. */

static int no_ring_create(void *ring, uint32_t depth)
{
	(void)ring;
	(void)depth;
	return -EOPNOTSUPP;
}

const struct sys_ring_calls sys_ring_linux = {
	.size = 1, /* of a ring never made; no other call follows a failed create */
	.create = no_ring_create,
};
#endif
