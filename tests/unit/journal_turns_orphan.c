/* SPDX-License-Identifier: MIT */
/*
 * Goal: a forked child that survives its parent is never taken for a living owner.  If the child
 * holds the lock of the turn, every process receives the error, at once or within about a second,
 * with any number of living processes.
 * Method: turns_machine.h; children fork again, and are killed.
 */
#define _GNU_SOURCE
#include "turns_machine.h"

#include "check_run.h"
#include "sys_share.h"

static int told[2];

/* A process forks in its turn, or outside a turn, and dies; the child lives on. */
static void leave_a_child(int in_turn)
{
	pid_t pid;

	start();
	if (in_turn)
		ck_assert_int_eq(begin(), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		/* The handles are dead, and the close does no harm. */
		ck_assert_int_eq(begin(), -EPERM);
		ck_assert_int_eq(end(), -EPERM);
		ck_assert_int_eq(write_page(0, 0, 1), -EBUSY);
		for (;;)
			pause();
	}
	ck_assert_int_eq(write(told[1], &pid, sizeof(pid)), sizeof(pid));
	(void)kill(getpid(), SIGKILL);
}

static pid_t orphan(int in_turn)
{
	pid_t pid;

	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(run(leave_a_child, in_turn), SIGKILL);
	ck_assert_int_eq(read(told[0], &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

static void end_orphan(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	while (kill(pid, 0) == 0) /* somebody else's to reap */
		usleep(1000);
}

static void open_beside_an_orphan(int expected)
{
	journal_fd = open_in("journal", 0);
	ck_assert_int_eq(open_journal(), expected);
}

START_TEST(a_forked_child_is_not_taken_for_a_living_owner)
{
	const pid_t pid = orphan(0);

	ck_assert_int_eq(atomicio_journal_is_alone(journal), 1);
	ck_assert_int_eq(write_in_turn(3), 0);
	ck_assert_int_eq(close_all(), 0);
	ck_assert_int_eq(run(open_beside_an_orphan, 0), 0);
	end_orphan(pid);
}
END_TEST

START_TEST(a_child_of_a_process_that_died_in_its_turn_keeps_the_others_out)
{
	const pid_t pid = orphan(1);

	ck_assert_int_eq(begin(), -EOWNERDEAD);
	ck_assert_int_eq(atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT), -EOWNERDEAD);
	ck_assert_int_eq(run(open_beside_an_orphan, 0), 0); /* we live */
	ck_assert_int_eq(close_all(), 0);
	ck_assert_int_eq(run(open_beside_an_orphan, -EOWNERDEAD), 0);
	end_orphan(pid);
	start();
	ck_assert_int_eq(write_in_turn(3), 0);
}
END_TEST

static int ready[2], enough[2];

/* Another process, never in a turn. */
static void live_beside(int unused)
{
	char byte;

	(void)unused;
	start();
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	ck_assert_int_eq(close_all(), 0);
}

static void await(void)
{
	char byte;

	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
}

static pid_t spawn_other(void)
{
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(enough), 0);
	pid = spawn(live_beside, 0);
	await();
	return pid;
}

static void end_other(pid_t pid)
{
	ck_assert_int_eq(write(enough[1], "", 1), 1);
	ck_assert_int_eq(reap(pid), 0);
}

static void begin_in_vain(int unused)
{
	(void)unused;
	start();
	ck_assert_int_eq(begin(), -EOWNERDEAD);
}

START_TEST(it_is_told_from_a_living_owner_however_many_others_live)
{
	const pid_t other = spawn_other(), pid = orphan(1);

	(void)alarm(10);
	ck_assert_int_eq(atomicio_journal_is_alone(journal), 0);
	ck_assert_int_eq(begin(), -EOWNERDEAD);
	ck_assert_int_eq(atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT), -EOWNERDEAD);
	ck_assert_int_eq(run(begin_in_vain, 0), 0); /* we do not keep it out */
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	end_orphan(pid);
	ck_assert_int_eq(write_in_turn(3), 0); /* nothing was kept locked */
	ck_assert_int_eq(group_value(), 3);
	end_other(other);
}
END_TEST

/* In its turn until the order, with a child that goes on. */
static void die_with_a_child_when_told(int unused)
{
	char byte;
	pid_t pid;

	(void)unused;
	start();
	ck_assert_int_eq(begin(), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		for (;;)
			pause();
	ck_assert_int_eq(write(told[1], &pid, sizeof(pid)), sizeof(pid));
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	usleep(50000); /* the other waits meanwhile */
	(void)kill(getpid(), SIGKILL);
}

START_TEST(who_waits_for_a_turn_is_told_when_its_owner_dies)
{
	pid_t owner, child;

	(void)alarm(10);
	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(pipe(enough), 0);
	owner = spawn(die_with_a_child_when_told, 0);
	ck_assert_int_eq(read(told[0], &child, sizeof(child)), sizeof(child));
	ck_assert_int_eq(begin(), -EBUSY);
	ck_assert_int_eq(write(enough[1], "", 1), 1);
	ck_assert_int_eq(atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT), -EOWNERDEAD);
	ck_assert_int_eq(reap(owner), SIGKILL);
	end_orphan(child);
	ck_assert_int_eq(write_in_turn(3), 0);
}
END_TEST

static void ask_who_lives(int alone)
{
	start();
	ck_assert_int_eq(atomicio_journal_is_alone(journal), alone);
}

static const uint32_t *no_mark(void)
{
	return NULL;
}

static int pids_asked;

static int counted_getpid(void)
{
	pids_asked++;
	return getpid();
}

START_TEST(a_child_knows_that_it_is_one_on_any_kernel)
{
	struct sys_share_calls share = *sys_linux.share;

	for (int marked = 0; marked < 2; marked++) {
		pid_t pid;

		ck_assert_int_eq(close_all(), 0);
		share.mark_process = marked ? sys_linux.share->mark_process : no_mark;
		calls.share = &share;
		calls.getpid = counted_getpid;
		start();
		if (marked && !journal->share->mark)
			break; /* a kernel, or an emulator, that has none */
		ck_assert_int_eq(begin() ? recover() : 0, 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid)
			_exit(begin() == -EPERM && end() == -EPERM && write_page(0, 0, 1) == -EBUSY
				      ? 0
				      : 1);
		ck_assert_int_eq(reap(pid), 0);
		pids_asked = 0;
		ck_assert_int_eq(write_group(3), 0);
		ck_assert_int_eq(end(), 0);
		if (marked)
			ck_assert_int_eq(pids_asked, 0);
		else
			ck_assert_int_gt(pids_asked, 0);
	}
	ck_assert_int_eq(close_all(), 0);
}
END_TEST

START_TEST(a_child_may_close_its_handles_and_we_live_on)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		for (int i = 0; i < 2; i++)
			(void)atomicio_close(files[i]);
		_exit(atomicio_journal_close(journal) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(reap(pid), 0);
	ck_assert_int_eq(run(ask_who_lives, 0), 0);
	ck_assert_int_eq(write_in_turn(3), 0);
	ck_assert_int_eq(group_value(), 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_forked_child_is_not_taken_for_a_living_owner,
		a_child_of_a_process_that_died_in_its_turn_keeps_the_others_out,
		it_is_told_from_a_living_owner_however_many_others_live,
		who_waits_for_a_turn_is_told_when_its_owner_dies,
		a_child_knows_that_it_is_one_on_any_kernel,
		a_child_may_close_its_handles_and_we_live_on,
	};

	return check_run("journal_turns_orphan", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
