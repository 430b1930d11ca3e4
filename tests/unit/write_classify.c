/* SPDX-License-Identifier: MIT */
/*
 * Goal: every result of the kernel has the kind, the state of the disk and the allowed answers
 * that the public header promises, and what nobody has heard of is never called harmless.
 * Method: classify every errno and the counts around the length.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

#define FAIL_ONLY ATOMICIO_FAIL
#define OR_FALLBACK (ATOMICIO_FAIL | ATOMICIO_FALLBACK)
#define ANYTHING (ATOMICIO_FAIL | ATOMICIO_FALLBACK | ATOMICIO_RETRY)

struct row {
	int error;
	uint32_t kind, on_disk, allowed;
};

static const struct row table[] = {
	{EOPNOTSUPP, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_DISK_OLD, OR_FALLBACK},
	{ENOSYS, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_DISK_OLD, OR_FALLBACK},
	{ENOTBLK, ATOMICIO_KIND_NOT_DIRECT, ATOMICIO_DISK_OLD, ANYTHING},
	{EINVAL, ATOMICIO_KIND_LAYOUT, ATOMICIO_DISK_OLD, OR_FALLBACK},
	{EAGAIN, ATOMICIO_KIND_BUSY, ATOMICIO_DISK_OLD, ANYTHING},
	{EINTR, ATOMICIO_KIND_BUSY, ATOMICIO_DISK_OLD, ANYTHING},
	{ENOSPC, ATOMICIO_KIND_SPACE, ATOMICIO_DISK_OLD, FAIL_ONLY},
	{EDQUOT, ATOMICIO_KIND_SPACE, ATOMICIO_DISK_OLD, FAIL_ONLY},
	{EFBIG, ATOMICIO_KIND_SPACE, ATOMICIO_DISK_OLD, FAIL_ONLY},
	{ECANCELED, ATOMICIO_KIND_BUSY, ATOMICIO_DISK_OLD, FAIL_ONLY},
	{EBADF, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_DISK_OLD, FAIL_ONLY},
	{EFAULT, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_DISK_OLD, FAIL_ONLY},
	{EPERM, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_DISK_OLD, OR_FALLBACK},
	{EACCES, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_DISK_OLD, OR_FALLBACK},
	{ENOMEM, ATOMICIO_KIND_BUSY, ATOMICIO_DISK_OLD, ANYTHING},
};

static const struct row media = {0, ATOMICIO_KIND_MEDIA, ATOMICIO_DISK_OLD_OR_NEW, ANYTHING};

static const struct row *row_of(int error)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			return &table[i];
	return &media;
}

static struct write_outcome classify(int64_t result)
{
	struct write_outcome outcome;

	memset(&outcome, 0xa5, sizeof(outcome));
	write_classify(&outcome, result, PAGE);
	return outcome;
}

START_TEST(every_errno_has_its_row_and_the_unknown_ones_are_media)
{
	for (int error = 1; error <= 4095; error++) {
		const struct write_outcome outcome = classify(-error);
		const struct row *row = row_of(error);

		ck_assert_uint_eq(outcome.kind, row->kind);
		ck_assert_int_eq(outcome.error, -error);
		ck_assert_uint_eq(outcome.on_disk, row->on_disk);
		ck_assert_uint_eq(outcome.allowed, row->allowed);
		ck_assert_uint_eq(outcome.reasons, 0);
	}
}
END_TEST

START_TEST(only_the_whole_length_is_a_success)
{
	const int64_t broken[] = {0,	    1,	      512,	PAGE / 2,
				  PAGE - 1, PAGE + 1, 2 * PAGE, (INT64_C(1) << 32) + PAGE};

	ck_assert_uint_eq(classify(PAGE).kind, 0);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const struct write_outcome outcome = classify(broken[i]);

		ck_assert_uint_eq(outcome.kind, ATOMICIO_KIND_BROKEN);
		ck_assert_int_eq(outcome.error, -EIO);
		ck_assert_uint_eq(outcome.on_disk, ATOMICIO_DISK_UNKNOWN);
		ck_assert_uint_eq(outcome.allowed, FAIL_ONLY);
		ck_assert_uint_eq(outcome.reasons, ATOMICIO_REASON_SHORT_WRITE);
	}
}
END_TEST

START_TEST(a_refused_shape_may_fall_back_and_left_the_old_bytes)
{
	struct write_outcome outcome;

	write_fail(&outcome, ATOMICIO_KIND_SHAPE, -EINVAL, 5);
	ck_assert_uint_eq(outcome.on_disk, ATOMICIO_DISK_OLD);
	ck_assert_uint_eq(outcome.allowed, OR_FALLBACK);
	ck_assert_uint_eq(outcome.reasons, 5);
}
END_TEST

START_TEST(each_kind_has_a_name_and_nothing_else_has)
{
	const char *const names[] = {"shape", "unsupported", "not-direct", "layout",
				     "busy",  "space",	     "media",	   "broken"};

	for (uint32_t kind = ATOMICIO_KIND_SHAPE; kind <= ATOMICIO_KIND_BROKEN; kind++)
		ck_assert_str_eq(atomicio_kind_name(kind), names[kind - 1]);
	ck_assert_ptr_null(atomicio_kind_name(0));
	ck_assert_ptr_null(atomicio_kind_name(ATOMICIO_KIND_BROKEN + 1));
	ck_assert_ptr_null(atomicio_kind_name(UINT32_MAX));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_errno_has_its_row_and_the_unknown_ones_are_media,
		only_the_whole_length_is_a_success,
		a_refused_shape_may_fall_back_and_left_the_old_bytes,
		each_kind_has_a_name_and_nothing_else_has,
	};

	return check_run("write_classify", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
