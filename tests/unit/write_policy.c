/* SPDX-License-Identifier: MIT */
/*
 * Goal: the policy decides what it may decide and nothing else: no answer, however wrong, makes
 * a write tear, retries for ever, or falls back where nothing allows it.
 * Method: a scripted policy over a scripted kernel; each kind with each answer.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "policy_machine.h"
#include "write_machine.h"

/* A way to make the first attempt fail with each kind. */
struct cause {
	int result; /* of the kernel; 0: a shape that is refused */
	uint32_t kind, allowed;
	int error;
};

static const struct cause causes[] = {
	{0, ATOMICIO_KIND_SHAPE, FAIL | FALLBACK, -EINVAL},
	{-EOPNOTSUPP, ATOMICIO_KIND_UNSUPPORTED, FAIL | FALLBACK, -EOPNOTSUPP},
	{-ENOTBLK, ATOMICIO_KIND_NOT_DIRECT, FAIL | RETRY | FALLBACK, -ENOTBLK},
	{-EINVAL, ATOMICIO_KIND_LAYOUT, FAIL | FALLBACK, -EINVAL},
	{-EAGAIN, ATOMICIO_KIND_BUSY, FAIL | RETRY | FALLBACK, -EAGAIN},
	{-EINTR, ATOMICIO_KIND_BUSY, FAIL | RETRY | FALLBACK, -EINTR},
	{-ENOSPC, ATOMICIO_KIND_SPACE, FAIL, -ENOSPC},
	{-EIO, ATOMICIO_KIND_MEDIA, FAIL | RETRY | FALLBACK, -EIO},
	{-EILSEQ, ATOMICIO_KIND_MEDIA, FAIL | RETRY | FALLBACK, -EILSEQ},
	{512, ATOMICIO_KIND_BROKEN, FAIL, -EIO},
};

#define CAUSES (sizeof(causes) / sizeof(causes[0]))

/* Write once, the first attempt failing by this cause; the second succeeds. */
static int write_failing(struct atomicio_file *file, const struct cause *cause)
{
	disk.script = &cause->result;
	disk.script_left = cause->result ? 1 : 0;
	return atomicio_write(file, page, cause->result ? PAGE : PAGE + 512, 0, ATOMICIO_DSYNC);
}

START_TEST(a_policy_sees_the_whole_failure)
{
	for (size_t i = 0; i < CAUSES; i++) {
		const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_PLAIN, 3);
		const struct cause *cause = &causes[i];
		const struct atomicio_failure *seen = &script.seen[0];
		struct atomicio_file *file;

		write_machine();
		file = machine_open(&options);
		answer(FAIL, FAIL);
		ck_assert_int_eq(write_failing(file, cause), cause->error);
		ck_assert_uint_eq(script.seen_count, 1);
		ck_assert_uint_eq(seen->kind, cause->kind);
		ck_assert_int_eq(seen->error, cause->error);
		ck_assert_uint_eq(seen->allowed, cause->allowed);
		ck_assert_uint_eq(seen->attempt, 1);
		ck_assert_uint_eq(seen->path, ATOMICIO_PATH_KERNEL);
		ck_assert_uint_eq(seen->flags, ATOMICIO_DSYNC);
		ck_assert_uint_eq(seen->offset, 0);
		ck_assert_uint_eq(seen->length, cause->result ? PAGE : PAGE + 512);
		ck_assert_uint_eq(seen->on_disk,
				  cause->kind == ATOMICIO_KIND_BROKEN  ? ATOMICIO_DISK_UNKNOWN
				  : cause->kind == ATOMICIO_KIND_SHAPE ? ATOMICIO_DISK_OLD
								       : ATOMICIO_DISK_OLD_OR_NEW);
		ck_assert_uint_eq(machine_stats(file).failures[cause->kind], 1);
		ck_assert_uint_eq(machine_stats(file).writes_failed, 1);
		atomicio_close(file);
	}
}
END_TEST

/* The result of one answer, for a cause and a fallback. */
static void one_answer(const struct cause *cause, uint32_t given, uint32_t fallback)
{
	const struct atomicio_options options = scripted(fallback, 3);
	const uint32_t allowed =
		fallback == ATOMICIO_FALLBACK_PLAIN ? cause->allowed : cause->allowed & ~FALLBACK;
	const bool retried = given == RETRY && (allowed & RETRY);
	const bool fell_back = given == FALLBACK && (allowed & FALLBACK);
	struct atomicio_file *file;
	struct atomicio_stats stats;
	int result;

	write_machine();
	file = machine_open(&options);
	answer(given, FAIL);
	result = write_failing(file, cause);
	stats = machine_stats(file);
	ck_assert_uint_eq(script.seen_count, 1);
	ck_assert_uint_eq(script.seen[0].allowed, allowed);
	ck_assert_int_eq(result, retried || fell_back ? 0 : cause->error);
	ck_assert_uint_eq(stats.retries, retried);
	ck_assert_uint_eq(stats.fallbacks, fell_back);
	ck_assert_uint_eq(stats.writes_plain, fell_back);
	ck_assert_uint_eq(disk.plain, fell_back);
	ck_assert_uint_eq(stats.writes_hardware, retried);
	ck_assert_uint_eq(stats.writes_failed, result != 0);
	/* An unanswered page is not there. */
	if (result && cause->kind != ATOMICIO_KIND_BROKEN)
		ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
	if (!result)
		ck_assert(disk_holds(0, PAGE, NEW));
	atomicio_close(file);
}

START_TEST(every_answer_to_every_kind_is_masked_with_what_is_allowed)
{
	for (size_t i = 0; i < CAUSES; i++) {
		for (uint32_t given = 0; given < 16; given++) {
			one_answer(&causes[i], given, ATOMICIO_FALLBACK_NONE);
			one_answer(&causes[i], given, ATOMICIO_FALLBACK_PLAIN);
		}
		for (int bit = 3; bit < 32; bit++) {
			one_answer(&causes[i], UINT32_C(1) << bit, ATOMICIO_FALLBACK_PLAIN);
			one_answer(&causes[i], (UINT32_C(1) << bit) | RETRY,
				   ATOMICIO_FALLBACK_PLAIN);
			one_answer(&causes[i], (UINT32_C(1) << bit) | FALLBACK,
				   ATOMICIO_FALLBACK_PLAIN);
		}
		one_answer(&causes[i], UINT32_MAX, ATOMICIO_FALLBACK_PLAIN);
	}
}
END_TEST

START_TEST(a_write_falls_back_at_most_once_and_shares_its_retries_with_the_fallback)
{
	const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_PLAIN, 5);
	struct atomicio_file *file = machine_open(&options);

	fake.pwritev2 = always_busy;
	answer(RETRY, FALLBACK);
	script.answers[2] = RETRY;
	script.answer_count = 3;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EAGAIN);
	/* Kernel, kernel again; then plain, with the four remaining retries. */
	ck_assert_uint_eq(script.seen_count, 7);
	ck_assert_uint_eq(script.seen[0].attempt, 1);
	ck_assert_uint_eq(script.seen[1].attempt, 2);
	for (uint32_t n = 2; n < 7; n++) {
		ck_assert_uint_eq(script.seen[n].path, ATOMICIO_PATH_PLAIN);
		ck_assert_uint_eq(script.seen[n].attempt, n - 1);
		ck_assert_uint_eq(script.seen[n].allowed, n < 6 ? FAIL | RETRY : FAIL);
		ck_assert_uint_eq(script.seen[n].on_disk, ATOMICIO_DISK_UNKNOWN);
	}
	ck_assert_uint_eq(machine_stats(file).fallbacks, 1);
	ck_assert_uint_eq(machine_stats(file).retries, 5);
	atomicio_close(file);
}
END_TEST

/* For every answer of the kind: the step itself is asked, because no plain write fails so. */
START_TEST(no_fallback_leads_on_from_the_fallback)
{
	const uint32_t fallbacks[] = {ATOMICIO_FALLBACK_PLAIN, ATOMICIO_FALLBACK_JOURNAL};
	const uint32_t paths[] = {ATOMICIO_PATH_PLAIN, ATOMICIO_PATH_JOURNAL};
	const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_NONE, 0);
	struct atomicio_file *file = machine_open(&options);

	for (int i = 0; i < 2; i++) {
		struct write_request request = {.file = file, .path = paths[i], .length = PAGE};
		struct write_outcome outcome;

		file->options.fallback = fallbacks[i];
		answer(FALLBACK, FALLBACK);
		write_fail(&outcome, ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP, 0);
		ck_assert_int_eq(write_decide(&request, &outcome), WRITE_GIVE_UP);
		ck_assert_uint_eq(script.seen[0].allowed, FAIL);
		ck_assert_uint_eq(request.path, paths[i]);
	}
	atomicio_close(file);
}
END_TEST

START_TEST(what_an_earlier_attempt_may_have_written_is_not_forgotten)
{
	const struct atomicio_options options = scripted(ATOMICIO_FALLBACK_NONE, 5);
	struct atomicio_file *file = machine_open(&options);

	DISK_SCRIPT(-EAGAIN, -EIO, -EAGAIN, -ENODATA, -ENOSPC);
	answer(RETRY, RETRY);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -ENODATA);
	ck_assert_uint_eq(script.seen_count, 5);
	ck_assert_int_eq(script.seen[0].error, -EAGAIN);
	ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD);
	ck_assert_int_eq(script.seen[1].error, -EIO);
	ck_assert_int_eq(script.seen[2].error, -EIO);
	ck_assert_uint_eq(script.seen[2].kind, ATOMICIO_KIND_BUSY);
	ck_assert_uint_eq(script.seen[2].on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	ck_assert_int_eq(script.seen[4].error, -ENODATA);
	ck_assert_uint_eq(script.seen[4].on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	atomicio_close(file);
}
END_TEST

/* The stock policies, as a table over all kinds, attempts, flags and allowed bits. */
START_TEST(the_default_policy_retries_what_may_pass_then_falls_back_then_fails)
{
	for (uint32_t kind = 0; kind <= ATOMICIO_KIND_BROKEN + 1; kind++) {
		for (uint32_t bits = 0; bits < 4 * 4 * 2; bits++) {
			struct atomicio_failure failure = {
				.size = sizeof(failure),
				.kind = kind,
				.attempt = 1 + bits % 4,
				.flags = bits & 16 ? ATOMICIO_NOWAIT : 0,
				.allowed =
					FAIL | (bits & 4 ? RETRY : 0) | (bits & 8 ? FALLBACK : 0),
			};
			const bool transient = (kind == ATOMICIO_KIND_BUSY &&
						!(failure.flags & ATOMICIO_NOWAIT)) ||
					       ((kind == ATOMICIO_KIND_NOT_DIRECT ||
						 kind == ATOMICIO_KIND_MEDIA) &&
						failure.attempt == 1);
			const uint32_t expected = transient && (failure.allowed & RETRY) ? RETRY
						  : failure.allowed & FALLBACK		 ? FALLBACK
											 : FAIL;

			ck_assert_uint_eq(atomicio_policy_default(NULL, &failure), expected);
			ck_assert_uint_eq(atomicio_policy_strict(NULL, &failure), FAIL);
		}
	}
}
END_TEST

START_TEST(no_policy_means_the_default_one)
{
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_file *file = machine_open(&options);

	DISK_SCRIPT(-ENOTBLK, -ENOTBLK);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	ck_assert_uint_eq(machine_stats(file).retries, 1);
	ck_assert_uint_eq(machine_stats(file).writes_plain, 1);
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
	atomicio_close(file);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_policy_sees_the_whole_failure,
		every_answer_to_every_kind_is_masked_with_what_is_allowed,
		a_write_falls_back_at_most_once_and_shares_its_retries_with_the_fallback,
		no_fallback_leads_on_from_the_fallback,
		what_an_earlier_attempt_may_have_written_is_not_forgotten,
		the_default_policy_retries_what_may_pass_then_falls_back_then_fails,
		no_policy_means_the_default_one,
	};

	return check_run("write_policy", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
