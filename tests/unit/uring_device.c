/* SPDX-License-Identifier: MIT */
/*
 * Goal: a guest's write to a raw block device is never called done while a page of its range is
 * in the page cache.
 * Method: entries in memory; the test plays the kernel, its cachestat and its completions.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "guest_machine.h"

static void open_device(uint32_t answer)
{
	const struct atomicio_options options = {.policy = fake_decide,
						 .policy_context = &guest_policy};

	fake.statx.mode = S_IFBLK | 0600;
	guest_policy.answer = answer;
	file = fake_ring_open(0, &options);
	ck_assert(file->is_device && file->device_nowait);
}

START_TEST(device_write_carries_nowait_and_is_done_when_nothing_is_cached)
{
	open_device(ATOMICIO_FAIL);
	ck_assert_int_eq(prep_page(), 0);
	check_write(SYS_RWF_NOWAIT);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
}
END_TEST

START_TEST(doubtful_device_write_is_repeated_with_dsync_and_then_broken)
{
	open_device(ATOMICIO_RETRY);
	fake_ring.dirty = true;
	ck_assert_int_eq(prep_page(), 0);
	fake_ring.cached_for = 1;
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), ATOMICIO_AGAIN_SQE);
	ck_assert_uint_eq(fake_ring.drops, 1);
	ck_assert_uint_eq(fake_ring.started_write_backs, 1);
	ck_assert_int_eq(prep_page(), 0);
	check_write(SYS_RWF_NOWAIT | SYS_RWF_DSYNC);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	ck_assert_uint_eq(guest_policy.seen, 0);

	for (int i = 0; i < 15; i++) {
		ck_assert_int_eq(prep_page(), 0);
		fake_ring.cached_for = 1;
		ck_assert_int_eq(atomicio_uring_done(&request, i % 2 ? LENGTH : -EAGAIN),
				 ATOMICIO_AGAIN_SQE);
	}
	ck_assert_int_eq(prep_page(), 0);
	fake_ring.cached_for = 1;
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), -EIO);
	ck_assert_uint_eq(guest_policy.last.kind, ATOMICIO_KIND_BROKEN);
	ck_assert_int_eq(prep_page(), -ENOTRECOVERABLE);
}
END_TEST

START_TEST(doubtful_device_write_that_then_fails_is_broken)
{
	open_device(ATOMICIO_RETRY);
	fake_ring.dirty = true;
	ck_assert_int_eq(prep_page(), 0);
	fake_ring.cached_for = 1;
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -ENOSPC), -EIO);
	ck_assert_uint_eq(guest_policy.last.kind, ATOMICIO_KIND_BROKEN);
}
END_TEST

START_TEST(device_that_knows_no_nowait_is_looked_at_before)
{
	open_device(ATOMICIO_FAIL);
	file->device_nowait = false;
	fake_ring.cached_for = 2;
	ck_assert_int_eq(prep_page(), -EAGAIN);
	check_failing();
	ck_assert_uint_eq(fake_ring.drops, 1);
	fake_ring.cached_for = 1;
	ck_assert_int_eq(prep_page(), 0);
	check_write(0);
	fake_ring.cached_for = 1;
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), ATOMICIO_AGAIN_SQE);
	/* Old or new it is, and the next try cannot be made. */
	fake_ring.cached_for = 2;
	ck_assert_int_eq(prep_page(), -EAGAIN);
	ck_assert_uint_eq(guest_policy.last.on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	/* With a dirty page it may be torn. */
	fake_ring.dirty = true;
	ck_assert_int_eq(prep_page(), 0);
	fake_ring.cached_for = 1;
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), ATOMICIO_AGAIN_SQE);
	fake_ring.cached_for = 2;
	ck_assert_int_eq(prep_page(), -EIO);
	ck_assert_uint_eq(guest_policy.last.kind, ATOMICIO_KIND_BROKEN);
}
END_TEST

START_TEST(full_request_queue_gets_an_entry_without_nowait)
{
	open_device(ATOMICIO_FAIL);
	ck_assert_int_eq(prep_page(), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_page(), 0);
	check_write(0);
	ck_assert_int_eq(atomicio_uring_done(&request, LENGTH), 0);
	ck_assert_uint_eq(guest_policy.seen, 0);
	/* A caller with NOWAIT receives the error. */
	ck_assert_int_eq(prep(fake_page(1), LENGTH, 8192, ATOMICIO_NOWAIT), 0);
	ck_assert_int_eq(atomicio_uring_done(&request, -EAGAIN), -EAGAIN);
	ck_assert_uint_eq(guest_policy.seen, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		device_write_carries_nowait_and_is_done_when_nothing_is_cached,
		doubtful_device_write_is_repeated_with_dsync_and_then_broken,
		doubtful_device_write_that_then_fails_is_broken,
		device_that_knows_no_nowait_is_looked_at_before,
		full_request_queue_gets_an_entry_without_nowait,
	};

	return check_run("uring_device", tests, sizeof(tests) / sizeof(tests[0]), guest_setup);
}
