/* SPDX-License-Identifier: MIT */
/*
 * Goal: a handle gives its abilities and counters, in a struct of the caller's size.
 * Method: the fake machine; structs shorter and longer than ours.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "write_machine.h"

/* Pages of multiples of the home write's alignment, and one byte more. */
static void journal_takes(uint32_t align)
{
	struct atomicio_journal *journal = machine_journal();
	const struct atomicio_options options = {.journal = journal,
						 .file_id = 1,
						 .path = ATOMICIO_PATH_JOURNAL,
						 .policy = atomicio_policy_strict};
	struct atomicio_file *file = machine_open(&options);

	ck_assert_int_eq(atomicio_write(file, page, align, align, 0), 0);
	if (align > 1) {
		ck_assert_int_eq(atomicio_write(file, page, align / 2, 0, 0), -EINVAL);
		ck_assert_int_eq(atomicio_write(file, page, align, align / 2, 0), -EINVAL);
	}
	/* No refusal has poisoned the journal. */
	ck_assert_int_eq(atomicio_write(file, page, 4096, 8192, 0), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	machine_is_clean();
}

START_TEST(a_journaled_page_has_the_alignment_of_its_home_write)
{
	journal_takes(512);
	disk_reset();
	fake.getfl_result = O_RDWR;
	journal_takes(1);
	/* A direct descriptor of unknown alignment: before 6.1, or a filesystem that is silent. */
	disk_reset();
	fake.statx.mask &= ~SYS_STATX_DIOALIGN;
	fake.statx.dio_mem_align = fake.statx.dio_offset_align = 0;
	journal_takes(4096);
	/* A file that calls its writes buffered. */
	disk_reset();
	fake.statx.dio_mem_align = fake.statx.dio_offset_align = 0;
	journal_takes(1);
}
END_TEST

static void read_grown(int (*read)(const struct atomicio_file *, void *, size_t),
		       const struct atomicio_file *file, size_t size)
{
	uint8_t bytes[1024], whole[1024];

	memset(whole, 0xa5, sizeof(whole));
	ck_assert_int_eq(read(file, whole, size), 0);
	for (size_t n = 0; n <= size + 32; n++) {
		memset(bytes, 0xa5, sizeof(bytes));
		ck_assert_int_eq(read(file, bytes, n), n < size ? -EINVAL : 0);
		if (n < size) {
			for (size_t i = 0; i < sizeof(bytes); i++)
				ck_assert_uint_eq(bytes[i], 0xa5);
			continue;
		}
		ck_assert_mem_eq(bytes, whole, size);
		for (size_t i = size; i < n; i++)
			ck_assert_uint_eq(bytes[i], 0);
		ck_assert_uint_eq(bytes[n], 0xa5);
	}
	ck_assert_int_eq(read(file, NULL, size), -EFAULT);
	memset(bytes, 0xa5, sizeof(bytes));
	ck_assert_int_eq(read(NULL, bytes, size), -EINVAL);
	ck_assert_uint_eq(bytes[0], 0xa5);
}

static int read_stats(const struct atomicio_file *file, void *out, size_t size)
{
	return atomicio_file_get_stats(file, out, size);
}

static int read_caps(const struct atomicio_file *file, void *out, size_t size)
{
	return atomicio_file_get_caps(file, out, size);
}

START_TEST(stats_and_caps_fill_what_the_caller_has_room_for)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};
	struct atomicio_file *file = machine_open(&options);

	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	read_grown(read_stats, file, sizeof(struct atomicio_stats));
	read_grown(read_caps, file, sizeof(struct atomicio_caps));
	atomicio_close(file);
	ck_assert_int_eq(atomicio_close(NULL), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_journaled_page_has_the_alignment_of_its_home_write,
		stats_and_caps_fill_what_the_caller_has_room_for,
	};

	return check_run("write_caps", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
