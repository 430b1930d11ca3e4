/* SPDX-License-Identifier: MIT */
/*
 * Goal: a handle is made only from options and a file that keep the header's contract; else the
 * outputs are untouched.  Structs that travel with their size may grow.
 * Method: each option on both sides of its range, sizes around those of the first release, and
 * machines on which opening, or reopening, must fail.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "write_machine.h"

#define UNTOUCHED ((struct atomicio_file *)(uintptr_t)0x5a5a)

/* Open; on failure nothing may be left, or have been put in the caller's pointer. */
static int try_open(const void *options, size_t size)
{
	struct atomicio_file *file = UNTOUCHED;
	const uint32_t opened = fake.opened, allocated = fake.allocated;
	const int error = write_open(disk_calls, FAKE_FD, options, size, &file);

	if (error) {
		ck_assert_ptr_eq(file, UNTOUCHED);
	} else {
		ck_assert_ptr_ne(file, UNTOUCHED);
		ck_assert_int_eq(atomicio_close(file), 0);
	}
	ck_assert_uint_eq(fake.opened, opened);
	ck_assert_uint_eq(fake.allocated, allocated);
	return error;
}

static int try_options(const struct atomicio_options options)
{
	return try_open(&options, sizeof(options));
}

START_TEST(options_may_be_absent_or_longer_with_zeroes_and_never_too_short)
{
	uint8_t bytes[sizeof(struct atomicio_options) + 64];
	const size_t first = offsetof(struct atomicio_options, file_tag) + 16;

	memset(bytes, 0, sizeof(bytes));
	ck_assert_int_eq(try_open(NULL, 0), 0);
	ck_assert_int_eq(try_open(NULL, 12345), 0);
	for (size_t size = 0; size < sizeof(bytes); size++)
		ck_assert_int_eq(try_open(bytes, size), size < first ? -EINVAL : 0);
	for (size_t at = sizeof(struct atomicio_options); at < sizeof(bytes); at++) {
		bytes[at] = 1;
		ck_assert_int_eq(try_open(bytes, at), 0);
		ck_assert_int_eq(try_open(bytes, at + 1), -E2BIG);
		ck_assert_int_eq(try_open(bytes, sizeof(bytes)), -E2BIG);
		bytes[at] = 0;
	}
	ck_assert_int_eq(write_open(disk_calls, FAKE_FD, NULL, 0, NULL), -EFAULT);
}
END_TEST

START_TEST(each_option_has_its_range)
{
	struct atomicio_journal *journal = machine_journal();

#define TRY(...) try_options((struct atomicio_options){__VA_ARGS__})
	ck_assert_int_eq(TRY(.retries_max = 1000), 0);
	ck_assert_int_eq(TRY(.retries_max = 1001), -EINVAL);
	ck_assert_int_eq(TRY(.bounce_max = 64u << 20), 0);
	ck_assert_int_eq(TRY(.bounce_max = (64u << 20) + 1), -EINVAL);
	ck_assert_int_eq(TRY(.flags = ATOMICIO_OPEN_REOPEN_DIRECT), 0);
	ck_assert_int_eq(TRY(.flags = ATOMICIO_OPEN_NO_WITNESS), 0);
	ck_assert_int_eq(TRY(.flags = ATOMICIO_OPEN_LOCK), 0);
	for (int bit = 3; bit < 32; bit++)
		ck_assert_int_eq(TRY(.flags = UINT32_C(1) << bit), -EINVAL);
	for (int bit = 0; bit < 32; bit++)
		ck_assert_int_eq(TRY(.reserved = UINT32_C(1) << bit), -EINVAL);
	ck_assert_int_eq(TRY(.fallback = ATOMICIO_FALLBACK_NONE), 0);
	ck_assert_int_eq(TRY(.fallback = ATOMICIO_FALLBACK_PLAIN), 0);
	ck_assert_int_eq(TRY(.fallback = ATOMICIO_FALLBACK_PLAIN + 1), -EINVAL);
	ck_assert_int_eq(TRY(.fallback = UINT32_MAX), -EINVAL);
	ck_assert_int_eq(TRY(.path = ATOMICIO_PATH_KERNEL), 0);
	ck_assert_int_eq(TRY(.path = ATOMICIO_PATH_PLAIN), -EINVAL);
	ck_assert_int_eq(TRY(.path = UINT32_MAX), -EINVAL);
	/* Options that need a journal, and the needs of a journal. */
	ck_assert_int_eq(TRY(.fallback = ATOMICIO_FALLBACK_JOURNAL), -EINVAL);
	ck_assert_int_eq(TRY(.path = ATOMICIO_PATH_JOURNAL), -EINVAL);
	ck_assert_int_eq(TRY(.journal = journal), -EINVAL);
	ck_assert_int_eq(TRY(.journal = journal, .file_id = 1), 0);
	ck_assert_int_eq(TRY(.journal = journal, .file_id = 1,
			     .fallback = ATOMICIO_FALLBACK_JOURNAL, .path = ATOMICIO_PATH_JOURNAL),
			 0);
	ck_assert_int_eq(TRY(.file_id = 1), 0);
#undef TRY
	atomicio_journal_close(journal);
	machine_is_clean();
}
END_TEST

START_TEST(a_descriptor_that_cannot_write_is_refused)
{
	fake.getfl_result = O_RDONLY | O_DIRECT;
	ck_assert_int_eq(try_open(NULL, 0), -EBADF);
	fake.getfl_result = O_ACCMODE | O_DIRECT;
	ck_assert_int_eq(try_open(NULL, 0), -EBADF);
	fake.getfl_result = O_WRONLY | O_DIRECT;
	ck_assert_int_eq(try_open(NULL, 0), 0);
	fake.getfl_result = -EBADF;
	ck_assert_int_eq(try_open(NULL, 0), -EBADF);
}
END_TEST

START_TEST(what_the_probe_refuses_is_refused_with_its_errno)
{
	fake.statx.mode = S_IFDIR;
	ck_assert_int_eq(try_open(NULL, 0), -EISDIR);
	fake.statx.mode = S_IFIFO;
	ck_assert_int_eq(try_open(NULL, 0), -ESPIPE);
	fake.statx_result = -EIO;
	fake.fstat_result = -EIO;
	ck_assert_int_eq(try_open(NULL, 0), -EIO);
}
END_TEST

START_TEST(an_immutable_file_is_refused_and_an_append_only_one_has_no_journal)
{
	struct atomicio_journal *journal = machine_journal();

	fake.statx.attributes |= SYS_STATX_ATTR_APPEND;
	ck_assert_int_eq(try_open(NULL, 0), 0);
	ck_assert_int_eq(try_options((struct atomicio_options){.journal = journal, .file_id = 1}),
			 -EPERM);
	fake.statx.attributes |= SYS_STATX_ATTR_IMMUTABLE;
	ck_assert_int_eq(try_open(NULL, 0), -EPERM);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(before_6_9_an_appending_descriptor_has_no_journal)
{
	struct atomicio_journal *journal = machine_journal();
	const struct atomicio_options options = {.journal = journal, .file_id = 1};

	fake.getfl_result |= O_APPEND;
	ck_assert_int_eq(try_options(options), 0);
	fake.release = "6.9.0";
	ck_assert_int_eq(try_options(options), 0);
	fake.release = "6.8.12";
	ck_assert_int_eq(try_options(options), -EOPNOTSUPP);
	fake.release = "5.19.0";
	ck_assert_int_eq(try_options(options), -EOPNOTSUPP);
	fake.release = NULL;
	ck_assert_int_eq(try_options(options), -EOPNOTSUPP);
	fake.release = "7.0.0";
	ck_assert_int_eq(try_options(options), 0);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(a_file_that_can_do_nothing_opens_and_its_writes_say_why)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};
	struct atomicio_file *file;

	fake.statx.attributes = 0;
	file = machine_open(&options);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EOPNOTSUPP);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	ck_assert_uint_ne(atomicio_check(file, page, PAGE, 0), 0);
	ck_assert_uint_eq(machine_stats(file).failures[ATOMICIO_KIND_UNSUPPORTED], 1);
	atomicio_close(file);
}
END_TEST

/* Reopening: on a buffered descriptor, whose flags the fake gives for every descriptor. */
static uint64_t reopen_reasons(struct atomicio_file **file)
{
	const struct atomicio_options options = {.flags = ATOMICIO_OPEN_REOPEN_DIRECT |
							  ATOMICIO_OPEN_NO_WITNESS,
						 .policy = atomicio_policy_strict};
	struct atomicio_caps found;

	*file = machine_open(&options);
	ck_assert_int_eq(atomicio_file_get_caps(*file, &found, sizeof(found)), 0);
	return found.reasons;
}

START_TEST(a_buffered_descriptor_is_reopened_for_direct_writes)
{
	struct atomicio_file *file;

	fake.getfl_result = O_RDWR;
	(void)reopen_reasons(&file);
	ck_assert_uint_eq(fake.opened, 1);
	ck_assert_int_eq(disk.open_flags, O_RDWR | O_DIRECT);
	ck_assert_int_eq(file->fd, 200);
	ck_assert_int_eq(file->caller_fd, FAKE_FD);
	ck_assert_int_eq(atomicio_close(file), 0);
	machine_is_clean();
	/* Only on request, and only where needed. */
	ck_assert_int_eq(try_open(NULL, 0), 0);
	fake.getfl_result = O_WRONLY | O_DIRECT;
	disk.open_flags = -1;
	ck_assert_uint_eq(reopen_reasons(&file) & ATOMICIO_REASON_REOPEN_FAILED, 0);
	ck_assert_int_eq(disk.open_flags, -1);
	atomicio_close(file);
}
END_TEST

START_TEST(a_description_of_our_own_is_as_durable_as_the_callers)
{
	const int flags[] = {O_DSYNC, O_SYNC};

	for (int i = 0; i < 2; i++) {
		struct atomicio_file *file;

		write_machine();
		fake.getfl_result = O_RDWR | flags[i];
		(void)reopen_reasons(&file);
		ck_assert_int_eq(disk.open_flags, O_RDWR | O_DIRECT | flags[i]);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(another_file_behind_the_name_is_not_written_to)
{
	struct atomicio_file *file;

	fake.getfl_result = O_RDWR;
	disk.own_inode = 11;
	ck_assert(reopen_reasons(&file) & ATOMICIO_REASON_REOPEN_FAILED);
	ck_assert_int_eq(file->fd, FAKE_FD);
	ck_assert_uint_eq(fake.opened, 0);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EOPNOTSUPP);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	atomicio_close(file);
	machine_is_clean();
}
END_TEST

START_TEST(a_reopen_that_fails_leaves_a_handle_that_says_so)
{
	const int errors[] = {-EINVAL, -EACCES, -ENOENT, -ETXTBSY};

	fake.getfl_result = O_RDWR;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct atomicio_file *file;

		fake.open_result = errors[i];
		ck_assert(reopen_reasons(&file) & ATOMICIO_REASON_REOPEN_FAILED);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EOPNOTSUPP);
		atomicio_close(file);
		machine_is_clean();
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		options_may_be_absent_or_longer_with_zeroes_and_never_too_short,
		each_option_has_its_range,
		a_descriptor_that_cannot_write_is_refused,
		what_the_probe_refuses_is_refused_with_its_errno,
		an_immutable_file_is_refused_and_an_append_only_one_has_no_journal,
		before_6_9_an_appending_descriptor_has_no_journal,
		a_file_that_can_do_nothing_opens_and_its_writes_say_why,
		a_buffered_descriptor_is_reopened_for_direct_writes,
		a_description_of_our_own_is_as_durable_as_the_callers,
		another_file_behind_the_name_is_not_written_to,
		a_reopen_that_fails_leaves_a_handle_that_says_so,
	};

	return check_run("write_open", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
