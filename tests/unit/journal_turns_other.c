/* SPDX-License-Identifier: MIT */
/*
 * Goal: an id is one file in all processes: a process with another file under the id receives an
 * error.  No process retires frames of a file that it has not synced.  A failed handle gives its
 * error until its end.
 * Method: turns_machine.h; the file "copy" is used under the id of file b.
 */
#define _GNU_SOURCE
#include "turns_machine.h"

#include "check_run.h"

static int open_copy(void)
{
	const struct atomicio_options options = {
		.journal = journal, .file_id = 2, .path = ATOMICIO_PATH_JOURNAL};

	(void)atomicio_close(files[1]);
	files[1] = NULL;
	close(fds[1]);
	fds[1] = open_in("copy", O_CREAT);
	ck_assert_int_eq(ftruncate(fds[1], FILE_SIZE), 0);
	return write_open(&calls, fds[1], &options, sizeof(options), &files[1]);
}

static void open_copy_in_vain(int unused)
{
	(void)unused;
	start();
	ck_assert_int_eq(open_copy(), -EEXIST); /* outside a turn */
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(open_copy(), -EEXIST); /* in one */
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(another_file_is_refused_while_frames_of_the_id_are_live)
{
	ck_assert_int_eq(write_in_turn(4), 0);
	ck_assert_int_eq(run(open_copy_in_vain, 0), 0);
	ck_assert_int_eq(write_in_turn(5), 0);
	/* The closing process left the file to others: still the same file. */
	ck_assert_int_eq(atomicio_close(files[1]), 0);
	ck_assert_int_eq(run(open_copy_in_vain, 0), 0);
	open_file(1);
	ck_assert_int_eq(write_in_turn(6), 0);
	ck_assert_int_eq(group_value(), 6);
}
END_TEST

static int checkpoint_in_turn(void)
{
	int error = begin();

	if (error)
		return error;
	syncs[0] = syncs[1] = 0;
	error = atomicio_journal_checkpoint(journal);
	ck_assert_int_eq(end(), 0);
	return error;
}

static void write_to_copy(int value)
{
	start();
	ck_assert_int_eq(open_copy(), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(1, 0, value), 0);
	ck_assert_int_eq(end(), 0);
}

START_TEST(a_process_whose_file_was_replaced_is_told_and_retires_nothing_of_the_new_one)
{
	ck_assert_int_eq(write_in_turn(4), 0);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_int_eq(run(write_to_copy, 7), 0); /* nothing was live: it may */
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	ck_assert_int_eq(write_page(1, 0, 8), -ENOTRECOVERABLE);
	ck_assert_int_eq(write_page(0, 1, 8), 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EBUSY);
	ck_assert_int_eq(end(), 0);
	ck_assert_uint_eq(info().live_frames, 2);
	ck_assert_int_eq(value_of(1, 0), 4); /* its own file is unchanged */
	ck_assert_int_eq(open_copy(), 0);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_uint_ge(syncs[1], 1);
	ck_assert_uint_eq(info().live_frames, 0);
	ck_assert_int_eq(value_of(1, 0), 7);
	ck_assert_int_eq(write_in_turn(9), 0);
}
END_TEST

static int ready[2], enough[2];

static void write_to_a_copy_opened_in_time(int unused)
{
	char byte;

	(void)unused;
	start();
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(read(enough[0], &byte, 1), 1);
	ck_assert_int_eq(open_copy(), 0); /* the page is of before the turn that goes on */
	ck_assert_int_eq(write(ready[1], "", 1), 1);
	ck_assert_int_eq(atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT), 0);
	ck_assert_int_eq(write_page(1, 0, 7), -ENOTRECOVERABLE);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_close(files[1]), -ENOTRECOVERABLE);
	files[1] = NULL;
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(a_file_opened_while_another_process_frames_the_right_one_is_found_out)
{
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(enough), 0);
	pid = spawn(write_to_a_copy_opened_in_time, 0);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write(enough[1], "", 1), 1);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(write_group(5), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(reap(pid), 0);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_int_eq(group_value(), 5);
}
END_TEST

START_TEST(a_failed_handle_says_so_when_it_is_closed_outside_a_turn)
{
	ck_assert_int_eq(begin(), 0);
	write_error = -EIO;
	error_inode = inode_of(fds[1]);
	ck_assert_int_eq(write_group(5), 0); /* durable in the journal */
	write_error = 0;
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_close(files[1]), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	open_file(0);
	open_file(1);
	ck_assert_int_eq(write_in_turn(6), 0); /* which recovers */
	ck_assert_int_eq(group_value(), 6);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		another_file_is_refused_while_frames_of_the_id_are_live,
		a_process_whose_file_was_replaced_is_told_and_retires_nothing_of_the_new_one,
		a_file_opened_while_another_process_frames_the_right_one_is_found_out,
		a_failed_handle_says_so_when_it_is_closed_outside_a_turn,
	};

	return check_run("journal_turns_other", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
