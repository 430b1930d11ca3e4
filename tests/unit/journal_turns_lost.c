/* SPDX-License-Identifier: MIT */
/*
 * Goal: no acknowledged write is lost by what happens beside a turn: a lock that went, a page of
 * the cache that went, a file that is closed at the wrong moment.
 * Method: turns_machine.h; a close in another thread comes in the middle of a home write.
 */
#define _GNU_SOURCE
#include "turns_machine.h"

#include <pthread.h>

#include "check_run.h"

/* The state after a power cut: does a reader of the journal see the frame of the last turn? */
static void see_live_frames(int unused)
{
	struct atomicio_journal_info now;

	(void)unused;
	journal_fd = open_in("journal", 0);
	ck_assert_int_ge(atomicio_journal_peek(journal_fd, &now, sizeof(now)), 0);
	ck_assert_uint_ge(now.live_frames, 1);
}

static void checkpoint_and_close_last(int unused)
{
	(void)unused;
	start();
	ck_assert_int_eq(atomicio_journal_is_alone(journal), 1);
	ck_assert_int_eq(write_in_turn(3), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(a_clean_close_beside_a_process_that_lost_its_lock_is_seen_by_it)
{
	ck_assert_int_eq(write_in_turn(2), 0);
	close(open_in("journal", 0)); /* the lock LIVES goes with it */
	ck_assert_int_eq(run(checkpoint_and_close_last, 0), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1); /* no page that can be believed */
	ck_assert_int_eq(write_in_turn(4), 0);
	ck_assert_int_eq(run(see_live_frames, 0), 0);
	ck_assert_int_eq(group_value(), 4);
}
END_TEST

static void checkpoint_and_die(int unused)
{
	(void)unused;
	start();
	ck_assert_int_eq(write_in_turn(3), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(end(), 0);
}

START_TEST(a_page_made_by_who_found_nobody_alive_sends_us_to_the_ring)
{
	ck_assert_int_eq(write_in_turn(2), 0);
	close(open_in("journal", 0));
	ck_assert_int_eq(run(checkpoint_and_die, 0), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert(!journal->begun); /* the headers are read, not believed */
	ck_assert_int_eq(write_group(4), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(run(see_live_frames, 0), 0);
}
END_TEST

static void ask_who_lives(int alone)
{
	start();
	ck_assert_int_eq(atomicio_journal_is_alone(journal), alone);
}

START_TEST(opening_the_journals_own_file_is_refused_before_any_description)
{
	const struct atomicio_options options = {.journal = journal, .file_id = 9};
	struct atomicio_file *file = NULL;

	ck_assert_int_eq(write_open(&calls, journal_fd, &options, sizeof(options), &file), -EINVAL);
	ck_assert_int_eq(run(ask_who_lives, 0), 0);
}
END_TEST

static int ready[2], enough[2];

static void live_with_a_frame(int unused)
{
	char byte;

	(void)unused;
	start();
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(0, 5, 5), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	ck_assert_int_eq(close_all(), 0);
}

static bool closes;

static void *close_second(void *unused)
{
	(void)unused;
	ck_assert_int_eq(atomicio_close(files[1]), 0);
	files[1] = NULL;
	return NULL;
}

static ssize_t closing_write(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	pthread_t closer;

	if (closes && is_file(fd, error_inode)) {
		closes = false;
		ck_assert_int_eq(pthread_create(&closer, NULL, close_second, NULL), 0);
		ck_assert_int_eq(pthread_join(closer, NULL), 0);
	}
	return dying_write(fd, vector, count, offset, flags);
}

START_TEST(a_file_closed_while_older_pages_go_home_again_is_not_retired)
{
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(enough), 0);
	pid = spawn(live_with_a_frame, 0);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	calls.pwritev2 = closing_write;
	open_file(0); /* after the frame: its page goes home again */
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(1, 0, 7), 0);
	error_inode = inode_of(fds[0]);
	closes = true;
	syncs[1] = 0;
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EBUSY);
	ck_assert(!closes);
	ck_assert_uint_eq(syncs[1], 0); /* the page is not synced: the frame has to stay */
	ck_assert_uint_eq(info().live_frames, 2);
	open_file(1);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_ge(syncs[1], 1);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(write(enough[1], "", 1), 1);
	ck_assert_int_eq(reap(pid), 0);
}
END_TEST

/*
 * Write-back fails, the page counts as clean, reclaim drops the page: the disk has an older page.
 */
START_TEST(an_older_copy_of_the_page_is_not_believed)
{
	static uint8_t page[PAGE];
	uint64_t head;

	ck_assert_int_eq(write_in_turn(1), 0);
	ck_assert_int_eq(pread(journal_fd, page, PAGE, PLACE), PAGE);
	for (int i = 2; i < 5; i++)
		ck_assert_int_eq(write_in_turn(i), 0);
	head = info().head_sequence;
	ck_assert_int_eq(pwrite(journal_fd, page, PAGE, PLACE), PAGE);
	ck_assert_int_eq(write_in_turn(6), 0);
	ck_assert_uint_ge(info().tail_sequence, head); /* recovered, not written over */
	ck_assert_int_eq(group_value(), 6);
}
END_TEST

static uint64_t locked_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[128];

	ck_assert_ptr_nonnull(status);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmLck: %lu kB", &kib) == 1)
			break;
	ck_assert_int_eq(fclose(status), 0);
	return kib;
}

START_TEST(the_page_is_locked_in_memory_while_a_process_lives)
{
	const uint64_t before = locked_kib();

	ck_assert_uint_ge(before, PAGE / 1024);
	ck_assert_int_eq(close_all(), 0);
	ck_assert_uint_eq(locked_kib(), before - PAGE / 1024);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_clean_close_beside_a_process_that_lost_its_lock_is_seen_by_it,
		a_page_made_by_who_found_nobody_alive_sends_us_to_the_ring,
		opening_the_journals_own_file_is_refused_before_any_description,
		a_file_closed_while_older_pages_go_home_again_is_not_retired,
		an_older_copy_of_the_page_is_not_believed,
		the_page_is_locked_in_memory_while_a_process_lives,
	};

	return check_run("journal_turns_lost", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
