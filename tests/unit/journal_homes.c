/* SPDX-License-Identifier: MIT */
/*
 * Goal: the home writes of a group go out together, sorted, neighbours in one call; and whatever
 * the kernel's AIO refuses, cuts short or gets wrong, the pages are home when the call returns, or
 * their file has failed and its frame is live.
 * Method: groups through the fake disk, whose AIO makes the last write first, from the memory as
 * it is then, and can be told to misbehave (fake_aio.h).
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>

#include "check_run.h"
#include "fake_ring.h"
#include "homes_machine.h"
#include "write_queue.h"

START_TEST(homes_of_a_group_go_out_together_in_runs)
{
	ck_assert_int_eq(write_group(), 0);
	all_home();
	ck_assert_uint_eq(fake_aio.made, 3);
	ck_assert_uint_eq(fake_aio.air_max, 3);
	ck_assert_uint_eq(fake_aio.submits, 1);
	ck_assert_uint_eq(fake_aio.reaps, 1);
	ck_assert_uint_eq(disk.vectored, 2);
	stop();
}
END_TEST

/* A ring's writes outlive their process's locks: a queue takes no home, and costs nothing. */
START_TEST(with_a_queue_they_go_the_same_way)
{
	struct atomicio_queue_stats stats;
	struct atomicio_queue *queue;
	uint32_t calls, with;

	ck_assert_int_eq(write_queue_create(disk_calls, &fake_ring_calls, 64, &queue), 0);
	for (uint32_t flags = 0; flags <= ATOMICIO_ALL_OR_NONE; flags += ATOMICIO_ALL_OR_NONE) {
		ck_assert_int_eq(write_group_by(queue, flags), 0); /* the context is there */
		/* No retirement begins in between. */
		ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
		fake_aio.made = 0;
		calls = fake.calls;
		ck_assert_int_eq(write_group_by(queue, flags), 0);
		with = fake.calls - calls;
		ck_assert_uint_eq(fake_aio.made, 3);
		all_home();
		calls = fake.calls;
		ck_assert_int_eq(write_group_by(NULL, flags), 0);
		ck_assert_uint_eq(fake.calls - calls, with);
	}
	ck_assert_int_eq(atomicio_queue_get_stats(queue, &stats, sizeof(stats)), 0);
	ck_assert_uint_eq(stats.batches, 4);
	ck_assert_uint_eq(stats.submissions, 0);
	atomicio_queue_destroy(queue);
	stop();
}
END_TEST

START_TEST(one_page_needs_no_aio)
{
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	ck_assert(disk_holds(0, PAGE, NEW));
	ck_assert_uint_eq(fake_aio.contexts, 0);
	ck_assert_uint_eq(disk.vectored, 0);
	stop();
}
END_TEST

START_TEST(runs_of_a_buffered_file_go_by_call)
{
	start(O_RDWR);
	ck_assert_int_eq(write_group(), 0);
	all_home();
	ck_assert_uint_eq(fake_aio.submits, 0);
	ck_assert_uint_eq(fake.pwritev2_calls, 3 + 1 + 2); /* runs, frame, headers */
	ck_assert_uint_eq(disk.vectored, 2);
	stop();
}
END_TEST

START_TEST(without_aio_homes_go_by_call)
{
	static const int errors[] = {-ENOSYS, -EPERM, -EAGAIN, -ENOMEM, -EACCES};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		direct();
		fake_aio.setup_result = errors[i];
		ck_assert_int_eq(write_group(), 0);
		all_home();
		ck_assert_uint_eq(fake_aio.submits, 0);
		stop();
	}
}
END_TEST

/* A passing refusal is asked again, a permanent one is not. */
START_TEST(a_limit_is_asked_again_and_a_refusal_is_not)
{
	fake_aio.setup_result = -EAGAIN;
	ck_assert_int_eq(write_group(), 0);
	fake_aio.setup_result = 0;
	ck_assert_int_eq(write_group(), 0);
	ck_assert_uint_eq(fake_aio.made, 3);
	stop();
	direct();
	fake_aio.setup_result = -EPERM;
	for (uint32_t i = 0; i < JOURNAL_COURIERS + 2; i++)
		ck_assert_int_eq(write_group(), 0);
	ck_assert_uint_eq(fake_aio.setups, JOURNAL_COURIERS + 1); /* and that of retirement */
	ck_assert_uint_eq(fake_aio.submits, 0);
	stop();
}
END_TEST

START_TEST(what_submit_leaves_is_submitted_again)
{
	fake_aio.most = 1;
	ck_assert_int_eq(write_group(), 0);
	all_home();
	ck_assert_uint_eq(fake_aio.made, 3);
	ck_assert_uint_eq(fake_aio.submits, 3);
	stop();
}
END_TEST

/* A context of the parent's after fork(2), or a filter. */
START_TEST(what_submit_refuses_goes_by_call)
{
	static const int errors[] = {-EINVAL, -EPERM, -ENOSYS, -EBADF, -EAGAIN, -EOPNOTSUPP};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		direct();
		ck_assert_int_eq(write_group(),
				 0); /* the context is there, and the journal begun */
		fake_aio.submit_once = errors[i];
		ck_assert_int_eq(write_group(), 0);
		all_home();
		ck_assert_uint_eq(fake_aio.made, 3);
		stop();
	}
}
END_TEST

/* Completions come last first: the run of places 1, then that of 5 and 4, then that of 0, 2, 3. */
START_TEST(a_run_that_is_cut_short_is_finished)
{
	DISK_SCRIPT(8192, 512, 4096 + 512);
	ck_assert_int_eq(write_group(), 0);
	all_home();
	ck_assert_uint_eq(fake_aio.made, 3);
	ck_assert_uint_eq(disk.script_left, 0);
	stop();
}
END_TEST

START_TEST(a_run_that_was_not_begun_is_written_again)
{
	DISK_SCRIPT(-EAGAIN, -EINTR, -EINVAL);
	ck_assert_int_eq(write_group(), 0);
	all_home();
	ck_assert_uint_eq(disk.script_left, 0);
	stop();
}
END_TEST

START_TEST(a_vector_that_is_refused_goes_piece_by_piece)
{
	DISK_SCRIPT(0, -EINVAL, 0, -EINVAL);
	ck_assert_int_eq(write_group(), 0);
	all_home();
	ck_assert_uint_eq(disk.script_left, 0);
	stop();
}
END_TEST

static void file_has_failed(void)
{
	struct atomicio_journal_info info;
	uint8_t bytes[512];

	ck_assert_int_eq(write_group(), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_journal_read(journal, 1, bytes, sizeof(bytes), 0), 512);
	ck_assert_uint_eq(bytes[0], NEW + 2);
	ck_assert_int_eq(atomicio_journal_get_info(journal, &info, sizeof(info)), 0);
	ck_assert_uint_eq(info.files_failed, 1);
	ck_assert_uint_eq(info.state, ATOMICIO_JOURNAL_READY);
	ck_assert_int_eq(atomicio_close(file), -ENOTRECOVERABLE);
	atomicio_journal_close(journal);
	file = NULL;
	journal = NULL;
	ck_assert_uint_eq(fake_aio.in_air, 0);
	machine_recover();
	all_home();
	machine_is_clean();
}

START_TEST(a_run_that_fails_fails_its_file)
{
	static const int errors[] = {-EIO, -ENOSPC, -EDQUOT, -EFBIG, -EPERM, -EROFS, -ENOTBLK};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		for (int at = 0; at < 3; at++) {
			int script[3] = {0, 0, 0};

			direct();
			script[at] = errors[i];
			disk.script = script;
			disk.script_left = 3;
			ck_assert_int_eq(write_group(), 0);
			ck_assert_uint_eq(fake_aio.made, 3);
			ck_assert_uint_eq(fake_aio.in_air, 0);
			disk.script_left = 0;
			file_has_failed();
		}
}
END_TEST

START_TEST(a_short_run_whose_rest_fails_fails_its_file)
{
	DISK_SCRIPT(8192, 0, 0, -EIO);
	ck_assert_int_eq(write_group(), 0);
	disk.script_left = 0;
	file_has_failed();
}
END_TEST

/* io_getevents(2) is refused by a filter that came late: io_destroy(2) waits, and all is repeated.
 */
START_TEST(completions_that_cannot_be_had_are_waited_for)
{
	fake_aio.reap_result = -EPERM;
	ck_assert_int_eq(write_group(), 0);
	ck_assert_uint_eq(fake_aio.in_air, 0);
	all_home();
	ck_assert_uint_eq(fake_aio.contexts, 0);
	ck_assert_int_eq(write_group(), 0);
	all_home();
	stop();
	/* Even where that is refused, too, for a while. */
	direct();
	fake_aio.reap_result = -EPERM;
	fake_aio.destroy_result = -EPERM;
	fake_aio.destroy_failures = 3;
	ck_assert_int_eq(write_group(), 0);
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_uint_ge(disk.slept_us, 3);
	all_home();
	stop();
}
END_TEST

START_TEST(an_interrupted_reap_is_made_again)
{
	ck_assert_int_eq(write_group(), 0);
	fake_aio.reap_once = -EINTR;
	ck_assert_int_eq(write_group(), 0);
	all_home();
	ck_assert_uint_eq(fake_aio.made, 6);
	ck_assert_uint_eq(fake_aio.contexts, 1);
	stop();
}
END_TEST

/* Any call of a group, any errno: after the next start all pages are there, or none. */
START_TEST(a_group_survives_every_failure)
{
	static const int errors[] = {-EPERM,  -EINTR,  -EIO,	-EBADF,	 -EAGAIN, -ENOMEM,
				     -EINVAL, -ENOSPC, -ENOSYS, -EDQUOT, -EFBIG,  -EOPNOTSUPP};
	uint32_t calls;

	ck_assert_int_eq(write_group(), 0);
	calls = fake.calls;
	stop();
	ck_assert_uint_ge(calls, 9);
	for (uint32_t n = 1; n <= calls; n++)
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
			for (int late = 0; late < 2; late++) {
				int error;

				direct();
				disk.fail_late = late;
				fake.fail_at = n;
				fake.fail_error = errors[i];
				error = write_group();
				fake.fail_at = 0;
				ck_assert_uint_eq(fake_aio.in_air, 0);
				atomicio_close(file);
				atomicio_journal_close(journal);
				file = NULL;
				journal = NULL;
				machine_recover();
				if (error && disk_holds(0, DISK_BYTES, DISK_OLD))
					continue;
				all_home();
				machine_is_clean();
			}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		homes_of_a_group_go_out_together_in_runs,
		with_a_queue_they_go_the_same_way,
		one_page_needs_no_aio,
		runs_of_a_buffered_file_go_by_call,
		without_aio_homes_go_by_call,
		a_limit_is_asked_again_and_a_refusal_is_not,
		what_submit_leaves_is_submitted_again,
		what_submit_refuses_goes_by_call,
		a_run_that_is_cut_short_is_finished,
		a_run_that_was_not_begun_is_written_again,
		a_vector_that_is_refused_goes_piece_by_piece,
		a_run_that_fails_fails_its_file,
		a_short_run_whose_rest_fails_fails_its_file,
		completions_that_cannot_be_had_are_waited_for,
		an_interrupted_reap_is_made_again,
		a_group_survives_every_failure,
	};

	return check_run("journal_homes", tests, sizeof(tests) / sizeof(tests[0]), direct);
}
