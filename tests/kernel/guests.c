/* SPDX-License-Identifier: MIT */
/*
 * Goal: writes through the journal in real io_urings of every kind are durable at their first
 * completion, and home at the second.
 *
 * Method: pages that name their place, read back through another descriptor.
 */
#define NAME "guests"
#include "guests.h"

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

/* A frame whose link broke before was never begun. */
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

/* Linked: a frame, then an entry that must wait until the frame is durable. */
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

/* The leftovers of a process that is killed with everything on its way. */
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
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
