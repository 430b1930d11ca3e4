/* SPDX-License-Identifier: MIT */
/*
 * Goal: whatever goes wrong with a queue's ring, each op is settled once, none is called done
 * that is not, and the queue goes on.
 * Method: a ring in memory that refuses, interrupts, loses, repeats, delays or dies.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "fake_ring.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

#define OPS 16
#define FOREVER (1u << 30)

static struct atomicio_op ops[OPS];
static struct atomicio_queue *queue;
static struct atomicio_file *files[2];
static struct fake_policy policy;

static void setup(void)
{
	const struct atomicio_options options = {.policy = fake_decide, .policy_context = &policy};

	for (uint32_t i = 0; i < 2; i++)
		atomicio_close(files[i]); /* of an earlier round */
	fake_ring_reset();
	policy = (struct fake_policy){.answer = ATOMICIO_RETRY};
	for (uint32_t i = 0; i < 2; i++)
		files[i] = fake_ring_open(i, &options);
}

static void make_queue(uint32_t depth)
{
	ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, depth, &queue), 0);
}

static int run_batch(void)
{
	for (uint32_t i = 0; i < OPS; i++)
		ops[i] = (struct atomicio_op){.file = files[i % 2],
					      .buffer = fake_page(i + 1),
					      .offset = (uint64_t)(i / 2) * 4096,
					      .length = 4096,
					      .result = 12345};
	return atomicio_write_batch(queue, ops, OPS, 0);
}

static bool is_written(uint32_t i)
{
	return fake_disk_holds(i % 2, (uint64_t)(i / 2) * 4096, 4096, i + 1);
}

static void check_all_written(void)
{
	for (uint32_t i = 0; i < OPS; i++)
		ck_assert(ops[i].result == 0 && is_written(i));
	ck_assert_uint_eq(fake_stats(files[0]).writes_hardware, OPS / 2);
	ck_assert_uint_eq(fake_stats(files[1]).writes_hardware, OPS / 2);
	ck_assert_uint_eq(fake_ring.without_flag, 0);
}

static int32_t ring_error(void)
{
	struct atomicio_queue_stats stats;

	ck_assert_int_eq(atomicio_queue_get_stats(queue, &stats, sizeof(stats)), 0);
	return stats.ring_error;
}

static void check_closed(void)
{
	atomicio_queue_destroy(queue);
	for (uint32_t i = 0; i < 2; i++) {
		atomicio_close(files[i]);
		files[i] = NULL;
	}
	ck_assert_uint_eq(fake.allocated, 0);
	ck_assert_uint_eq(fake_ring.created, fake_ring.destroyed);
}

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

START_TEST(ring_that_dies_before_it_took_anything_costs_nothing)
{
	const int errors[] = {-EBADFD, -EOWNERDEAD, -EBADF, -EFAULT, -EEXIST, -ENXIO};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		setup();
		fake_ring.enter_fail_at = 1;
		fake_ring.enter_fail_times = FOREVER;
		fake_ring.enter_error = errors[i];
		make_queue(4);
		ck_assert_int_eq(run_batch(), 0);
		check_all_written();
		ck_assert_int_eq(ring_error(), errors[i]);
		/* And stays so. */
		ck_assert_int_eq(run_batch(), 0);
		ck_assert_uint_eq(fake_ring.enters, 1);
		check_closed();
	}
}
END_TEST

/* Every op of the batch: done and on the disk, or an error; `lost` of them -EIO. */
static void check_after_death(uint32_t lost)
{
	uint32_t errors = 0;

	for (uint32_t i = 0; i < OPS; i++) {
		ck_assert_int_ne(ops[i].result, 12345);
		ck_assert_int_le(ops[i].result, 0);
		if (ops[i].result == 0)
			ck_assert(is_written(i));
		errors += ops[i].result == -EIO;
	}
	ck_assert_uint_eq(errors, lost);
}

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

/* Q3: they may still be on their way, so they are not written a second time. */
START_TEST(entries_consumed_by_the_call_at_which_the_ring_died_are_not_written_again)
{
	fake_ring.enter_fail_at = 1;
	fake_ring.enter_fail_times = FOREVER;
	fake_ring.enter_fails_late = true;
	fake_ring.enter_error = -EOWNERDEAD;
	make_queue(4);
	ck_assert_int_eq(run_batch(), -EIO);
	check_after_death(4);
	ck_assert_uint_eq(fake_ring.plain_calls, 0);
	check_closed();
}
END_TEST

START_TEST(ring_that_dies_with_writes_in_flight_never_calls_them_done)
{
	fake_ring.seed = 9;
	fake_ring.enter_fail_at = 3;
	fake_ring.enter_fail_times = FOREVER;
	fake_ring.enter_error = -EOWNERDEAD;
	make_queue(4);
	ck_assert_int_lt(run_batch(), 0);
	/* Two enters: four and one consumed, one completed in each. */
	check_after_death(3);
	ck_assert_uint_eq(policy.last.kind, ATOMICIO_KIND_MEDIA);
	ck_assert_uint_eq(policy.last.on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	ck_assert_uint_eq(policy.last.allowed, ATOMICIO_FAIL);
	ck_assert_int_eq(ring_error(), -EOWNERDEAD);
	ck_assert_int_eq(atomicio_write(files[0], fake_page(1), 4096, 0, 0), -ENOTRECOVERABLE);
	check_closed();
}
END_TEST

START_TEST(ring_that_dies_half_fed_loses_only_what_it_took)
{
	fake_ring.consume_max = 1;
	fake_ring.enter_fail_at = 2;
	fake_ring.enter_fail_times = FOREVER;
	fake_ring.enter_error = -EBADFD;
	make_queue(4);
	ck_assert_int_eq(run_batch(), -EIO);
	for (uint32_t i = 0; i < OPS; i++) {
		/* The handle of the lost one is poisoned. */
		const int wanted = i == 0 ? -EIO : i % 2 ? 0 : -ENOTRECOVERABLE;

		ck_assert_int_eq(ops[i].result, wanted);
	}
	ck_assert_uint_eq(fake_ring.plain_calls, OPS / 2);
	check_closed();
}
END_TEST

START_TEST(completions_that_a_dead_ring_still_has_are_heard)
{
	fake_ring.enter_fail_at = 2;
	fake_ring.enter_fail_times = FOREVER;
	fake_ring.enter_error = -EBADFD;
	fake_ring.late_from = 1;
	fake_ring.late_sleeps = 50;
	make_queue(4);
	ck_assert_int_eq(run_batch(), 0);
	check_all_written();
	ck_assert_uint_eq(fake_ring.consumed, 4);
	ck_assert_uint_eq(fake_ring.plain_calls, OPS - 4);
	check_closed();
}
END_TEST

START_TEST(lost_completion_is_an_error_and_the_rest_is_written)
{
	for (uint32_t at = 1; at <= OPS; at++) {
		setup();
		fake_ring.seed = at % 4;
		fake_ring.drop_at = at;
		make_queue(1);
		ck_assert_int_lt(run_batch(), 0);
		check_after_death(1);
		ck_assert_int_eq(ring_error(), -EBADR);
		check_closed();
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
		ring_that_dies_before_it_took_anything_costs_nothing,
		entries_consumed_by_a_call_that_failed_are_waited_for,
		entries_consumed_by_the_call_at_which_the_ring_died_are_not_written_again,
		ring_that_dies_with_writes_in_flight_never_calls_them_done,
		ring_that_dies_half_fed_loses_only_what_it_took,
		completions_that_a_dead_ring_still_has_are_heard,
		lost_completion_is_an_error_and_the_rest_is_written,
		completion_that_comes_twice_or_for_nothing_counts_once,
		completion_of_an_earlier_submission_is_not_taken_for_the_next,
	};

	return check_run("uring_ring", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
