/* SPDX-License-Identifier: MIT */
/*
 * Goal: a group longer than a frame is a chain of frames (K5): one flush, whole or nothing, in its
 * turn, and refused before the first frame.
 * Method: trouble_machine.h, a log area of eight frames; frames are damaged in the memfd between
 * the end of one process and the start of the next.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "chain_machine.h"
#include "check_run.h"
#include "trouble_machine.h"

static uint64_t unreadable_from, unreadable_to; /* in the journal */

static ssize_t read_or_not(int fd, void *buffer, size_t length, uint64_t offset)
{
	struct stat stat;
	const uint64_t end = offset + length;

	if (offset < unreadable_to && end > unreadable_from && fstat(fd, &stat) == 0 &&
	    stat.st_size >= (off_t)(JOURNAL_RING_START + 8 * FRAME))
		return -EIO;
	return sys_linux.pread(fd, buffer, length, offset);
}

START_TEST(a_group_longer_than_a_frame_is_a_chain_for_one_flush)
{
	for (int round = 1; round <= 8; round++) { /* and over the end of the ring */
		const struct atomicio_journal_info before = info();

		ck_assert_int_eq(write_chain(LONG, -1, round), 0);
		ck_assert_uint_eq(info().frames - before.frames, 3);
		/* But for the header's, at first, and where the ring is full. */
		if (round > 1 && info().checkpoints == before.checkpoints)
			ck_assert_uint_eq(info().flushes - before.flushes, 1);
		for (uint32_t i = 0; i < LONG; i++)
			ck_assert(holds(i % 2, i / 2, round));
	}
	/* Longer than half of what is not kept for carrying. */
	ck_assert_int_eq(write_chain(64, -1, 9), -EMSGSIZE);
	ck_assert_int_eq(ops[50].result, 77);
	ck_assert(holds(1, 30, 0));
}
END_TEST

START_TEST(a_file_that_fails_inside_a_chain_is_committed_too)
{
	uint64_t first, last;

	ck_assert_int_eq(write_page(0, 1, 1), 0);
	trouble.file = 1;
	trouble.write_error = -EIO;
	first = info().head_sequence;
	ck_assert_int_eq(write_chain(LONG, -1, 99), 0);
	last = info().head_sequence - 1;
	ck_assert(holds(0, 19, 99));
	ck_assert(frames_hold(1, 19, 99));
	for (uint32_t lap = 0; lap < 100; lap++) {
		ck_assert_int_eq(write_page(0, 63, (int)lap), 0);
		/* N2: the frames of a chain are retired together. */
		ck_assert(info().tail_sequence <= first || info().tail_sequence > last);
	}
	ck_assert_uint_gt(info().tail_sequence, last);
	restart();
	ck_assert(holds(1, 0, 99));
	ck_assert(holds(1, 19, 99));
}
END_TEST

/* The last process: a chain of file 0 is durable, and not home.  Where its frames lie. */
static uint32_t leave_chain(int value, uint64_t places[8])
{
	const uint64_t first = info().head_sequence;
	uint64_t offset = info().head_offset;
	struct journal_frame frame;
	uint8_t *bytes = NULL;
	uint32_t count;

	trouble.file = 0;
	trouble.write_error = -EIO;
	ck_assert_int_eq(write_chain(LONG, 0, value), 0);
	count = (uint32_t)(info().head_sequence - first);
	ck_assert_int_eq(posix_memalign((void **)&bytes, PAGE, FRAME), 0);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_int_eq(journal_read_live(journal, bytes, offset, first + i, &frame), 0);
		ck_assert_uint_eq(frame.chain_index, i);
		ck_assert_uint_eq(frame.chain_first, first);
		ck_assert_int_eq(!!(frame.flags & JOURNAL_LAST), i == count - 1);
		places[i] = frame.offset;
		offset = frame.offset + frame.length;
	}
	free(bytes);
	for (int i = 0; i < 2; i++)
		(void)atomicio_close(files[i]);
	files[0] = files[1] = NULL;
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
	journal = NULL;
	trouble.file = -1;
	trouble.write_error = 0;
	return count;
}

/* The first block of a frame, or of a page. */
static void damage(uint64_t place, uint64_t page_in_it)
{
	memset(page, 0x5a, PAGE);
	ck_assert_int_eq(pwrite(journal_fd, page, PAGE, (off_t)(place + page_in_it * PAGE)), PAGE);
}

START_TEST(a_chain_that_is_cut_anywhere_counts_as_nothing)
{
	uint64_t places[8];
	uint32_t wraps = 0;
	int kept = 0;

	for (int round = 1; round <= 24; round++) {
		const uint32_t count = leave_chain(round, places);
		const uint32_t cut = (uint32_t)round % (count + 1); /* count: whole */

		ck_assert_uint_eq(count, 3);
		wraps += places[count - 1] < places[0];
		if (cut < count)
			damage(places[cut], (uint64_t)round % 2);
		else
			kept = round;
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		ck_assert_uint_eq(info().live_frames, cut < count ? 0 : count);
		ck_assert_uint_eq(info().state,
				  cut < count ? ATOMICIO_JOURNAL_READY : ATOMICIO_JOURNAL_UNCLEAN);
		restart();
		for (uint32_t i = 0; i < LONG; i++)
			ck_assert(holds(0, i, kept));
		/* The rest does no harm later. */
		for (int lap = 0; lap < round % 7; lap++)
			ck_assert_int_eq(write_page(1, 1, lap), 0);
		restart();
		for (uint32_t i = 0; i < LONG; i++)
			ck_assert(holds(0, i, kept));
	}
	ck_assert_uint_gt(wraps, 0);
	ck_assert_int_gt(kept, 0);
}
END_TEST

START_TEST(a_chain_with_an_unreadable_middle_stops_recovery)
{
	struct atomicio_recover_options options = {.flags = ATOMICIO_RECOVER_UNREADABLE};
	struct atomicio_recovery recovery;
	uint64_t places[8];

	calls.pread = read_or_not;
	(void)leave_chain(5, places);
	unreadable_from = places[1];
	unreadable_to = unreadable_from + PAGE;
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_TAIL_UNREADABLE);
	ck_assert_uint_eq(info().corrupt_offset, places[1]);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), -EIO);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
	journal = NULL;
	/* Readable again: nothing was lost. */
	unreadable_to = 0;
	restart();
	ck_assert(holds(0, LONG - 1, 5));
	/* With the caller's consent the group counts as never written. */
	(void)leave_chain(6, places);
	unreadable_from = places[1];
	unreadable_to = unreadable_from + PAGE;
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, &options, sizeof(options),
						  &recovery, sizeof(recovery)),
			 0);
	ck_assert_uint_eq(recovery.unreadable, 1);
	ck_assert_uint_eq(recovery.pages, 0);
	for (uint32_t i = 0; i < LONG; i++)
		ck_assert(holds(0, i, 5));
	unreadable_to = 0;
	open_files();
}
END_TEST

START_TEST(a_chain_without_room_is_refused_before_its_first_frame)
{
	uint64_t pages;
	int value = 50, error;

	trouble.file = 0;
	trouble.write_error = -EIO;
	ck_assert_int_eq(write_chain(24, 0, value), 0);
	/* The carried pages leave room for a longer chain, again and again. */
	while (++value < 70)
		ck_assert_int_eq(write_chain(LONG, 1, value), 0);
	ck_assert_uint_gt(info().pages_carried, 0);
	/* The other file has more live pages than may be carried. */
	trouble.file = 1;
	trouble.write_error = 0;
	trouble.sync_error = -EIO;
	do {
		pages = info().pages;
		error = write_chain(LONG, 1, value);
	} while (error == 0 && ++value < 90);
	ck_assert(error == -ENOSPC || error == -ENOTRECOVERABLE);
	ck_assert_uint_eq(info().pages, pages);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	restart();
	for (uint32_t i = 0; i < LONG; i++)
		ck_assert(holds(1, i, value - 1));
	for (uint32_t i = 0; i < 24; i++)
		ck_assert(holds(0, i, 50));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_group_longer_than_a_frame_is_a_chain_for_one_flush,
		a_file_that_fails_inside_a_chain_is_committed_too,
		a_chain_that_is_cut_anywhere_counts_as_nothing,
		a_chain_with_an_unreadable_middle_stops_recovery,
		a_chain_without_room_is_refused_before_its_first_frame,
	};

	return check_run("journal_chain", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
