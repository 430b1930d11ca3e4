/* SPDX-License-Identifier: MIT */
/*
 * Goal: what another process, or another thread, tells while a turn begins, goes on, waits or ends
 * is neither overwritten nor taken for healed.
 * Method: turns_machine.h; a child waits at a pipe, and tells of a loss in the middle of a call.
 */
#define _GNU_SOURCE
#include "turns_machine.h"

#include <pthread.h>

#include "check_run.h"
#include "sys_share.h"

static int ready[2], enough[2];

static void tell_and_wait(int unused)
{
	char byte;

	(void)unused;
	start();
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	sync_error = -EIO;
	error_inode = inode_of(fds[1]);
	ck_assert_int_eq(atomicio_sync(files[1]), -EIO);
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	ck_assert_int_eq(close_all(), 0);
}

static void await(void)
{
	char byte;

	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
}

static void go(void)
{
	ck_assert_int_eq(write(enough[1], "", 1), 1);
}

static pid_t spawn_teller(void)
{
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(enough), 0);
	pid = spawn(tell_and_wait, 0);
	await();
	return pid;
}

static void recover_in_turn(void)
{
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(end(), 0);
}

START_TEST(a_loss_told_in_a_turn_that_heals_another_stays_told)
{
	pid_t pid;

	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_group(5), 0);
	ck_assert_int_eq(end(), 0);
	pid = spawn_teller();
	sync_error = -EIO;
	error_inode = inode_of(fds[0]);
	ck_assert_int_eq(atomicio_sync(files[0]), -EIO);
	sync_error = 0;
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(write_page(1, 7, 7), 0);
	go();
	await(); /* reported in our turn, after our recovery */
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	recover_in_turn();
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	go();
	ck_assert_int_eq(reap(pid), 0);
}
END_TEST

static bool tells;

static ssize_t telling_read(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (tells) {
		tells = false;
		go();
		await();
	}
	return sys_linux.pread(fd, buffer, length, offset);
}

START_TEST(a_loss_told_while_the_page_is_made_anew_stays_told)
{
	const uint64_t no_magic = 0;
	pid_t pid;

	ck_assert_int_eq(close_all(), 0);
	calls.pread = telling_read;
	start();
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_group(5), 0);
	ck_assert_int_eq(end(), 0);
	pid = spawn_teller();
	ck_assert_int_eq(pwrite(journal_fd, &no_magic, sizeof(no_magic), PLACE), sizeof(no_magic));
	tells = true;
	ck_assert_int_eq(begin(), 1);
	ck_assert(!tells);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(write_page(1, 7, 7), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	recover_in_turn();
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	go();
	ck_assert_int_eq(reap(pid), 0);
}
END_TEST

static void *wait_for_a_turn(void *unused)
{
	(void)unused;
	ck_assert_int_eq(atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT), 1);
	return NULL;
}

static void take_a_turn(int unused)
{
	char byte;

	(void)unused;
	start();
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(0, 5, 5), 0);
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	/*
	 * The other process has set `lost`: if we died here, the next reader would recover.
	 */
	ck_assert_uint_ne(journal->share->page->lost, journal->share->page->healed);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	ck_assert_int_eq(close_all(), 0);
}

static bool is_on_turn(void)
{
	bool result;

	pthread_mutex_lock(&journal->lock);
	result = journal->share->on_turn;
	pthread_mutex_unlock(&journal->lock);
	return result;
}

START_TEST(a_loss_found_while_a_thread_waits_for_a_turn_is_told_at_once)
{
	pthread_t waiter;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(enough), 0);
	pid = spawn(take_a_turn, 0);
	await();
	ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_a_turn, NULL), 0);
	while (!is_on_turn())
		usleep(1000);
	sync_error = -EIO;
	error_inode = inode_of(fds[0]);
	ck_assert_int_eq(atomicio_sync(files[0]), -EIO);
	sync_error = 0;
	go();
	await();
	ck_assert_int_eq(pthread_join(waiter, NULL), 0);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(end(), 0);
	go();
	ck_assert_int_eq(reap(pid), 0);
}
END_TEST

static uint32_t still_held; /* times the lock of the turn is not dropped yet */

static int late_own_lock(int fd, uint64_t at, enum sys_lock lock, bool wait)
{
	if (at == JOURNAL_LOCK_TURN && lock == SYS_LOCK_WRITE && still_held) {
		still_held--;
		return -EAGAIN;
	}
	return sys_linux.share->own_lock(fd, at, lock, wait);
}

START_TEST(a_process_that_is_being_ended_is_not_taken_for_a_forked_child)
{
	struct sys_share_calls share = *sys_linux.share;

	ck_assert_int_eq(close_all(), 0);
	share.own_lock = late_own_lock;
	calls.share = &share;
	still_held = 20;
	start();
	ck_assert_uint_eq(still_held, 0);
	still_held = 20;
	ck_assert_int_eq(begin(), 0);
	ck_assert_uint_eq(still_held, 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}
END_TEST

static uint32_t deadlocks;

static int confused_record_lock(int fd, uint64_t at, enum sys_lock lock, bool wait)
{
	if ((at == JOURNAL_LOCK_DOOR || at == JOURNAL_LOCK_OWNER) && lock == SYS_LOCK_WRITE &&
	    deadlocks) {
		deadlocks--;
		return -EDEADLK;
	}
	return sys_linux.share->record_lock(fd, at, lock, wait);
}

START_TEST(a_deadlock_that_is_none_of_this_thread_is_no_error)
{
	struct sys_share_calls share = *sys_linux.share;

	ck_assert_int_eq(close_all(), 0);
	share.record_lock = confused_record_lock;
	calls.share = &share;
	deadlocks = 5;
	start();
	ck_assert_uint_eq(deadlocks, 0);
	deadlocks = 5;
	ck_assert_int_eq(atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT), 0);
	ck_assert_uint_eq(deadlocks, 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_loss_told_in_a_turn_that_heals_another_stays_told,
		a_loss_told_while_the_page_is_made_anew_stays_told,
		a_loss_found_while_a_thread_waits_for_a_turn_is_told_at_once,
		a_process_that_is_being_ended_is_not_taken_for_a_forked_child,
		a_deadlock_that_is_none_of_this_thread_is_no_error,
	};

	return check_run("journal_turns_race", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
