/* SPDX-License-Identifier: MIT */
/*
 * Goal: all processes share a journal, or none, and the last process that closes the journal may
 * leave a clean journal.
 * Method: turns_machine.h: children are processes of their own.
 */
#define _GNU_SOURCE
#include "turns_machine.h"

#include "check_run.h"

static void open_unshared(int unused)
{
	struct atomicio_journal *own = NULL;

	(void)unused;
	journal_fd = open_in("journal", 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &own), -EBUSY);
}

static void open_shared_in_vain(int unused)
{
	(void)unused;
	journal_fd = open_in("journal", 0);
	ck_assert_int_eq(open_journal(), -EBUSY);
}

START_TEST(one_process_for_itself_and_several_keep_each_other_out)
{
	ck_assert_int_eq(run(open_unshared, 0), 0);
	ck_assert_int_eq(close_all(), 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(run(open_shared_in_vain, 0), 0);
}
END_TEST

static void close_last(int unused)
{
	(void)unused;
	start();
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_is_alone(journal), 1);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(a_close_checkpoints_nothing_and_the_last_one_may_leave_it_clean)
{
	struct atomicio_journal_info seen;
	int fd;

	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_group(6), 0);
	ck_assert_int_eq(end(), 0);
	syncs[0] = syncs[1] = 0;
	ck_assert_int_eq(close_all(), 0);
	ck_assert_uint_eq(syncs[0] + syncs[1], 0);
	fd = open_in("journal", 0);
	ck_assert_int_eq(atomicio_journal_peek(fd, &seen, sizeof(seen)), 1);
	/* Nobody lives: whoever comes next has to recover. */
	start();
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_eq(write_page(0, 0, 1), -EUCLEAN);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	ck_assert_int_eq(close_all(), 0);
	ck_assert_int_eq(atomicio_journal_peek(fd, &seen, sizeof(seen)), 0);
	ck_assert_int_eq(run(close_last, 0), 0);
	ck_assert_int_eq(atomicio_journal_peek(fd, &seen, sizeof(seen)), 0);
}
END_TEST

START_TEST(what_cannot_be_shared_is_refused)
{
	const struct atomicio_journal_open_options unknown = {.flags = 2};
	struct sys_calls before = calls;
	struct atomicio_journal *made = NULL;

	ck_assert_int_eq(close_all(), 0);
	ck_assert_int_eq(atomicio_journal_open(journal_fd, &unknown, sizeof(unknown), &made),
			 -EINVAL);
	ck_assert_int_eq(open_journal(), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(journal_guests_begin(journal, 1, -1), -EOPNOTSUPP);
	ck_assert_int_eq(close_all(), 0);
	calls.share = NULL;
	ck_assert_int_eq(open_journal(), -EOPNOTSUPP);
	calls = before;
	ck_assert_int_eq(open_journal(), 0); /* and nothing was kept locked */
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_process_for_itself_and_several_keep_each_other_out,
		a_close_checkpoints_nothing_and_the_last_one_may_leave_it_clean,
		what_cannot_be_shared_is_refused,
	};

	return check_run("journal_turns_open", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
