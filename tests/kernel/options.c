/* SPDX-License-Identifier: MIT */
/*
 * Goal: every option of a handle does what the header says, on a real file.
 *
 * Method: on XFS with reflink, one test for each option and each way of answering of a
 * policy; contents and statistics are compared after each.
 */
#include "kernel_test.h"

#include <pthread.h>

#define NAME "options"

/* Every answer that is not allowed must cost the error. */
static void an_answer_outside_allowed_counts_as_fail(void)
{
	static const uint32_t answers[] = {0,
					   ATOMICIO_RETRY,
					   ATOMICIO_FALLBACK,
					   ATOMICIO_RETRY | ATOMICIO_FALLBACK,
					   ATOMICIO_RETRY | ATOMICIO_FALLBACK | ATOMICIO_FAIL,
					   8,
					   UINT32_MAX};
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct kernel_policy policy = {.answer = answers[i]};
		struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);

		CHECK_EQ(kernel_write(file, 2, 5000, 0, 0), -EINVAL);
		CHECK_EQ(policy.seen, 1);
		CHECK_EQ(policy.last.size, sizeof(struct atomicio_failure));
		CHECK_EQ(policy.last.kind, ATOMICIO_KIND_SHAPE);
		CHECK_EQ(policy.last.allowed, ATOMICIO_FAIL);
		CHECK_EQ(policy.last.attempt, 1);
		CHECK_EQ(policy.last.path, ATOMICIO_PATH_KERNEL);
		CHECK_EQ(policy.last.length, 5000);
		CHECK(policy.last.reasons & ATOMICIO_REASON_LENGTH_NOT_POWER_OF_TWO);
		CHECK_EQ(kernel_stats(file).writes_plain, 0);
		CHECK_EQ(kernel_stats(file).fallbacks + kernel_stats(file).retries, 0);
		CHECK_EQ(kernel_stats(file).writes_failed, 1);
		CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
		atomicio_close(file);
	}
	close(fd);
}

static void two_answers_at_once_count_as_fail_even_if_allowed(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK | ATOMICIO_FAIL};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);

	CHECK_EQ(kernel_write(file, 2, 8192, 4096, 0), -EINVAL);
	CHECK_EQ(policy.last.allowed, ATOMICIO_FALLBACK | ATOMICIO_FAIL);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	policy.answer = ATOMICIO_FALLBACK;
	CHECK_EQ(kernel_write(file, 2, 8192, 4096, 0), 0);
	CHECK(kernel_holds(NAME, 4096, 8192, 2));
	CHECK_EQ(kernel_stats(file).writes_plain, 1);
	atomicio_close(file);
	close(fd);
}

static void the_strict_policy_fails_at_once(void)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict,
						 .fallback = ATOMICIO_FALLBACK_PLAIN};
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, &options);

	CHECK_EQ(kernel_write(file, 2, 8192, 4096, 0), -EINVAL);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	CHECK_EQ(kernel_stats(file).writes_plain, 0);
	atomicio_close(file);
	close(fd);
}

/* A5 */
static void a_buffered_descriptor_is_reopened_only_if_asked(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR), flags;
	struct atomicio_file *file = kernel_open(fd, NULL);

	CHECK(kernel_caps(file).reasons & ATOMICIO_REASON_NOT_DIRECT);
	CHECK_EQ(kernel_caps(file).buffered.mechanism, ATOMICIO_MECHANISM_NONE);
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, 0), -EOPNOTSUPP);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	atomicio_close(file);

	file = kernel_open(fd, &(struct atomicio_options){.flags = ATOMICIO_OPEN_REOPEN_DIRECT});
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, 0), 0);
	CHECK_EQ(kernel_write(file, 3, 16 * KIB, 16 * KIB, ATOMICIO_DSYNC), 0);
	CHECK_EQ(kernel_stats(file).writes_filesystem, 2);
	CHECK(!(kernel_caps(file).reasons & ATOMICIO_REASON_REOPEN_FAILED));
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 2));
	CHECK(kernel_holds(NAME, 16 * KIB, 16 * KIB, 3));
	flags = fcntl(fd, F_GETFL);
	CHECK_EQ(flags & O_DIRECT, 0);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK(fcntl(fd, F_GETFL) >= 0); /* the caller's descriptor stays open */
	close(fd);
}

static void a_reopened_handle_leaks_no_descriptor(void)
{
	const struct atomicio_options options = {.flags = ATOMICIO_OPEN_REOPEN_DIRECT};
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR), first = dup(fd), next;

	MUST(first);
	close(first);
	for (int i = 0; i < 50; i++) {
		struct atomicio_file *file = kernel_open(fd, &options);

		CHECK_EQ(atomicio_close(file), 0);
	}
	next = dup(fd);
	CHECK_EQ(next, first);
	close(next);
	close(fd);
}

/* A32 */
static void an_unaligned_buffer_is_bounced_up_to_bounce_max(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	uint8_t *memory = kernel_memory(64 * KIB);
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);

	CHECK_EQ(kernel_caps(file).memory_align > 4, 1);
	kernel_fill(memory + 4, 16 * KIB, 0, 2);
	CHECK(atomicio_check(file, memory + 4, 16 * KIB, 0) & ATOMICIO_REASON_MEMORY_UNALIGNED);
	CHECK_EQ(atomicio_write(file, memory + 4, 16 * KIB, 0, 0), -EINVAL);
	CHECK_EQ(policy.last.kind, ATOMICIO_KIND_SHAPE);
	CHECK(policy.last.reasons & ATOMICIO_REASON_MEMORY_UNALIGNED);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	atomicio_close(file);

	file = kernel_open(fd, &(struct atomicio_options){.bounce_max = 16 * KIB - 1});
	CHECK_EQ(atomicio_write(file, memory + 4, 16 * KIB, 0, 0), -EINVAL);
	CHECK_EQ(kernel_stats(file).bounces, 0);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	atomicio_close(file);

	file = kernel_open(fd, &(struct atomicio_options){.bounce_max = 16 * KIB});
	CHECK_EQ(atomicio_check(file, memory + 4, 16 * KIB, 0), 0);
	CHECK_EQ(atomicio_write(file, memory + 4, 16 * KIB, 0, 0), 0);
	CHECK_EQ(kernel_stats(file).bounces, 1);
	CHECK_EQ(kernel_stats(file).writes_filesystem, 1);
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 2));
	CHECK(kernel_holds(NAME, 16 * KIB, 48 * KIB, 1));
	CHECK_EQ(atomicio_write(file, memory + 1, 32 * KIB, 0, 0), -EINVAL);
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 2));
	atomicio_close(file);
	free(memory);
	close(fd);
}

#define THREADS 4
#define WRITES 48

struct worker {
	struct atomicio_file *file;
	uint8_t *memory;
	uint32_t number;
	int error;
};

static void *work(void *context)
{
	struct worker *worker = context;

	for (uint32_t i = 0; i < WRITES && !worker->error; i++) {
		const uint64_t offset = (uint64_t)(i * THREADS + worker->number) * 8192;
		uint8_t *page = worker->memory + (i % 2 ? 0 : 4); /* every second write bounces */

		kernel_fill(page, 8192, offset, 10 + worker->number);
		worker->error = atomicio_write(worker->file, page, 8192, offset, 0);
	}
	return NULL;
}

static void threads_share_one_handle(void)
{
	int fd = kernel_file(NAME, THREADS * WRITES * 8192, O_RDWR | O_DIRECT);
	struct atomicio_file *file =
		kernel_open(fd, &(struct atomicio_options){.bounce_max = 8192});
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct atomicio_stats stats;

	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){file, kernel_memory(16 * KIB), i, 0};
		CHECK_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		free(workers[i].memory);
		CHECK_EQ(workers[i].error, 0);
	}
	for (uint32_t i = 0; i < THREADS * WRITES; i++)
		CHECK(kernel_holds(NAME, (uint64_t)i * 8192, 8192, 10 + i % THREADS));
	stats = kernel_stats(file);
	CHECK_EQ(stats.writes_filesystem, THREADS * WRITES);
	CHECK_EQ(stats.bounces, THREADS * WRITES / 2);
	CHECK_EQ(stats.bytes, THREADS * WRITES * 8192);
	atomicio_close(file);
	close(fd);
}

static void a_batch_without_a_queue_runs_one_by_one(void)
{
	int fd = kernel_file(NAME, 128 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	uint8_t *memory = kernel_memory(128 * KIB);
	struct atomicio_op ops[3];

	for (uint32_t i = 0; i < 3; i++) {
		kernel_fill(memory + i * 16 * KIB, 16 * KIB, i * 16 * KIB, 20 + i);
		ops[i] = (struct atomicio_op){
			file, memory + i * 16 * KIB, i * 16 * KIB, 16 * KIB, 77, 0};
	}
	CHECK_EQ(atomicio_write_batch(NULL, ops, 3, ATOMICIO_DSYNC), 0);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQ(ops[i].result, 0);
		CHECK(kernel_holds(NAME, i * 16 * KIB, 16 * KIB, 20 + i));
	}
	CHECK(kernel_holds(NAME, 48 * KIB, 80 * KIB, 1));

	kernel_fill(memory, 16 * KIB, 64 * KIB, 30);
	ops[0] = (struct atomicio_op){file, memory, 64 * KIB, 16 * KIB, 77, 0};
	ops[1] = (struct atomicio_op){file, memory, 4096, 16 * KIB, 77, 0};
	kernel_fill(memory + 16 * KIB, 16 * KIB, 80 * KIB, 31);
	ops[2] = (struct atomicio_op){file, memory + 16 * KIB, 80 * KIB, 16 * KIB, 77, 0};
	CHECK_EQ(atomicio_write_batch(NULL, ops, 3, 0), -EINVAL);
	CHECK_EQ(ops[0].result, 0);
	CHECK_EQ(ops[1].result, -EINVAL);
	CHECK_EQ(ops[2].result, 0);
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 20));
	CHECK(kernel_holds(NAME, 64 * KIB, 16 * KIB, 30));
	CHECK(kernel_holds(NAME, 80 * KIB, 16 * KIB, 31));
	atomicio_close(file);
	free(memory);
	close(fd);
}

static void a_wrong_batch_touches_nothing(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	uint8_t *page = kernel_memory(16 * KIB);
	struct atomicio_op ops[2] = {{file, page, 0, 16 * KIB, 77, 0},
				     {file, page, 16 * KIB, 16 * KIB, 77, 0}};

	CHECK_EQ(atomicio_write_batch(NULL, NULL, 2, 0), -EINVAL);
	CHECK_EQ(atomicio_write_batch(NULL, ops, 0, 0), -EINVAL);
	CHECK_EQ(atomicio_write_batch(NULL, ops, 2, 0x40000000u), -EINVAL);
	CHECK_EQ(atomicio_write_batch(NULL, ops, 2, ATOMICIO_ALL_OR_NONE), -EOPNOTSUPP);
	ops[1].reserved = 1;
	CHECK_EQ(atomicio_write_batch(NULL, ops, 2, 0), -EINVAL);
	ops[1].reserved = 0;
	ops[1].file = NULL;
	CHECK_EQ(atomicio_write_batch(NULL, ops, 2, 0), -EINVAL);
	CHECK_EQ(ops[0].result, 77);
	CHECK_EQ(ops[1].result, 77);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	atomicio_close(file);
	free(page);
	close(fd);
}

static void options_out_of_range_are_refused(void)
{
	struct wide {
		struct atomicio_options known;
		uint64_t tail;
	} wide = {.tail = 0};
	const struct atomicio_options wrong[] = {
		{.fallback = 4},
		{.fallback = ATOMICIO_FALLBACK_JOURNAL},
		{.path = ATOMICIO_PATH_JOURNAL},
		{.path = ATOMICIO_PATH_PLAIN},
		{.path = 4},
		{.retries_max = 1001},
		{.bounce_max = 64 * MIB + 1},
		{.flags = UINT32_C(1) << 31},
		{.reserved = 1},
	};
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = NULL;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		CHECK_EQ(atomicio_open(fd, &wrong[i], sizeof(wrong[i]), &file), -EINVAL);
		CHECK(!file);
	}
	CHECK_EQ(atomicio_open(fd, &wide.known, sizeof(wide.known) - 4, &file), -EINVAL);
	wide.tail = 1;
	CHECK_EQ(atomicio_open(fd, &wide.known, sizeof(wide), &file), -E2BIG);
	CHECK(!file);
	wide.tail = 0;
	CHECK_EQ(atomicio_open(fd, &wide.known, sizeof(wide), &file), 0);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(atomicio_open(-1, NULL, 0, &file), -EBADF);
	CHECK_EQ(atomicio_close(NULL), 0);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(an_answer_outside_allowed_counts_as_fail),
		TEST(two_answers_at_once_count_as_fail_even_if_allowed),
		TEST(the_strict_policy_fails_at_once),
		TEST(a_buffered_descriptor_is_reopened_only_if_asked),
		TEST(a_reopened_handle_leaks_no_descriptor),
		TEST(an_unaligned_buffer_is_bounced_up_to_bounce_max),
		TEST(threads_share_one_handle),
		TEST(a_batch_without_a_queue_runs_one_by_one),
		TEST(a_wrong_batch_touches_nothing),
		TEST(options_out_of_range_are_refused),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
