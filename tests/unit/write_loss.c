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
#include "lossy_machine.h"
#include "write_machine.h"

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

/* Ways to make every write of the file sync, with any flags; also after open. */
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

int main(void)
{
	const TTest *const tests[] = {
		a_durable_write_that_is_told_of_a_lost_page_poisons_and_one_that_fails_does_not,
		after_a_failure_that_lost_nothing_retry_and_fallback_stay_allowed,
		where_every_write_syncs_each_is_a_durable_one,
		an_error_of_a_write_that_does_not_sync_is_its_own,
		who_would_not_wait_asks_nobody_and_the_next_sync_is_told,
		no_room_for_a_durable_write_may_leave_the_new_page,
		a_handle_poisoned_between_attempts_keeps_what_the_first_one_said,
	};

	return check_run("write_loss", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
