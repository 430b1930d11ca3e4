/* SPDX-License-Identifier: MIT */
/*
 * Goal: a sync that was begun and not waited for is as good as a waiting sync.  Its report is
 * believed and never forgotten, no caller gets a 0 in spite of the report, and a sync that cannot
 * be begun gives an error.
 * Method: struct loss over the fake disk, whose AIO ends when it is told to.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>

#include "check_run.h"
#include "fake_aio.h"
#include "loss.h"
#include "write_machine.h"

#define EXT4 0xef53u
#define XFS 0x58465342u
#define FUSE 0x65735546u

static struct sys_flights flights;
static pthread_condattr_t clock_attributes;
static struct loss loss;
static _Atomic uint32_t poison;

static void open_on(uint32_t magic, uint32_t flags)
{
	fake.fs_magic = magic;
	poison = 0;
	ck_assert_int_eq(loss_open(&loss, disk_calls, FAKE_FD, FAKE_FD, flags, &poison), 0);
	sys_flights_begin(&flights, disk_calls, 8, &clock_attributes);
}

static void start(void)
{
	write_machine();
	pthread_condattr_init(&clock_attributes);
	pthread_condattr_setclock(&clock_attributes, CLOCK_MONOTONIC);
	open_on(EXT4, 0);
}

static void stop(void)
{
	loss_close(&loss);
	sys_flights_end(&flights);
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_uint_eq(fake_aio.contexts, 0);
}

static int finish(void)
{
	(void)sys_flights_poll(&flights);
	return loss_end_sync(&loss);
}

START_TEST(it_is_one_sync_of_the_witness)
{
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
	ck_assert_uint_eq(disk.syncs, 0);
	ck_assert_int_eq(loss_end_sync(&loss), -EBUSY);
	ck_assert(!loss_sync_ended(&loss));
	ck_assert_int_eq(finish(), 0);
	ck_assert(loss_sync_ended(&loss));
	ck_assert_uint_eq(disk.syncs, 1);
	ck_assert_int_eq(disk.sync_fd, loss.witness);
	ck_assert_int_eq(loss_end_sync(&loss), 0);
	stop();
}
END_TEST

START_TEST(what_it_reports_is_a_loss_for_ever)
{
	for (int error = 1; error < 134; error++) {
		if (error == ECANCELED) /* unknown to all: see below */
			continue;
		start();
		disk_lose(-error);
		ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
		ck_assert_int_eq(finish(), -error);
		ck_assert_uint_eq(poison, 1);
		ck_assert_int_eq(loss_sync(&loss, 0), -ENOTRECOVERABLE);
		ck_assert_int_eq(loss_begin_sync(&loss, &flights), -ENOTRECOVERABLE);
		stop();
	}
}
END_TEST

/* L9: the kernel reports the loss once; a sync at the same time must receive the error, too. */
START_TEST(no_other_sync_says_0_past_its_report)
{
	disk_lose(-EIO);
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), -ENOTRECOVERABLE);
	ck_assert_uint_eq(disk.syncs, 1);
	ck_assert_int_eq(loss_end_sync(&loss), -EIO);
	stop();
	/* Nor does the witness acquit an error before its report is in. */
	start();
	disk_lose(-EIO);
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
	ck_assert_int_eq(loss_ask(&loss, -EINVAL, loss_mark(&loss), true), -EIO);
	ck_assert_uint_eq(disk.syncs, 1);
	stop();
}
END_TEST

START_TEST(a_sync_that_comes_meanwhile_is_made_after_it)
{
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
	fake_aio.slow = 3; /* waits with a limit are over, and repeated */
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_uint_eq(disk.syncs, 2);
	ck_assert_int_eq(loss_end_sync(&loss), 0);
	stop();
}
END_TEST

/* L6: XFS may say 0 once. */
START_TEST(where_a_filesystem_lies_once_it_is_two)
{
	loss_close(&loss);
	sys_flights_end(&flights);
	open_on(XFS, 0);
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
	ck_assert_int_eq(finish(), -EBUSY);
	ck_assert_uint_eq(disk.syncs, 1);
	disk_lose(-EIO);
	ck_assert_int_eq(finish(), -EIO);
	ck_assert_uint_eq(disk.syncs, 2);
	stop();
}
END_TEST

START_TEST(where_it_cannot_be_had_that_is_said)
{
	static const int errors[] = {-ENOSYS, -EPERM, -EAGAIN, -ENOMEM};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		start();
		fake_aio.setup_result = errors[i];
		ck_assert_int_eq(loss_begin_sync(&loss, &flights), -EOPNOTSUPP);
		ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), 0);
		stop();
	}
	start();
	fake_aio.submit_once = -EINVAL; /* before 4.18 */
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), -EINVAL);
	ck_assert(loss_sync_ended(&loss));
	ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), 0);
	stop();
	start();
	loss_close(&loss);
	sys_flights_end(&flights);
	open_on(FUSE, 0);
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), -EOPNOTSUPP); /* L5 */
	stop();
	start();
	loss_close(&loss);
	sys_flights_end(&flights);
	open_on(EXT4, LOSS_NO_WITNESS);
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), -EOPNOTSUPP); /* L4 */
	stop();
}
END_TEST

/* A filter came between: what the witness has reported, if anything, nobody knows. */
START_TEST(a_result_that_nobody_can_have_is_a_loss)
{
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
	fake_aio.reap_result = -EPERM;
	ck_assert_int_eq(finish(), -EIO);
	ck_assert_int_eq(loss_sync(&loss, 0), -ENOTRECOVERABLE);
	stop();
}
END_TEST

/* L7: the write that waits for a flush waits on when the sync fails to be sent, or is cut short. */
START_TEST(a_sync_that_is_not_made_takes_nothing)
{
	loss_note_unsynced(&loss);
	fake_aio.submit_once = -EAGAIN;
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), -EAGAIN);
	ck_assert_uint_eq(atomic_load(&loss.unsynced), 1);
	ck_assert_uint_eq(loss_mark(&loss) & 1, 0);
	ck_assert_int_eq(loss_begin_sync(&loss, &flights), 0);
	ck_assert_uint_eq(atomic_load(&loss.unsynced), 0);
	ck_assert_uint_eq(loss_mark(&loss) & 1, 1);
	ck_assert_int_eq(finish(), 0);
	ck_assert_uint_eq(loss_mark(&loss) & 1, 0);
	stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		it_is_one_sync_of_the_witness,
		what_it_reports_is_a_loss_for_ever,
		no_other_sync_says_0_past_its_report,
		a_sync_that_comes_meanwhile_is_made_after_it,
		where_a_filesystem_lies_once_it_is_two,
		where_it_cannot_be_had_that_is_said,
		a_result_that_nobody_can_have_is_a_loss,
		a_sync_that_is_not_made_takes_nothing,
	};

	return check_run("loss_flight", tests, sizeof(tests) / sizeof(tests[0]), start);
}
