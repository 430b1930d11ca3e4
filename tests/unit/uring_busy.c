/* SPDX-License-Identifier: MIT */
/*
 * Goal: a queue serves one batch at a time, and says so to whoever comes second.
 * Method: a policy and a thread that hand in a batch while another is in the ring.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check_run.h"
#include "fake_ring.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

#define OPS_MAX 16

static struct atomicio_op ops[OPS_MAX];
static struct atomicio_queue *queue;
static struct fake_policy policy;

static void setup(void)
{
	fake_ring_reset();
	policy = (struct fake_policy){.answer = ATOMICIO_FAIL};
	queue = NULL;
}

static struct atomicio_file *open_with(uint32_t disk, uint32_t answer, uint32_t fallback)
{
	const struct atomicio_options options = {.policy = fake_decide,
						 .policy_context = &policy,
						 .fallback = fallback,
						 .bounce_max = 65536};

	policy.answer = answer;
	return fake_ring_open(disk, &options);
}

static void make_queue(uint32_t depth)
{
	ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, depth, &queue), 0);
}

static void put(uint32_t i, struct atomicio_file *file, uint64_t offset, uint64_t length)
{
	ops[i] = (struct atomicio_op){.file = file,
				      .buffer = fake_page(i + 1),
				      .offset = offset,
				      .length = length,
				      .result = 12345};
}

/* `count` ops of 4096 bytes over `files` disks. */
static void put_all(struct atomicio_file **files, uint32_t file_count, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		put(i, files[i % file_count], (uint64_t)(i / file_count) * 4096, 4096);
}

static void check_all(uint32_t file_count, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_int_eq(ops[i].result, 0);
		ck_assert(fake_disk_holds(i % file_count, (uint64_t)(i / file_count) * 4096, 4096,
					  i + 1));
	}
}

static struct atomicio_queue_stats queue_stats(void)
{
	struct atomicio_queue_stats stats;

	ck_assert_int_eq(atomicio_queue_stats(queue, &stats, sizeof(stats)), 0);
	return stats;
}

static int64_t ring_cannot(const struct io_uring_sqe *sqe, uint32_t number)
{
	(void)number;
	return sqe->rw_flags & SYS_RWF_ATOMIC ? -EOPNOTSUPP : (int64_t)sqe->len;
}

static uint32_t enter_again(void *context, const struct atomicio_failure *failure)
{
	struct atomicio_op other = ops[0];

	(void)failure;
	*(int *)context = atomicio_write_batch(queue, &other, 1, 0);
	ck_assert_int_eq(other.result, ops[0].result);
	return ATOMICIO_FAIL;
}

START_TEST(policy_that_hands_in_a_batch_gets_ebusy)
{
	int error = 0;
	const struct atomicio_options options = {.policy = enter_again, .policy_context = &error};
	struct atomicio_file *file = fake_ring_open(0, &options);

	fake_ring.result = ring_cannot;
	make_queue(4);
	put(0, file, 0, 4096);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 1, 0), -EOPNOTSUPP);
	ck_assert_int_eq(error, -EBUSY);
}
END_TEST

static struct atomicio_op rival_op;
static int rival_error;

static void *rival(void *unused)
{
	(void)unused;
	rival_error = atomicio_write_batch(queue, &rival_op, 1, 0);
	return NULL;
}

static void run_rival(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, rival, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(second_thread_gets_ebusy_while_a_batch_runs)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_FAIL, 0);

	make_queue(4);
	put_all(&file, 1, 4);
	rival_op = ops[0];
	fake_ring.on_enter = run_rival;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, 0), 0);
	ck_assert_int_eq(rival_error, -EBUSY);
	ck_assert_int_eq(rival_op.result, 12345);
	check_all(1, 4);
	fake_ring.on_enter = NULL;
	run_rival();
	ck_assert_int_eq(rival_error, 0);
	ck_assert_uint_eq(queue_stats().batches, 2);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		policy_that_hands_in_a_batch_gets_ebusy,
		second_thread_gets_ebusy_while_a_batch_runs,
	};

	return check_run("uring_busy", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
