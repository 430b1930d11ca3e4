/* SPDX-License-Identifier: MIT */
/*
 * Goal: the pages of half a log that lie in the page cache are written back in pieces, by writers
 * of their file, before the retirement's sync; and the sync waits for no piece longer than there is
 * room, and for nobody who does not write.
 * Method: single pages of a cached file through the fake disk; write-backs, where they lie, and
 * syncs are counted, not timed.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>

#include "check_run.h"
#include "homes_machine.h"
#include "journal_internal.h"

#define FRAME_BYTES (JOURNAL_BLOCK + PAGE)

static void begin(void)
{
	start(O_RDWR);
	disk.syncs = 0; /* the sync of the journal's making */
}

static uint64_t room(void)
{
	return journal->header.size - JOURNAL_RING_START - journal_reserve(&journal->header);
}

static uint32_t frames_half(void)
{
	return (uint32_t)(room() / FRAME_BYTES + 1) / 2;
}

/* The most frames since the beginning before the sync. */
static uint32_t frames_spread(void)
{
	return (uint32_t)((room() / 8 * 3 + FRAME_BYTES - 1) / FRAME_BYTES);
}

/* The files of the frames of the first half. */
static uint64_t span(void)
{
	return (uint64_t)frames_half() * PAGE;
}

static void write_frames(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ck_assert_int_eq(atomicio_write(file, page, PAGE, i % 8 * PAGE, 0), 0);
}

START_TEST(cached_pages_are_written_back_in_pieces_before_the_sync)
{
	uint64_t at = 0;
	uint32_t passes = 0;

	fake_aio.slow = FAKE_AIO_NEVER;
	write_frames(frames_half());
	ck_assert_uint_eq(disk.started, 0); /* begun, and nothing is due */
	for (uint32_t i = 1; i < frames_spread(); i++) {
		const uint32_t before = disk.started;

		write_frames(1);
		ck_assert_uint_eq(disk.started, before + 1);
		ck_assert_uint_eq(fake_aio.in_air, 0);
		/* One after the other, and from the start again when all was begun. */
		passes += disk.started_first == 0;
		ck_assert(disk.started_first == at || (disk.started_first == 0 && at >= span()));
		at = disk.started_end;
	}
	ck_assert_uint_ge(passes, 2);
	write_frames(1);
	ck_assert_uint_eq(fake_aio.in_air, 1); /* the sync */
	ck_assert_uint_eq(disk.syncs, 0);
	fake_aio.slow = 0;
	stop();
}
END_TEST

START_TEST(a_checkpoint_waits_for_no_piece)
{
	write_frames(frames_half() + 1);
	ck_assert_uint_eq(disk.started, 1);
	ck_assert_uint_eq(disk.syncs, 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_eq(disk.started, 1);
	ck_assert_uint_ge(disk.syncs, 1);
	stop();
}
END_TEST

START_TEST(a_direct_file_has_no_pieces)
{
	start(O_RDWR | O_DIRECT);
	write_frames(frames_half() + frames_spread());
	ck_assert_uint_eq(disk.started, 0);
	ck_assert_uint_ge(fake_aio.syncs, 1);
	stop();
}
END_TEST

START_TEST(long_writes_sync_at_once)
{
	struct atomicio_op ops[5];

	fake_aio.slow = FAKE_AIO_NEVER;
	write_frames(frames_half() - 2);
	for (uint32_t i = 0; i < 5; i++)
		ops[i] = (struct atomicio_op){
			.file = file, .buffer = page, .length = PAGE, .offset = i * PAGE};
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 5, ATOMICIO_ALL_OR_NONE), 0);
	ck_assert_uint_eq(disk.started, 0);
	ck_assert_uint_eq(fake_aio.in_air, 1);
	fake_aio.slow = 0;
	stop();
}
END_TEST

/* The pages of one handle are the oldest, and all writes go through the other handle. */
START_TEST(the_sync_waits_for_no_writer_who_does_not_come)
{
	const struct atomicio_options options = {
		.file_id = 1, .path = ATOMICIO_PATH_JOURNAL, .journal = journal};
	struct atomicio_file *other = machine_open(&options);

	fake_aio.slow = FAKE_AIO_NEVER;
	write_frames(frames_half());
	for (uint32_t i = 0; i < frames_spread(); i++) {
		ck_assert_uint_eq(fake_aio.in_air, 0);
		ck_assert_int_eq(atomicio_write(other, page, PAGE, 8 * PAGE, 0), 0);
	}
	ck_assert_uint_eq(disk.started, 0);
	ck_assert_uint_eq(fake_aio.in_air, 1);
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_close(other), 0);
	stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		cached_pages_are_written_back_in_pieces_before_the_sync,
		a_checkpoint_waits_for_no_piece,
		a_direct_file_has_no_pieces,
		long_writes_sync_at_once,
		the_sync_waits_for_no_writer_who_does_not_come,
	};

	return check_run("journal_spread", tests, sizeof(tests) / sizeof(tests[0]), begin);
}
