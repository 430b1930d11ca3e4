/* SPDX-License-Identifier: MIT */
/*
 * Goal: a queue serves one batch at a time, and refuses the second with an error.
 * Method: a policy and a thread that hand in a batch while another is in the ring.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check_run.h"
#include "queue_machine.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

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
