/* SPDX-License-Identifier: MIT */
/*
 * The seam below the queue: an io_uring, as one table.
 *
 * Flow: write_flight.c calls through a table; production code uses sys_ring_linux, tests pass a
 * ring of their own.  The rules S1 to S3 of sys.h hold here too.
 */
#ifndef LIBATOMICIO_SYS_RING_H
#define LIBATOMICIO_SYS_RING_H

#include <stddef.h>
#include <stdint.h>

struct io_uring_sqe;

struct sys_completion {
	uint64_t user_data;
	int32_t result;
};

struct sys_ring_calls {
	size_t size; /* of the zeroed memory behind `ring` in all calls */
	int (*create)(void *ring, uint32_t depth);
	void (*destroy)(void *ring);

	/* The next free entry, NULL: none until some were consumed.  enter() submits the entry. */
	struct io_uring_sqe *(*next)(void *ring);

	/*
	 * Give all filled entries to the kernel, in order, and wait until `wait` completions can be
	 * reaped.  Returns the number of entries consumed, or a negative errno.  Only left() tells
	 * for sure, because a call that consumed entries may end with an error.
	 */
	int (*enter)(void *ring, uint32_t wait);

	/* How many filled entries, the last ones, has the kernel not yet consumed? */
	uint32_t (*left)(void *ring);

	/* Take up to `max` completions; returns how many. */
	uint32_t (*reap)(void *ring, struct sys_completion *done, uint32_t max);
};

/* The real thing. */
extern const struct sys_ring_calls sys_ring_linux;

#endif /* LIBATOMICIO_SYS_RING_H */
