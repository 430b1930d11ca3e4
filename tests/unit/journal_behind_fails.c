/* SPDX-License-Identifier: MIT */
/*
 * Goal: an error on the way home of a page that nobody waits for is told once, and fails no more
 * than its file.
 * Method: single pages through the fake disk, whose AIO ends when it is told to, short or with
 * an error.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>

#include "behind_machine.h"
#include "check_run.h"
#include "homes_machine.h"
#include "journal_internal.h"
#include "libatomicio/uring.h"
#include "write_entry.h"

static void fails_and_recovers(uint32_t at, int value)
{
	ck_assert_int_eq(put(5, 1, 0), -ENOTRECOVERABLE);
	ck_assert_int_ne(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	file = NULL;
	journal = NULL;
	ck_assert_uint_eq(fake_aio.in_air, 0);
	machine_recover();
	ck_assert(is_home(at, value));
}

START_TEST(an_error_of_the_way_home_is_told_by_settle)
{
	static const int errors[] = {-EIO, -ENOSPC, -EDQUOT, -EFBIG, -EROFS};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		direct();
		fake_aio.slow = FAKE_AIO_NEVER;
		ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
		fake_aio.slow = 0;
		disk.script = &errors[i];
		disk.script_left = 1;
		ck_assert_int_eq(atomicio_settle(file, 0, 0), errors[i]);
		ck_assert_int_eq(atomicio_settle(file, 0, 0), -ENOTRECOVERABLE);
		fails_and_recovers(1, 7);
	}
}
END_TEST

START_TEST(an_error_of_the_way_home_is_told_by_sync_and_close)
{
	for (int closes = 0; closes < 2; closes++) {
		direct();
		fake_aio.slow = FAKE_AIO_NEVER;
		ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
		fake_aio.slow = 0;
		DISK_SCRIPT(-EIO);
		if (!closes) {
			ck_assert_int_eq(atomicio_sync(file), -EIO);
			fails_and_recovers(1, 7);
			continue;
		}
		ck_assert_int_eq(atomicio_close(file), -EIO);
		atomicio_journal_close(journal);
		file = NULL;
		journal = NULL;
		machine_recover();
		ck_assert(is_home(1, 7));
	}
}
END_TEST

/* The next caller that looks finishes a cut or unbegun request. */
START_TEST(a_page_that_is_cut_short_is_finished)
{
	static const int results[] = {4096, -EAGAIN, -EINTR};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		direct();
		fake_aio.slow = FAKE_AIO_NEVER;
		ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
		fake_aio.slow = 0;
		disk.script = &results[i];
		disk.script_left = 1;
		ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
		ck_assert(is_home(1, 7));
		stop();
	}
	/* Completions that cannot be had: the page is written again. */
	direct();
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	fake_aio.reap_result = -EPERM;
	ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
	ck_assert(is_home(1, 7));
	stop();
}
END_TEST

/* Any call, any errno: after the next start the page is there, wholly or not at all. */
START_TEST(it_survives_every_failure)
{
	static const int errors[] = {-EPERM,  -EINTR,  -EIO,	-EBADF,	 -EAGAIN, -ENOMEM,
				     -EINVAL, -ENOSPC, -ENOSYS, -EDQUOT, -EFBIG,  -EOPNOTSUPP};
	uint32_t calls;

	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
	calls = fake.calls;
	stop();
	for (uint32_t n = 1; n <= calls; n++)
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
			for (int late = 0; late < 2; late++) {
				int error;

				direct();
				disk.fail_late = late;
				fake_aio.slow = n % 3;
				fake.fail_at = n;
				fake.fail_error = errors[i];
				error = put(1, 7, ATOMICIO_BEHIND);
				(void)atomicio_settle(file, 0, 0);
				fake.fail_at = 0;
				atomicio_close(file);
				atomicio_journal_close(journal);
				file = NULL;
				journal = NULL;
				ck_assert_uint_eq(fake_aio.in_air, 0);
				machine_recover();
				ck_assert(is_home(1, 7) || (error && is_home(1, DISK_OLD)));
				machine_is_clean();
			}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_error_of_the_way_home_is_told_by_settle,
		an_error_of_the_way_home_is_told_by_sync_and_close,
		a_page_that_is_cut_short_is_finished,
		it_survives_every_failure,
	};

	return check_run("journal_behind_fails", tests, sizeof(tests) / sizeof(tests[0]), direct);
}
