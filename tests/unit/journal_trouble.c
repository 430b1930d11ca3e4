/* SPDX-License-Identifier: MIT */
/*
 * Goal: a home write or a sync that fails or hangs is the trouble of one file alone, and no
 * committed page is lost (J1 to J10, K7, K10).
 * Method: trouble_machine.h; then the next start: open, recover, and look.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "check_run.h"
#include "trouble_machine.h"

START_TEST(a_home_write_that_fails_fails_its_file_alone)
{
	static const int errors[] = {EIO, ENOSPC, EFBIG, EPERM, EINVAL, EFAULT, EROFS};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const int value = (int)i + 1;

		trouble.file = 0;
		trouble.write_error = -errors[i];
		/* K11: its frame is durable. */
		ck_assert_int_eq(write_page(0, 3, value), 0);
		ck_assert(frames_hold(0, 3, value));
		ck_assert_int_eq(write_page(0, 3, 77), -ENOTRECOVERABLE);
		ck_assert_uint_eq(atomicio_check(files[0], page, PAGE, 0),
				  ATOMICIO_REASON_HOME_FAILED);
		ck_assert_int_eq(atomicio_sync(files[0]), -ENOTRECOVERABLE);
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
		ck_assert_uint_ge(info().files_failed, 1);
		/* More than a lap of the other. */
		for (uint32_t lap = 0; lap < 100; lap++)
			ck_assert_int_eq(write_page(1, lap % 8, value), 0);
		ck_assert_int_eq(atomicio_sync(files[1]), 0);
		ck_assert(frames_hold(0, 3, value));
		ck_assert_uint_gt(info().pages_carried, 0);
		ck_assert_int_eq(atomicio_close(files[0]), -ENOTRECOVERABLE);
		ck_assert_int_eq(atomicio_close(files[1]), 0);
		files[0] = files[1] = NULL;
		restart();
		ck_assert(holds(0, 3, value));
		ck_assert(holds(1, 3, value));
	}
}
END_TEST

START_TEST(a_sync_that_fails_fails_its_file_alone)
{
	ck_assert_int_eq(write_page(0, 1, 11), 0);
	ck_assert_int_eq(write_page(0, 1, 12), 0);
	ck_assert_int_eq(write_page(1, 1, 13), 0);
	trouble.file = 0;
	trouble.sync_error = -EIO;
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EIO);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -ENOTRECOVERABLE);
	ck_assert_int_eq(write_page(0, 1, 14), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_journal_forget(journal, 1), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_journal_forget(journal, 2), 0);
	for (uint32_t lap = 0; lap < 100; lap++)
		ck_assert_int_eq(write_page(1, lap % 8, 15), 0);
	/* The page that was not synced is lost from the file. */
	memset(page, 0, PAGE);
	ck_assert_int_eq(pwrite(fds[0], page, PAGE, PAGE), PAGE);
	ck_assert(frames_hold(0, 1, 12));
	restart();
	ck_assert(holds(0, 1, 12));
}
END_TEST

START_TEST(a_file_that_failed_is_not_attached_again_before_recovery)
{
	const struct atomicio_options options = {
		.journal = journal, .file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_file *again;

	trouble.file = 0;
	trouble.write_error = -EIO;
	ck_assert_int_eq(write_page(0, 1, 1), 0);
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &again),
			 -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_close(files[0]), -ENOTRECOVERABLE);
	files[0] = NULL;
	trouble.file = -1;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &again),
			 -ENOTRECOVERABLE);
	restart();
	ck_assert(holds(0, 1, 1));
	ck_assert_int_eq(write_page(0, 1, 2), 0);
}
END_TEST

static void *write_troubled(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)write_page(0, 5, 55);
}

static void *sync_troubled(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)atomicio_journal_checkpoint(journal);
}

static void await_hang(void)
{
	pthread_mutex_lock(&trouble.lock);
	while (!trouble.hanging)
		pthread_cond_wait(&trouble.changed, &trouble.lock);
	pthread_mutex_unlock(&trouble.lock);
}

static void end_hang(void)
{
	pthread_mutex_lock(&trouble.lock);
	trouble.hangs_write = trouble.hangs_sync = false;
	pthread_cond_broadcast(&trouble.changed);
	pthread_mutex_unlock(&trouble.lock);
}

/* Laps of the other file while one file hangs, and questions. */
static void go_on_meanwhile(void)
{
	await_hang();
	for (uint32_t lap = 0; lap < 200; lap++) {
		ck_assert_int_eq(write_page(1, lap % 8, (int)lap), 0);
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	}
	ck_assert_int_eq(atomicio_sync(files[1]), 0);
}

START_TEST(a_home_write_that_hangs_stops_no_writer_of_another_file)
{
	pthread_t thread;
	void *result;

	trouble.file = 0;
	trouble.hangs_write = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, write_troubled, NULL), 0);
	go_on_meanwhile();
	ck_assert_uint_gt(info().pages_carried, 0);
	end_hang();
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	ck_assert(holds(0, 5, 55));
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_eq(info().live_frames, 0);
}
END_TEST

static void *write_at(void *at)
{
	return (void *)(intptr_t)write_page(0, *(uint32_t *)at, 66);
}

START_TEST(a_file_whose_writes_hang_leaves_room_for_others)
{
	static uint32_t at[JOURNAL_STAGES + 2];
	pthread_t threads[JOURNAL_STAGES + 2];
	void *result;

	trouble.file = 0;
	trouble.hangs_write = true;
	for (uint32_t i = 0; i < JOURNAL_STAGES + 2; i++) {
		at[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_at, &at[i]), 0);
		/* Each in a frame of its own. */
		for (int ms = 0; ms < 100 && hanging_now() <= i; ms++)
			usleep(1000);
	}
	ck_assert_uint_eq(hanging_now(), JOURNAL_STAGES - JOURNAL_STAGES_SPARE);
	go_on_meanwhile();
	end_hang();
	for (uint32_t i = 0; i < JOURNAL_STAGES + 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_null(result);
		ck_assert(holds(0, i, 66));
	}
}
END_TEST

/* C1: a quarter of the ring. */
START_TEST(more_of_a_failed_file_than_may_be_carried_stops_others_before_their_frame)
{
	uint64_t frames = 0;
	int error = 0, value = 0;

	for (uint32_t i = 0; i < 36; i += 12)
		ck_assert_int_eq(write_pages(0, i, 12, 80), 0);
	trouble.file = 0;
	trouble.sync_error = -EIO;
	while (!error && value < 200) {
		frames = info().pages;
		error = write_page(1, 1, ++value);
	}
	ck_assert_int_eq(error, -ENOSPC);
	ck_assert_uint_eq(info().pages, frames);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	restart();
	ck_assert(holds(1, 1, value - 1));
	for (uint32_t i = 0; i < 36; i++)
		ck_assert(holds(0, i, 80));
}
END_TEST

START_TEST(a_sync_that_hangs_stops_no_writer_of_another_file)
{
	pthread_t thread;
	void *result;

	ck_assert_int_eq(write_page(0, 5, 54), 0);
	ck_assert_int_eq(write_page(0, 5, 55), 0);
	trouble.file = 0;
	trouble.hangs_sync = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, sync_troubled, NULL), 0);
	go_on_meanwhile();
	/* Of two frames of one page the newer alone is carried. */
	ck_assert_uint_gt(info().pages_carried, 0);
	end_hang();
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	restart();
	ck_assert(holds(0, 5, 55));
}
END_TEST

static void *write_laps(void *unused)
{
	(void)unused;
	for (int lap = 0; lap < 100; lap++)
		if (write_page(1, (uint32_t)lap % 8, lap))
			return (void *)1;
	return NULL;
}

/* C1: a quarter of the log area.  Nothing fails: other writers wait, and then go on. */
START_TEST(more_of_a_file_that_hangs_than_may_be_carried_makes_others_wait)
{
	pthread_t threads[2];
	void *result;
	uint64_t pages = 0;

	for (uint32_t i = 0; i < 36; i += 12)
		ck_assert_int_eq(write_pages(0, i, 12, 80), 0);
	trouble.file = 0;
	trouble.hangs_sync = true;
	ck_assert_int_eq(pthread_create(&threads[0], NULL, sync_troubled, NULL), 0);
	await_hang();
	ck_assert_int_eq(pthread_create(&threads[1], NULL, write_laps, NULL), 0);
	for (int still = 0; still < 300; still = info().pages == pages ? still + 1 : 0) {
		pages = info().pages;
		usleep(1000);
	}
	ck_assert_uint_lt(pages, 36 + 100);
	ck_assert_uint_eq(info().files_failed, 0);
	end_hang();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_null(result);
	}
	ck_assert_uint_eq(info().pages, 36 + 100);
	ck_assert(holds(0, 35, 80));
	ck_assert(holds(1, 3, 99));
}
END_TEST

START_TEST(a_call_that_a_signal_cut_short_is_made_again)
{
	trouble.file = 0;
	trouble.interrupts = 5;
	ck_assert_int_eq(write_page(0, 2, 22), 0);
	ck_assert_int_eq(trouble.interrupts, 0);
	ck_assert(holds(0, 2, 22));
	ck_assert_int_eq(write_page(0, 2, 23), 0);
	ck_assert_uint_eq(info().files_failed, 0);
}
END_TEST

START_TEST(overlapping_ops_keep_their_order_in_a_batch_and_are_refused_in_a_group)
{
	static uint8_t bytes[4][2 * PAGE];
	struct atomicio_op ops[4];

	for (uint32_t i = 0; i < 4; i++) {
		memset(bytes[i], (int)i + 1, sizeof(bytes[i]));
		ops[i] = (struct atomicio_op){.file = files[0],
					      .buffer = bytes[i],
					      .offset = i * PAGE,
					      .length = 2 * PAGE};
	}
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 4, ATOMICIO_ALL_OR_NONE), -EINVAL);
	ck_assert(holds(0, 0, 0));
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 4, 0), 0);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert(holds(0, i, (int)i + 1));
	ck_assert(holds(0, 4, 4));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_home_write_that_fails_fails_its_file_alone,
		a_sync_that_fails_fails_its_file_alone,
		a_file_that_failed_is_not_attached_again_before_recovery,
		a_home_write_that_hangs_stops_no_writer_of_another_file,
		a_file_whose_writes_hang_leaves_room_for_others,
		more_of_a_failed_file_than_may_be_carried_stops_others_before_their_frame,
		a_sync_that_hangs_stops_no_writer_of_another_file,
		more_of_a_file_that_hangs_than_may_be_carried_makes_others_wait,
		a_call_that_a_signal_cut_short_is_made_again,
		overlapping_ops_keep_their_order_in_a_batch_and_are_refused_in_a_group,
	};

	return check_run("journal_trouble", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
