/* SPDX-License-Identifier: MIT */
/*
 * Goal: a look that cannot be made, or that never ends well, proves nothing, and no write is
 * called untorn for it.
 * Method: ext4 on the fake disk, whose answers change between the looks, or fail.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <liburing.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "look_machine.h"
#include "write_machine.h"

/* The kernel said yes each time: nobody was told of a lost page. */
START_TEST(a_healed_write_fails_no_sync_that_others_wait_for)
{
	const uint32_t flags[] = {ATOMICIO_DSYNC, ATOMICIO_DSYNC | ATOMICIO_NOWAIT};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct atomicio_file *file;

		ext4();
		journal = machine_journal();
		file = open_file();
		script.answers[0] = ATOMICIO_FALLBACK;
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
		disk.spoil = SYS_INODE_JOURNAL_DATA;
		ck_assert_int_eq(write_page(file, flags[i]), 0);
		saw(ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_DATA_JOURNALED,
		    ATOMICIO_DISK_UNKNOWN);
		ck_assert_int_eq(atomicio_sync(file), 0);
		ck_assert_int_eq(atomicio_close(file), 0);
		atomicio_journal_close(journal);
	}
}
END_TEST

START_TEST(a_failed_healing_is_broken)
{
	struct atomicio_file *file;

	journal = machine_journal();
	file = open_file();
	script.answers[0] = ATOMICIO_FALLBACK;
	disk.spoil = SYS_INODE_JOURNAL_DATA;
	journal->state = ATOMICIO_JOURNAL_POISONED;
	ck_assert_int_eq(write_page(file, 0), -EIO);
	ck_assert_int_eq(write_page(file, 0), -ENOTRECOVERABLE);
	atomicio_close(file);
	atomicio_journal_close(journal);
}
END_TEST

/* As ext4 does it, but the write-back does not help. */
static int no_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd, (void)offset, (void)length;
	return 0;
}

START_TEST(inline_data_that_stays_is_broken_within_the_bound)
{
	struct sys_calls calls = *disk_calls;
	struct atomicio_file *file;

	disk_is_ext4(0);
	disk.converts_late = true;
	calls.write_back = no_write_back;
	file = open_file();
	file->sys = file->loss.sys = &calls;
	disk.spoil = SYS_INODE_INLINE_DATA;
	ck_assert_int_eq(write_page(file, 0), -EIO);
	saw(ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_DATA_JOURNALED, ATOMICIO_DISK_UNKNOWN);
	ck_assert_uint_le(fake.pwritev2_calls, 16);
	file->sys = file->loss.sys = disk_calls;
	atomicio_close(file);
}
END_TEST

START_TEST(an_error_of_the_repeat_is_broken_only_where_the_first_may_be_torn)
{
	for (int spoiled = 0; spoiled < 2; spoiled++) {
		const int results[] = {0, -ENOSPC};
		struct atomicio_file *file;

		ext4();
		disk_is_ext4(0);
		file = open_file();
		disk.spoil = spoiled ? SYS_INODE_INLINE_DATA : 0;
		disk.script = results;
		disk.script_left = 2;
		ck_assert_int_eq(write_page(file, 0), spoiled ? -EIO : -ENOSPC);
		ck_assert_uint_eq(script.seen[0].on_disk,
				  spoiled ? ATOMICIO_DISK_UNKNOWN : ATOMICIO_DISK_OLD_OR_NEW);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_look_that_fails_after_a_success_proves_nothing)
{
	struct atomicio_file *file = open_file();

	fake.inode_flags_result = -EPERM;
	ck_assert_int_eq(write_page(file, 0), -EIO);
	saw(ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_DATA_JOURNALED, ATOMICIO_DISK_UNKNOWN);
	atomicio_close(file);
}
END_TEST

START_TEST(without_looks_and_with_journaled_data_there_are_no_untorn_writes)
{
	struct atomicio_caps caps;
	struct atomicio_file *file;

	for (int i = 0; i < 3; i++) {
		const uint64_t reason =
			i == 1 ? ATOMICIO_REASON_DATA_JOURNALED : ATOMICIO_REASON_NO_RECHECK;

		ext4();
		fake.inode_flags_result = i == 1 ? 0 : -EPERM;
		fake.inode_flags = SYS_INODE_JOURNAL_DATA;
		/* An unknown filesystem must count as ext4. */
		fake.fs_magic_result = i == 2 ? -EPERM : 0;
		file = open_file();
		ck_assert_int_eq(write_page(file, 0), -EOPNOTSUPP);
		ck_assert_uint_eq(fake.pwritev2_calls, 0);
		ck_assert_int_eq(atomicio_file_get_caps(file, &caps, sizeof(caps)), 0);
		ck_assert(caps.reasons & reason);
		ck_assert(atomicio_check(file, page, PAGE, 0) & reason);
		atomicio_close(file);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_healed_write_fails_no_sync_that_others_wait_for,
		a_failed_healing_is_broken,
		inline_data_that_stays_is_broken_within_the_bound,
		an_error_of_the_repeat_is_broken_only_where_the_first_may_be_torn,
		a_look_that_fails_after_a_success_proves_nothing,
		without_looks_and_with_journaled_data_there_are_no_untorn_writes,
	};

	return check_run("write_look_trouble", tests, sizeof(tests) / sizeof(tests[0]), ext4);
}
