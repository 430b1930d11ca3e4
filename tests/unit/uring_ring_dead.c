/* SPDX-License-Identifier: MIT */
/*
 * Goal: an io_uring dies, or loses accepted entries: no answered write is lost, and no write is
 * made twice.
 * Method: an io_uring in memory that dies before, during and after the submission of a batch.
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

/* Q3: entries that may still be on their way are not written a second time. */
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

int main(void)
{
	const TTest *const tests[] = {
		ring_that_dies_before_it_took_anything_costs_nothing,
		entries_consumed_by_the_call_at_which_the_ring_died_are_not_written_again,
		ring_that_dies_with_writes_in_flight_never_calls_them_done,
		ring_that_dies_half_fed_loses_only_what_it_took,
		completions_that_a_dead_ring_still_has_are_heard,
		lost_completion_is_an_error_and_the_rest_is_written,
	};

	return check_run("uring_ring_dead", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
