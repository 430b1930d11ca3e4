/* SPDX-License-Identifier: MIT */
/*
 * Goal: a guest's writes through real rings of every kind reach the disk untorn, and a refused
 * one does nothing but break its link.
 * Method: on XFS with reflink; pages that name their place, read back through another descriptor.
 */
#include <liburing.h>
#include <sys/mman.h>

#include "kernel_test.h"
#include "libatomicio/uring.h"

#define PAGE (4 * KIB)
#define DEPTH_MAX 256
#define RWF_ATOMIC_BIT 0x40

static struct io_uring ring;
static struct atomicio_request requests[DEPTH_MAX];
static struct kernel_policy policy;
static struct atomicio_file *file;
static int fd;

static void begin(uint32_t answer, uint32_t fallback)
{
	fd = kernel_file("guest", 2 * MIB, O_RDWR | O_DIRECT);
	policy = (struct kernel_policy){.answer = answer};
	file = kernel_open_with(fd, &policy, fallback);
	memset(requests, 0, sizeof(requests));
}

static void end(void)
{
	io_uring_queue_exit(&ring);
	CHECK_EQ(atomicio_close(file), 0);
	close(fd);
}

static void make_ring(uint32_t depth, uint32_t flags)
{
	struct io_uring_params params = {.flags = flags, .sq_thread_idle = 100};

	CHECK_EQ(io_uring_queue_init_params(depth, &ring, &params), 0);
}

static const uint8_t *page_of(uint64_t offset, size_t length, uint32_t seed)
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

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	CHECK(sqe);
	return sqe;
}

/* Prepare request i; flags of the entry are set as a caller would. */
static int prep(uint32_t i, const void *page, size_t length, uint64_t offset, uint32_t flags,
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
static void collect(uint32_t count, int32_t *results)
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
static void collect_done(uint32_t first, uint32_t end)
{
	static int32_t results[DEPTH_MAX];

	collect(end - first, results);
	for (uint32_t i = first; i < end; i++)
		CHECK_EQ(atomicio_uring_done(&requests[i], results[i]), 0);
}

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
	/* An entry that fails and one that does nothing come back there too. */
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

/* Where request 1 of 4 linked ones fails: what became of the rest, and of a second round. */
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
	/* Made ahead of the entry that it is linked behind. */
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
		TEST(whole_link_is_written_when_none_fails),
		TEST(write_refused_in_prep_breaks_its_link),
		TEST(write_refused_by_the_kernel_breaks_its_link),
		TEST(fallback_in_prep_keeps_its_link_whole),
		TEST(good_and_refused_writes_mixed),
		TEST(descriptor_closed_under_a_write_in_flight_does_no_harm),
		TEST(descriptor_closed_before_the_submission_is_ebadf_and_never_retried),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
