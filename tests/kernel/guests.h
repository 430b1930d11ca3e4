/* SPDX-License-Identifier: MIT */
/* A ring of the test's own, a journal, and a file that is written by entries of the ring. */
#ifndef GUESTS_H
#define GUESTS_H
#include "journal_test.h"

#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>

#include "libatomicio/uring.h"

/* linux/io_uring.h has them since 6.0 and 6.1; a kernel before refuses the ring. */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

#define PAGE (4 * KIB)
#define GATHERED 32u
#define PAGES 2048u
#define FRAMES 8u

static struct io_uring ring;
static struct atomicio_request requests[PAGES];
static struct atomicio_journal *journal;
static struct atomicio_file *file;
static uint8_t *page;
static int fd, journal_fd, event_fd;

static uint64_t journal_size = 64 * MIB;

static inline void begin(uint32_t ring_flags)
{
	struct io_uring_params params = {.flags = ring_flags, .sq_thread_idle = 100};

	fd = kernel_file(NAME, PAGES * PAGE, O_RDWR | O_DIRECT);
	journal_fd = journal_fresh(NAME ".journal", journal_size);
	journal = journal_start(journal_fd);
	file = journal_attached(journal, fd, 1, ATOMICIO_PATH_JOURNAL);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	MUST(event_fd);
	CHECK_EQ(atomicio_uring_begin(journal, FRAMES, event_fd), 0);
	CHECK_EQ(io_uring_queue_init_params(256, &ring, &params), 0);
	memset(requests, 0, sizeof(requests));
	page = kernel_memory(PAGE);
}

static inline void end(void)
{
	io_uring_queue_exit(&ring);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(atomicio_journal_close(journal), 0);
	close(fd);
	close(journal_fd);
	close(event_fd);
	free(page);
}

static inline struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	while (!sqe) {
		CHECK(io_uring_submit(&ring) >= 0);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static inline int prep(uint32_t i, uint8_t flags)
{
	struct io_uring_sqe *sqe = entry();
	const int error =
		atomicio_uring_prep(&requests[i], file, sqe, page, PAGE, (uint64_t)i * PAGE, 0);

	sqe->flags = flags;
	sqe->user_data = i;
	return error;
}

static inline int gather(uint32_t i, uint32_t seed)
{
	kernel_fill(page, PAGE, (uint64_t)i * PAGE, seed);
	return atomicio_uring_gather(&requests[i], file, page, PAGE, (uint64_t)i * PAGE, 0);
}

/* One completion: its request, and the answer of done(). */
static inline uint32_t next(int *result)
{
	struct io_uring_cqe *cqe;
	uint32_t i;

	CHECK(io_uring_submit_and_wait(&ring, 1) >= 0);
	CHECK_EQ(io_uring_wait_cqe(&ring, &cqe), 0);
	i = (uint32_t)cqe->user_data;
	*result = atomicio_uring_done(&requests[i], cqe->res);
	io_uring_cqe_seen(&ring, cqe);
	return i;
}

#endif /* GUESTS_H */
