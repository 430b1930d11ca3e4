/* SPDX-License-Identifier: MIT */
/*
 * Goal: writes through the journal in real rings of every kind are durable at their first
 * completion, home at their second, and no call of the library waits for a disk.
 *
 * Method: pages that name their place, read back through another descriptor.  With `quiet` or
 * `past` as the only test, guests.sh looks at the system calls between two calls of getppid().
 */
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
#define NAME "guests"

static struct io_uring ring;
static struct atomicio_request requests[PAGES];
static struct atomicio_journal *journal;
static struct atomicio_file *file;
static uint8_t *page;
static int fd, journal_fd, event_fd;

static uint64_t journal_size = 64 * MIB;

static void begin(uint32_t ring_flags)
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

static void end(void)
{
	io_uring_queue_exit(&ring);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(atomicio_journal_close(journal), 0);
	close(fd);
	close(journal_fd);
	close(event_fd);
	free(page);
}

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	while (!sqe) {
		CHECK(io_uring_submit(&ring) >= 0);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static int prep(uint32_t i, uint8_t flags)
{
	struct io_uring_sqe *sqe = entry();
	const int error =
		atomicio_uring_prep(&requests[i], file, sqe, page, PAGE, (uint64_t)i * PAGE, 0);

	sqe->flags = flags;
	sqe->user_data = i;
	return error;
}

static int gather(uint32_t i, uint32_t seed)
{
	kernel_fill(page, PAGE, (uint64_t)i * PAGE, seed);
	return atomicio_uring_gather(&requests[i], file, page, PAGE, (uint64_t)i * PAGE, 0);
}

/* One completion: its request, and what done() makes of it. */
static uint32_t next(int *result)
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

/* Frames of GATHERED pages, several on their way; pages from `first` on are gathered next. */
static void rewrite(uint32_t seed)
{
	uint32_t first = 0, home = 0;
	bool committed = true;

	while (home < PAGES) {
		int result = 0;
		uint32_t i;

		if (committed && first < PAGES) {
			result = 0;
			for (i = 0; i < GATHERED && !result; i++)
				result = gather(first + i, seed);
			CHECK(result == 0 || (result == -EBUSY && i == 1));
			committed = result != 0;
		}
		if (!committed && (result = atomicio_uring_commit(&requests[first])) == 0) {
			CHECK_EQ(prep(first, 0), 0);
			first += GATHERED;
			committed = true;
			if (first < PAGES)
				continue;
		}
		CHECK(result == 0 || result == -EBUSY || result == -EAGAIN);
		i = next(&result);
		if (result == ATOMICIO_DURABLE)
			for (uint32_t k = 0; k < GATHERED; k++) {
				CHECK_EQ(atomicio_uring_result(&requests[i + k]), ATOMICIO_DURABLE);
				CHECK_EQ(prep(i + k, 0), 0);
			}
		else if (result == ATOMICIO_AGAIN_SQE)
			CHECK_EQ(prep(i, 0), 0);
		else
			CHECK_EQ(result, 0);
		home += result == 0;
	}
	CHECK(kernel_holds(NAME, 0, PAGES * PAGE, seed));
	CHECK_EQ(atomicio_sync(file), 0);
}

static void in_a_ring(uint32_t flags)
{
	begin(flags);
	rewrite(7);
	rewrite(8);
	CHECK_EQ(kernel_stats(file).writes_journal, 2 * PAGES);
	CHECK(journal_look(journal).frames >= 2 * PAGES / GATHERED);
	end();
}

static void thousands_of_pages_are_durable_and_then_home(void)
{
	in_a_ring(0);
}

static void kernel_thread_submits_a_guest(void)
{
	in_a_ring(IORING_SETUP_SQPOLL);
}

static void completions_are_polled_for(void)
{
	in_a_ring(IORING_SETUP_IOPOLL);
}

static void completions_are_deferred(void)
{
	in_a_ring(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
}

/* What a link before it breaks is a frame that was never begun. */
static void a_frame_behind_a_broken_link_is_cancelled(void)
{
	struct io_uring_sqe *sqe;
	int result;

	begin(0);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(gather(i, 5), 0);
	CHECK_EQ(atomicio_uring_commit(&requests[0]), 0);
	sqe = entry();
	io_uring_prep_read(sqe, -1, page, PAGE, 0);
	sqe->flags = IOSQE_IO_LINK;
	sqe->user_data = 9;
	CHECK_EQ(prep(0, 0), 0);
	CHECK_EQ(io_uring_submit(&ring), 2);
	CHECK_EQ(next(&result), 9);
	CHECK_EQ(next(&result), 0);
	CHECK_EQ(result, -ECANCELED);
	for (uint32_t i = 1; i < 3; i++)
		CHECK_EQ(atomicio_uring_result(&requests[i]), -ECANCELED);
	CHECK(kernel_holds(NAME, 0, PAGES * PAGE, 1));
	rewrite(6);
	end();
}

/* Linked behind one another: a frame, and what must not be before it is durable. */
static void what_is_linked_behind_a_frame_comes_after_it(void)
{
	struct io_uring_sqe *sqe;
	int result;

	begin(0);
	CHECK_EQ(gather(0, 5), 0);
	CHECK_EQ(atomicio_uring_commit(&requests[0]), 0);
	CHECK_EQ(prep(0, IOSQE_IO_LINK), 0);
	sqe = entry();
	io_uring_prep_nop(sqe);
	sqe->user_data = 9;
	CHECK_EQ(next(&result), 0);
	CHECK_EQ(result, ATOMICIO_DURABLE);
	CHECK_EQ(next(&result), 9);
	CHECK_EQ(prep(0, 0), 0);
	CHECK_EQ(next(&result), 0);
	CHECK_EQ(result, 0);
	end();
}

static void synchronous_writers_of_the_same_journal(void)
{
	int result = 0;

	begin(0);
	for (uint32_t i = 0; i < 64; i++) {
		CHECK_EQ(gather(i, 5), 0);
		CHECK_EQ(atomicio_uring_commit(&requests[i]), 0);
		CHECK_EQ(prep(i, 0), 0);
		CHECK_EQ(io_uring_submit(&ring), 1);
		CHECK_EQ(kernel_write(file, 6, PAGE, (uint64_t)i * PAGE, 0), -EBUSY);
		CHECK_EQ(kernel_write(file, 6, PAGE, (uint64_t)(i + 64) * PAGE, 0), 0);
		CHECK_EQ(atomicio_journal_checkpoint(journal), -EBUSY);
		CHECK_EQ(next(&result), i);
		CHECK_EQ(result, ATOMICIO_DURABLE);
		CHECK_EQ(prep(i, 0), 0);
		CHECK_EQ(next(&result), i);
		CHECK_EQ(result, 0);
	}
	CHECK_EQ(atomicio_journal_checkpoint(journal), 0);
	CHECK(kernel_holds(NAME, 0, 64 * PAGE, 5));
	CHECK(kernel_holds(NAME, 64 * PAGE, 64 * PAGE, 6));
	end();
}

/* What a process leaves that is killed with everything on its way. */
static void leave(void *unused)
{
	(void)unused;
	begin(0);
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t k = 0; k < GATHERED; k++)
			CHECK_EQ(gather(i * GATHERED + k, 5), 0);
		CHECK_EQ(atomicio_uring_commit(&requests[i * GATHERED]), 0);
		if (i != 1) /* a frame whose entry is never submitted */
			CHECK_EQ(prep(i * GATHERED, 0), 0);
	}
	for (uint32_t i = 0; i < 3; i++) {
		int result;
		const uint32_t at = next(&result);

		CHECK_EQ(result, ATOMICIO_DURABLE);
		CHECK(at != GATHERED);
	}
	/* Half of the first frame's pages. */
	for (uint32_t k = 0; k < GATHERED / 2; k++)
		CHECK_EQ(prep(k, 0), 0);
	CHECK(io_uring_submit(&ring) >= 0);
}

static void a_killed_process_leaves_what_was_acknowledged(void)
{
	struct journal_files files = {.fds = {0}};
	char path[4096];

	journal_in_a_child(leave, NULL);
	snprintf(path, sizeof(path), "%s/" NAME, kernel_directory);
	files.fds[0] = open(path, O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/" NAME ".journal", kernel_directory);
	journal_fd = open(path, O_RDWR | O_CLOEXEC);
	MUST(files.fds[0]);
	MUST(journal_fd);
	usleep(200000); /* its last entries */
	CHECK_EQ(journal_replay(journal_fd, &files).frames, 3);
	CHECK(kernel_holds(NAME, 0, GATHERED * PAGE, 5));
	CHECK(kernel_holds(NAME, GATHERED * PAGE, GATHERED * PAGE, 1));
	CHECK(kernel_holds(NAME, 2 * GATHERED * PAGE, 2 * GATHERED * PAGE, 5));
	close(journal_fd);
	close(files.fds[0]);
}

/* Prepare a new write, however often the log area is full. */
static void prep_later(uint32_t i)
{
	struct pollfd event = {.fd = event_fd, .events = POLLIN};
	eventfd_t value;
	int error;

	while ((error = prep(i, 0)) == -EAGAIN) {
		int result = 0;

		/* What was refused has an entry that fails, which is nobody's. */
		CHECK_EQ(next(&result), i);
		CHECK_EQ(result, -EINVAL);
		CHECK_EQ(poll(&event, 1, 10000), 1);
		MUST(eventfd_read(event_fd, &value));
	}
	CHECK_EQ(error, 0);
}

/* For strace: over several laps nothing but the ring's own calls, and looks that do not wait. */
static void quiet(void)
{
	journal_size = 4 * MIB;
	begin(0);
	for (uint32_t i = 0; i < PAGES; i++) {
		int result;

		if (i == PAGES / 2)
			(void)getppid();
		kernel_fill(page, PAGE, (uint64_t)i * PAGE, 6);
		prep_later(i);
		CHECK_EQ(next(&result), i);
		CHECK_EQ(result, ATOMICIO_DURABLE);
		CHECK_EQ(prep(i, 0), 0);
		CHECK_EQ(next(&result), i);
		CHECK_EQ(result, 0);
	}
	(void)getppid();
	CHECK(journal_look(journal).checkpoints >= 3);
	CHECK(kernel_holds(NAME, 0, PAGES * PAGE, 6));
	end();
}

/* Over frames that are live, by a handle of its own: they are retired while the ring goes on. */
static void past(void)
{
	struct atomicio_caps caps;
	struct atomicio_file *other;
	uint32_t later = 0;
	int result, error;

	begin(0);
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	if (!caps.direct.unit_max) {
		end();
		return;
	}
	other = journal_attached(journal, fd, 1, ATOMICIO_PATH_KERNEL);
	(void)getppid();
	for (uint32_t round = 0; round < 20; round++) {
		struct pollfd event = {.fd = event_fd, .events = POLLIN};
		struct io_uring_sqe *sqe;
		eventfd_t value;

		kernel_fill(page, PAGE, 0, 5);
		prep_later(0);
		CHECK_EQ(next(&result), 0);
		CHECK_EQ(prep(0, 0), 0);
		CHECK_EQ(next(&result), 0);
		CHECK_EQ(result, 0);
		kernel_fill(page, PAGE, 0, 6);
		for (;;) {
			sqe = entry();
			error = atomicio_uring_prep(&requests[1], other, sqe, page, PAGE, 0,
						    ATOMICIO_DSYNC);
			sqe->user_data = 1;
			if (error != -EAGAIN)
				break;
			later++;
			CHECK_EQ(next(&result), 1);
			CHECK_EQ(poll(&event, 1, 10000), 1);
			MUST(eventfd_read(event_fd, &value));
		}
		CHECK_EQ(error, 0);
		CHECK_EQ(next(&result), 1);
		CHECK_EQ(result, 0);
	}
	(void)getppid();
	CHECK(later >= 20);
	CHECK(journal_look(journal).live_bytes == 0);
	CHECK(kernel_holds(NAME, 0, PAGE, 6));
	CHECK_EQ(atomicio_close(other), 0);
	end();
}

/* New blocks have to be waited for: by the kernel, as for an entry of the ring. */
static void a_file_becomes_longer_by_an_entry_of_the_ring(void)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int result;

	begin(0);
	MUST(ftruncate(fd, 0));
	CHECK_EQ(atomicio_close(file), 0);
	file = journal_attached(journal, fd, 1, ATOMICIO_PATH_JOURNAL);
	CHECK_EQ(gather(3, 5), -ENXIO);
	sqe = entry();
	io_uring_prep_fallocate(sqe, fd, 0, 0, 4 * PAGE);
	CHECK_EQ(io_uring_submit_and_wait(&ring, 1), 1);
	CHECK_EQ(io_uring_wait_cqe(&ring, &cqe), 0);
	CHECK_EQ(cqe->res, 0);
	io_uring_cqe_seen(&ring, cqe);
	CHECK_EQ(gather(3, 5), 0);
	CHECK_EQ(gather(4, 5), -ENXIO);
	CHECK_EQ(atomicio_uring_commit(&requests[3]), 0);
	CHECK_EQ(prep(3, 0), 0);
	CHECK_EQ(next(&result), 3);
	CHECK_EQ(result, ATOMICIO_DURABLE);
	CHECK_EQ(prep(3, 0), 0);
	CHECK_EQ(next(&result), 3);
	CHECK_EQ(result, 0);
	CHECK(kernel_holds(NAME, 3 * PAGE, PAGE, 5));
	end();
}

int main(int argc, char **argv)
{
	const struct kernel_test tests[] = {
		TEST(thousands_of_pages_are_durable_and_then_home),
		TEST(kernel_thread_submits_a_guest),
		TEST(completions_are_polled_for),
		TEST(completions_are_deferred),
		TEST(a_frame_behind_a_broken_link_is_cancelled),
		TEST(what_is_linked_behind_a_frame_comes_after_it),
		TEST(synchronous_writers_of_the_same_journal),
		TEST(a_killed_process_leaves_what_was_acknowledged),
		TEST(a_file_becomes_longer_by_an_entry_of_the_ring),
		TEST(quiet),
		TEST(past),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
