/* SPDX-License-Identifier: MIT */
/*
 * Goal: with a journal that serves guests, no prep of one of its files waits for a disk.  A write
 * that has to wait is refused with "later", and its wait is begun where possible.  A frame is
 * closed once.
 * Method: uring_machine.h, which counts the waiting calls; and a handle whose writes go past the
 * journal.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check_run.h"
#include "uring_machine.h"

/* Another handle of file 0, which counts as a file with untorn writes. */
static struct atomicio_file *past;
static uint32_t taken; /* calls for blocks */

static int count_blocks(int fd, uint64_t offset, uint64_t length)
{
	taken++;
	return sys_linux.keep_blocks(fd, offset, length);
}

static void quiet_setup(void)
{
	struct atomicio_options options = {
		.policy = atomicio_policy_strict, .file_id = 1, .path = ATOMICIO_PATH_KERNEL};

	uring_setup();
	calls.keep_blocks = count_blocks;
	options.journal = journal;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &past), 0);
	past->limits = (struct write_limits){.unit_min = PAGE, .unit_max = PAGE, .memory_align = 1};
	past->looks = 0;
	waits = events = taken = 0;
}

static int prep_past(uint32_t request, uint32_t at)
{
	memset(&entry, 0xa5, sizeof(entry));
	return atomicio_uring_prep(&requests[request], past, &entry, bytes[request], PAGE,
				   (uint64_t)at * PAGE, 0);
}

/*
 * As if the journal's file were direct, and nobody polled for the event.  false: this system has no
 * AIO, as qemu-user, and nothing can be retired in the background.
 */
static bool allow_requests(void)
{
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context))
		return false;
	syscall(SYS_io_destroy, context);
	journal->direct = true;
	journal->flights.eventfd = -1;
	return true;
}

START_TEST(a_write_past_a_live_frame_is_told_to_come_later)
{
	write_by_ring(0, 0, 3, 5);
	waits = 0;
	ck_assert_int_eq(prep_past(1, 3), -ENOSPC); /* no requests can be sent */
	ck_assert_int_eq(entry.fd, -1);
	ck_assert_int_eq(prep_past(1, 40), 0); /* no frame is there */
	ck_assert_int_eq(entry.fd, past->fd);
	ck_assert_uint_eq(waits, 0);
	ck_assert_uint_eq(past->counters.writes_failed, 0); /* no policy was asked */
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	waits = 0;
	ck_assert_int_eq(prep_past(2, 3), 0);
	ck_assert(entry.rw_flags & SYS_RWF_ATOMIC);
	ck_assert_uint_eq(waits, 0);
}
END_TEST

START_TEST(what_is_in_the_way_of_it_is_retired_in_the_background)
{
	uint32_t asked = 0;
	int error;

	if (!allow_requests())
		return;
	write_by_ring(0, 0, 3, 5);
	write_by_ring(0, 1, 3, 5);
	waits = 0;
	while ((error = prep_past(1, 3)) == -EAGAIN && asked++ < 10000) {
		if (asked == 1) /* frames go on */
			write_by_ring(2, 1, 9, 6);
		usleep(1000);
	}
	ck_assert_int_eq(error, 0);
	ck_assert_uint_gt(asked, 0);
	ck_assert_uint_eq(entry.opcode, IORING_OP_WRITE);
	ck_assert_uint_eq(waits, 0);
	ck_assert_uint_eq(info().checkpoints, 1);
	ck_assert(frames_hold(1, 9, 6));
}
END_TEST

START_TEST(it_waits_for_no_entry_of_the_callers_own)
{
	struct io_uring_sqe frame;

	if (!allow_requests())
		return;
	ck_assert_int_eq(prep_at(0, 0, 3, 5), 0);
	frame = entry;
	ck_assert_int_eq(prep_past(1, 3), -EBUSY);
	ck_assert_int_eq(done_with(0, carry_out(&frame)), ATOMICIO_DURABLE);
	ck_assert_int_eq(prep_past(1, 3), -EBUSY);
	bring_home(0, 0, 3);
	ck_assert_int_eq(prep_past(1, 3), -EAGAIN);
	ck_assert_uint_eq(waits, 0);
}
END_TEST

START_TEST(a_file_that_failed_gives_its_error)
{
	write_by_ring(0, 0, 3, 5);
	ck_assert_int_eq(prep_at(0, 0, 4, 5), 0);
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(prep_next(0, 0, 4), 0);
	ck_assert_int_eq(done_with(0, -EIO), 0);
	ck_assert_int_eq(prep_past(1, 3), -ENOTRECOVERABLE);
	ck_assert_uint_eq(waits, 0);
}
END_TEST

/* A caller refused with "later" during a header's write receives the header's failure, too. */
START_TEST(a_tail_that_could_not_move_is_told)
{
	if (!allow_requests())
		return;
	write_by_ring(0, 0, 3, 5);
	pthread_mutex_lock(&journal->lock);
	journal->moving_tail = true;
	pthread_mutex_unlock(&journal->lock);
	while (!files[0]->home.synced[0] && !files[0]->home.synced[1]) {
		ck_assert_int_eq(prep_past(1, 3), -EAGAIN);
		usleep(1000);
	}
	events = 0;
	own.own_write_error = -EIO;
	pthread_mutex_lock(&journal->lock);
	journal->moving_tail = false;
	(void)journal_move_tail(journal, journal->mark_offset, journal->mark_sequence);
	pthread_mutex_unlock(&journal->lock);
	ck_assert_uint_gt(events, 0);
	own.own_write_error = 0;
}
END_TEST

START_TEST(a_page_behind_the_end_of_its_file_takes_no_blocks)
{
	const uint32_t at = FILE_SIZE / PAGE;

	ck_assert_int_eq(prep_at(0, 0, at, 5), -ENXIO);
	ck_assert_int_eq(entry.fd, -1);
	ck_assert_int_eq(gather_at(1, 0, at, 5), -ENXIO);
	ck_assert_uint_eq(taken, 0);
	ck_assert_int_eq(write_page(0, at + 1, 4), 0); /* a call takes them */
	ck_assert_uint_eq(taken, 1);
	write_by_ring(0, 0, at + 2, 5); /* with more than it needs */
	ck_assert_int_eq(gather_at(1, 1, at, 5), -ENXIO);
	ck_assert_int_eq(ftruncate(fds[1], FILE_SIZE + PAGE), 0);
	ck_assert_int_eq(gather_at(1, 1, at, 5), 0);
	ck_assert_int_eq(gather_at(2, 1, at + 1, 5), -ENXIO);
	ck_assert_uint_eq(taken, 1);
	ck_assert_uint_eq(files[0]->counters.writes_failed, 0);
	ck_assert_int_eq(commit_with(1, 1, at), 0);
	ck_assert_int_eq(done_with(1, carry_out(&entry)), ATOMICIO_DURABLE);
	bring_home(1, 1, at);
	ck_assert(holds(1, at, 5));
}
END_TEST

START_TEST(a_frame_is_closed_once)
{
	ck_assert_int_eq(gather_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(gather_at(1, 1, 1, 5), 0);
	ck_assert_int_eq(commit_with(0, 0, 1), 0);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(atomicio_uring_commit(&requests[i]), -EALREADY);
		ck_assert_int_eq(atomicio_uring_discard(&requests[i]), -EALREADY);
	}
	ck_assert_int_eq(done_with(0, carry_out(&entry)), ATOMICIO_DURABLE);
	ck_assert_int_eq(atomicio_uring_commit(&requests[0]), -EALREADY);
	bring_home(0, 0, 1);
	ck_assert_int_eq(atomicio_uring_commit(&requests[0]), -EINVAL);
	bring_home(1, 1, 1);
}
END_TEST

static void tell_to_come_later(void)
{
	pthread_mutex_lock(&journal->lock);
	journal_guest_later(journal);
	pthread_mutex_unlock(&journal->lock);
	events = 0;
}

/* All these calls hold the lock for the sync of a retirement. */
START_TEST(who_came_while_a_file_was_synced_or_asked_is_told_to_come_again)
{
	struct write_request request = {.file = past,
					.length = PAGE,
					.flags = ATOMICIO_DSYNC,
					.path = ATOMICIO_PATH_KERNEL};
	struct write_outcome outcome = {.kind = ATOMICIO_KIND_MEDIA,
					.error = -EIO,
					.answer = -EIO,
					.allowed = ATOMICIO_FAIL};

	tell_to_come_later();
	ck_assert_int_eq(atomicio_sync(past), 0);
	ck_assert_uint_eq(events, 1);
	tell_to_come_later();
	write_back_range(&request);
	ck_assert_uint_eq(events, 1);
	tell_to_come_later();
	ck_assert_int_eq(write_decide(&request, &outcome), WRITE_GIVE_UP);
	ck_assert_uint_eq(events, 1);
}
END_TEST

/* A thread syncs files[0], between a retirement's test of the lock and the next step. */
static bool syncs_beside;

static int sync_beside(void)
{
	/* loss_begin_sync() asks for the pid before it tries the lock. */
	if (syncs_beside && pthread_mutex_trylock(&files[0]->loss.lock) == 0)
		write_was_asked(files[0]);
	return sys_linux.getpid();
}

START_TEST(a_sync_that_ends_before_its_guest_is_told_to_come_later_is_told_all_the_same)
{
	int error = -EAGAIN;

	if (!allow_requests())
		return;
	write_by_ring(0, 0, 3, 5);
	calls.getpid = sync_beside;
	events = 0;
	syncs_beside = true;
	ck_assert_int_eq(prep_past(1, 3), -EAGAIN);
	syncs_beside = false;
	ck_assert_uint_eq(journal->syncs_out, 0); /* no request is on its way to report an error */
	ck_assert_uint_ge(events, 1);
	pthread_mutex_unlock(&files[0]->loss.lock);
	for (uint32_t i = 0; i < 10000 && error == -EAGAIN; i++) {
		error = prep_past(1, 3);
		usleep(1000);
	}
	ck_assert_int_eq(error, 0);
}
END_TEST

/* An entry that will fail may be in the ring, and need never be. */
START_TEST(a_request_refused_by_prep_is_not_in_progress)
{
	ck_assert_int_eq(gather_at(0, 0, 1, 5), 0);
	ck_assert_int_eq(gather_at(1, 0, 2, 5), 0);
	ck_assert_int_eq(atomicio_uring_discard(&requests[0]), 0);
	ck_assert_int_eq(prep_next(1, 0, 2), -ECANCELED);
	ck_assert_int_eq(atomicio_uring_result(&requests[1]), -ECANCELED);
	ck_assert_int_eq(done_with(1, -EINVAL), -ECANCELED);
	ck_assert_int_eq(atomicio_uring_result(&requests[1]), -EINVAL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		who_came_while_a_file_was_synced_or_asked_is_told_to_come_again,
		a_sync_that_ends_before_its_guest_is_told_to_come_later_is_told_all_the_same,
		a_frame_is_closed_once,
		a_request_refused_by_prep_is_not_in_progress,
		a_write_past_a_live_frame_is_told_to_come_later,
		what_is_in_the_way_of_it_is_retired_in_the_background,
		it_waits_for_no_entry_of_the_callers_own,
		a_file_that_failed_gives_its_error,
		a_tail_that_could_not_move_is_told,
		a_page_behind_the_end_of_its_file_takes_no_blocks,
	};

	return check_run("uring_quiet", tests, sizeof(tests) / sizeof(tests[0]), quiet_setup);
}
