/* SPDX-License-Identifier: MIT */
/*
 * Goal: batches and groups through the journal keep their answers: a group is whole or absent, and
 * each op has its own result.
 * Method: one file and one journal on the fake disk; failures of the frame; then the next start:
 * open, recover, and look.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "auto_machine.h"
#include "check_run.h"
#include "write_machine.h"

static uint64_t frames(void)
{
	struct atomicio_journal_info info;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &info, sizeof(info)), 0);
	return info.frames;
}

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

	/* The second page goes to hardware: the first is alone in its frame. */
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

#define LIMIT (UINT64_C(1) << 24) /* the journal and most pages are below */

static unsigned int limit_asked;

static int count_limit(uint64_t *limit)
{
	limit_asked++;
	*limit = LIMIT;
	return 0;
}

/* At each call, and once: a batch of 64 pages made 64 calls for the same number. */
START_TEST(the_size_limit_is_asked_once_for_the_pages_of_a_call)
{
	static const uint32_t flags[] = {0, ATOMICIO_ALL_OR_NONE};
	struct atomicio_file *file = open_auto(0);

	calls.file_size_limit = count_limit;
	for (int i = 0; i < 2; i++) {
		struct atomicio_op ops[8];

		for (uint64_t j = 0; j < 8; j++)
			ops[j] = op(file, j * 4096, 512);
		limit_asked = 0;
		ck_assert_int_eq(atomicio_write_batch(NULL, ops, 8, flags[i]), 0);
		ck_assert_uint_ge(limit_asked, 2); /* for the pages, and for the frame */
		ck_assert_uint_lt(limit_asked, 8);
		ops[1] = op(file, LIMIT - 512, 1024); /* this page alone is too far */
		ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, flags[i]), -EFBIG);
		ck_assert_int_eq(ops[1].result, flags[i] ? 77 : -EFBIG);
	}
	ck_assert_int_eq(atomicio_close(file), 0);
}
END_TEST

static int allocations;

static void *allocate_some(size_t alignment, size_t size)
{
	return allocations-- > 0 ? disk_calls->allocate(alignment, size) : NULL;
}

/* More pages than lie on the stack, and every allocation of the call fails in turn. */
START_TEST(a_long_group_without_memory_writes_nothing)
{
	struct atomicio_file *file = open_auto(0);
	struct atomicio_op ops[17];
	int fails = 0, error;

	for (uint64_t j = 0; j < 17; j++)
		ops[j] = op(file, j * 4096, 512);
	calls.allocate = allocate_some;
	while ((allocations = fails,
		error = atomicio_write_batch(NULL, ops, 17, ATOMICIO_ALL_OR_NONE))) {
		ck_assert_int_eq(error, -ENOMEM);
		ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
		ck_assert_uint_eq(frames(), 0);
		fails++;
	}
	ck_assert_int_ge(fails, 4); /* the list, its ranges, a chain */
	for (uint64_t j = 0; j < 17; j++)
		ck_assert(disk_holds(j * 4096, 512, NEW));
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

START_TEST(a_group_goes_through_the_journal_whatever_path_is)
{
	static const uint32_t paths[] = {ATOMICIO_PATH_AUTO, ATOMICIO_PATH_KERNEL,
					 ATOMICIO_PATH_JOURNAL};

	for (uint32_t i = 0; i < 3; i++) {
		const struct atomicio_options options = {.policy = atomicio_policy_strict,
							 .journal = journal,
							 .file_id = 1,
							 .path = paths[i]};
		struct atomicio_file *file = NULL;
		struct atomicio_op ops[2];

		ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &file), 0);
		ops[0] = op(file, 0, PAGE);
		ops[1] = op(file, 65536, PAGE);
		ck_assert_int_eq(atomicio_write_batch(NULL, ops, 2, ATOMICIO_ALL_OR_NONE), 0);
		ck_assert_uint_eq(frames(), i + 1);
		ck_assert_uint_eq(machine_stats(file).writes_journal, 2);
		ck_assert_int_eq(atomicio_close(file), 0);
	}
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
		fake.fail_at = FIRST_FRAME;
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
	fake.fail_at = FIRST_FRAME;
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
		a_batch_shares_one_frame_and_leaves_the_hardware_its_own,
		the_size_limit_is_asked_once_for_the_pages_of_a_call,
		a_long_group_without_memory_writes_nothing,
		each_op_of_a_batch_has_its_own_result,
		a_batch_that_is_misused_touches_no_result,
		a_group_is_one_frame_whatever_the_hardware_could_take,
		a_group_goes_through_the_journal_whatever_path_is,
		a_group_that_cannot_be_whole_is_not_begun,
		a_group_whose_frame_fails_is_whole_or_absent_after_recovery,
		ops_of_a_frame_that_fails_are_not_written_past_it,
	};

	return check_run("write_journal_batch", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
