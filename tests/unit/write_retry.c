/* SPDX-License-Identifier: MIT */
/*
 * Goal: a write is retried as often as it may be and no more, by nobody who may not wait, and
 * never where a page may be lost.
 * Method: a scripted policy over a kernel that is busy, or that is told of a lost page.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "policy_machine.h"
#include "write_machine.h"

START_TEST(retries_are_bounded_exactly)
{
	const uint32_t bounds[] = {1, 2, 7, 1000};

	for (size_t i = 0; i < 4; i++) {
		const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_NONE, bounds[i]);
		struct atomicio_file *file;

		write_machine();
		file = machine_open(&options);
		fake.pwritev2 = always_busy;
		answer(RETRY, RETRY);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EAGAIN);
		ck_assert_uint_eq(fake.pwritev2_calls, bounds[i] + 1);
		ck_assert_uint_eq(script.seen_count, bounds[i] + 1);
		for (uint32_t n = 0; n <= bounds[i]; n++) {
			ck_assert_uint_eq(script.seen[n].attempt, n + 1);
			ck_assert_uint_eq(script.seen[n].allowed,
					  n < bounds[i] ? FAIL | RETRY : FAIL);
		}
		ck_assert_uint_eq(machine_stats(file).retries, bounds[i]);
		ck_assert_uint_eq(machine_stats(file).writebacks, bounds[i]);
		ck_assert_uint_eq(disk.write_backs, bounds[i]);
		/* The pauses do not grow for ever. */
		ck_assert_uint_le(disk.slept_us, (uint64_t)bounds[i] * 5000);
		atomicio_close(file);
	}
}
END_TEST

/* The kernel reports a lost page once to each description: here to that of our write-back. */
START_TEST(a_loss_that_a_write_back_is_told_of_poisons_and_its_own_failure_does_not)
{
	const int errors[] = {EIO, ENOSPC, EINVAL, EBADF, EINTR, ENOSYS};

	for (size_t i = 0; i < 12; i++) {
		const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_NONE, 2);
		const bool lost = i < 6;
		struct atomicio_file *file;

		write_machine();
		file = machine_open(&options);
		fake.pwritev2 = always_busy;
		lost ? disk_lose(-errors[i % 6]) : (void)(fake.write_back_result = -errors[i % 6]);
		answer(RETRY, RETRY);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0),
				 lost ? -ENOTRECOVERABLE : -EAGAIN);
		ck_assert_int_eq(atomicio_sync(file), lost ? -ENOTRECOVERABLE : 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(the_default_bound_is_eight_retries)
{
	const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_NONE, 0);
	struct atomicio_file *file = machine_open(&options);

	fake.pwritev2 = always_busy;
	answer(RETRY, RETRY);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EAGAIN);
	ck_assert_uint_eq(fake.pwritev2_calls, 9);
	atomicio_close(file);
}
END_TEST

START_TEST(nowait_neither_writes_back_nor_sleeps)
{
	const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_NONE, 8);
	struct atomicio_file *file = machine_open(&options);

	fake.pwritev2 = always_busy;
	answer(RETRY, RETRY);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_NOWAIT), -EAGAIN);
	ck_assert_uint_eq(fake.pwritev2_calls, 9);
	ck_assert_uint_eq(fake.calls, 9 + 9 * 3); /* a look at descriptor, inode and mount */
	ck_assert_uint_eq(disk.write_backs, 0);
	ck_assert_uint_eq(disk.syncs, 0);
	ck_assert_uint_eq(fake.sleeps, 0);
	ck_assert_uint_eq(script.seen[0].reasons, 0);
	atomicio_close(file);
}
END_TEST

START_TEST(nowait_above_the_hardware_unit_is_never_retried)
{
	const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_PLAIN, 8);
	struct atomicio_file *file = machine_open(&options);

	fake.pwritev2 = always_busy;
	answer(RETRY, RETRY);
	ck_assert_int_eq(atomicio_write(file, page, 131072, 0, ATOMICIO_NOWAIT), -EAGAIN);
	ck_assert_uint_eq(fake.pwritev2_calls, 1);
	ck_assert_uint_eq(script.seen[0].reasons, ATOMICIO_REASON_NOWAIT_NEVER);
	ck_assert_uint_eq(script.seen[0].allowed, FAIL | FALLBACK);
	/* Without NOWAIT the page cache is in the way. */
	answer(FAIL, FAIL);
	ck_assert_int_eq(atomicio_write(file, page, 131072, 0, 0), -EAGAIN);
	ck_assert_uint_eq(script.seen[0].reasons, ATOMICIO_REASON_CACHED_PAGES);
	atomicio_close(file);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		retries_are_bounded_exactly,
		a_loss_that_a_write_back_is_told_of_poisons_and_its_own_failure_does_not,
		the_default_bound_is_eight_retries,
		nowait_neither_writes_back_nor_sleeps,
		nowait_above_the_hardware_unit_is_never_retried,
	};

	return check_run("write_retry", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
