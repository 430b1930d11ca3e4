/* SPDX-License-Identifier: MIT */
/*
 * Goal: recovery writes the pages of a frame together, like the home writes of a running journal,
 * and reads the pages back together.  The kernel's AIO may refuse, cut short or spoil requests: the
 * pages are home when recovery returns 0, else their frame is live.
 * Method: a group whose home writes all failed; then recovery over an AIO that misbehaves.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "check_run.h"
#include "homes_machine.h"

/* A group whose frame is live, and of whose pages none is home. */
static void leave_a_frame(void)
{
	static const int script[] = {-EIO, -EIO, -EIO};

	disk.script = script;
	disk.script_left = 3;
	ck_assert_int_eq(write_group(), 0);
	atomicio_close(file);
	atomicio_journal_close(journal);
	file = NULL;
	journal = NULL;
	memset(disk.bytes[0], DISK_OLD, DISK_BYTES);
	fake_aio_reset();
	disk.vectored = 0;
}

START_TEST(recovery_writes_the_pages_of_a_frame_together)
{
	leave_a_frame();
	machine_recover();
	all_home();
	ck_assert_uint_eq(fake_aio.made, 3);
	ck_assert_uint_eq(fake_aio.air_max, 3);
	ck_assert_uint_eq(disk.vectored, 2);
	ck_assert_uint_eq(fake_aio.contexts, 0);
	machine_is_clean();
}
END_TEST

START_TEST(recovery_needs_no_aio)
{
	leave_a_frame();
	fake_aio.setup_result = -EPERM;
	machine_recover();
	all_home();
	machine_is_clean();
	direct();
	leave_a_frame();
	fake_aio.submit_once = -EINVAL;
	machine_recover();
	all_home();
	machine_is_clean();
	direct();
	leave_a_frame();
	fake_aio.reap_once = -EPERM;
	machine_recover();
	all_home();
	machine_is_clean();
}
END_TEST

START_TEST(recovery_finishes_what_was_cut_short)
{
	leave_a_frame();
	DISK_SCRIPT(512, -EAGAIN, 4096 + 512);
	machine_recover();
	all_home();
	machine_is_clean();
	/* Direct no more: through the cache, then. */
	direct();
	leave_a_frame();
	DISK_SCRIPT(-ENOTBLK, -EINVAL, -ENOTBLK, -EINVAL);
	machine_recover();
	all_home();
	machine_is_clean();
}
END_TEST

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? FAKE_FD : -ENOENT;
}

START_TEST(recovery_keeps_the_frame_of_a_run_that_fails)
{
	for (int at = 0; at < 3; at++) {
		int script[3] = {0, 0, 0};
		struct atomicio_journal *again;

		direct();
		leave_a_frame();
		script[at] = -EIO;
		disk.script = script;
		disk.script_left = 3;
		disk_restart();
		ck_assert_int_eq(journal_open(disk_calls, DISK_JOURNAL_FD, &again), 0);
		ck_assert_int_eq(atomicio_journal_recover(again, resolve, NULL, NULL, 0, NULL, 0),
				 -EIO);
		ck_assert_uint_eq(fake_aio.in_air, 0);
		atomicio_journal_close(again);
		disk.script_left = 0;
		machine_recover();
		all_home();
		machine_is_clean();
	}
}
END_TEST

START_TEST(recovery_reads_the_pages_of_a_frame_back_together)
{
	leave_a_frame();
	machine_recover();
	ck_assert_uint_eq(fake_aio.read, 3);
	all_home();
	/* Pages that AIO could not read are read by call. */
	for (uint32_t at = 1; at <= 3; at++) {
		static const int results[] = {-EIO, -EAGAIN, -EINVAL, 512};

		for (uint32_t i = 0; i < 4; i++) {
			direct();
			leave_a_frame();
			fake_aio.spoil = at;
			fake_aio.spoil_result = results[i];
			machine_recover();
			ck_assert_uint_eq(fake_aio.read, 3);
			all_home();
			machine_is_clean();
		}
	}
}
END_TEST

START_TEST(recovery_keeps_the_frame_of_a_run_that_reads_back_as_another)
{
	for (uint32_t at = 1; at <= 3; at++) {
		struct atomicio_journal *again;

		direct();
		leave_a_frame();
		disk_restart();
		fake_aio.spoil = at;
		ck_assert_int_eq(journal_open(disk_calls, DISK_JOURNAL_FD, &again), 0);
		ck_assert_int_eq(atomicio_journal_recover(again, resolve, NULL, NULL, 0, NULL, 0),
				 -EIO);
		ck_assert_uint_eq(fake_aio.read, 3);
		atomicio_journal_close(again);
		fake_aio.spoil = 0;
		machine_recover();
		all_home();
		machine_is_clean();
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		recovery_writes_the_pages_of_a_frame_together,
		recovery_needs_no_aio,
		recovery_finishes_what_was_cut_short,
		recovery_keeps_the_frame_of_a_run_that_fails,
		recovery_reads_the_pages_of_a_frame_back_together,
		recovery_keeps_the_frame_of_a_run_that_reads_back_as_another,
	};

	return check_run("journal_homes_recover", tests, sizeof(tests) / sizeof(tests[0]), direct);
}
