/* SPDX-License-Identifier: MIT */
/*
 * Goal: the witness is asked, and nothing else believed: nothing writes through it, no errno is
 * taken for harmless, EINTR is told from a lost page, filesystems that delegate or lie are synced
 * more, and without a witness the strict reading holds.
 * Method: struct loss over the fake disk, which reports a lost page once a description.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "loss.h"
#include "write_machine.h"

#define FUSE 0x65735546u
#define OVERLAY 0x794c7630u

static struct sys_calls calls;
static struct loss loss;
static _Atomic uint32_t poison;
static int interrupts; /* fdatasync calls that are cut short */
static int interrupted_fd;
static int synced[8], synced_count;

static int watched_sync(int fd)
{
	if (synced_count < 8)
		synced[synced_count] = fd;
	synced_count++;
	if (interrupts && (interrupted_fd == 0 || interrupted_fd == fd)) {
		interrupts--;
		return -EINTR;
	}
	return disk_calls->fdatasync(fd);
}

static void setup(void)
{
	write_machine();
	calls = *disk_calls;
	calls.fdatasync = watched_sync;
	poison = 0;
	interrupts = interrupted_fd = synced_count = 0;
}

static void open_as(uint32_t magic, uint32_t flags)
{
	fake.fs_magic = magic;
	ck_assert_int_eq(loss_open(&loss, &calls, FAKE_FD, FAKE_FD, flags, &poison), 0);
}

static void open_xfs(uint32_t flags)
{
	open_as(0x58465342u, flags);
}

START_TEST(a_lost_page_is_told_once_and_never_forgotten)
{
	for (int error = 1; error < 134; error++) {
		setup();
		open_xfs(0);
		ck_assert_int_eq(loss_sync(&loss, 0), 0);
		disk_lose(-error);
		ck_assert_int_eq(loss_sync(&loss, 0), -error);
		ck_assert_uint_eq(poison, 1);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(loss_sync(&loss, i ? LOSS_RETIRE : 0), -ENOTRECOVERABLE);
		ck_assert_int_eq(loss_ask(&loss, -EAGAIN, loss_mark(&loss), true), -error);
		loss_close(&loss);
		machine_is_clean();
	}
}
END_TEST

/* Any number of syncs of the file's other descriptions. */
START_TEST(nobody_can_use_up_the_report_of_the_witness)
{
	open_xfs(0);
	disk_lose(-EINVAL);
	ck_assert_int_eq(disk_calls->fdatasync(FAKE_FD), -EINVAL);
	ck_assert_int_eq(disk_calls->fdatasync(FAKE_FD), 0);
	ck_assert_int_eq(loss_ask(&loss, -EINVAL, loss_mark(&loss), true), -EINVAL);
	loss_close(&loss);
}
END_TEST

START_TEST(an_error_that_lost_nothing_leaves_everything_as_it_was)
{
	for (int error = 1; error < 134; error++) {
		setup();
		open_xfs(0);
		ck_assert_int_eq(loss_ask(&loss, -error, loss_mark(&loss), true), 0);
		ck_assert_int_eq(synced_count, 1);
		ck_assert_int_eq(synced[0], loss.witness);
		ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), 0);
		ck_assert_uint_eq(poison, 0);
		loss_close(&loss);
	}
}
END_TEST

START_TEST(the_witness_is_another_description_that_cannot_write_where_reading_is_allowed)
{
	const int modes[] = {O_RDWR | O_DIRECT | O_DSYNC | O_APPEND, O_WRONLY | O_NONBLOCK};
	const int expected[] = {O_RDONLY, O_WRONLY};

	for (int i = 0; i < 2; i++) {
		setup();
		fake.getfl_result = modes[i];
		open_xfs(0);
		ck_assert_int_ne(loss.witness, FAKE_FD);
		ck_assert_int_eq(disk.open_flags, expected[i]);
		ck_assert_int_eq(loss.deputy, -1);
		loss_close(&loss);
		machine_is_clean();
	}
}
END_TEST

START_TEST(another_file_behind_the_name_is_no_witness)
{
	disk.own_inode = 11;
	open_xfs(0);
	ck_assert(!loss_has_witness(&loss));
	loss_close(&loss);
	machine_is_clean();
}
END_TEST

/* Every way to have none. */
static void without(int way)
{
	setup();
	if (way == 1)
		fake.open_result = -EACCES;
	if (way == 2)
		fake.open_result = -EMFILE;
	open_xfs(way == 0 ? LOSS_NO_WITNESS : 0);
	ck_assert(!loss_has_witness(&loss));
}

START_TEST(without_a_witness_every_error_fails_the_next_sync)
{
	for (int way = 0; way < 3; way++)
		for (int error = 1; error < 134; error++)
			for (int may_wait = 0; may_wait < 2; may_wait++) {
				without(way);
				ck_assert_int_eq(
					loss_ask(&loss, -error, loss_mark(&loss), may_wait), 0);
				ck_assert_uint_eq(poison, 0);
				ck_assert_int_eq(loss_sync(&loss, 0), -error);
				ck_assert_uint_eq(poison, 1);
				ck_assert_int_eq(loss_sync(&loss, 0), -ENOTRECOVERABLE);
				loss_close(&loss);
			}
}
END_TEST

START_TEST(without_a_witness_a_failed_write_back_fails_the_next_sync)
{
	const int errors[] = {EINVAL, EBADF, EINTR, ENOSYS, EIO};

	for (size_t i = 0; i < 5; i++) {
		without(0);
		fake.write_back_result = -errors[i];
		ck_assert_int_eq(loss_write_back(&loss, 0, PAGE), 0);
		ck_assert_int_eq(loss_sync(&loss, 0), -errors[i]);
		loss_close(&loss);
	}
}
END_TEST

START_TEST(who_may_not_wait_asks_nobody)
{
	open_xfs(0);
	disk_lose(-EINVAL);
	ck_assert_int_eq(loss_ask(&loss, -EINVAL, loss_mark(&loss), false), 0);
	ck_assert_int_eq(synced_count, 0);
	ck_assert_uint_eq(poison, 0);
	ck_assert_int_eq(loss_sync(&loss, 0), -EINVAL);
	loss_close(&loss);
}
END_TEST

START_TEST(only_a_sync_that_retires_asks_xfs_twice)
{
	open_xfs(0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_int_eq(synced_count, 1);
	ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), 0);
	ck_assert_int_eq(synced_count, 3);
	loss_close(&loss);
	open_as(0xef53u, 0);
	ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), 0);
	ck_assert_int_eq(synced_count, 4);
	loss_close(&loss);
}
END_TEST

/* A shutdown of XFS: 0 first, then the truth. */
static int lying_sync(int fd)
{
	const int result = watched_sync(fd);

	if (synced_count == 1)
		disk_lose(-EIO);
	return result;
}

START_TEST(what_xfs_says_wrongly_once_retires_no_frame)
{
	calls.fdatasync = lying_sync;
	open_xfs(0);
	ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), -EIO);
	loss_close(&loss);
}
END_TEST

START_TEST(where_durability_is_delegated_the_written_descriptions_are_synced_too)
{
	open_as(FUSE, 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_int_eq(synced_count, 2);
	ck_assert_int_eq(synced[0], FAKE_FD);
	ck_assert_int_eq(synced[1], loss.witness);
	ck_assert_int_ge(loss.deputy, 0);
	loss_close(&loss);
	machine_is_clean();
	/* And each of two. */
	synced_count = 0;
	ck_assert_int_eq(loss_open(&loss, &calls, DISK_JOURNAL_FD, FAKE_FD, 0, NULL), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_int_eq(synced_count, 3);
	loss_close(&loss);
}
END_TEST

/* A signal, or the server's own: any number of them, of whichever description. */
START_TEST(a_sync_that_is_cut_short_is_made_again)
{
	for (int count = 1; count < 6; count++)
		for (int which = 0; which < 2; which++) {
			setup();
			open_as(FUSE, 0);
			interrupts = count;
			interrupted_fd = which ? loss.witness : FAKE_FD;
			ck_assert_int_eq(loss_sync(&loss, 0), 0);
			ck_assert_uint_eq(poison, 0);
			loss_close(&loss);
		}
}
END_TEST

START_TEST(a_sync_that_is_cut_short_for_ever_says_so_and_loses_nothing)
{
	open_as(FUSE, 0);
	interrupts = 1000000;
	ck_assert_int_eq(loss_sync(&loss, 0), -EINTR);
	ck_assert_int_eq(loss_ask(&loss, -EINTR, loss_mark(&loss), true), 0);
	ck_assert_uint_eq(poison, 0);
	interrupts = 0;
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	loss_close(&loss);
}
END_TEST

START_TEST(a_page_lost_with_eintr_is_lost_also_where_others_used_up_their_reports)
{
	const uint32_t magics[] = {FUSE, OVERLAY, 0x58465342u};

	for (int i = 0; i < 3; i++)
		for (int used = 0; used < 2; used++) {
			setup();
			open_as(magics[i], 0);
			disk_lose(-EINTR);
			if (used)
				ck_assert_int_eq(disk_calls->fdatasync(FAKE_FD), -EINTR);
			ck_assert_int_eq(loss_ask(&loss, -EINTR, loss_mark(&loss), true), -EINTR);
			ck_assert_uint_eq(poison, 1);
			loss_close(&loss);
		}
}
END_TEST

START_TEST(without_a_deputy_eintr_is_a_loss)
{
	open_xfs(0);
	interrupts = 1;
	ck_assert_int_eq(loss_sync(&loss, 0), -EINTR);
	ck_assert_uint_eq(poison, 1);
	loss_close(&loss);
}
END_TEST

START_TEST(what_makes_every_write_sync_is_looked_at_and_doubt_is_yes)
{
	open_xfs(0);
	ck_assert(!loss_always_syncs(&loss, FAKE_FD, true));
	fake.inode_flags_result = -ENOTTY;
	ck_assert(!loss_always_syncs(&loss, FAKE_FD, true));
	fake.inode_flags_result = -EPERM;
	ck_assert(loss_always_syncs(&loss, FAKE_FD, true));
	fake.inode_flags_result = 0;
	fake.fs_magic_result = -EPERM;
	ck_assert(loss_always_syncs(&loss, FAKE_FD, true));
	fake.fs_magic_result = 0;
	fake.getfl_result = -EBADF;
	ck_assert(loss_always_syncs(&loss, FAKE_FD, true));
	loss_close(&loss);
	/* A look at a file server's inode may wait. */
	fake.getfl_result = O_RDWR;
	open_as(FUSE, 0);
	fake.calls = 0;
	ck_assert(loss_always_syncs(&loss, FAKE_FD, false));
	ck_assert_uint_eq(fake.calls, 1);
	loss_close(&loss);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_lost_page_is_told_once_and_never_forgotten,
		nobody_can_use_up_the_report_of_the_witness,
		an_error_that_lost_nothing_leaves_everything_as_it_was,
		the_witness_is_another_description_that_cannot_write_where_reading_is_allowed,
		another_file_behind_the_name_is_no_witness,
		without_a_witness_every_error_fails_the_next_sync,
		without_a_witness_a_failed_write_back_fails_the_next_sync,
		who_may_not_wait_asks_nobody,
		only_a_sync_that_retires_asks_xfs_twice,
		what_xfs_says_wrongly_once_retires_no_frame,
		where_durability_is_delegated_the_written_descriptions_are_synced_too,
		a_sync_that_is_cut_short_is_made_again,
		a_sync_that_is_cut_short_for_ever_says_so_and_loses_nothing,
		a_page_lost_with_eintr_is_lost_also_where_others_used_up_their_reports,
		without_a_deputy_eintr_is_a_loss,
		what_makes_every_write_sync_is_looked_at_and_doubt_is_yes,
	};

	return check_run("loss", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
