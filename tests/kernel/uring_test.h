/* SPDX-License-Identifier: MIT */
/*
 * Guests of rings of every kind, on a real file.
 *
 * Flow: on top of kernel_test.h, for the programs uring and uring_link.
 */
#ifndef URING_TEST_H
#define URING_TEST_H

#include <liburing.h>
#include <sys/mman.h>

#include "kernel_test.h"
#include "libatomicio/uring.h"

#define PAGE (4 * KIB)
#define DEPTH_MAX 256

static struct io_uring ring;
static struct atomicio_request requests[DEPTH_MAX];
static struct kernel_policy policy;
static struct atomicio_file *file;
static int fd;

static inline void begin(uint32_t answer, uint32_t fallback)
{
	fd = kernel_file("guest", 2 * MIB, O_RDWR | O_DIRECT);
	policy = (struct kernel_policy){.answer = answer};
	file = kernel_open_with(fd, &policy, fallback);
	memset(requests, 0, sizeof(requests));
}

static inline void end(void)
{
	io_uring_queue_exit(&ring);
	CHECK_EQ(atomicio_close(file), 0);
	close(fd);
}

static inline void make_ring(uint32_t depth, uint32_t flags)
{
	struct io_uring_params params = {.flags = flags, .sq_thread_idle = 100};

	CHECK_EQ(io_uring_queue_init_params(depth, &ring, &params), 0);
}

static inline const uint8_t *page_of(uint64_t offset, size_t length, uint32_t seed)
{
	static uint8_t *pages[DEPTH_MAX];
	static size_t sizes[DEPTH_MAX];
	static uint32_t next;
	const uint32_t i = next++ % DEPTH_MAX;

	if (sizes[i] < length) {
		free(pages[i]);
		pages[i] = kernel_memory(length);
		sizes[i] = length;
	}
	kernel_fill(pages[i], length, offset, seed);
	return pages[i];
}

static inline struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	CHECK(sqe);
	return sqe;
}

/* Prepare request i; flags of the entry are set as a caller would. */
static inline int prep(uint32_t i, const void *page, size_t length, uint64_t offset, uint32_t flags,
		       uint8_t sqe_flags)
{
	struct io_uring_sqe *sqe = entry();
	const int error = atomicio_uring_prep(&requests[i], file, sqe, page, length, offset, flags);

	sqe->flags = sqe_flags;
	if (sqe_flags & IOSQE_FIXED_FILE)
		sqe->fd = 0;
	sqe->user_data = i;
	return error;
}

/* Submit all, wait for `count` completions, and put each result at its request's number. */
static inline void collect(uint32_t count, int32_t *results)
{
	CHECK(io_uring_submit(&ring) >= 0);
	for (uint32_t i = 0; i < count; i++) {
		struct io_uring_cqe *cqe;

		CHECK_EQ(io_uring_wait_cqe(&ring, &cqe), 0);
		CHECK(cqe->user_data < DEPTH_MAX);
		results[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
}

/* Requests first to end - 1 are done. */
static inline void collect_done(uint32_t first, uint32_t end)
{
	static int32_t results[DEPTH_MAX];

	collect(end - first, results);
	for (uint32_t i = first; i < end; i++)
		CHECK_EQ(atomicio_uring_done(&requests[i], results[i]), 0);
}

#endif /* URING_TEST_H */
