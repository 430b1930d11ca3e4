/* SPDX-License-Identifier: MIT */
/*
 * Goal: a recovery that cannot finish one file stops that file alone: other files accept writes at
 * once.  No later crash or recovery loses a page of the failed file, or brings back an old page of
 * another file (H3, K7).
 * Method: trouble_machine.h.  A crash puts an earlier copy of the journal back after the end of the
 * process, with homes that have none of its pages.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "check_run.h"
#include "trouble_machine.h"

#define JOURNAL_SIZE (JOURNAL_RING_START + 8 * FRAME)

static struct atomicio_recovered_file fates[3];
static int refused = -1; /* a file that resolve does not give */

static int resolve_but_one(void *context, uint64_t file_id)
{
	return (int)file_id - 1 == refused ? -EACCES : resolve(context, file_id);
}

static void report(void *context, const struct atomicio_recovered_file *file)
{
	(void)context;
	ck_assert_uint_le(file->file_id, 2);
	fates[file->file_id] = *file;
}

static int recover_with(uint32_t flags)
{
	const struct atomicio_recover_options options = {.report = report, .flags = flags};

	memset(fates, 0xff, sizeof(fates));
	return atomicio_journal_recover(journal, resolve_but_one, NULL, &options, sizeof(options),
					NULL, 0);
}

static int open_file(int i)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict,
						 .journal = journal,
						 .file_id = (uint64_t)i + 1,
						 .path = ATOMICIO_PATH_JOURNAL};

	return write_open(&calls, fds[i], &options, sizeof(options), &files[i]);
}

/* Homes keep their bytes. */
static void crash(void)
{
	uint8_t *bytes = malloc(JOURNAL_SIZE);

	ck_assert_int_eq(pread(journal_fd, bytes, JOURNAL_SIZE, 0), JOURNAL_SIZE);
	end_process();
	ck_assert_int_eq(pwrite(journal_fd, bytes, JOURNAL_SIZE, 0), JOURNAL_SIZE);
	free(bytes);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
}

/* Written past the library, or lost with the cache. */
static void put_home(int file, uint32_t at, int value)
{
	memset(page, value, PAGE);
	ck_assert_int_eq(pwrite(fds[file], page, PAGE, (off_t)at * PAGE), PAGE);
}

static void fail_file(int file, int error)
{
	trouble.file = error ? file : -1;
	trouble.write_error = error;
}

/* One page of each file is live, and not home. */
static void leave_two(void)
{
	ck_assert_int_eq(write_page(0, 1, 10), 0);
	ck_assert_int_eq(write_page(1, 1, 11), 0);
	ck_assert_int_eq(write_page(0, 1, 12), 0);
	crash();
	put_home(0, 1, 1);
	put_home(1, 1, 1);
}

START_TEST(a_file_that_cannot_be_recovered_stops_itself_alone)
{
	static const int errors[] = {-ENOSPC, -EIO, -EROFS};

	for (size_t i = 0; i < 3; i++) {
		leave_two();
		fail_file(0, errors[i]);
		ck_assert_int_eq(recover_with(0), errors[i]);
		ck_assert_int_eq(fates[1].result, errors[i]);
		ck_assert_int_eq(fates[2].result, 0);
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
		ck_assert_uint_eq(info().live_frames, 3);
		ck_assert_int_eq(open_file(0), -ENOTRECOVERABLE);
		ck_assert_int_eq(open_file(1), 0);
		ck_assert(holds(1, 1, 11));
		ck_assert(frames_hold(0, 1, 12));
		ck_assert(!frames_hold(1, 1, 11)); /* H3: what is done is not told of again */
		/* Many laps: its page is carried. */
		for (int lap = 0; lap < 100; lap++) {
			ck_assert_int_eq(write_page(1, (uint32_t)lap % 8, lap), 0);
			ck_assert(frames_hold(0, 1, 12));
		}
		ck_assert_int_eq(atomicio_sync(files[1]), 0);
		ck_assert_uint_gt(info().pages_carried, 0);
		/* The same process finishes the file, when the trouble is over. */
		ck_assert_int_eq(recover_with(0), -EBUSY);
		ck_assert_int_eq(atomicio_close(files[1]), 0);
		files[1] = NULL;
		fail_file(0, 0);
		ck_assert_int_eq(recover_with(0), 0);
		ck_assert(holds(0, 1, 12));
		ck_assert(holds(1, 3, 99));
		ck_assert_uint_eq(info().live_frames, 0);
		open_files();
	}
}
END_TEST

START_TEST(no_crash_after_it_loses_a_page_or_brings_an_old_one_back)
{
	for (int round = 0; round < 40; round++) {
		const int writes = round % 20; /* from none to more than a lap */

		leave_two();
		fail_file(0, -ENOSPC);
		ck_assert_int_eq(recover_with(0), -ENOSPC);
		ck_assert_int_eq(open_file(1), 0);
		for (int i = 0; i < writes; i++)
			ck_assert_int_eq(write_page(1, 2, i), 0);
		put_home(1, 1, 77); /* past the journal, as a kernel write */
		if (round >= 20) {
			/* A second crash, and a second recovery that does not finish the file. */
			crash();
			ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_UNCLEAN);
			ck_assert_int_eq(recover_with(0), -ENOSPC);
			ck_assert(holds(1, 1, 77));
			ck_assert_int_eq(open_file(1), 0);
			for (int i = 0; i < writes; i++)
				ck_assert_int_eq(write_page(1, 2, 50 + i), 0);
		}
		crash();
		put_home(1, 2, 1);
		fail_file(0, 0);
		ck_assert_int_eq(recover_with(0), 0);
		ck_assert(holds(0, 1, 12));
		ck_assert(holds(1, 1, 77));
		if (writes)
			ck_assert(holds(1, 2, (round < 20 ? 0 : 50) + writes - 1) ||
				  info().checkpoints > 0);
		open_files();
		ck_assert_int_eq(write_page(1, 2, 1), 0);
		ck_assert_int_eq(write_page(1, 1, 1), 0);
	}
}
END_TEST

/* The done row of a file survives a recovery that leaves this file. */
START_TEST(a_file_that_was_done_once_and_left_later_keeps_its_row)
{
	leave_two();
	fail_file(0, -ENOSPC);
	ck_assert_int_eq(recover_with(0), -ENOSPC);
	ck_assert_int_eq(open_file(1), 0);
	put_home(1, 1, 77);
	ck_assert_int_eq(write_page(1, 2, 5), 0);
	crash();
	put_home(1, 2, 1);
	fail_file(1, -EIO);
	ck_assert_int_eq(recover_with(0), -EIO);
	ck_assert(holds(0, 1, 12));
	/* The carried pages are no older. */
	ck_assert_int_eq(open_file(0), 0);
	for (int lap = 0; lap < 100; lap++)
		ck_assert_int_eq(write_page(0, 7, lap), 0);
	ck_assert(frames_hold(1, 2, 5));
	crash();
	fail_file(0, 0);
	ck_assert_int_eq(recover_with(0), 0);
	ck_assert(holds(1, 1, 77));
	ck_assert(holds(1, 2, 5));
	ck_assert(holds(0, 7, 99));
	open_files();
}
END_TEST

START_TEST(a_file_that_resolve_does_not_give_is_left)
{
	leave_two();
	refused = 0;
	ck_assert_int_eq(recover_with(0), -EACCES);
	ck_assert_int_eq(open_file(0), -ENOTRECOVERABLE);
	ck_assert_int_eq(open_file(1), 0);
	ck_assert_int_eq(write_page(1, 4, 4), 0);
	/* A checkpoint and a forget say that something is left. */
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_journal_forget(journal, 1), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_journal_forget(journal, 2), 0);
	end_process();
	refused = -1;
	restart();
	ck_assert(holds(0, 1, 12));
	ck_assert(holds(1, 4, 4));
}
END_TEST

START_TEST(a_file_that_shares_a_group_with_it_takes_writes_on_request_only)
{
	for (uint32_t flags = 0; flags <= ATOMICIO_RECOVER_LINKED;
	     flags += ATOMICIO_RECOVER_LINKED) {
		uint8_t bytes[PAGE];
		struct atomicio_op ops[2];

		memset(bytes, 33, PAGE);
		for (int i = 0; i < 2; i++)
			ops[i] = (struct atomicio_op){
				.file = files[i], .buffer = bytes, .length = PAGE};
		ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, ATOMICIO_ALL_OR_NONE), 0);
		crash();
		put_home(0, 0, 1);
		put_home(1, 0, 1);
		fail_file(0, -ENOSPC);
		ck_assert_int_eq(recover_with(flags), -ENOSPC);
		ck_assert_uint_eq(fates[2].linked, 1);
		ck_assert_int_eq(fates[2].result, 0);
		ck_assert(holds(1, 0, 33));
		ck_assert_int_eq(open_file(1), flags ? 0 : -ENOTRECOVERABLE);
		end_process();
		fail_file(0, 0);
		restart();
		ck_assert(holds(0, 0, 33));
		ck_assert(holds(1, 0, 33));
	}
}
END_TEST

/* More than may be carried: no file takes writes before all are done. */
START_TEST(too_much_that_is_left_stops_all_as_before)
{
	for (uint32_t i = 0; i < 36; i += 12)
		ck_assert_int_eq(write_pages(0, i, 12, 60), 0);
	ck_assert_int_eq(write_page(1, 1, 61), 0);
	crash();
	put_home(0, 35, 1);
	fail_file(0, -ENOSPC);
	ck_assert_int_eq(recover_with(0), -ENOSPC);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_UNCLEAN);
	ck_assert_int_eq(open_file(1), 0);
	ck_assert_int_eq(write_page(1, 1, 62), -EUCLEAN);
	end_process();
	fail_file(0, 0);
	restart();
	ck_assert(holds(0, 35, 60));
	ck_assert(holds(1, 1, 61));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_file_that_cannot_be_recovered_stops_itself_alone,
		no_crash_after_it_loses_a_page_or_brings_an_old_one_back,
		a_file_that_was_done_once_and_left_later_keeps_its_row,
		a_file_that_resolve_does_not_give_is_left,
		a_file_that_shares_a_group_with_it_takes_writes_on_request_only,
		too_much_that_is_left_stops_all_as_before,
	};

	return check_run("journal_resume", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
