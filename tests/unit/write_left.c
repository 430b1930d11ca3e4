/* SPDX-License-Identifier: MIT */
/*
 * Goal: a policy that leaves its call by longjmp(3) costs only this call and its queue, as the
 * manual says: no thread hangs, and all other calls go on.
 * Method: policies that leave, on each path, with writes in a queue's io_uring, and with everything
 * that a call may hold: the bounce buffer, the journal's role, the state of a request.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>

#include "check_run.h"
#include "fake_ring.h"
#include "libatomicio/uring.h"
#include "write_machine.h"
#include "write_queue.h"

#define OPS 8u

static jmp_buf outside;
static bool leaves;
static uint32_t asked;

static uint32_t leave(void *context, const struct atomicio_failure *failure)
{
	(void)context, (void)failure;
	asked++;
	if (leaves)
		longjmp(outside, 1);
	return ATOMICIO_FAIL;
}

static void left_setup(void)
{
	asked = 0;
	leaves = true;
}

/* The third write is refused when the first two are on their way. */
static int64_t third_fails(const struct io_uring_sqe *sqe, uint32_t number)
{
	return number == 3 ? -EOPNOTSUPP : (int64_t)sqe->len;
}

static struct atomicio_op ops[OPS];

static int hand_in(struct atomicio_queue *queue, struct atomicio_file *file)
{
	for (uint32_t i = 0; i < OPS; i++)
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = fake_page(i + 1),
					      .offset = (uint64_t)i * 4096,
					      .length = 4096,
					      .result = 12345};
	return atomicio_write_batch(queue, ops, OPS, 0);
}

static void check_batch(void)
{
	for (uint32_t i = 0; i < OPS; i++) {
		ck_assert_int_eq(ops[i].result, 0);
		ck_assert(fake_disk_holds(0, (uint64_t)i * 4096, 4096, i + 1));
	}
}

static struct atomicio_queue *make_queue(int error)
{
	struct atomicio_queue *queue;

	fake_ring.create_result = error;
	ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, 4, &queue), 0);
	return queue;
}

START_TEST(a_policy_that_leaves_a_batch_costs_its_queue_alone)
{
	const struct atomicio_options options = {.policy = leave};
	struct atomicio_queue *queue, *other;
	struct atomicio_queue_stats stats;
	struct atomicio_file *file;

	fake_ring_reset();
	file = fake_ring_open(0, &options);
	fake_ring.result = third_fails;
	queue = make_queue(0);
	other = make_queue(-ENOSYS); /* one ring at a time in this machine */
	if (!setjmp(outside)) {
		(void)hand_in(queue, file);
		ck_abort_msg("the policy was not asked");
	}
	ck_assert_uint_eq(asked, 1);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(hand_in(queue, file), -EBUSY);
		ck_assert_int_eq(ops[0].result, 12345);
	}
	ck_assert_int_eq(atomicio_queue_get_stats(queue, &stats, sizeof(stats)), 0);
	ck_assert_uint_eq(stats.batches, 1);
	ck_assert_int_eq(hand_in(other, file), 0);
	check_batch();
	ck_assert_int_eq(hand_in(NULL, file), 0);
	check_batch();
	ck_assert_int_eq(atomicio_write(file, fake_page(9), 4096, 4096, ATOMICIO_DSYNC), 0);
	ck_assert_int_eq(atomicio_sync(file), 0);
	atomicio_queue_destroy(queue);
	atomicio_queue_destroy(other);
	ck_assert_uint_eq(fake_ring.destroyed, 1);
	ck_assert_int_eq(atomicio_close(file), 0);
	ck_assert_uint_eq(fake.allocated, 0);
}
END_TEST

/* Write once, and leave from under it. */
static void leave_from(struct atomicio_file *file, const void *buffer, uint64_t offset)
{
	asked = 0;
	leaves = true;
	if (!setjmp(outside)) {
		(void)atomicio_write(file, buffer, PAGE, offset, ATOMICIO_DSYNC);
		ck_abort_msg("the policy was not asked");
	}
	ck_assert_uint_eq(asked, 1);
	leaves = false;
}

/* The bounce buffer is locked in a write; the plain path leaves from its own attempt. */
START_TEST(a_policy_that_leaves_a_write_holds_no_lock)
{
	const struct atomicio_options options = {
		.policy = leave, .fallback = ATOMICIO_FALLBACK_PLAIN, .bounce_max = PAGE};
	const int error = -EIO;
	struct atomicio_file *file;

	write_machine();
	file = machine_open(&options);
	for (uint32_t i = 0; i < 4; i++) {
		disk.script = &error;
		disk.script_left = 1;
		leave_from(file, page + i % 2, 0);
		ck_assert_uint_eq(machine_stats(file).writes_failed, 0);
		ck_assert_int_eq(atomicio_write(file, page + i % 2, PAGE, 0, ATOMICIO_DSYNC), 0);
		ck_assert(disk_holds(0, PAGE, NEW));
		ck_assert_int_eq(atomicio_sync(file), 0);
	}
	ck_assert_uint_gt(machine_stats(file).bounces, 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	machine_is_clean();
}
END_TEST

START_TEST(a_policy_that_leaves_the_journal_leaves_nobody_in_line)
{
	struct atomicio_options options = {
		.policy = leave, .file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_op op;
	struct atomicio_file *file;

	write_machine();
	options.journal = machine_journal();
	file = machine_open(&options);
	op = (struct atomicio_op){.file = file, .buffer = page, .offset = 1, .length = PAGE};
	asked = 0;
	leave_from(file, page, 1); /* no place of a page */
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC), 0);
	leaves = true;
	if (!setjmp(outside)) {
		(void)atomicio_write_batch(NULL, &op, 1, 0);
		ck_abort_msg("the policy was not asked");
	}
	leaves = false;
	op.offset = PAGE;
	ck_assert_int_eq(atomicio_write_batch(NULL, &op, 1, ATOMICIO_ALL_OR_NONE), 0);
	ck_assert(disk_holds(0, 2 * PAGE, NEW));
	ck_assert_int_eq(atomicio_journal_checkpoint(options.journal), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(options.journal);
	machine_is_clean();
}
END_TEST

START_TEST(the_thread_whose_policy_left_has_its_cancellation_off)
{
	const struct atomicio_options options = {.policy = leave};
	const int error = -EIO;
	struct atomicio_file *file;
	int before;

	write_machine();
	file = machine_open(&options);
	disk.script = &error;
	disk.script_left = 1;
	leave_from(file, page, 0);
	ck_assert_int_eq(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before), 0);
	ck_assert_int_eq(before, PTHREAD_CANCEL_DISABLE);
	ck_assert_int_eq(atomicio_close(file), 0);
	ck_assert_int_eq(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before), 0);
	ck_assert_int_eq(before, PTHREAD_CANCEL_ENABLE);
}
END_TEST

START_TEST(a_request_whose_policy_left_is_used_again_once_it_is_zeroed)
{
	const struct atomicio_options options = {.policy = leave};
	struct atomicio_request request = {0};
	struct atomicio_file *file;
	struct io_uring_sqe sqe;

	fake_ring_reset();
	file = fake_ring_open(0, &options);
	ck_assert_int_eq(atomicio_uring_prep(&request, file, &sqe, fake_page(1), 4096, 0, 0), 0);
	if (!setjmp(outside)) {
		(void)atomicio_uring_done(&request, -EIO);
		ck_abort_msg("the policy was not asked");
	}
	ck_assert_int_eq(atomicio_uring_prep(&request, file, &sqe, fake_page(1), 4096, 4096, 0),
			 -EINVAL);
	memset(&request, 0, sizeof(request));
	ck_assert_int_eq(atomicio_uring_prep(&request, file, &sqe, fake_page(1), 4096, 4096, 0), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, 4096), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_policy_that_leaves_a_batch_costs_its_queue_alone,
		a_policy_that_leaves_a_write_holds_no_lock,
		a_policy_that_leaves_the_journal_leaves_nobody_in_line,
		the_thread_whose_policy_left_has_its_cancellation_off,
		a_request_whose_policy_left_is_used_again_once_it_is_zeroed,
	};

	return check_run("write_left", tests, sizeof(tests) / sizeof(tests[0]), left_setup);
}
