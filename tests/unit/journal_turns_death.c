/* SPDX-License-Identifier: MIT */
/*
 * Goal: a process may die at any call of its turn, its page may be lost or copied:
 * the next process finds a whole state, and who only asks is told to recover.
 * Method: turns_machine.h: children are killed in each of their writes, before, after and in the
 * middle of it.
 */
#define _GNU_SOURCE
#include "turns_machine.h"

#include <stddef.h>
#include <sys/resource.h>

#include "check_run.h"

/* Two turns and the checkpoint of who wants to leave; killed in write `dies`, half way or not. */
static int child_value;
static bool child_checkpoints;

static void live_until(int dies)
{
	dies_at = (uint32_t)dies / 2;
	dies_half = dies % 2;
	start();
	ck_assert_int_eq(write_in_turn(child_value), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_group(child_value + 1), 0);
	if (child_checkpoints)
		ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

/* With us alive beside it, or as the only process. */
static void kill_everywhere(bool alone)
{
	int deaths = 0, hot = 0, value = 0;

	for (int dies = 0, status = SIGKILL; status == SIGKILL; dies++) {
		const int before = value;

		if (alone)
			ck_assert_int_eq(close_all(), 0);
		child_value = dies % 60 * 4 + 4;
		child_checkpoints = dies / 2 % 2;
		status = run(live_until, dies);
		ck_assert(status == SIGKILL || (status == 0 && deaths > 20));
		deaths += status == SIGKILL;
		if (alone)
			start();
		/* A process without the order to recover sees whole groups. */
		if (atomicio_journal_is_hot(journal))
			hot++;
		else
			ck_assert_int_ge(group_value(), 0);
		ck_assert_int_ge(begin() ? recover() : 0, 0);
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
		value = group_value();
		ck_assert(value == before || value == child_value || value == child_value + 1);
		ck_assert_int_eq(write_group(child_value + 2), 0);
		ck_assert_int_eq(end(), 0);
		ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
		value = group_value();
		ck_assert_int_eq(value, child_value + 2);
	}
	ck_assert_int_ge(deaths, 20);
	ck_assert_int_ge(hot, 10);
	/* No killed process has left frames of others behind: all can be retired. */
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(end(), 0);
}

START_TEST(a_process_killed_in_any_write_is_recovered_by_one_that_lives)
{
	kill_everywhere(false);
}
END_TEST

START_TEST(a_process_killed_in_any_write_is_recovered_by_one_that_comes)
{
	kill_everywhere(true);
}
END_TEST

static void die_in_recovery(int dies)
{
	start();
	ck_assert_int_eq(begin(), 1);
	writes = 0;
	dies_at = (uint32_t)dies / 2;
	dies_half = dies % 2;
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(a_recovery_that_is_killed_is_made_again_by_the_next)
{
	int deaths = 0;

	for (int dies = 0, status = SIGKILL; status == SIGKILL; dies++) {
		ck_assert_int_eq(write_in_turn(1), 0);
		child_value = 100;
		child_checkpoints = true;
		ck_assert_int_eq(run(live_until, 10), SIGKILL); /* somewhere on the way home */
		if (!atomicio_journal_is_hot(journal))
			ck_abort_msg("killed outside its turn");
		status = run(die_in_recovery, dies);
		deaths += status == SIGKILL;
		if (status == 0)
			ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
		ck_assert_int_ge(begin() ? recover() : 0, 0);
		ck_assert_int_ge(group_value(), 1);
		ck_assert_int_eq(end(), 0);
	}
	ck_assert_int_ge(deaths, 8);
}
END_TEST

/* Old contents of a page: a turn that was never ended, and a wrong head. */
static void leave_a_lie(bool in_turn)
{
	const uint64_t place = PLACE;
	struct journal_shared page;

	ck_assert_int_eq(pread(journal_fd, &page, sizeof(page), (off_t)place), sizeof(page));
	page.magic = JOURNAL_SHARED_MAGIC; /* as where nobody could take it away */
	page.in_turn = in_turn;
	page.word = 5;
	ck_assert_int_eq(pwrite(journal_fd, &page, sizeof(page), (off_t)place), sizeof(page));
}

START_TEST(a_page_of_a_time_when_nobody_lived_is_not_believed)
{
	struct atomicio_journal *own = NULL;
	uint64_t head;

	ck_assert_int_eq(write_in_turn(7), 0);
	ck_assert_int_eq(close_all(), 0);
	leave_a_lie(true);
	/* Used by one process meanwhile: everything in the page is wrong now. */
	ck_assert_int_eq(journal_open(&calls, journal_fd, &own), 0);
	ck_assert_int_eq(atomicio_journal_recover(own, resolve, NULL, NULL, 0, NULL, 0), 0);
	journal = own;
	open_file(0);
	open_file(1);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(write_group(20 + i), 0);
	ck_assert_int_eq(close_all(), 0);
	start();
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	ck_assert_uint_eq(atomicio_journal_get_word(journal), 0);
	head = info().head_sequence;
	ck_assert_int_eq(write_in_turn(30), 0);
	ck_assert_uint_gt(info().head_sequence, head);
	ck_assert_int_eq(group_value(), 30);
}
END_TEST

START_TEST(a_page_that_is_damaged_while_we_live_is_made_anew)
{
	const uint64_t zero = 0;
	uint64_t first;

	ck_assert_int_eq(write_in_turn(7), 0);
	first = info().tail_sequence;
	ck_assert_int_eq(pwrite(journal_fd, &zero, 8, PLACE), 8); /* its magic */
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	ck_assert_int_eq(write_in_turn(8), 0);
	ck_assert_uint_gt(info().tail_sequence, first);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	/* A page of another process's turn, whose number is lost. */
	ck_assert_int_eq(run(live_until, NEVER / 2 - 1), 0);
	first = info().head_sequence;
	ck_assert_int_eq(pwrite(journal_fd, &zero, 8,
				PLACE + (off_t)offsetof(struct journal_shared, head_sequence)),
			 8);
	ck_assert_int_eq(write_in_turn(10), 0);
	ck_assert_uint_gt(info().head_sequence, first);
	ck_assert_int_eq(group_value(), 10);
}
END_TEST

START_TEST(a_journal_that_was_deleted_or_cut_takes_no_turn)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/copy", directory);
	ck_assert_int_eq(write_in_turn(7), 0);
	ck_assert_int_eq(ftruncate(journal_fd, (off_t)PLACE + 512), 0);
	ck_assert_int_eq(begin(), -ESTALE);
	ck_assert_int_eq(ftruncate(journal_fd, (off_t)PLACE + PAGE), 0);
	ck_assert_int_eq(write_in_turn(8), 0); /* the page was cut: read again, recovered */
	snprintf(path, sizeof(path), "%s/journal", directory);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(begin(), -ESTALE);
	ck_assert_int_eq(begin(), -ESTALE);
}
END_TEST

static void ask_who_lives(int alone)
{
	start();
	ck_assert_int_eq(atomicio_journal_is_alone(journal), alone);
}

/* The process closes another descriptor of the file, and so drops the lock that proves it alive. */
START_TEST(a_process_that_lost_its_lock_is_not_lost)
{
	ck_assert_int_eq(write_in_turn(3), 0);
	close(open_in("journal", 0));
	ck_assert_int_eq(run(ask_who_lives, 1), 0);
	child_value = 40;
	ck_assert_int_eq(run(live_until, NEVER / 2 - 1),
			 0); /* the process makes the page anew, and leaves */
	ck_assert_int_eq(group_value(), 41);
	ck_assert_int_eq(write_in_turn(5), 0);
	ck_assert_int_eq(run(ask_who_lives, 0), 0); /* the lock was taken again */
	ck_assert_int_eq(group_value(), 5);
	child_value = 50;
	ck_assert_int_eq(run(live_until, NEVER / 2 - 1), 0);
	ck_assert_int_eq(write_in_turn(6), 0);
	ck_assert_int_eq(group_value(), 6);
}
END_TEST

static void leave_it_clean(int value)
{
	start();
	ck_assert_int_eq(write_in_turn(value), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(a_header_that_another_process_left_clean_is_not_taken_for_ours)
{
	ck_assert_int_eq(write_in_turn(3), 0);
	close(open_in("journal",
		      0)); /* our lock is gone: the next is alone, and closes as the last */
	ck_assert_int_eq(run(leave_it_clean, 4), 0);
	ck_assert_int_eq(write_in_turn(5), 0);
	ck_assert_int_eq(atomicio_journal_peek(journal_fd, NULL, 0),
			 1); /* a power cut would find it */
}
END_TEST

static void open_under_a_limit(int unused)
{
	struct rlimit limit = {.rlim_cur = PLACE, .rlim_max = PLACE};

	(void)unused;
	journal_fd = open_in("journal", 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(open_journal(), -EFBIG);
}

START_TEST(a_limit_on_the_file_size_is_no_signal)
{
	struct rlimit limit = {.rlim_cur = PLACE, .rlim_max = RLIM_INFINITY};

	ck_assert_int_eq(run(open_under_a_limit, 0), 0);
	ck_assert_int_eq(write_in_turn(3), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(begin(), -EFBIG);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(write_in_turn(4), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_process_killed_in_any_write_is_recovered_by_one_that_lives,
		a_process_killed_in_any_write_is_recovered_by_one_that_comes,
		a_recovery_that_is_killed_is_made_again_by_the_next,
		a_page_of_a_time_when_nobody_lived_is_not_believed,
		a_page_that_is_damaged_while_we_live_is_made_anew,
		a_journal_that_was_deleted_or_cut_takes_no_turn,
		a_process_that_lost_its_lock_is_not_lost,
		a_header_that_another_process_left_clean_is_not_taken_for_ours,
		a_limit_on_the_file_size_is_no_signal,
	};

	return check_run("journal_turns_death", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
