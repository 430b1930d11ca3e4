/* SPDX-License-Identifier: MIT */
/*
 * Goal: the loss of an earlier page, which the kernel tells each description once, is hidden by no
 * call of ours from the next sync or from the journal's checkpoint; a failure that lost nothing
 * poisons nothing; and no error says less than it knows.
 * Method: the fake disk loses a page, and then a durable write, a write-back or a sync comes; and
 * calls made in between as another thread would.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

#define FAR 196608 /* no live frame is near it */

static struct sys_calls calls;
static struct atomicio_journal *journal;
static struct atomicio_file *file;
static bool loss_at_dsync; /* a page is lost with the next durable untorn write */
static void (*in_call)(void);

static ssize_t lossy_write(int fd, const struct iovec *vector, int count, uint64_t offset,
			   int flags)
{
	if (in_call && !(flags & SYS_RWF_ATOMIC))
		in_call();
	if (loss_at_dsync && flags & SYS_RWF_ATOMIC && flags & SYS_RWF_DSYNC) {
		loss_at_dsync = false;
		disk_lose(-EIO);
	}
	return disk_calls->pwritev2(fd, vector, count, offset, flags);
}

static void setup(void)
{
	write_machine();
	calls = *disk_calls;
	calls.pwritev2 = lossy_write;
	journal = NULL;
	loss_at_dsync = false;
	in_call = NULL;
}

static void open_file(uint32_t path, uint32_t fallback)
{
	const struct atomicio_options options = {.policy = atomicio_policy_default,
						 .path = path,
						 .fallback = fallback,
						 .journal = journal,
						 .file_id = journal ? 1 : 0};

	ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &file), 0);
}

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

/* A process that dies does not detach its files. */
static void die(void)
{
	machine_die(file);
	if (journal)
		atomicio_journal_close(journal);
}

/* Every errno: of a lost page, and of the write itself. */
START_TEST(a_durable_write_that_is_told_of_a_lost_page_poisons_and_one_that_fails_does_not)
{
	for (int error = 1; error < 134; error++) {
		for (int lost = 0; lost < 2; lost++) {
			const int own[] = {-error};

			write_machine();
			open_file(ATOMICIO_PATH_KERNEL, 0);
			file->options.policy = atomicio_policy_strict;
			if (lost)
				disk_lose(-error);
			else
				disk.script = own, disk.script_left = 1;
			ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC),
					 -error);
			/* "Never started" is not put to anybody; the next sync is told. */
			ck_assert_int_eq(write_is_poisoned(file), lost && error != ECANCELED);
			ck_assert_int_eq(atomicio_sync(file), !lost ? 0
							      : error == ECANCELED
								      ? -error
								      : -ENOTRECOVERABLE);
			atomicio_close(file);
		}
	}
}
END_TEST

START_TEST(after_a_failure_that_lost_nothing_retry_and_fallback_stay_allowed)
{
	static struct policy_script script = {.answers = {ATOMICIO_RETRY, ATOMICIO_FALLBACK},
					      .answer_count = 2};

	open_file(ATOMICIO_PATH_KERNEL, ATOMICIO_FALLBACK_PLAIN);
	file->options.policy = policy_scripted;
	file->options.policy_context = &script;
	DISK_SCRIPT(-EIO, -EINVAL);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(script.seen_count, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(script.seen[i].on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	ck_assert_int_eq(atomicio_sync(file), 0);
	atomicio_close(file);
}
END_TEST

/* Who says so to every write of the file, whatever its flags; also after open. */
static void always_sync(int how)
{
	if (how == 0)
		fake.getfl_result |= O_DSYNC;
	if (how == 1)
		fake.inode_flags |= SYS_INODE_SYNC;
	if (how == 2)
		fake.mount_flags |= SYS_MOUNT_SYNC;
}

START_TEST(where_every_write_syncs_each_is_a_durable_one)
{
	for (int how = 0; how < 3; how++) {
		write_machine();
		open_file(ATOMICIO_PATH_KERNEL, 0);
		file->options.policy = atomicio_policy_strict;
		always_sync(how);
		disk_lose(-EINVAL);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, 0), -EINVAL);
		ck_assert(write_is_poisoned(file));
		atomicio_close(file);
	}
}
END_TEST

START_TEST(an_error_of_a_write_that_does_not_sync_is_its_own)
{
	open_file(ATOMICIO_PATH_KERNEL, 0);
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, 0), 0);
	ck_assert_uint_eq(disk.syncs, 0);
	ck_assert_int_eq(atomicio_sync(file), 0);
	atomicio_close(file);
}
END_TEST

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

START_TEST(who_would_not_wait_asks_nobody_and_the_next_sync_is_told)
{
	open_file(ATOMICIO_PATH_KERNEL, 0);
	disk_lose(-EINVAL);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC | ATOMICIO_NOWAIT),
			 -EINVAL);
	ck_assert_uint_eq(disk.syncs, 0);
	ck_assert(!write_is_poisoned(file));
	ck_assert_int_eq(atomicio_sync(file), -EINVAL);
	ck_assert(write_is_poisoned(file));
	atomicio_close(file);
}
END_TEST

START_TEST(a_checkpoint_is_told_of_a_loss_that_a_durable_write_did_not_wait_to_ask_for)
{
	open_journal();
	open_file(ATOMICIO_PATH_KERNEL, 0);
	put_frame();
	disk_lose(-EINVAL);
	/* Refused, as it seems, so done through the journal. */
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

/* As another thread would: it may not get in, so it may not wait here. */
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

START_TEST(no_room_for_a_durable_write_may_leave_the_new_page)
{
	static struct policy_script script = {.answers = {ATOMICIO_FAIL}, .answer_count = 1};

	open_file(ATOMICIO_PATH_KERNEL, 0);
	file->options.policy = policy_scripted;
	file->options.policy_context = &script;
	disk.fail_late = true;
	DISK_SCRIPT(-ENOSPC);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC), -ENOSPC);
	ck_assert_uint_eq(script.seen[0].kind, ATOMICIO_KIND_SPACE);
	ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	ck_assert(disk_holds(0, PAGE, NEW));
	disk.fail_late = false;
	DISK_SCRIPT(-ENOSPC);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, 0), -ENOSPC);
	ck_assert_uint_eq(script.seen[1].on_disk, ATOMICIO_DISK_OLD);
	atomicio_close(file);
}
END_TEST

static void poison(void)
{
	write_poison(file);
}

static uint32_t poison_and_retry(void *context, const struct atomicio_failure *failure)
{
	(void)context;
	(void)failure;
	poison();
	return ATOMICIO_RETRY;
}

START_TEST(a_handle_poisoned_between_attempts_keeps_what_the_first_one_said)
{
	open_file(ATOMICIO_PATH_KERNEL, 0);
	file->options.policy = poison_and_retry;
	disk.fail_late = true;
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EIO);
	ck_assert(disk_holds(0, PAGE, NEW));
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, 0), -ENOTRECOVERABLE);
	ck_assert(disk_holds(PAGE, PAGE, DISK_OLD));
	atomicio_close(file);
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
		a_durable_write_that_is_told_of_a_lost_page_poisons_and_one_that_fails_does_not,
		after_a_failure_that_lost_nothing_retry_and_fallback_stay_allowed,
		where_every_write_syncs_each_is_a_durable_one,
		an_error_of_a_write_that_does_not_sync_is_its_own,
		an_error_of_a_write_that_does_not_sync_leaves_the_journal_alone,
		who_would_not_wait_asks_nobody_and_the_next_sync_is_told,
		a_checkpoint_is_told_of_a_loss_that_a_durable_write_did_not_wait_to_ask_for,
		no_sync_and_no_checkpoint_comes_between_a_report_and_its_note,
		a_loss_in_a_file_without_live_frames_leaves_the_journal_alone,
		a_loss_that_a_doubtful_write_to_a_disk_was_told_poisons_the_journal,
		no_room_for_a_durable_write_may_leave_the_new_page,
		a_handle_poisoned_between_attempts_keeps_what_the_first_one_said,
		a_poisoned_handle_does_not_poison_the_journal_that_others_share,
		no_fallback_leads_to_a_frame_that_is_too_small,
	};

	return check_run("write_loss", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
