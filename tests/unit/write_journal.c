/* SPDX-License-Identifier: MIT */
/*
 * Goal: writes through the journal, past the journal, and in batches keep each other's promises: no
 * failure, and no recovery after a failure, loses a successful write.
 * Method: one file and one journal on the fake disk; failures that the disk survives or not;
 * then the next start: open, recover, and look.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "auto_machine.h"
#include "check_run.h"
#include "write_machine.h"

/* The disk loses all home writes. */
static void lose(void)
{
	memset(disk.bytes[0], DISK_OLD, DISK_BYTES);
	disk_lose(-EIO);
}

START_TEST(a_sync_that_takes_the_report_of_a_loss_leaves_the_frames_live)
{
	struct atomicio_file *file = open_auto(0);

	ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), 0);
	lose();
	ck_assert_int_eq(atomicio_sync(file), -EIO);
	ck_assert(disk_holds(0, ODD, DISK_OLD));
	ck_assert_int_eq(atomicio_close(file), -ENOTRECOVERABLE);
	restart();
	ck_assert(disk_holds(0, ODD, NEW));
	ck_assert(disk_holds(ODD, ODD, DISK_OLD));
}
END_TEST

START_TEST(a_sync_after_a_checkpoint_that_took_the_report_does_not_succeed)
{
	struct atomicio_file *file = open_auto(0);

	ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), 0);
	lose();
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EIO);
	ck_assert_int_eq(atomicio_sync(file), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_close(file), -ENOTRECOVERABLE);
	restart();
	ck_assert(disk_holds(0, ODD, NEW));
}
END_TEST

START_TEST(a_durable_plain_write_cannot_take_the_report_from_a_checkpoint)
{
	struct atomicio_file *file = open_auto(ATOMICIO_FALLBACK_PLAIN);

	ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), 0);
	DISK_SCRIPT(-EINVAL, -EINVAL); /* a refusal, and no failed flush */
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 131072, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(machine_stats(file).writes_plain, 1);
	ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_DSYNC, 0);
	ck_assert_uint_eq(machine_stats(file).syncs, 1);
	lose();
	file->options.path = ATOMICIO_PATH_KERNEL; /* for no such length */
	ck_assert_int_eq(atomicio_write(file, page, ODD, 196608, ATOMICIO_DSYNC), -EIO);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_close(file), -ENOTRECOVERABLE);
	restart();
	ck_assert(disk_holds(0, ODD, NEW));
}
END_TEST

START_TEST(a_sync_that_fails_leaves_a_journal_without_live_frames_alone)
{
	struct atomicio_file *file = open_auto(0);

	fake.fdatasync_result = -EIO;
	ck_assert_int_eq(atomicio_sync(file), -EIO);
	fake.fdatasync_result = 0;
	ck_assert_int_eq(atomicio_close(file), 0);
	file = open_auto(0);
	ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	machine_is_clean();
}
END_TEST

/* A frame fails, and is on disk all the same: then write to a page of that frame. */
START_TEST(nothing_bypasses_a_frame_that_failed)
{
	atomicio_journal_close(journal);
	for (uint32_t fallback = ATOMICIO_FALLBACK_NONE; fallback <= ATOMICIO_FALLBACK_PLAIN;
	     fallback++) {
		struct atomicio_file *file;
		int error;

		setup();
		file = open_auto(fallback);
		disk.fail_late = true;
		fake.fail_at = FIRST_FRAME;
		fake.fail_error = -EIO;
		ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), -EIO);
		memset(page, NEW + 1, sizeof(page));
		error = atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC);
		ck_assert_int_eq(error, -ENOTRECOVERABLE);
		/* Elsewhere the hardware goes on. */
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 16 * PAGE, 0), 0);
		(void)atomicio_close(file);
		restart();
		ck_assert(disk_holds(0, ODD, NEW));
		ck_assert(disk_holds(16 * PAGE, PAGE, NEW + 1));
	}
}
END_TEST

START_TEST(the_kernel_path_retires_the_frames_of_its_range_first)
{
	struct atomicio_file *file = open_auto(0);

	ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), 0);
	file->options.path = ATOMICIO_PATH_KERNEL;
	memset(page, NEW + 1, sizeof(page));
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC), 0);
	/* A crash: no close, and live frames would be replayed. */
	machine_die(file);
	restart();
	ck_assert(disk_holds(0, PAGE, NEW + 1));
	ck_assert(disk_holds(PAGE, 512, NEW));
}
END_TEST

START_TEST(what_no_frame_can_hold_goes_past_the_journal_and_retires_its_range)
{
	const uint64_t large = 65536; /* with a header more than the largest frame */
	struct atomicio_file *file = open_auto(0);
	struct atomicio_op ops[2];

	ck_assert_int_eq(atomicio_write(file, page, ODD, large, 0), 0);
	memset(page, NEW + 1, sizeof(page));
	ck_assert_int_eq(atomicio_write(file, page, large, large, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
	memset(page, NEW, sizeof(page));
	ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), 0);
	memset(page, NEW + 1, sizeof(page));
	ops[0] = (struct atomicio_op){.file = file, .buffer = page, .length = large};
	ops[1] = (struct atomicio_op){
		.file = file, .buffer = page, .offset = 2 * large, .length = PAGE + 512};
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 2);
	ck_assert_uint_eq(machine_stats(file).writes_journal, 3);
	/* A crash: no close, and live frames would be replayed. */
	machine_die(file);
	restart();
	ck_assert(disk_holds(0, 2 * large + ODD, NEW + 1));
}
END_TEST

START_TEST(what_the_journal_refuses_is_told_by_its_reason)
{
	struct atomicio_file *file = open_auto(0);

	ck_assert_int_eq(atomicio_write(file, page, 100, 0, 0), -EINVAL);
	ck_assert_int_eq(atomicio_write(file, page, ODD, 100, 0), -EINVAL);
	ck_assert_int_eq(atomicio_write(file, page, 65536 + 512, 0, 0), -EMSGSIZE);
	ck_assert_int_eq(atomicio_write(file, page, SIZE_MAX / 4, 0, 0), -EMSGSIZE);
	ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
	ck_assert_int_eq(atomicio_write(file, page, ODD, 0, 0), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	machine_is_clean();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_sync_that_takes_the_report_of_a_loss_leaves_the_frames_live,
		a_sync_after_a_checkpoint_that_took_the_report_does_not_succeed,
		a_durable_plain_write_cannot_take_the_report_from_a_checkpoint,
		a_sync_that_fails_leaves_a_journal_without_live_frames_alone,
		nothing_bypasses_a_frame_that_failed,
		the_kernel_path_retires_the_frames_of_its_range_first,
		what_no_frame_can_hold_goes_past_the_journal_and_retires_its_range,
		what_the_journal_refuses_is_told_by_its_reason,
	};

	return check_run("write_journal", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
