/* SPDX-License-Identifier: MIT */
/*
 * Goal: whatever becomes of an entry of a journaled write in the caller's ring, the journal is
 * recoverable: entries that end late, in another order, never, cut short, cancelled, or with an
 * error.
 * Method: uring_machine.h: the test plays the kernel.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>

#include "check_run.h"
#include "uring_machine.h"

/* The frame's number is in no frame, and a later one is whole. */
START_TEST(a_frame_that_was_never_written_is_no_gap)
{
	ck_assert_int_eq(prep_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(write_page(0, 2, 6), 0);
	ck_assert_int_eq(write_page(1, 2, 7), 0);
	ck_assert(frames_hold(1, 2, 7)); /* a reader steps over the frame, too */
	die();
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_UNCLEAN);
	ck_assert_int_eq(recover(), 0);
	ck_assert(holds(0, 1, 0));
	ck_assert(holds(0, 2, 6));
	ck_assert(holds(1, 2, 7));
	ck_assert_int_eq(write_page(0, 1, 8), 0);
}
END_TEST

START_TEST(a_frame_that_ends_after_later_ones_is_recovered)
{
	struct io_uring_sqe first;

	ck_assert_int_eq(prep_at(0, 0, 1, 5), 0);
	first = entry;
	ck_assert_int_eq(prep_at(1, 0, 2, 6), 0);
	ck_assert_int_eq(done_with(1, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(write_page(1, 2, 7), 0);
	ck_assert_int_eq(done_with(0, carry_out(&first)), ATOMICIO_DURABLE);
	ck_assert_int_eq(write_page(1, 3, 8), 0);
	die();
	ck_assert_int_eq(recover(), 0);
	ck_assert(holds(0, 1, 5));
	ck_assert(holds(0, 2, 6));
	ck_assert(holds(1, 2, 7));
	ck_assert(holds(1, 3, 8));
}
END_TEST

START_TEST(a_cancelled_frame_leaves_a_hole_and_its_pages_as_they_were)
{
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(gather_at(i, 0, i, 5), 0);
	ck_assert_int_eq(commit_with(1, 0, 1), 0);
	ck_assert_int_eq(done_with(1, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(atomicio_uring_result(&requests[0]), -ECANCELED);
	ck_assert_int_eq(prep_next(2, 0, 2), -ECANCELED);
	ck_assert_int_eq(write_page(0, 1, 6), 0); /* nothing pins it any more */
	ck_assert_int_eq(write_page(0, 3, 7), 0);
	ck_assert(frames_hold(0, 3, 7));
	die();
	ck_assert_int_eq(recover(), 0);
	ck_assert(holds(0, 0, 0));
	ck_assert(holds(0, 1, 6));
	ck_assert(holds(0, 3, 7));
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
}
END_TEST

START_TEST(a_hole_is_gone_with_the_next_retirement)
{
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_int_eq(prep_at(0, 0, i % 8, 5), 0);
		ck_assert_int_eq(done_with(0, -ECANCELED), -ECANCELED);
		if (i % 4 == 3)
			ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	}
	ck_assert_uint_eq(journal->guests->hole_count, 0);
	ck_assert_uint_eq(journal->doubt, 0);
	ck_assert_uint_eq(info().live_bytes, 0);
}
END_TEST

/* Each frame on its way may be cancelled, too: the table has room for all of them. */
START_TEST(frames_on_their_way_have_a_hole_each)
{
	struct journal_guests *guests = journal->guests;

	ck_assert_int_eq(prep_at(0, 0, 0, 5), 0);
	ck_assert_int_eq(done_with(0, -ECANCELED), -ECANCELED);
	while (guests->hole_count < JOURNAL_HOLES - 2) {
		guests->holes[guests->hole_count] = guests->holes[0];
		guests->hole_count++;
	}
	ck_assert_int_eq(prep_at(0, 0, 0, 5), 0);
	ck_assert_int_eq(prep_at(1, 0, 1, 5), 0);
	ck_assert_int_eq(prep_at(2, 0, 2, 5), -EBUSY);
	ck_assert_int_eq(done_with(0, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(prep_at(2, 0, 2, 5), -EBUSY);
	ck_assert_int_eq(done_with(1, -ECANCELED), -ECANCELED);
	ck_assert_uint_eq(guests->hole_count, JOURNAL_HOLES);
	ck_assert_int_lt(prep_at(2, 0, 2, 5), 0); /* a retirement passes them */
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_eq(guests->hole_count, 0);
	ck_assert_int_eq(prep_at(2, 0, 2, 5), 0);
	ck_assert_int_eq(done_with(2, carry_out(&entry)), ATOMICIO_DURABLE);
	bring_home(2, 0, 2);
	ck_assert(holds(0, 2, 5));
}
END_TEST

START_TEST(what_the_kernel_cut_short_is_written_again_at_the_same_place)
{
	struct io_uring_sqe first;

	ck_assert_int_eq(prep_at(0, 0, 1, 5), 0);
	first = entry;
	ck_assert_int_eq(done_with(0, 512), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_mem_eq(&entry, &first, sizeof(entry));
	ck_assert_int_eq(done_with(0, -EINTR), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	first = entry;
	ck_assert_int_eq(done_with(0, 512), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_mem_eq(&entry, &first, sizeof(entry));
	ck_assert_int_eq(done_with(0, -ECANCELED), ATOMICIO_AGAIN_SQE);
	bring_home(0, 0, 1);
	ck_assert(holds(0, 1, 5));
}
END_TEST

START_TEST(a_frame_that_fails_poisons_the_journal_and_fails_all_its_pages)
{
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(gather_at(i, 0, i, 5), 0);
	ck_assert_int_eq(commit_with(0, 0, 0), 0);
	(void)carry_out(&entry);
	ck_assert_int_eq(done_with(0, -EIO), -EIO);
	ck_assert_int_eq(atomicio_uring_result(&requests[1]), -EIO);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_POISONED);
	ck_assert_int_eq(gather_at(4, 1, 4, 5), -ENOTRECOVERABLE);
	die();
	ck_assert_int_eq(recover(), 0);
	ck_assert(holds(0, 2, 5)); /* whole, or not at all: the group was written */
}
END_TEST

/* A frame begun once may be there whole, and leaves no hole. */
START_TEST(a_frame_given_up_after_a_doubtful_answer_poisons_the_journal)
{
	ck_assert_int_eq(prep_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(done_with(0, -EINTR), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(done_with(0, -ECANCELED), -EIO);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_POISONED);
}
END_TEST

/* Nothing was written by these answers. */
START_TEST(a_frame_given_up_after_it_was_only_refused_leaves_a_hole)
{
	ck_assert_int_eq(prep_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(done_with(0, -EAGAIN), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(prep_at(0, 0, 1, 6), 0);
	ck_assert_int_eq(done_with(0, -EAGAIN), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(done_with(0, -ECANCELED), -ECANCELED);
	ck_assert_uint_eq(journal->guests->hole_count, 2);
	ck_assert_int_eq(write_page(0, 1, 7), 0);
}
END_TEST

/* The kernel may have done more than it says. */
START_TEST(a_frame_given_up_after_a_part_of_it_was_written_poisons_the_journal)
{
	ck_assert_int_eq(prep_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(done_with(0, 512), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, -EAGAIN), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, -ECANCELED), -EIO);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_POISONED);
}
END_TEST

static uint32_t looks; /* before the flag is there */

static int appending(int fd)
{
	const int status = sys_linux.getfl(fd);

	if (!is_journal(fd) || looks-- > 0)
		return status;
	looks = 0;
	return status | O_APPEND;
}

/* Where the journal has no descriptor of its own, the caller's flag is a reason to refuse. */
START_TEST(a_frame_that_is_refused_its_entry_may_be_asked_for_again)
{
	end_process();
	own.open_error = -ENOENT; /* no /proc */
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	own.open_error = 0;
	open_files();
	ck_assert_int_eq(atomicio_uring_begin(journal, FRAMES, -1), 0);
	ck_assert_int_eq(gather_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(atomicio_uring_commit(&requests[0]), 0);
	calls.getfl = appending;
	ck_assert_int_eq(prep_next(0, 0, 1), -EOPNOTSUPP);
	calls.getfl = sys_linux.getfl;
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	bring_home(0, 0, 1);
	looks = 1; /* the frame then has its place, and no request has the frame */
	calls.getfl = appending;
	ck_assert_int_eq(prep_at(0, 0, 1, 6), -EOPNOTSUPP);
	ck_assert_uint_eq(journal->guests->hole_count, 1);
	calls.getfl = sys_linux.getfl;
	ck_assert_int_eq(write_page(0, 1, 7), 0);
	ck_assert(holds(0, 1, 7));
}
END_TEST

START_TEST(a_home_that_fails_fails_its_file_and_not_the_commit)
{
	ck_assert_int_eq(gather_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(gather_at(1, 0, 2, 6), 0);
	ck_assert_int_eq(commit_with(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, -EIO), 0);
	ck_assert_int_eq(prep_next(1, 0, 2), 0);
	ck_assert_uint_eq(entry.opcode, IORING_OP_NOP);
	ck_assert_int_eq(done_with(1, 0), 0);
	ck_assert(frames_hold(0, 1, 5));
	ck_assert(frames_hold(0, 2, 6));
	ck_assert_int_eq(write_page(0, 3, 1), -ENOTRECOVERABLE);
	ck_assert_int_eq(write_page(1, 3, 1), 0);
	die();
	ck_assert_int_eq(recover(), 0);
	ck_assert(holds(0, 1, 5));
	ck_assert(holds(0, 2, 6));
}
END_TEST

/* Recovery searches acknowledged frames only to a limit behind the last whole frame (H4). */
START_TEST(frames_that_are_not_durable_stay_in_reach_of_a_recovery)
{
	struct io_uring_sqe frames[2];

	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t k = 0; k < 15; k++)
			ck_assert_int_eq(gather_at(i * 15 + k, 0, i * 15 + k, 5), 0);
		if (i == 2)
			break;
		ck_assert_int_eq(commit_with(i * 15, 0, i * 15), 0);
		frames[i] = entry;
	}
	ck_assert_int_eq(atomicio_uring_commit(&requests[30]), -EBUSY);
	ck_assert_int_eq(done_with(0, carry_out(&frames[0])), ATOMICIO_DURABLE);
	ck_assert_int_eq(atomicio_uring_commit(&requests[30]), 0);
	ck_assert_int_eq(done_with(15, -ECANCELED), -ECANCELED);
}
END_TEST

START_TEST(where_dsync_is_not_trusted_a_sync_is_the_second_entry)
{
	end_process();
	own.magic = 0x65735546; /* FUSE */
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	open_files();
	ck_assert_int_eq(atomicio_uring_begin(journal, FRAMES, -1), 0);
	ck_assert_int_eq(prep_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(atomicio_uring_result(&requests[0]), -EINPROGRESS);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_uint_eq(entry.opcode, IORING_OP_FSYNC);
	ck_assert_uint_eq(entry.fsync_flags, IORING_FSYNC_DATASYNC);
	ck_assert(is_journal(entry.fd));
	ck_assert_int_eq(done_with(0, -ECANCELED), ATOMICIO_AGAIN_SQE); /* proves nothing */
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, 0), ATOMICIO_DURABLE);
	bring_home(0, 0, 1);
	/* The frame is there, and perhaps durable: an end of the ring here is no hole. */
	ck_assert_int_eq(prep_at(0, 0, 1, 6), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(done_with(0, -ECANCELED), -EIO);
	ck_assert_uint_eq(journal->guests->hole_count, 0);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_POISONED);
	ck_assert_int_eq(atomicio_uring_result(&requests[0]), -EINVAL);
}
END_TEST

/* What is carried gets a later number than a newer page of the range would. */
START_TEST(nothing_is_carried_while_a_frame_is_on_its_way)
{
	struct io_uring_sqe frame;

	ck_assert_int_eq(write_page(0, 1, 5), 0);
	ck_assert_int_eq(write_page(1, 1, 6), 0);
	ck_assert_int_eq(prep_at(0, 0, 1, 7), 0);
	frame = entry;
	pthread_mutex_lock(&journal->lock);
	journal_fail(journal, &files[0]->home, -EIO);
	pthread_mutex_unlock(&journal->lock);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EBUSY);
	ck_assert_uint_eq(info().pages_carried, 0);
	ck_assert_int_eq(done_with(0, carry_out(&frame)), ATOMICIO_DURABLE);
	(void)atomicio_journal_checkpoint(journal);
	ck_assert(frames_hold(0, 1, 7));
	die();
	ck_assert_int_eq(recover(), 0);
	ck_assert(holds(0, 1, 7));
	ck_assert(holds(1, 1, 6));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_frame_that_was_never_written_is_no_gap,
		a_frame_that_ends_after_later_ones_is_recovered,
		a_cancelled_frame_leaves_a_hole_and_its_pages_as_they_were,
		a_hole_is_gone_with_the_next_retirement,
		frames_on_their_way_have_a_hole_each,
		what_the_kernel_cut_short_is_written_again_at_the_same_place,
		a_frame_that_fails_poisons_the_journal_and_fails_all_its_pages,
		a_frame_given_up_after_a_doubtful_answer_poisons_the_journal,
		a_frame_given_up_after_it_was_only_refused_leaves_a_hole,
		a_frame_given_up_after_a_part_of_it_was_written_poisons_the_journal,
		a_frame_that_is_refused_its_entry_may_be_asked_for_again,
		a_home_that_fails_fails_its_file_and_not_the_commit,
		frames_that_are_not_durable_stay_in_reach_of_a_recovery,
		where_dsync_is_not_trusted_a_sync_is_the_second_entry,
		nothing_is_carried_while_a_frame_is_on_its_way,
	};

	return check_run("uring_journal_trouble", tests, sizeof(tests) / sizeof(tests[0]),
			 uring_setup);
}
