/* SPDX-License-Identifier: MIT */
/*
 * Goal: no description keeps the report of a flush that failed in the device.  The next sync fails
 * if an acknowledged write waited for the flush, and costs nothing else (L7).
 * Method: struct loss over the fake disk, with reported errors that the disk itself never had.
 */
#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "check_run.h"
#include "loss.h"
#include "write_machine.h"

static struct loss loss;
static _Atomic uint32_t poison;
static struct sys_calls calls;
static uint64_t mark;
static int (*in_sync)(void);
static pthread_t *another;

static int watched_sync(int fd)
{
	const int error = in_sync ? in_sync() : 0;

	return error ? error : disk_calls->fdatasync(fd);
}

/* A durable write begins now. */
static int read_mark(void)
{
	mark = loss_mark(&loss);
	return 0;
}

static int interrupt(void)
{
	return -EINTR;
}

static void *ask(void *nothing)
{
	(void)loss_ask(&loss, -EIO, loss_mark(&loss), true);
	return nothing;
}

/* Another thread's write fails, and reports the error, while the sync is under way. */
static int let_another_ask(void)
{
	in_sync = NULL;
	ck_assert_int_eq(pthread_create(another, NULL, ask, NULL), 0);
	for (int i = 0; i < 2000 && !loss.unreported; i++)
		usleep(1000);
	return 0;
}

static void setup(void)
{
	write_machine();
	calls = *disk_calls;
	calls.fdatasync = watched_sync;
	in_sync = NULL;
	poison = 0;
}

static void open_loss(void)
{
	ck_assert_int_eq(loss_open(&loss, &calls, FAKE_FD, FAKE_FD, 0, &poison), 0);
}

/* The device fails a flush: the caller receives the error, and no description keeps it. */
START_TEST(a_failed_flush_fails_the_next_sync_if_a_write_waited_for_it)
{
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EIO, loss_mark(&loss), true), 0);
	ck_assert_uint_eq(poison, 0);
	ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
	ck_assert_uint_eq(poison, 1);
	loss_close(&loss);
	setup();
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EREMOTEIO, loss_mark(&loss), false), 0);
	ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), -EREMOTEIO);
	loss_close(&loss);
}
END_TEST

START_TEST(a_failed_flush_costs_nothing_that_was_durable_and_a_refusal_is_none)
{
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_int_eq(loss_ask(&loss, -EIO, loss_mark(&loss), true), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EINVAL, loss_mark(&loss), true), 0);
	ck_assert_int_eq(loss_ask(&loss, -EAGAIN, loss_mark(&loss), false), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_uint_eq(poison, 0);
	loss_close(&loss);
}
END_TEST

/* The error of a write that began before or beside the sync, with the question after the sync. */
START_TEST(a_failed_flush_that_is_asked_after_a_sync_beside_it_fails_the_next_sync)
{
	for (int may_wait = 0; may_wait < 2; may_wait++) {
		for (int beside = 0; beside < 2; beside++) {
			setup();
			open_loss();
			loss_note_unsynced(&loss);
			mark = loss_mark(&loss);
			in_sync = beside ? read_mark : NULL;
			ck_assert_int_eq(loss_sync(&loss, 0), 0);
			ck_assert_int_eq(loss_ask(&loss, -EIO, mark, may_wait), 0);
			ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
			ck_assert_uint_eq(poison, 1);
			loss_close(&loss);
		}
	}
}
END_TEST

START_TEST(a_write_after_the_sync_that_none_waits_for_costs_nothing)
{
	open_loss();
	for (int i = 0; i < 3; i++) {
		if (i < 2)
			loss_note_unsynced(&loss);
		ck_assert_int_eq(loss_sync(&loss, i ? LOSS_RETIRE : 0), 0);
		mark = loss_mark(&loss);
		ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), 0); /* takes nothing */
		ck_assert_int_eq(loss_ask(&loss, -EIO, mark, i & 1), 0);
		ck_assert_int_eq(loss_sync(&loss, 0), 0);
	}
	ck_assert_uint_eq(poison, 0);
	loss_close(&loss);
}
END_TEST

/* An interrupted sync gives the taken writes back. */
START_TEST(a_sync_that_failed_leaves_those_that_wait)
{
	open_loss();
	loss_note_unsynced(&loss);
	loss.deputy = loss.witness; /* EINTR is then no loss */
	in_sync = interrupt;
	ck_assert_int_eq(loss_sync(&loss, 0), -EINTR);
	in_sync = NULL;
	loss.deputy = -1;
	ck_assert_int_eq(loss_ask(&loss, -EIO, loss_mark(&loss), true), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
	loss_close(&loss);
}
END_TEST

START_TEST(a_sync_under_way_hears_of_a_failed_flush_from_who_waits_for_its_lock)
{
	pthread_t asker;

	open_loss();
	loss_note_unsynced(&loss);
	in_sync = let_another_ask;
	another = &asker;
	ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
	ck_assert_int_eq(pthread_join(asker, NULL), 0);
	ck_assert_uint_eq(poison, 1);
	loss_close(&loss);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_failed_flush_fails_the_next_sync_if_a_write_waited_for_it,
		a_failed_flush_costs_nothing_that_was_durable_and_a_refusal_is_none,
		a_failed_flush_that_is_asked_after_a_sync_beside_it_fails_the_next_sync,
		a_write_after_the_sync_that_none_waits_for_costs_nothing,
		a_sync_that_failed_leaves_those_that_wait,
		a_sync_under_way_hears_of_a_failed_flush_from_who_waits_for_its_lock,
	};

	return check_run("loss_flush", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
