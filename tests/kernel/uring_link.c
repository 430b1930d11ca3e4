/* SPDX-License-Identifier: MIT */
/*
 * Goal: a failed write of a guest breaks its link as any entry does, and nothing else, at every
 * place of failure.
 * Method: links of writes and other entries on XFS with reflink; one write is refused in prep, by
 * the kernel, or falls back.
 */
#include <liburing.h>
#include <sys/mman.h>

#include "kernel_test.h"
#include "libatomicio/uring.h"
#include "uring_test.h"

/* A49 */
static void whole_link_is_written_when_none_fails(void)
{
	struct io_uring_sqe *sqe;
	int32_t results[4];

	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(8, 0);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(prep(i, page_of(i * PAGE, PAGE, 6), PAGE, i * PAGE, 0, IOSQE_IO_LINK), 0);
	sqe = entry();
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	sqe->user_data = 3;
	collect(4, results);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(atomicio_uring_done(&requests[i], results[i]), 0);
	CHECK_EQ(results[3], 0);
	CHECK(kernel_holds("guest", 0, 3 * PAGE, 6));
	end();
}

/* Request 1 of 4 linked ones fails: the results of the rest, and of a second round. */
static void check_broken_link(int32_t *results, int own_error)
{
	CHECK_EQ(atomicio_uring_done(&requests[0], results[0]), 0);
	CHECK_EQ(atomicio_uring_done(&requests[1], results[1]), own_error);
	for (uint32_t i = 2; i < 4; i++) {
		CHECK_EQ(results[i], -ECANCELED);
		policy.seen = 0;
		CHECK_EQ(atomicio_uring_done(&requests[i], results[i]), -ECANCELED);
		CHECK_EQ(policy.seen, 1);
		CHECK_EQ(policy.last.allowed, ATOMICIO_FAIL);
		CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
	}
	CHECK(kernel_holds("guest", 0, PAGE, 6));
	CHECK(kernel_holds("guest", PAGE, 3 * PAGE, 1));
	for (uint32_t i = 1; i < 4; i++)
		CHECK_EQ(prep(i, page_of(i * PAGE, PAGE, 6), PAGE, i * PAGE, 0,
			      i < 3 ? IOSQE_IO_LINK : 0),
			 0);
	collect_done(1, 4);
	CHECK(kernel_holds("guest", 0, 4 * PAGE, 6));
}

static void prep_link(uint32_t second_flags, size_t second_length, int second_error)
{
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ(prep(i, page_of(i * PAGE, second_length, 6), i == 1 ? second_length : PAGE,
			      i * PAGE, i == 1 ? second_flags : 0, i < 3 ? IOSQE_IO_LINK : 0),
			 i == 1 ? second_error : 0);
}

static void write_refused_in_prep_breaks_its_link(void)
{
	int32_t results[4];

	begin(ATOMICIO_RETRY, ATOMICIO_FALLBACK_NONE);
	make_ring(8, 0);
	prep_link(0, 3 * PAGE, -EINVAL);
	collect(4, results);
	check_broken_link(results, -EINVAL);
	end();
}

/* A49 */
static void write_refused_by_the_kernel_breaks_its_link(void)
{
	int32_t results[4];

	/* XFS's copy on write always blocks, so NOWAIT is EAGAIN: the retry would be too. */
	begin(ATOMICIO_RETRY, ATOMICIO_FALLBACK_NONE);
	make_ring(8, 0);
	prep_link(ATOMICIO_NOWAIT, PAGE, 0);
	collect(4, results);
	CHECK_EQ(results[1], -EAGAIN);
	check_broken_link(results, -EAGAIN);
	CHECK_EQ(kernel_stats(file).retries, 0);
	end();
}

static void fallback_in_prep_keeps_its_link_whole(void)
{
	begin(ATOMICIO_FALLBACK, ATOMICIO_FALLBACK_PLAIN);
	make_ring(8, 0);
	CHECK_EQ(prep(0, page_of(0, PAGE, 6), PAGE, 0, 0, IOSQE_IO_LINK), 0);
	CHECK_EQ(prep(1, page_of(PAGE, 3 * PAGE, 6), 3 * PAGE, PAGE, 0, IOSQE_IO_LINK), 0);
	/* Made before the entry of its link. */
	CHECK(kernel_holds("guest", PAGE, 3 * PAGE, 6));
	CHECK_EQ(prep(2, page_of(4 * PAGE, PAGE, 6), PAGE, 4 * PAGE, 0, 0), 0);
	collect_done(0, 3);
	CHECK(kernel_holds("guest", 0, 5 * PAGE, 6));
	CHECK_EQ(kernel_stats(file).writes_plain, 1);
	end();
}

static void good_and_refused_writes_mixed(void)
{
	static int32_t results[DEPTH_MAX];

	begin(ATOMICIO_FAIL, ATOMICIO_FALLBACK_NONE);
	make_ring(DEPTH_MAX, 0);
	for (uint32_t i = 0; i < DEPTH_MAX; i++) {
		const uint64_t at = i * PAGE;
		const size_t length = i % 3 ? PAGE : PAGE - 512;

		CHECK_EQ(prep(i, page_of(at, PAGE, 9), length, at, 0, 0), i % 3 ? 0 : -EINVAL);
	}
	collect(DEPTH_MAX, results);
	for (uint32_t i = 0; i < DEPTH_MAX; i++) {
		CHECK_EQ(atomicio_uring_done(&requests[i], results[i]), i % 3 ? 0 : -EINVAL);
		CHECK(kernel_holds("guest", i * PAGE, PAGE, i % 3 ? 9 : 1));
	}
	CHECK_EQ(kernel_stats(file).writes_failed, (DEPTH_MAX + 2) / 3);
	end();
}

int main(int argc, char **argv)
{
	const struct kernel_test tests[] = {
		TEST(whole_link_is_written_when_none_fails),
		TEST(write_refused_in_prep_breaks_its_link),
		TEST(write_refused_by_the_kernel_breaks_its_link),
		TEST(fallback_in_prep_keeps_its_link_whole),
		TEST(good_and_refused_writes_mixed),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
