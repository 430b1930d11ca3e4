/* SPDX-License-Identifier: MIT */
/*
 * Goal: when half of the log area is live, frames are retired in steps, and no writer stops before
 * the log area is full.  Frames are acknowledged while the sync and the headers of a retirement are
 * on their way.  If the requests cannot be sent, one writer makes one call that waits.
 * Method: single pages through the fake disk, whose AIO ends on command; syncs, requests and
 * acknowledged frames are counted, not timed.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>

#include "check_run.h"
#include "homes_machine.h"
#include "journal_internal.h"

/* A frame of one page: header and page. */
#define FRAME_BYTES (JOURNAL_BLOCK + PAGE)

static void begin(void)
{
	direct();
	disk.syncs = 0; /* the sync of the journal's making */
}

static uint64_t ring(void)
{
	return journal->header.size - JOURNAL_RING_START;
}

/* Frames that fit behind an empty log, and frames in half of the log. */
static uint32_t frames_full(void)
{
	return (uint32_t)((ring() - journal_reserve(&journal->header)) / FRAME_BYTES);
}

static uint32_t frames_half(void)
{
	return (frames_full() + 1) / 2;
}

static struct atomicio_journal_info info(void)
{
	struct atomicio_journal_info told;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &told, sizeof(told)), 0);
	return told;
}

static void write_frames(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ck_assert_int_eq(atomicio_write(file, page, PAGE, i % 8 * PAGE, 0), 0);
}

static bool headers_are_equal(void)
{
	return memcmp(disk.bytes[1], disk.bytes[1] + JOURNAL_BLOCK, JOURNAL_BLOCK) == 0;
}

START_TEST(nothing_is_retired_below_half)
{
	write_frames(frames_half() - 1);
	ck_assert_uint_eq(fake_aio.submits, 0);
	ck_assert_uint_eq(disk.syncs, 0);
	stop();
}
END_TEST

/* The proof by count: with a sync that does not end, every frame that fits is acknowledged. */
START_TEST(a_sync_that_takes_long_stops_nobody_until_the_log_is_full)
{
	fake_aio.slow = FAKE_AIO_NEVER;
	write_frames(frames_half());
	ck_assert_uint_eq(fake_aio.in_air, 1);
	write_frames(frames_full() - frames_half());
	ck_assert_uint_eq(info().frames, frames_full());
	ck_assert_uint_eq(fake_aio.in_air, 1); /* still the same request */
	ck_assert_uint_eq(fake_aio.submits, 1);
	ck_assert_uint_eq(disk.syncs, 0);
	ck_assert_uint_eq(info().checkpoints, 0);
	/* The next one needs room, and waits. */
	fake_aio.slow = 2;
	write_frames(1);
	ck_assert_uint_eq(info().checkpoints, 1);
	ck_assert_uint_eq(info().frames, frames_full() + 1);
	stop();
}
END_TEST

START_TEST(each_write_makes_one_step)
{
	write_frames(frames_half()); /* begins, and sends the sync: XFS wants two (L6) */
	for (uint32_t syncs = 0; syncs < 2; syncs++) {
		ck_assert_uint_eq(disk.syncs, syncs);
		ck_assert_uint_eq(fake_aio.in_air, 1);
		write_frames(1);
	}
	ck_assert_uint_eq(disk.syncs, 2);
	ck_assert_uint_eq(fake_aio.in_air, 1); /* the first header */
	ck_assert_uint_eq(fake_aio.made, 0);
	ck_assert(headers_are_equal());
	write_frames(1);
	ck_assert_uint_eq(fake_aio.made, 1);
	ck_assert(!headers_are_equal());
	ck_assert_uint_eq(info().checkpoints, 0); /* H1: one copy is not enough */
	write_frames(1);
	ck_assert_uint_eq(fake_aio.made, 2);
	ck_assert_uint_eq(info().checkpoints, 1);
	ck_assert(headers_are_equal());
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_uint_eq(info().live_frames, 4); /* the frames since it began */
	stop();
}
END_TEST

START_TEST(many_laps_lose_nothing)
{
	for (uint32_t i = 0; i < 20 * frames_full(); i++) {
		memset(page, (int)(i % 200), PAGE);
		fake_aio.slow = i % 7 == 0 ? i % 5 : 0;
		ck_assert_int_eq(atomicio_write(file, page, PAGE, i % 8 * PAGE, 0), 0);
		ck_assert(disk_holds(i % 8 * PAGE, PAGE, (int)(i % 200)));
	}
	ck_assert_uint_ge(info().checkpoints, 20);
	ck_assert_uint_eq(disk.syncs, fake_aio.syncs); /* none by call */
	stop();
}
END_TEST

/* Without AIO a step is one call, of one writer. */
START_TEST(without_aio_a_writer_makes_one_call_after_its_own_page)
{
	fake_aio.setup_result = -ENOSYS;
	write_frames(frames_half() - 1);
	ck_assert_uint_eq(disk.syncs, 0);
	write_frames(1);
	ck_assert_uint_eq(disk.syncs, 2); /* L6 */
	ck_assert_uint_eq(info().checkpoints, 1);
	ck_assert_uint_eq(info().live_frames, 0);
	write_frames(20 * frames_full());
	ck_assert_uint_eq(disk.syncs, 2 * info().checkpoints);
	stop();
}
END_TEST

START_TEST(a_header_that_was_sent_and_failed_is_written_by_call)
{
	uint64_t generation = 0;

	/* The first copy is on its way, and lands in the next write: find the call. */
	for (uint32_t n = 1; generation == 0 || journal->header.generation != generation + 2; n++) {
		ck_assert_uint_lt(n, 30);
		stop();
		begin();
		write_frames(frames_half() + 2);
		generation = journal->header.generation;
		fake.fail_at = fake.calls + n;
		fake.fail_error = -EIO;
		(void)atomicio_write(file, page, PAGE, 0, 0);
		fake.fail_at = 0;
	}
	/* The header was written again, by call, with the next generation. */
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	ck_assert_uint_eq(info().checkpoints, 1);
	ck_assert(headers_are_equal());
	write_frames(2 * frames_full());
	ck_assert_uint_ge(info().checkpoints, 2);
	stop();
}
END_TEST

static bool headers_fail;
static uint32_t headers_tried;

static ssize_t no_headers(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	const bool header =
		count == 1 && vector->iov_len == JOURNAL_BLOCK && offset < JOURNAL_RING_START;

	headers_tried += header;
	return header && headers_fail ? -EIO
				      : disk_calls->pwritev2(fd, vector, count, offset, flags);
}

/* R4: what fails in the background is nobody's error, and tried again where room is needed. */
START_TEST(headers_that_fail_stop_retirement_and_no_frame)
{
	struct sys_calls calls = *disk_calls;

	calls.pwritev2 = no_headers;
	fake_aio.setup_result = -ENOSYS;
	write_frames(1);
	journal->sys = &calls;
	headers_fail = true;
	headers_tried = 0;
	write_frames(frames_full() - 1);
	ck_assert_uint_eq(headers_tried, 1);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -ENOSPC);
	ck_assert_uint_eq(headers_tried, 2);
	headers_fail = false;
	write_frames(2 * frames_full());
	ck_assert_uint_ge(info().checkpoints, 2);
	journal->sys = disk_calls;
	stop();
}
END_TEST

/* A sync of the user's finds a sync on its way, and first waits for that sync (L9). */
START_TEST(a_sync_of_the_user_s_comes_after_the_one_on_its_way)
{
	write_frames(frames_half());
	ck_assert_uint_eq(fake_aio.in_air, 1);
	disk_lose(-EIO);
	ck_assert_int_eq(atomicio_sync(file), -EIO);
	ck_assert_uint_eq(disk.syncs, 1);
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -ENOTRECOVERABLE);
	ck_assert_int_ne(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	journal = NULL;
	file = NULL;
	machine_recover();
}
END_TEST

START_TEST(a_file_is_closed_while_its_sync_is_on_its_way)
{
	write_frames(frames_half());
	ck_assert_uint_eq(fake_aio.in_air, 1);
	fake_aio.slow = 2;
	ck_assert_int_eq(atomicio_close(file), 0);
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_uint_eq(info().live_frames, 0);
	atomicio_journal_close(journal);
	journal = NULL;
	file = NULL;
	machine_is_clean();
}
END_TEST

/* For a caller that may not wait: steps that send and look, and report when a call is left. */
START_TEST(steps_without_calls_say_what_is_left)
{
	fake_aio.setup_result = -ENOSYS;
	write_frames(frames_half() - 1);
	pthread_mutex_lock(&journal->lock);
	journal_begin_retirement(journal);
	ck_assert_int_eq(journal_retire_step(journal, false), JOURNAL_STEP_CALL);
	ck_assert_uint_eq(disk.syncs, 0);
	pthread_mutex_unlock(&journal->lock);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	stop();
	begin();
	write_frames(frames_half() - 1);
	pthread_mutex_lock(&journal->lock);
	ck_assert_int_eq(journal_retire_step(journal, false), JOURNAL_STEP_IDLE);
	journal_begin_retirement(journal);
	for (uint32_t i = 0; i < 4; i++) /* two syncs, two headers */
		ck_assert_int_eq(journal_retire_step(journal, false), JOURNAL_STEP_WAIT);
	ck_assert_int_eq(journal_retire_step(journal, false), JOURNAL_STEP_IDLE);
	pthread_mutex_unlock(&journal->lock);
	ck_assert_uint_eq(info().checkpoints, 1);
	ck_assert_uint_eq(info().live_frames, 0);
	stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		nothing_is_retired_below_half,
		a_sync_that_takes_long_stops_nobody_until_the_log_is_full,
		each_write_makes_one_step,
		many_laps_lose_nothing,
		without_aio_a_writer_makes_one_call_after_its_own_page,
		a_header_that_was_sent_and_failed_is_written_by_call,
		headers_that_fail_stop_retirement_and_no_frame,
		a_sync_of_the_user_s_comes_after_the_one_on_its_way,
		a_file_is_closed_while_its_sync_is_on_its_way,
		steps_without_calls_say_what_is_left,
	};

	return check_run("journal_steps", tests, sizeof(tests) / sizeof(tests[0]), begin);
}
