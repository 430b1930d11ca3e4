/* SPDX-License-Identifier: MIT */
/*
 * Goal: a guest request fills its entry right, ends once, and keeps its states apart.
 * Method: entries in memory; the test plays the kernel and hands in completions; files over
 * the fake system table.  Every errno is in tests/fault/uring.c.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "guest_machine.h"

START_TEST(entry_carries_the_flag_and_every_field_and_keeps_user_data)
{
	guest_open(ATOMICIO_FAIL, 0);
	ck_assert_int_eq(prep_page(), 0);
	check_write(0);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 8192, ATOMICIO_DSYNC), 0);
	check_write(SYS_RWF_DSYNC);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 8192, ATOMICIO_DSYNC | ATOMICIO_NOWAIT), 0);
	check_write(SYS_RWF_DSYNC | SYS_RWF_NOWAIT);
	ck_assert_uint_eq(fake_ring.plain_calls, 0);
}
END_TEST

START_TEST(entry_is_the_same_off_the_hot_path)
{
	fake.file_size_limit = 1 << 20;
	guest_open(ATOMICIO_FAIL, 0);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 8192, ATOMICIO_DSYNC | ATOMICIO_NOWAIT), 0);
	check_write(SYS_RWF_DSYNC | SYS_RWF_NOWAIT);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	fake.file_size_limit = 8192 + LENGTH - 1;
	ck_assert_int_eq(prep_page(), -EFBIG);
	check_failing();
	ck_assert_uint_eq(guest_policy.last.kind, ATOMICIO_KIND_SPACE);
}
END_TEST

START_TEST(full_count_is_done_and_counted_once)
{
	guest_open(ATOMICIO_FAIL, 0);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), -EINVAL);
	ck_assert_int_eq(atomicio_uring_done(&request, -EIO), -EINVAL);
	ck_assert_uint_eq(fake_stats(file).writes_hardware, 1);
	ck_assert_uint_eq(fake_stats(file).bytes, LENGTH);
	ck_assert_uint_eq(guest_policy.seen, 0);
}
END_TEST

START_TEST(completion_without_a_write_is_refused)
{
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), -EINVAL);
	ck_assert_int_eq(atomicio_uring_done(NULL, LENGTH), -EINVAL);
}
END_TEST

START_TEST(misuse_gives_einval_and_an_entry_that_fails)
{
	const struct {
		const void *buffer;
		size_t length;
		uint64_t offset;
		uint32_t flags;
	} rows[] = {
		{NULL, LENGTH, 0, 0},
		{fake_page(1), 0, 0, 0},
		{fake_page(1), LENGTH, INT64_MAX, 0},
		{fake_page(1), LENGTH, UINT64_MAX - LENGTH + 1, 0},
		{fake_page(1), LENGTH, 0, ATOMICIO_ALL_OR_NONE},
		{fake_page(1), LENGTH, 0, 0x10},
	};

	guest_open(ATOMICIO_FAIL, ATOMICIO_FALLBACK_PLAIN);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(
			prep(rows[i].buffer, rows[i].length, rows[i].offset, rows[i].flags),
			-EINVAL);
		check_failing();
		ck_assert_int_eq(atomicio_uring_done(&request, -EBADF), -EINVAL);
	}
	ck_assert_uint_eq(guest_policy.seen, 0);
	ck_assert_int_eq(atomicio_uring_prep(&request, NULL, &entry, fake_page(1), LENGTH, 0, 0),
			 -EINVAL);
	ck_assert_int_eq(atomicio_uring_prep(NULL, file, &entry, fake_page(1), LENGTH, 0, 0),
			 -EINVAL);
	check_failing();
	ck_assert_int_eq(atomicio_uring_prep(&request, file, NULL, fake_page(1), LENGTH, 0, 0),
			 -EINVAL);
}
END_TEST

START_TEST(request_on_its_way_takes_no_second_write_and_is_not_disturbed)
{
	guest_open(ATOMICIO_FAIL, 0);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(prep(fake_page(2), LENGTH, 0, 0), -EINVAL);
	check_failing();
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	ck_assert_uint_eq(fake_stats(file).writes_hardware, 1);
}
END_TEST

START_TEST(refused_write_may_be_followed_by_another_with_or_without_done)
{
	guest_open(ATOMICIO_FAIL, 0);
	ck_assert_int_eq(prep(fake_page(1), 12288, 0, 0), -EINVAL);
	check_failing();
	ck_assert_uint_eq(guest_policy.last.kind, ATOMICIO_KIND_SHAPE);
	ck_assert_int_eq(prep(fake_page(1), 12288, 0, 0), -EINVAL);
	ck_assert_int_eq(atomicio_uring_done(&request, -EBADF), -EINVAL);
	ck_assert_int_eq(prep_page(), 0);
	check_write(0);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
}
END_TEST

START_TEST(request_of_garbage_is_refused)
{
	guest_open(ATOMICIO_FAIL, 0);
	memset(&request, 0xa5, sizeof(request));
	ck_assert_int_eq(prep_page(), -EINVAL);
	check_failing();
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), -EINVAL);
}
END_TEST

START_TEST(retry_asks_for_the_same_write_again_and_waits_for_nothing)
{
	guest_open(ATOMICIO_RETRY, 0);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), ATOMICIO_AGAIN_SQE);
	ck_assert_uint_eq(guest_policy.last.reasons, ATOMICIO_REASON_CACHED_PAGES);
	ck_assert_uint_eq(fake_ring.started_write_backs, 1);
	ck_assert_uint_eq(fake_ring.write_backs, 0);
	/* Not the write that is due. */
	ck_assert_int_eq(prep(fake_page(2), LENGTH, 8192, 0), -EINVAL);
	ck_assert_int_eq(prep(fake_page(1), 2 * LENGTH, 8192, 0), -EINVAL);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 4096, 0), -EINVAL);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 8192, ATOMICIO_DSYNC), -EINVAL);
	check_failing();
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), -EINVAL);
	ck_assert_int_eq(prep_page(), 0);
	check_write(0);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	ck_assert_uint_eq(fake_stats(file).retries, 1);
	ck_assert_uint_eq(fake_ring.sleeps, 0);
}
END_TEST

START_TEST(retries_end_after_retries_max_without_a_pause)
{
	guest_open(ATOMICIO_RETRY, 0);
	for (int i = 0; i < WRITE_RETRIES_DEFAULT; i++) {
		ck_assert_int_eq(prep_page(), 0);
		ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), ATOMICIO_AGAIN_SQE);
	}
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), -EAGAIN);
	ck_assert_uint_eq(fake_ring.sleeps, 0);
	/* The next write counts anew. */
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), ATOMICIO_AGAIN_SQE);
}
END_TEST

START_TEST(zeroing_gives_up_a_write_that_is_due_again)
{
	guest_open(ATOMICIO_RETRY, 0);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), ATOMICIO_AGAIN_SQE);
	memset(&request, 0, sizeof(request));
	ck_assert_int_eq(prep(fake_page(2), LENGTH, 0, 0), 0);
}
END_TEST

START_TEST(short_count_is_broken_and_poisons_the_handle)
{
	const int32_t counts[] = {0, 1, 512, LENGTH - 1, LENGTH + 1};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		guest_open(ATOMICIO_RETRY, ATOMICIO_FALLBACK_PLAIN);
		ck_assert_int_eq(prep_page(), 0);
		ck_assert_int_eq(atomicio_uring_done(&request, counts[i]), -EIO);
		ck_assert_uint_eq(guest_policy.last.kind, ATOMICIO_KIND_BROKEN);
		ck_assert_uint_eq(guest_policy.last.on_disk, ATOMICIO_DISK_UNKNOWN);
		ck_assert_int_eq(prep_page(), -ENOTRECOVERABLE);
		check_failing();
		ck_assert_int_eq(atomicio_uring_done(&request, -EBADF), -ENOTRECOVERABLE);
		ck_assert_uint_eq(fake_ring.plain_calls, 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(poison_ends_a_write_that_is_due_again)
{
	guest_open(ATOMICIO_RETRY, 0);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), ATOMICIO_AGAIN_SQE);
	write_poison(file);
	ck_assert_int_eq(prep_page(), -ENOTRECOVERABLE);
	check_failing();
}
END_TEST

START_TEST(cancelled_write_and_closed_file_are_never_retried)
{
	const int errors[] = {-ECANCELED, -EBADF};

	guest_open(ATOMICIO_RETRY, ATOMICIO_FALLBACK_PLAIN);
	for (size_t i = 0; i < 2; i++) {
		for (uint32_t answer = ATOMICIO_RETRY; answer <= ATOMICIO_FALLBACK; answer++) {
			guest_policy.answer = answer;
			ck_assert_int_eq(prep_page(), 0);
			ck_assert_int_eq(atomicio_uring_done(&request, errors[i]), errors[i]);
			ck_assert_uint_eq(guest_policy.last.allowed, ATOMICIO_FAIL);
			ck_assert_uint_eq(guest_policy.last.on_disk, ATOMICIO_DISK_OLD);
		}
	}
	ck_assert_uint_eq(fake_ring.plain_calls, 0);
}
END_TEST

START_TEST(behind_is_no_flag_of_a_guest)
{
	guest_open(ATOMICIO_FALLBACK, ATOMICIO_FALLBACK_PLAIN);
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 0, ATOMICIO_BEHIND), -EINVAL);
	check_failing();
	ck_assert_uint_eq(fake_ring.plain_calls, 0);
	ck_assert_uint_eq(fake_stats(file).writes_plain, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		entry_carries_the_flag_and_every_field_and_keeps_user_data,
		entry_is_the_same_off_the_hot_path,
		full_count_is_done_and_counted_once,
		completion_without_a_write_is_refused,
		misuse_gives_einval_and_an_entry_that_fails,
		request_on_its_way_takes_no_second_write_and_is_not_disturbed,
		refused_write_may_be_followed_by_another_with_or_without_done,
		request_of_garbage_is_refused,
		retry_asks_for_the_same_write_again_and_waits_for_nothing,
		retries_end_after_retries_max_without_a_pause,
		zeroing_gives_up_a_write_that_is_due_again,
		short_count_is_broken_and_poisons_the_handle,
		poison_ends_a_write_that_is_due_again,
		cancelled_write_and_closed_file_are_never_retried,
		behind_is_no_flag_of_a_guest,
	};

	return check_run("uring_guest", tests, sizeof(tests) / sizeof(tests[0]), guest_setup);
}
