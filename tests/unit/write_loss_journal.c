/* SPDX-License-Identifier: MIT */
/*
 * Goal: a lost page leaves its frame live, whichever call received the error, and leaves alone a
 * journal without a frame of the page.
 * Method: one file and one journal on the fake disk, whose write-backs fail.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "lossy_machine.h"
#include "write_machine.h"

#define FAR 196608 /* no live frame is near it */

static void open_journal(void)
{
	atomicio_journal_close(machine_journal());
	ck_assert_int_eq(journal_open(&calls, DISK_JOURNAL_FD, &journal), 0);
}

/* Put a page into a frame that stays live. */
static void put_frame(void)
{
	struct atomicio_op op = {.file = file, .buffer = page, .length = PAGE};

	ck_assert_int_eq(atomicio_write_batch(NULL, &op, 1, ATOMICIO_ALL_OR_NONE), 0);
}

/* A dying process does not detach its files. */
static void die(void)
{
	machine_die(file);
	if (journal)
		atomicio_journal_close(journal);
}

START_TEST(an_error_of_a_write_that_does_not_sync_leaves_the_journal_alone)
{
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, 0);
	file->options.policy = atomicio_policy_strict;
	put_frame();
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, FAR, 0), -EIO);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(a_buffer_that_the_kernel_cannot_read_costs_no_file_and_no_frame)
{
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, 0);
	file->options.policy = atomicio_policy_strict;
	put_frame();
	/* A write waits for a flush: a possible flush error would fail the next sync (L7). */
	ck_assert_int_eq(atomicio_write(file, page, PAGE, FAR, 0), 0);
	DISK_SCRIPT(-EFAULT);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, FAR, ATOMICIO_DSYNC), -EFAULT);
	ck_assert(!write_is_poisoned(file));
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	put_frame();
	ck_assert_int_eq(atomicio_sync(file), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(a_checkpoint_is_told_of_a_loss_that_a_durable_write_did_not_wait_to_ask_for)
{
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, 0);
	put_frame();
	disk_lose(-EINVAL);
	/* Seemingly refused: done through the journal. */
	ck_assert_int_eq(atomicio_write(file, page, PAGE, FAR, ATOMICIO_DSYNC | ATOMICIO_NOWAIT),
			 0);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EINVAL);
	ck_assert(write_is_poisoned(file));
	die();
	memset(disk.bytes[0], DISK_OLD, PAGE); /* the page that was lost */
	machine_recover();
	ck_assert(disk_holds(0, PAGE, NEW));
}
END_TEST

static bool could_sync;

/* Like another thread: a caller that cannot get in must not wait here. */
static int watched_write_back(int fd, uint64_t offset, uint64_t length)
{
	const int result = disk_calls->write_back(fd, offset, length);

	could_sync = pthread_mutex_trylock(&file->loss.lock) == 0;
	if (could_sync)
		pthread_mutex_unlock(&file->loss.lock);
	return result;
}

START_TEST(no_sync_and_no_checkpoint_comes_between_a_report_and_its_note)
{
	calls.write_back = watched_write_back;
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, 0);
	put_frame();
	disk_lose(-EIO);
	could_sync = true;
	DISK_SCRIPT(-EAGAIN);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, FAR, 0), -ENOTRECOVERABLE);
	ck_assert(!could_sync);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -ENOTRECOVERABLE);
	die();
	memset(disk.bytes[0], DISK_OLD, PAGE); /* the page that was lost */
	machine_recover();
	ck_assert(disk_holds(0, PAGE, NEW));
}
END_TEST

START_TEST(a_loss_in_a_file_without_live_frames_leaves_the_journal_alone)
{
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, 0);
	disk_lose(-EIO);
	ck_assert_int_eq(atomicio_sync(file), -EIO);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(a_loss_that_a_doubtful_write_to_a_disk_was_told_poisons_the_journal)
{
	disk_is_device();
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, 0);
	put_frame();
	disk.arrivals = 1;
	loss_at_dsync = true;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, FAR, 0), -EIO);
	ck_assert(write_is_poisoned(file));
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -ENOTRECOVERABLE);
	die();
}
END_TEST

START_TEST(a_poisoned_handle_does_not_poison_the_journal_that_others_share)
{
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, ATOMICIO_FALLBACK_PLAIN);
	put_frame();
	in_call = poison;
	DISK_SCRIPT(-EINVAL, -EINVAL); /* a refusal, and no failed flush */
	ck_assert_int_eq(atomicio_write(file, page, PAGE, FAR, ATOMICIO_DSYNC), -ENOTRECOVERABLE);
	in_call = NULL;
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(no_fallback_leads_to_a_frame_that_is_too_small)
{
	open_journal();
	open_file(ATOMICIO_PATH_AUTO, 0);
	/* Longer than the largest frame of 64 KiB, so AUTO takes the kernel path. */
	DISK_SCRIPT(-EAGAIN);
	ck_assert_int_eq(atomicio_write(file, page, 131072, 0, ATOMICIO_NOWAIT), -EAGAIN);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_error_of_a_write_that_does_not_sync_leaves_the_journal_alone,
		a_buffer_that_the_kernel_cannot_read_costs_no_file_and_no_frame,
		a_checkpoint_is_told_of_a_loss_that_a_durable_write_did_not_wait_to_ask_for,
		no_sync_and_no_checkpoint_comes_between_a_report_and_its_note,
		a_loss_in_a_file_without_live_frames_leaves_the_journal_alone,
		a_loss_that_a_doubtful_write_to_a_disk_was_told_poisons_the_journal,
		a_poisoned_handle_does_not_poison_the_journal_that_others_share,
		no_fallback_leads_to_a_frame_that_is_too_small,
	};

	return check_run("write_loss_journal", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
