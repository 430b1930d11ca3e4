/* SPDX-License-Identifier: MIT */
/*
 * Goal: a write that would cross the largest size of a file, where the kernel cuts it short, is
 * refused before the call on every path; the question for this size never moves the caller's
 * cursor, and an answer that cannot be had refuses nothing.
 * Method: a fake file with a largest size, and writes around it; the descriptors of all seeks.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

static struct policy_script script;

static struct atomicio_file *open_with(uint32_t flags, uint32_t fallback)
{
	const struct atomicio_options options = {.policy = policy_scripted,
						 .policy_context = &script,
						 .flags = flags,
						 .fallback = fallback};

	policy_fails(&script);
	if (fallback == ATOMICIO_FALLBACK_PLAIN)
		script.answers[0] = ATOMICIO_FALLBACK;
	return machine_open(&options);
}

START_TEST(a_range_that_crosses_the_largest_size_is_refused_before_the_call)
{
	/* ext4 with extents, blocks of 1 and 4 KiB; ext4 without; an odd one. */
	const uint64_t sizes[] = {
		0xffffffffull << 10,
		0xffffffffull << 12,
		17247252480,
		(1ull << 31) + 1,
	};

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		const uint64_t size = sizes[i / 2];
		const uint64_t last = (size - 1) / PAGE * PAGE; /* the unit that is cut */
		struct atomicio_file *file;

		write_machine();
		fake.size_max = size;
		file = open_with(0, i & 1 ? ATOMICIO_FALLBACK_PLAIN : ATOMICIO_FALLBACK_NONE);
		ck_assert_uint_eq(file->size_max, size);
		ck_assert_uint_eq(file->fast.unit_max, 0);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, last, ATOMICIO_DSYNC), -EFBIG);
		ck_assert_uint_eq(script.seen[0].kind, ATOMICIO_KIND_SPACE);
		ck_assert_uint_eq(script.seen[0].reasons, ATOMICIO_REASON_FILE_SIZE_LIMIT);
		ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD);
		ck_assert_uint_eq(fake.pwritev2_calls, 0);
		/* Nothing is poisoned. */
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
		ck_assert_int_eq(atomicio_sync(file), 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_range_up_to_the_largest_size_is_written)
{
	struct atomicio_file *file;

	fake.size_max = (1ull << 32) - 4096;
	file = open_with(0, ATOMICIO_FALLBACK_NONE);
	file->size_max = 4 * PAGE - 4096; /* within the fake disk */
	ck_assert_int_eq(atomicio_write(file, page, 4096, 4 * PAGE - 8192, 0), 0);
	ck_assert_int_eq(atomicio_write(file, page, 4096, 4 * PAGE - 4096, 0), -EFBIG);
	atomicio_close(file);
}
END_TEST

/* XFS says yes, and makes nothing of it. */
START_TEST(a_part_of_the_last_block_of_all_is_refused_before_the_call)
{
	struct atomicio_options options = {.file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_journal *journal;
	struct atomicio_file *file;

	write_machine();
	options.journal = journal = machine_journal();
	file = machine_open(&options);
	ck_assert_uint_eq(file->size_max, INT64_MAX);
	for (uint64_t last = 512; last < 65536; last *= 2) {
		ck_assert_int_eq(atomicio_write(file, page, 512,
						(uint64_t)INT64_MAX + 1 - last - 512,
						ATOMICIO_DSYNC),
				 -EFBIG);
		ck_assert_uint_eq(fake.pwritev2_calls, 0);
	}
	atomicio_close(file);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(the_question_moves_no_cursor_but_our_own)
{
	const uint32_t flags[] = {0, ATOMICIO_OPEN_NO_WITNESS, ATOMICIO_OPEN_REOPEN_DIRECT,
				  ATOMICIO_OPEN_REOPEN_DIRECT | ATOMICIO_OPEN_NO_WITNESS};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct atomicio_file *file;
		bool ours;

		write_machine();
		fake.size_max = 0xffffffffull << 12;
		if (flags[i] & ATOMICIO_OPEN_REOPEN_DIRECT)
			fake.getfl_result = O_RDWR;
		file = open_with(flags[i], ATOMICIO_FALLBACK_NONE);
		ours = file->own_fd || loss_has_witness(&file->loss);
		ck_assert_int_eq(ours, flags[i] != ATOMICIO_OPEN_NO_WITNESS);
		ck_assert_int_eq(fake.seeks > 0, ours);
		ck_assert_int_eq(fake.caller_seeks, 0);
		ck_assert_uint_eq(file->size_max, ours ? fake.size_max : INT64_MAX);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(no_answer_refuses_nothing)
{
	const struct {
		int result;
		uint64_t size;
	} rows[] = {{-ESPIPE, 0}, {-EPERM, 0}, {-ENOSYS, 0},
		    {-EINVAL, 0}, {0, 0},      {0, INT32_MAX - 1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct atomicio_file *file;

		write_machine();
		fake.seek_result = rows[i].result;
		fake.size_max = rows[i].size;
		file = open_with(0, ATOMICIO_FALLBACK_NONE);
		ck_assert_uint_eq(file->size_max, INT64_MAX);
		ck_assert_uint_eq(file->fast.unit_max, file->limits.unit_max);
		ck_assert_uint_le(fake.seeks, 2);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
		atomicio_close(file);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_range_that_crosses_the_largest_size_is_refused_before_the_call,
		a_range_up_to_the_largest_size_is_written,
		a_part_of_the_last_block_of_all_is_refused_before_the_call,
		the_question_moves_no_cursor_but_our_own,
		no_answer_refuses_nothing,
	};

	return check_run("write_largest", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
