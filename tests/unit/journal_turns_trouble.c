/* SPDX-License-Identifier: MIT */
/*
 * Goal: a process retires frames of others only where its own sync would receive the error of a
 * lost page, and a failure in one process is known to all processes.
 * Method: turns_machine.h; writes and syncs are counted and made to fail.
 */
#define _GNU_SOURCE
#include "turns_machine.h"

#include "check_run.h"

static int checkpoint_in_turn(void)
{
	int error = begin();

	if (error)
		return error;
	writes = syncs[0] = syncs[1] = 0;
	error = atomicio_journal_checkpoint(journal);
	ck_assert_int_eq(end(), 0);
	return error;
}

static void another_turn(int value)
{
	start();
	ck_assert_int_eq(write_in_turn(value), 0);
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(frames_of_others_are_retired_after_a_sync_of_their_files)
{
	ck_assert_int_eq(run(another_turn, 3), 0);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_uint_ge(syncs[0], 1);
	ck_assert_uint_ge(syncs[1], 1);
	/* Two headers and the page, and no page of a home: we had the files open all the time. */
	ck_assert_uint_eq(writes, 2 + 1);
	ck_assert_uint_eq(info().live_frames, 0);
}
END_TEST

START_TEST(frames_older_than_our_description_are_written_home_again_first)
{
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_group(2), 0);
	ck_assert_int_eq(write_group(3), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(run(another_turn, 4), 0);
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	open_file(0);
	/* As if the kernel had lost the page: a new description never receives the error. */
	ck_assert_int_eq(pwrite(fds[0], "lost", 4, 0), 4);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_uint_eq(writes, 2 + 1 + 6); /* two pages of it in each of three groups */
	ck_assert_int_eq(group_value(), 4);
	ck_assert_uint_ge(syncs[0], 1);
	ck_assert_uint_eq(info().live_frames, 0);
	/* Once is enough. */
	ck_assert_int_eq(write_in_turn(5), 0);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_uint_eq(writes, 2 + 1);
}
END_TEST

START_TEST(a_process_that_joins_later_writes_older_frames_home_again)
{
	ck_assert_int_eq(write_in_turn(4), 0);
	ck_assert_int_eq(run(another_turn, 5), 0); /* somebody else lives, too */
	ck_assert_int_eq(atomicio_close(files[1]), 0);
	open_file(1);
	ck_assert_int_eq(pwrite(fds[1], "lost", 4, 0), 4);
	write_error = -EIO; /* a home that cannot be written again keeps the frames */
	error_inode = inode_of(fds[1]);
	ck_assert_int_eq(checkpoint_in_turn(), -EIO);
	ck_assert_uint_gt(info().live_frames, 0);
	write_error = 0;
	/* Pages of an older frame may lie over pages of a newer frame. */
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(group_value(), 5);
}
END_TEST

START_TEST(older_frames_go_home_again_only_if_all_of_them_can)
{
	struct journal_identity other = {.file_id = 2};

	ck_assert_int_eq(write_in_turn(4), 0);
	ck_assert_int_eq(atomicio_close(files[1]), 0);
	open_file(1);
	/* As if the file were another one, unknown to the shared page. */
	journal_identify(&calls, fds[0], &other);
	journal_encode_file(files[1]->home.row, &other);
	ck_assert_int_eq(checkpoint_in_turn(), -EBUSY);
	ck_assert_uint_eq(writes, 1); /* of the page: no home */
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
}
END_TEST

static void forget_both(int unused)
{
	(void)unused;
	start();
	ck_assert_int_eq(atomicio_close(files[1]), 0);
	files[1] = NULL;
	ck_assert_int_eq(begin(), 0);
	/* B's frames are ours no more, and nobody asked for those of A alone. */
	ck_assert_int_eq(atomicio_journal_forget(journal, 2), -EBUSY);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EBUSY);
	ck_assert_int_eq(atomicio_journal_forget(journal, 7), 0);
	ck_assert_uint_eq(info().live_frames, 1);
	/* Until the ring is full. */
	for (int i = 0, error = 0; error != -ENOSPC; i++) {
		ck_assert_int_lt(i, 60);
		error = write_page(0, 1, i);
		ck_assert(!error || error == -ENOSPC);
	}
	ck_assert_int_eq(value_of(1, 0), 9);
	/* A recovery has them all, with A attached. */
	ck_assert_int_eq(recover(), 0);
	ck_assert_uint_eq(info().live_frames, 0);
	ck_assert_int_eq(end(), 0);
	open_file(1);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(0, 1, 77), 0);
	ck_assert_int_eq(end(), 0);
}

START_TEST(frames_of_a_file_that_is_not_open_here_are_left_alone)
{
	ck_assert_int_eq(write_in_turn(9), 0);
	ck_assert_int_eq(run(forget_both, 0), 0);
	ck_assert_int_eq(value_of(0, 1), 77);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
}
END_TEST

START_TEST(a_frame_that_fails_is_recovered_by_the_next_turn_without_a_restart)
{
	ck_assert_int_eq(write_in_turn(4), 0);
	ck_assert_int_eq(begin(), 0);
	write_error = -EIO;
	error_inode = inode_of(journal_fd);
	ck_assert_int_lt(write_group(5), 0);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_POISONED);
	write_error = 0;
	ck_assert_int_eq(write_group(5), -ENOTRECOVERABLE);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	ck_assert_int_eq(group_value(), 4);
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(write_group(6), 0); /* through the same handles */
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	ck_assert_int_eq(run(another_turn, 7), 0);
	ck_assert_int_eq(write_in_turn(8), 0);
	ck_assert_int_eq(group_value(), 8);
}
END_TEST

static void recover_others(int value)
{
	start();
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_eq(group_value(), value);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
}

START_TEST(a_home_that_fails_is_recovered_by_another_process)
{
	ck_assert_int_eq(begin(), 0);
	write_error = -EIO;
	error_inode = inode_of(fds[1]);
	ck_assert_int_eq(write_group(5), 0); /* durable in the journal */
	write_error = 0;
	ck_assert_int_eq(write_page(1, 0, 1), -ENOTRECOVERABLE);
	ck_assert_int_eq(write_page(0, 9, 1), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(run(recover_others, 5), 0);
	/* The handle here is dead; the file is not. */
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(1, 0, 1), -ENOTRECOVERABLE);
	ck_assert_int_eq(end(), 0);
	(void)atomicio_close(files[1]);
	open_file(1);
	ck_assert_int_eq(write_in_turn(6), 0);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_int_eq(group_value(), 6);
}
END_TEST

START_TEST(a_failed_handle_closed_after_its_recovery_makes_nothing_hot)
{
	ck_assert_int_eq(begin(), 0);
	write_error = -EIO;
	error_inode = inode_of(fds[1]);
	ck_assert_int_eq(write_group(5), 0);
	write_error = 0;
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_eq(recover(), 0);
	ck_assert_int_lt(atomicio_close(files[1]), 0); /* as the rules say, in the turn */
	open_file(1);
	ck_assert_int_eq(write_group(6), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(end(), 0);
}
END_TEST

START_TEST(a_close_in_a_turn_may_leave_its_frames_to_others)
{
	ck_assert_int_eq(write_in_turn(5), 0);
	ck_assert_int_eq(atomicio_close(files[1]), 0);
	ck_assert_int_eq(begin(), 0);
	/* Frames of the unattached file stop a retirement, without an error here. */
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_uint_gt(info().live_frames, 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	open_file(0);
	open_file(1);
	ck_assert_int_eq(checkpoint_in_turn(), 0);
	ck_assert_uint_eq(info().live_frames, 0);
	ck_assert_int_eq(group_value(), 5);
}
END_TEST

START_TEST(a_sync_outside_a_turn_that_finds_a_loss_makes_the_journal_hot)
{
	ck_assert_int_eq(write_in_turn(5), 0);
	sync_error = -EIO;
	error_inode = inode_of(fds[0]);
	ck_assert_int_eq(atomicio_sync(files[0]), -EIO);
	sync_error = 0;
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	ck_assert_int_eq(pwrite(fds[0], "lost", 4, 0), 4);
	ck_assert_int_eq(run(recover_others, 5), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(end(), 0);
}
END_TEST

START_TEST(a_file_that_recovery_cannot_finish_keeps_all_of_them_from_writes)
{
	ck_assert_int_eq(begin(), 0);
	write_error = -EIO;
	error_inode = inode_of(fds[1]);
	ck_assert_int_eq(write_group(5), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(begin(), 1);
	ck_assert_int_lt(recover(), 0);
	ck_assert_int_eq(write_page(0, 0, 1), -EUCLEAN);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	write_error = 0;
	ck_assert_int_eq(run(recover_others, 5), 0);
	(void)atomicio_close(files[1]);
	open_file(1);
	ck_assert_int_eq(write_in_turn(6), 0);
}
END_TEST

/* Does another process still see the lock that the parent has on file 0? */
static void look_for_a_lock(int expected)
{
	struct flock one = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	fds[0] = open_in("a", 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETLK, &one), 0);
	ck_assert_int_eq(one.l_type != F_UNLCK, expected);
}

START_TEST(a_recovery_that_keeps_its_descriptors_drops_no_record_lock)
{
	for (int keeps = 0; keeps < 2; keeps++) {
		struct flock one = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
		const struct atomicio_recover_options options = {
			.flags = keeps ? ATOMICIO_RECOVER_KEEP_OPEN : 0};

		ck_assert_int_eq(begin(), 0);
		error_inode = inode_of(journal_fd);
		ck_assert_int_eq(write_group(keeps), 0);
		write_error = -EIO;
		ck_assert_int_lt(write_group(5), 0);
		write_error = 0;
		ck_assert_int_eq(end(), 0);
		ck_assert_int_eq(fcntl(fds[0], F_SETLK, &one), 0);
		ck_assert_int_eq(begin(), 1);
		ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, &options,
							  sizeof(options), NULL, 0),
				 0);
		ck_assert_int_eq(end(), 0);
		ck_assert_int_eq(run(look_for_a_lock, keeps), 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		frames_of_others_are_retired_after_a_sync_of_their_files,
		frames_older_than_our_description_are_written_home_again_first,
		a_process_that_joins_later_writes_older_frames_home_again,
		older_frames_go_home_again_only_if_all_of_them_can,
		frames_of_a_file_that_is_not_open_here_are_left_alone,
		a_frame_that_fails_is_recovered_by_the_next_turn_without_a_restart,
		a_home_that_fails_is_recovered_by_another_process,
		a_failed_handle_closed_after_its_recovery_makes_nothing_hot,
		a_close_in_a_turn_may_leave_its_frames_to_others,
		a_sync_outside_a_turn_that_finds_a_loss_makes_the_journal_hot,
		a_file_that_recovery_cannot_finish_keeps_all_of_them_from_writes,
		a_recovery_that_keeps_its_descriptors_drops_no_record_lock,
	};

	return check_run("journal_turns_trouble", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
