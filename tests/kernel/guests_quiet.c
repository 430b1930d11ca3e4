/* SPDX-License-Identifier: MIT */
/*
 * Goal: no call for a write through the journal in a ring waits for a disk, blocks or a retirement.
 *
 * Method: with `quiet` or `past` as the only test, guests.sh looks at the system calls between two
 * calls of getppid().
 */
#define NAME "guests_quiet"
#include "guests.h"

/* Prepare a new write, however often the log area is full. */
static void prep_later(uint32_t i)
{
	struct pollfd event = {.fd = event_fd, .events = POLLIN};
	eventfd_t value;
	int error;

	while ((error = prep(i, 0)) == -EAGAIN) {
		int result = 0;

		/* A refused request has a failing entry, without an owner. */
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

/* Over frames that are live, by another handle: the frames are retired while the ring goes on. */
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
		TEST(a_file_becomes_longer_by_an_entry_of_the_ring),
		TEST(quiet),
		TEST(past),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
