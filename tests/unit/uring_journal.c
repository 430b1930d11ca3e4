/* SPDX-License-Identifier: MIT */
/*
 * Goal: a journaled write in the caller's io_uring is two entries and nothing else: the frame, then
 * the home.  An overlapping write is refused with "later".  After any end of an entry the journal
 * is recoverable.
 * Method: uring_machine.h: the test plays the kernel.
 */
#define _GNU_SOURCE

#include <check.h>
#include <endian.h>
#include <errno.h>

#include "check_run.h"
#include "uring_machine.h"

START_TEST(a_page_is_durable_with_its_frame_and_home_with_its_second_entry)
{
	ck_assert_int_eq(prep_at(0, 0, 3, 5), 0);
	ck_assert(is_frame(&entry));
	ck_assert(entry.rw_flags & SYS_RWF_DSYNC);
	ck_assert_int_eq(atomicio_uring_result(&requests[0]), -EINPROGRESS);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(atomicio_uring_result(&requests[0]), ATOMICIO_DURABLE);
	ck_assert(holds(0, 3, 0));
	ck_assert(frames_hold(0, 3, 5));
	ck_assert_int_eq(prep_next(0, 0, 3), 0);
	ck_assert(!is_frame(&entry));
	ck_assert(!(entry.rw_flags & SYS_RWF_DSYNC));
	ck_assert_int_eq(done_with(0, carry_out(&entry)), 0);
	ck_assert(holds(0, 3, 5));
	ck_assert_int_eq(done_with(0, PAGE), -EINVAL);
	ck_assert_uint_eq(info().frames, 1);
	ck_assert_uint_eq(info().pages, 1);
}
END_TEST

START_TEST(no_call_of_prep_or_done_waits_or_takes_memory)
{
	for (uint32_t i = 0; i < 40; i++) {
		write_by_ring(i, (int)i % 2, i, 7);
		if (i % 8 == 7) {
			waits = allocations = 0;
		}
	}
	waits = allocations = 0;
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(gather_at(i, (int)i % 2, i, 8), 0);
	ck_assert_int_eq(commit_with(0, 0, 0), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	for (uint32_t i = 0; i < 8; i++)
		bring_home(i, (int)i % 2, i);
	ck_assert_uint_eq(waits, 0);
	ck_assert_uint_eq(allocations, 0);
}
END_TEST

START_TEST(gathered_pages_share_a_frame_and_a_follower_has_no_entry_before_it_is_durable)
{
	for (uint32_t i = 0; i < 6; i++)
		ck_assert_int_eq(gather_at(i, (int)i % 2, i, 20 + (int)i), 0);
	ck_assert_uint_eq(info().frames, 0);
	ck_assert_int_eq(commit_with(2, 0, 2), 0);
	ck_assert(is_frame(&entry));
	ck_assert_uint_eq(entry.len, 7 * PAGE);
	{
		const struct io_uring_sqe frame = entry;

		ck_assert_int_eq(prep_next(4, 0, 4), -EBUSY);
		ck_assert_int_eq(entry.fd, -1);
		ck_assert_int_eq(atomicio_uring_result(&requests[4]), -EINPROGRESS);
		ck_assert_int_eq(done_with(4, 0), -EINVAL);
		ck_assert_int_eq(atomicio_uring_commit(&requests[4]), -EALREADY);
		ck_assert_int_eq(done_with(2, carry_out(&frame)), ATOMICIO_DURABLE);
	}
	for (uint32_t i = 0; i < 6; i++)
		ck_assert_int_eq(atomicio_uring_result(&requests[i]), ATOMICIO_DURABLE);
	for (uint32_t i = 0; i < 6; i++)
		bring_home(i, (int)i % 2, i);
	for (uint32_t i = 0; i < 6; i++)
		ck_assert(holds((int)i % 2, i, 20 + (int)i));
	ck_assert_uint_eq(info().frames, 1);
}
END_TEST

START_TEST(the_callers_buffer_is_free_when_its_page_is_gathered)
{
	ck_assert_int_eq(gather_at(0, 0, 1, 9), 0);
	memset(bytes[0], 1, PAGE);
	ck_assert_int_eq(commit_with(0, 0, 1), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	memset(bytes[0], 2, PAGE);
	bring_home(0, 0, 1);
	ck_assert(holds(0, 1, 9));
}
END_TEST

START_TEST(what_overlaps_a_page_that_is_not_home_is_told_to_come_later)
{
	ck_assert_int_eq(gather_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(gather_at(1, 0, 1, 6), -EBUSY); /* in the open frame */
	ck_assert_int_eq(write_page(0, 1, 4), 0);	 /* which nobody has to wait for */
	ck_assert_int_eq(commit_with(0, 0, 1), 0);
	ck_assert_int_eq(gather_at(1, 0, 1, 6), -EBUSY);
	ck_assert_int_eq(write_page(0, 1, 6), -EBUSY);
	ck_assert_int_eq(write_page(0, 2, 6), 0);
	ck_assert_int_eq(write_page(1, 1, 6), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(write_page(0, 1, 6), -EBUSY);
	ck_assert_int_eq(prep_next(0, 0, 1), 0);
	ck_assert_int_eq(write_page(0, 1, 6), -EBUSY);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), 0);
	ck_assert(holds(0, 1, 5));
	ck_assert_int_eq(write_page(0, 1, 6), 0);
	ck_assert_int_eq(prep_at(1, 0, 1, 7), 0);
	ck_assert_int_eq(done_with(1, carry_out(&entry)), ATOMICIO_DURABLE);
	bring_home(1, 0, 1);
	ck_assert(holds(0, 1, 7));
}
END_TEST

/* Pages 2, 4, 6 ... of file 0 and one of file 1, in one group. */
static int write_group(uint32_t count)
{
	struct atomicio_op ops[8];

	for (uint32_t i = 0; i < count; i++)
		ops[i] = (struct atomicio_op){.file = files[i == 3],
					      .buffer = bytes[0],
					      .offset = (uint64_t)(2 + 2 * i) * PAGE,
					      .length = PAGE};
	return atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
}

/* A group has more ranges than the frame, or fewer: either list may be the longer one. */
START_TEST(a_group_that_overlaps_one_page_that_is_not_home_is_told_to_come_later)
{
	static const uint32_t places[][2] = {{2, 0}, {4, 0}, {10, 0}, {8, 1}, {3, 1}, {12, 0}};

	for (uint32_t i = 0; i < 6; i++) {
		const uint32_t place = places[i][0];
		const int file = (int)places[i][1];

		ck_assert_int_eq(gather_at(0, file, place, 5), 0);
		ck_assert_int_eq(gather_at(1, 1, 20, 6), 0);
		ck_assert_int_eq(commit_with(0, file, place), 0);
		ck_assert_int_eq(write_group(5), i < 4 ? -EBUSY : 0);
		ck_assert_int_eq(write_group(2), i < 2 ? -EBUSY : 0);
		ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
		bring_home(1, 1, 20);
		ck_assert_int_eq(write_group(5), i < 4 ? -EBUSY : 0);
		bring_home(0, file, place);
		ck_assert_int_eq(write_group(5), 0);
	}
}
END_TEST

START_TEST(a_call_that_needs_a_completion_says_so_and_frees_nothing)
{
	ck_assert_int_eq(gather_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(atomicio_close(files[0]), -EBUSY);
	ck_assert_int_eq(commit_with(0, 0, 1), 0);
	ck_assert_int_eq(atomicio_close(files[0]), -EBUSY);
	ck_assert_int_eq(atomicio_journal_close(journal), -EBUSY);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EBUSY);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(atomicio_journal_forget(journal, 1), -EBUSY);
	ck_assert_int_eq(atomicio_close(files[0]), -EBUSY);
	ck_assert_int_eq(atomicio_journal_forget(journal, 2), 0);
	bring_home(0, 0, 1);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_eq(info().live_bytes, 0);
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	files[0] = NULL;
}
END_TEST

START_TEST(a_full_ring_says_so_and_takes_frames_after_a_checkpoint)
{
	uint32_t i = 0;
	int error = 0;

	for (; i < 60 && !error; i++) {
		error = prep_at(0, 0, i, 5);
		if (error)
			break;
		ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
		bring_home(0, 0, i);
	}
	ck_assert_int_eq(error, -ENOSPC);
	ck_assert_int_eq(entry.fd, -1);
	ck_assert_uint_eq(waits, 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	write_by_ring(0, 0, i, 6);
	ck_assert(holds(0, i, 6));
}
END_TEST

START_TEST(the_event_says_when_the_role_is_free)
{
	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	pthread_mutex_unlock(&journal->lock);
	ck_assert_int_eq(prep_at(0, 0, 1, 5), -EAGAIN);
	ck_assert_int_eq(gather_at(1, 0, 2, 5), 0);
	ck_assert_int_eq(atomicio_uring_commit(&requests[1]), -EAGAIN);
	ck_assert_uint_eq(events, 0);
	pthread_mutex_lock(&journal->lock);
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	ck_assert_uint_eq(events, 1);
	ck_assert_int_eq(atomicio_uring_commit(&requests[1]), 0);
	ck_assert_uint_eq(events, 1); /* nobody was told to come later since */
}
END_TEST

START_TEST(a_page_that_looks_like_a_frame_goes_home_as_it_is)
{
	const uint32_t magic = htole32(JOURNAL_FRAME_MAGIC);

	memset(bytes[0], 5, PAGE);
	memcpy(bytes[0], &magic, sizeof(magic));
	ck_assert_int_eq(atomicio_uring_gather(&requests[0], files[0], bytes[0], PAGE, PAGE, 0), 0);
	ck_assert_int_eq(commit_with(0, 0, 1), 0);
	ck_assert_mem_ne((const uint8_t *)(uintptr_t)entry.addr + PAGE, &magic, sizeof(magic));
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	bring_home(0, 0, 1);
	ck_assert_int_eq(pread(fds[0], page, PAGE, PAGE), PAGE);
	ck_assert_mem_eq(page, bytes[0], PAGE);
}
END_TEST

START_TEST(a_group_is_in_one_frame_or_nowhere)
{
	struct atomicio_op ops[20] = {{0}};

	for (uint32_t i = 0; i < 20; i++)
		ops[i] = (struct atomicio_op){.file = files[i % 2],
					      .buffer = bytes[i],
					      .length = PAGE,
					      .offset = (uint64_t)i * PAGE};
	memset(bytes, 3, sizeof(bytes));
	ck_assert_int_eq(atomicio_uring_gather_group(requests, ops, 20), -EMSGSIZE);
	ck_assert_int_eq(gather_at(30, 0, 30, 4), 0);
	ck_assert_int_eq(atomicio_uring_gather_group(requests, ops, 15), -ENOBUFS);
	ops[3] = ops[1];
	ck_assert_int_eq(atomicio_uring_gather_group(requests, ops, 8), -EINVAL);
	ck_assert_int_eq(atomicio_uring_gather_group(requests, ops, 3), 0);
	ck_assert_int_eq(commit_with(30, 0, 30), 0);
	ck_assert_uint_eq(entry.len, 5 * PAGE);
	ck_assert_int_eq(done_with(30, carry_out(&entry)), ATOMICIO_DURABLE);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(atomicio_uring_result(&requests[i]), ATOMICIO_DURABLE);
	die();
	ck_assert_int_eq(recover(), 0);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert(holds((int)i % 2, i, 3));
	ck_assert(holds(1, 3, 0));
}
END_TEST

START_TEST(an_open_frame_can_be_given_up)
{
	ck_assert_int_eq(gather_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(gather_at(1, 1, 1, 5), 0);
	ck_assert_int_eq(atomicio_uring_discard(&requests[0]), 0);
	ck_assert_int_eq(atomicio_uring_result(&requests[1]), -ECANCELED);
	ck_assert_int_eq(atomicio_uring_discard(&requests[0]), -EINVAL);
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	files[0] = NULL;
	ck_assert_uint_eq(info().frames, 0);
}
END_TEST

START_TEST(frames_are_as_many_as_was_asked_for)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		ck_assert_int_eq(prep_at(i, 0, i, 5), i < FRAMES ? 0 : -EBUSY);
	ck_assert_int_eq(prep_at(8, 0, 8, 5), -EBUSY);
	ck_assert_int_eq(done_with(0, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(prep_at(8, 0, 8, 5), 0);
	ck_assert_int_eq(atomicio_uring_begin(journal, 1, -1), -EBUSY);
	ck_assert_int_eq(atomicio_uring_begin(journal, 0, -1), -EINVAL);
	ck_assert_int_eq(atomicio_uring_begin(journal, 65, -1), -EINVAL);
	ck_assert_int_eq(atomicio_uring_begin(NULL, 1, -1), -EINVAL);
}
END_TEST

static void *write_by_call(void *unused)
{
	(void)unused;
	return write_page(0, 1, 5) ? &trouble : NULL;
}

/* Overlapping pages go home in the order of their frames. */
START_TEST(a_page_waits_for_one_that_is_on_its_way_home_by_call)
{
	pthread_t thread;
	void *failed;

	trouble.file = 0;
	trouble.hangs_write = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, write_by_call, NULL), 0);
	while (!hanging_now())
		usleep(1000);
	ck_assert_int_eq(prep_at(0, 0, 1, 6), -EAGAIN);
	ck_assert_int_eq(prep_at(1, 0, 2, 6), 0);
	ck_assert_uint_eq(events, 0);
	pthread_mutex_lock(&trouble.lock);
	trouble.hangs_write = false;
	pthread_cond_broadcast(&trouble.changed);
	pthread_mutex_unlock(&trouble.lock);
	ck_assert_int_eq(pthread_join(thread, &failed), 0);
	ck_assert_ptr_null(failed);
	ck_assert_uint_gt(events, 0);
	ck_assert_int_eq(done_with(1, carry_out(&entry)), ATOMICIO_DURABLE);
	bring_home(1, 0, 2);
	write_by_ring(0, 0, 1, 6);
	ck_assert(holds(0, 1, 6));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_page_is_durable_with_its_frame_and_home_with_its_second_entry,
		no_call_of_prep_or_done_waits_or_takes_memory,
		gathered_pages_share_a_frame_and_a_follower_has_no_entry_before_it_is_durable,
		the_callers_buffer_is_free_when_its_page_is_gathered,
		what_overlaps_a_page_that_is_not_home_is_told_to_come_later,
		a_group_that_overlaps_one_page_that_is_not_home_is_told_to_come_later,
		a_call_that_needs_a_completion_says_so_and_frees_nothing,
		a_full_ring_says_so_and_takes_frames_after_a_checkpoint,
		the_event_says_when_the_role_is_free,
		a_page_that_looks_like_a_frame_goes_home_as_it_is,
		a_page_waits_for_one_that_is_on_its_way_home_by_call,
		a_group_is_in_one_frame_or_nowhere,
		an_open_frame_can_be_given_up,
		frames_are_as_many_as_was_asked_for,
	};

	return check_run("uring_journal", tests, sizeof(tests) / sizeof(tests[0]), uring_setup);
}
