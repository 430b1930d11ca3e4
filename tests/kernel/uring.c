/* SPDX-License-Identifier: MIT */
/*
 * Goal: a guest's writes through real io_urings of every kind reach the disk untorn, and a refused
 * write only breaks its link.
 * Method: on XFS with reflink; pages that name their place, read back through another descriptor.
 */
#include <liburing.h>
#include <sys/mman.h>

#include "kernel_test.h"
#include "libatomicio/uring.h"
#include "uring_test.h"

#define RWF_ATOMIC_BIT 0x40

/* Fill [0, 1 MiB) with `seed` by pages of 4 KiB, `depth` at a time. */
static void rewrite(uint32_t depth, uint32_t seed, uint32_t flags, uint8_t sqe_flags)
{
	for (uint64_t offset = 0; offset < MIB; offset += (uint64_t)depth * PAGE) {
		for (uint32_t i = 0; i < depth; i++) {
			const uint64_t at = offset + (uint64_t)i * PAGE;

			CHECK_EQ(prep(i, page_of(at, PAGE, seed), PAGE, at, flags, sqe_flags), 0);
		}
		collect_done(0, depth);
	}
	CHECK(kernel_holds("guest", 0, MIB, seed));
	CHECK(kernel_holds("guest", MIB, MIB, 1));
}

static void every_size_is_written_whole(void)
{
	uint32_t seed = 2;

	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(4, 0);
	for (size_t size = kernel_caps(file).direct.unit_min;
	     size <= kernel_caps(file).direct.unit_max; size *= 2, seed++) {
		CHECK_EQ(prep(0, page_of(size, size, seed), size, size, seed % 2, 0), 0);
		collect_done(0, 1);
		CHECK(kernel_holds("guest", size, size, seed));
	}
	CHECK(kernel_stats(file).writes_filesystem >= 4);
	end();
}

/* A46 */
static void every_depth_from_1_to_256(void)
{
	uint32_t seed = 2;

	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	for (uint32_t depth = 1; depth <= DEPTH_MAX; depth *= 2) {
		make_ring(depth, 0);
		rewrite(depth, ++seed, 0, 0);
		io_uring_queue_exit(&ring);
	}
	make_ring(1, 0);
	CHECK_EQ(kernel_stats(file).writes_filesystem, 9 * 256);
	end();
}

/* A48 */
static void registered_file(void)
{
	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(16, 0);
	CHECK_EQ(io_uring_register_files(&ring, &fd, 1), 0);
	rewrite(16, 7, 0, IOSQE_FIXED_FILE);
	end();
}

/* A48 */
static void kernel_thread_submits(void)
{
	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(16, IORING_SETUP_SQPOLL);
	rewrite(16, 7, 0, 0);
	rewrite(16, 8, ATOMICIO_DSYNC, 0);
	end();
}

/* A48 */
static void completions_are_polled_for_and_dsync_makes_them_durable(void)
{
	int32_t result[1];

	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(16, IORING_SETUP_IOPOLL);
	rewrite(16, 7, ATOMICIO_DSYNC, 0);
	/* A failing entry and an entry without effect come back, too. */
	CHECK_EQ(prep(0, page_of(0, PAGE, 9), 3 * PAGE, 0, 0, 0), -EINVAL);
	collect(1, result);
	CHECK(result[0] < 0);
	end();
}

/* A47 */
static void registered_buffer_is_refused_where_the_kernel_would(void)
{
	const uint8_t *page = page_of(0, PAGE, 5);
	const struct iovec vector = {.iov_base = (void *)(uintptr_t)page, .iov_len = PAGE};
	struct io_uring_sqe *sqe;
	int32_t result[1];

	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(4, 0);
	CHECK_EQ(io_uring_register_buffers(&ring, &vector, 1), 0);
	sqe = entry();
	io_uring_prep_write_fixed(sqe, fd, page, PAGE, 0, 0);
	sqe->rw_flags = RWF_ATOMIC_BIT;
	sqe->user_data = 0;
	collect(1, result);
	CHECK_EQ(result[0], -EINVAL);
	CHECK_EQ(prep(0, page, PAGE, 0, ATOMICIO_REGISTERED_BUFFER, 0), -EINVAL);
	CHECK_EQ(policy.last.reasons, ATOMICIO_REASON_REGISTERED_BUFFER);
	CHECK(kernel_holds("guest", 0, PAGE, 1));
	/* Registered or not, the memory itself will do. */
	CHECK_EQ(prep(0, page, PAGE, 0, 0, 0), 0);
	collect(2, result);
	CHECK_EQ(atomicio_uring_done(&requests[0], PAGE), 0);
	CHECK(kernel_holds("guest", 0, PAGE, 5));
	end();
}

/* Refused entries, alone and on a registered file: an error, and not a byte written. */
static void refused_entry_does_nothing_and_fails(void)
{
	int32_t results[2] = {0, 0};

	begin(ATOMICIO_FAIL, 0);
	make_ring(4, 0);
	CHECK_EQ(io_uring_register_files(&ring, &fd, 1), 0);
	CHECK_EQ(prep(0, page_of(0, 3 * PAGE, 5), 3 * PAGE, 0, 0, 0), -EINVAL);
	CHECK_EQ(prep(1, page_of(0, 3 * PAGE, 5), 3 * PAGE, 0, 0, IOSQE_FIXED_FILE), -EINVAL);
	collect(2, results);
	CHECK(results[0] == -EBADF && results[1] == -EOPNOTSUPP);
	CHECK_EQ(atomicio_uring_done(&requests[0], results[0]), -EINVAL);
	CHECK(kernel_holds("guest", 0, 2 * MIB, 1) && kernel_size("guest") == 2 * MIB);
	end();
}

static void descriptor_closed_under_a_write_in_flight_does_no_harm(void)
{
	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(DEPTH_MAX, 0);
	for (uint32_t i = 0; i < DEPTH_MAX; i++)
		CHECK_EQ(prep(i, page_of(i * PAGE, PAGE, 9), PAGE, i * PAGE, 0, 0), 0);
	CHECK_EQ(io_uring_submit(&ring), DEPTH_MAX);
	MUST(close(fd));
	collect_done(0, DEPTH_MAX);
	CHECK(kernel_holds("guest", 0, MIB, 9));
	fd = -1;
	end();
}

static void descriptor_closed_before_the_submission_is_ebadf_and_never_retried(void)
{
	int32_t result[1];

	begin(ATOMICIO_RETRY, ATOMICIO_FALLBACK_PLAIN);
	make_ring(4, 0);
	CHECK_EQ(prep(0, page_of(0, PAGE, 9), PAGE, 0, 0, 0), 0);
	MUST(close(fd));
	collect(1, result);
	CHECK_EQ(atomicio_uring_done(&requests[0], result[0]), -EBADF);
	CHECK_EQ(policy.last.allowed, ATOMICIO_FAIL);
	CHECK(kernel_holds("guest", 0, PAGE, 1));
	fd = -1;
	end();
}

int main(int argc, char **argv)
{
	const struct kernel_test tests[] = {
		TEST(every_size_is_written_whole),
		TEST(every_depth_from_1_to_256),
		TEST(registered_file),
		TEST(kernel_thread_submits),
		TEST(completions_are_polled_for_and_dsync_makes_them_durable),
		TEST(registered_buffer_is_refused_where_the_kernel_would),
		TEST(refused_entry_does_nothing_and_fails),
		TEST(descriptor_closed_under_a_write_in_flight_does_no_harm),
		TEST(descriptor_closed_before_the_submission_is_ebadf_and_never_retried),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
