/* SPDX-License-Identifier: MIT */
/*
 * Goal: whatever goes wrong with a queue's ring, each op is answered once, none is called done
 * that is not, and the queue goes on.
 * Method: a ring in memory that refuses, interrupts, loses, repeats, delays or dies.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>

#include "batch_machine.h"
#include "check_run.h"
#include "fake_ring.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

START_TEST(full_submission_queue_makes_the_batch_go_in_pieces)
{
	fake_ring.entries = 3;
	fake_ring.seed = 7;
	make_queue(8);
	ck_assert_int_eq(run_batch(), 0);
	check_all_written();
	ck_assert_uint_eq(fake_ring.consumed, OPS);
	check_closed();
}
END_TEST

START_TEST(submission_queue_that_is_never_free_leads_to_pwritev2)
{
	fake_ring.entries = UINT32_MAX;
	make_queue(8);
	fake_ring.idle = true;
	/* As if the kernel never advanced its head. */
	ck_assert_int_eq(run_batch(), 0);
	check_all_written();
	ck_assert_uint_eq(fake_ring.plain_calls, OPS);
	ck_assert_int_eq(ring_error(), -ETIME);
	check_closed();
}
END_TEST

START_TEST(entries_consumed_one_by_one_are_all_written)
{
	fake_ring.consume_max = 1;
	make_queue(8);
	ck_assert_int_eq(run_batch(), 0);
	check_all_written();
	ck_assert_uint_eq(fake_ring.consumed, OPS);
	check_closed();
}
END_TEST

/* A batch that the ring takes as if nothing had happened. */
static void batch_passes(void)
{
	make_queue(4);
	ck_assert_int_eq(run_batch(), 0);
	check_all_written();
	ck_assert_int_eq(ring_error(), 0);
	ck_assert_uint_eq(fake_ring.consumed, OPS);
	ck_assert_uint_eq(fake_ring.plain_calls, 0);
	check_closed();
}

START_TEST(signal_during_the_wait_does_not_end_the_batch)
{
	for (uint32_t at = 1; at < 6; at++) {
		setup();
		fake_ring.enter_fail_at = at;
		fake_ring.enter_fail_times = 5000;
		fake_ring.enter_error = -EINTR;
		batch_passes();
	}
}
END_TEST

START_TEST(kernel_out_of_room_passes)
{
	const int errors[] = {-EAGAIN, -EBUSY};

	for (uint32_t i = 0; i < 2; i++) {
		setup();
		fake_ring.enter_fail_at = 2;
		fake_ring.enter_fail_times = 100;
		fake_ring.enter_error = errors[i];
		make_queue(4);
		ck_assert_int_eq(run_batch(), 0);
		check_all_written();
		ck_assert_int_eq(ring_error(), 0);
		ck_assert_uint_ge(fake_ring.sleeps, 1);
		check_closed();
	}
}
END_TEST

START_TEST(kernel_out_of_room_for_ever_leads_to_pwritev2)
{
	fake_ring.enter_fail_at = 1;
	fake_ring.enter_fail_times = FOREVER;
	fake_ring.enter_error = -EAGAIN;
	make_queue(4);
	ck_assert_int_eq(run_batch(), 0);
	check_all_written();
	ck_assert_int_eq(ring_error(), -EAGAIN);
	ck_assert_uint_eq(fake_ring.plain_calls, OPS);
	check_closed();
}
END_TEST

START_TEST(entries_consumed_by_a_call_that_failed_are_waited_for)
{
	const int errors[] = {-EINTR, -EAGAIN, -EBUSY};

	for (uint32_t i = 0; i < 3; i++) {
		setup();
		fake_ring.enter_fail_at = 1;
		fake_ring.enter_fail_times = 2;
		fake_ring.enter_fails_late = true;
		fake_ring.enter_error = errors[i];
		batch_passes();
	}
}
END_TEST

START_TEST(completion_that_comes_twice_or_for_nothing_counts_once)
{
	for (uint32_t at = 1; at <= OPS; at++) {
		setup();
		fake_ring.seed = at % 4;
		fake_ring.duplicate_at = fake_ring.stray_at = at;
		make_queue(1 + at % 5);
		ck_assert_int_eq(run_batch(), 0);
		check_all_written();
		ck_assert_uint_eq(policy.seen, 0);
		check_closed();
	}
}
END_TEST

static int64_t first_is_busy(const struct io_uring_sqe *sqe, uint32_t number)
{
	return number == 1 ? -EAGAIN : (int64_t)sqe->len;
}

START_TEST(completion_of_an_earlier_submission_is_not_taken_for_the_next)
{
	fake_ring.numbered = 0;
	fake_ring.result = first_is_busy;
	fake_ring.duplicate_at = 1;
	make_queue(1);
	ck_assert_int_eq(run_batch(), 0);
	check_all_written();
	ck_assert_uint_eq(policy.seen, 1);
	check_closed();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		full_submission_queue_makes_the_batch_go_in_pieces,
		submission_queue_that_is_never_free_leads_to_pwritev2,
		entries_consumed_one_by_one_are_all_written,
		signal_during_the_wait_does_not_end_the_batch,
		kernel_out_of_room_passes,
		kernel_out_of_room_for_ever_leads_to_pwritev2,
		entries_consumed_by_a_call_that_failed_are_waited_for,
		completion_that_comes_twice_or_for_nothing_counts_once,
		completion_of_an_earlier_submission_is_not_taken_for_the_next,
	};

	return check_run("uring_ring", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
