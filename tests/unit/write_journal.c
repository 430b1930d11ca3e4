/* SPDX-License-Identifier: MIT */
/*
 * Goal: writes that go through the journal, past it, and in batches keep each other's promises:
 * nothing that was answered with success is lost by a failure or by the recovery after it.
 * Method: one file and one journal on the fake disk; failures that the disk survives or not;
 * then the next start: open, recover, and look.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

#define ODD (PAGE + 512) /* no hardware takes it: AUTO gives it to the journal */

static struct sys_calls calls;
static struct atomicio_journal *journal;

/* The disk loses all home writes. */
static void lose(void)
{
	memset(disk.bytes[0], DISK_OLD, DISK_BYTES);
	disk_lose(-EIO);
}

static void setup(void)
{
	write_machine();
	journal = machine_journal();
	atomicio_journal_close(journal);
	calls = *disk_calls;
	ck_assert_int_eq(journal_open(&calls, DISK_JOURNAL_FD, &journal), 0);
}

/* The call that writes the first frame: limits are asked for each page, for the ring, for
 * two headers, which are written, and for it. */
#define FIRST_FRAME(pages) (7u + (pages))

static struct atomicio_file *open_auto(uint32_t fallback)
{
	const struct atomicio_options options = {.policy = atomicio_policy_default,
						 .journal = journal,
						 .file_id = 1,
						 .fallback = fallback};
	struct atomicio_file *file = NULL;

	ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &file), 0);
	fake.calls = 0;
	return file;
}

static uint64_t frames(void)
{
	struct atomicio_journal_info info;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &info, sizeof(info)), 0);
	return info.frames;
}

/* Crash here, and start again. */
static void restart(void)
{
	atomicio_journal_close(journal);
	fake.fail_at = 0;
	machine_recover();
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
	file->options.path = ATOMICIO_PATH_KERNEL; /* which takes no such length */
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

/* A frame fails, and is on disk all the same: then write where it would be replayed. */
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
		fake.fail_at = FIRST_FRAME(1);
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
	/* A crash: no close, so that what is live would be replayed. */
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
	/* A crash: no close, so that what is live would be replayed. */
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

static struct atomicio_op op(struct atomicio_file *file, uint64_t offset, uint64_t length)
{
	return (struct atomicio_op){
		.file = file, .buffer = page, .offset = offset, .length = length, .result = 77};
}

START_TEST(a_batch_shares_one_frame_and_leaves_the_hardware_its_own)
{
	struct atomicio_file *file = open_auto(0);
	struct atomicio_op ops[] = {op(file, 0, ODD), op(file, 65536, PAGE), op(file, 131072, ODD),
				    op(file, 196608, 512)};

	/* The second is the hardware's, so the first is alone in its frame. */
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 4, 0), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(ops[i].result, 0);
		ck_assert(disk_holds(ops[i].offset, ops[i].length, NEW));
	}
	ck_assert_uint_eq(frames(), 2);
	ck_assert_uint_eq(machine_stats(file).writes_journal, 3);
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
	ck_assert_int_eq(atomicio_close(file), 0);
}
END_TEST

START_TEST(each_op_of_a_batch_has_its_own_result)
{
	struct atomicio_file *file = open_auto(0);
	struct atomicio_op ops[] = {op(file, 0, ODD), op(file, 100, ODD), op(file, 65536, PAGE),
				    op(file, 131072, 0), op(file, 196608, ODD)};

	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 5, ATOMICIO_DSYNC), -EINVAL);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(ops[i].result, i % 2 ? -EINVAL : 0);
	ck_assert(disk_holds(196608, ODD, NEW));
	ck_assert_int_eq(atomicio_close(file), 0);
}
END_TEST

START_TEST(a_batch_that_is_misused_touches_no_result)
{
	struct atomicio_file *file = open_auto(0);
	struct atomicio_op ops[] = {op(file, 0, ODD), op(file, 65536, PAGE)};

	ck_assert_int_eq(atomicio_write_batch(NULL, NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 0, 0), -EINVAL);
	for (int bit = 3; bit < 32; bit++)
		if (UINT32_C(1) << bit != ATOMICIO_BEHIND)
			ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, UINT32_C(1) << bit),
					 -EINVAL);
	ops[1].reserved = 1;
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, 0), -EINVAL);
	ops[1].reserved = 0;
	ops[1].file = NULL;
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, 0), -EINVAL);
	ck_assert(ops[0].result == 77 && ops[1].result == 77);
	ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
	ck_assert_int_eq(atomicio_close(file), 0);
}
END_TEST

START_TEST(a_group_is_one_frame_whatever_the_hardware_could_take)
{
	struct atomicio_file *file = open_auto(0);
	struct atomicio_op ops[] = {op(file, 0, PAGE), op(file, 65536, 4096),
				    op(file, 131072, ODD)};

	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 3, ATOMICIO_ALL_OR_NONE), 0);
	ck_assert_uint_eq(frames(), 1);
	ck_assert_uint_eq(machine_stats(file).writes_journal, 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ops[i].result, 0);
		ck_assert(disk_holds(ops[i].offset, ops[i].length, NEW));
	}
	ck_assert_int_eq(atomicio_close(file), 0);
}
END_TEST

START_TEST(a_group_that_cannot_be_whole_is_not_begun)
{
	static struct atomicio_journal another;
	struct atomicio_file *file = open_auto(0);
	struct atomicio_file bare = {.sys = &calls};
	struct atomicio_op ops[] = {op(file, 0, 32768), op(file, 65536, 65536)};
	const uint32_t group = ATOMICIO_ALL_OR_NONE;

	/* The second fits no frame, so a chain does not help. */
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, group), -EMSGSIZE);
	ops[1] = op(&bare, 65536, PAGE);
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, group), -EOPNOTSUPP);
	bare.options.journal = &another;
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, group), -EXDEV);
	ops[1] = op(file, 65536, 100);
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, group), -EINVAL);
	ops[1] = op(file, 65536, 0);
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, group), -EINVAL);
	ck_assert_int_eq(ops[0].result, 77);
	ck_assert_uint_eq(frames(), 0);
	ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
	file->poisoned = 1;
	ops[1] = op(file, 65536, PAGE);
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, group), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_close(file), 0);
}
END_TEST

START_TEST(a_group_whose_frame_fails_is_whole_or_absent_after_recovery)
{
	atomicio_journal_close(journal);
	for (int late = 0; late < 2; late++) {
		struct atomicio_file *file;
		struct atomicio_op ops[2];

		setup();
		file = open_auto(0);
		ops[0] = op(file, 0, PAGE);
		ops[1] = op(file, 65536, PAGE);
		disk.fail_late = late;
		fake.fail_at = FIRST_FRAME(2);
		fake.fail_error = -EIO;
		ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, ATOMICIO_ALL_OR_NONE), -EIO);
		ck_assert_int_eq(ops[0].result, -EIO);
		ck_assert_int_eq(ops[1].result, -EIO);
		ck_assert_uint_eq(machine_stats(file).writes_failed, 2);
		(void)atomicio_close(file);
		restart();
		ck_assert(disk_holds(0, PAGE, late ? NEW : DISK_OLD));
		ck_assert(disk_holds(65536, PAGE, late ? NEW : DISK_OLD));
	}
}
END_TEST

START_TEST(ops_of_a_frame_that_fails_are_not_written_past_it)
{
	struct atomicio_file *file = open_auto(0);
	struct atomicio_op ops[] = {op(file, 0, ODD), op(file, 65536, ODD)};

	disk.fail_late = true;
	fake.fail_at = FIRST_FRAME(2);
	fake.fail_error = -EIO;
	ck_assert_int_lt(atomicio_write_batch(NULL, ops, 2, 0), 0);
	ck_assert_int_lt(ops[0].result, 0);
	ck_assert_int_lt(ops[1].result, 0);
	ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
	(void)atomicio_close(file);
	restart();
	ck_assert(disk_holds(0, ODD, NEW));
	ck_assert(disk_holds(65536, ODD, NEW));
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
		a_batch_shares_one_frame_and_leaves_the_hardware_its_own,
		each_op_of_a_batch_has_its_own_result,
		a_batch_that_is_misused_touches_no_result,
		a_group_is_one_frame_whatever_the_hardware_could_take,
		a_group_that_cannot_be_whole_is_not_begun,
		a_group_whose_frame_fails_is_whole_or_absent_after_recovery,
		ops_of_a_frame_that_fails_are_not_written_past_it,
	};

	return check_run("write_journal", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
