/* SPDX-License-Identifier: MIT */
/*
 * Goal: any system call of a scenario may fail.  No success is reported without all bytes on the
 * disk, policy and caller receive the true state of the disk, outputs of failed calls are
 * untouched, and nothing leaks.
 * Method: run each scenario undisturbed and count the calls; then run once for every call and every
 * errno, and fail the call.  Errors of kind MEDIA are run twice: the failing write is not made, or
 * is made all the same.  With a journal the next start is played too: open the journal, recover,
 * and only then look at the page, unless the write returned success.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "fault_machine.h"
#include "write_machine.h"

START_TEST(a_hardware_write_survives_every_failure)
{
	const struct scenario it = {.name = "hardware", .length = PAGE, .flags = ATOMICIO_DSYNC};

	fail_every_call(&it, 20);
}
END_TEST

START_TEST(a_filesystem_write_survives_every_failure)
{
	const struct scenario it = {.name = "filesystem", .length = 131072};

	fail_every_call(&it, 20);
}
END_TEST

START_TEST(a_bounced_write_survives_every_failure)
{
	const struct scenario it = {.name = "bounce",
				    .length = PAGE,
				    .offset_in_buffer = 1,
				    .options = {.bounce_max = PAGE}};

	fail_every_call(&it, 20);
}
END_TEST

static void limited(void)
{
	fake.file_size_limit = DISK_BYTES;
}

START_TEST(a_write_below_a_size_limit_survives_every_failure)
{
	const struct scenario it = {.name = "limited", .machine = limited, .length = PAGE};

	fail_every_call(&it, 20);
}
END_TEST

static void buffered(void)
{
	fake.getfl_result = O_RDWR;
}

START_TEST(a_reopened_write_survives_every_failure)
{
	const struct scenario it = {.name = "reopened",
				    .machine = buffered,
				    .length = PAGE,
				    .options = {.flags = ATOMICIO_OPEN_REOPEN_DIRECT,
						.fallback = ATOMICIO_FALLBACK_PLAIN}};

	fail_every_call(&it, 40);
}
END_TEST

START_TEST(a_plain_fallback_survives_every_failure)
{
	const struct scenario it = {.name = "plain",
				    .length = PAGE + 512,
				    .options = {.fallback = ATOMICIO_FALLBACK_PLAIN}};

	fail_every_call(&it, 20);
}
END_TEST

START_TEST(a_journaled_write_survives_every_failure)
{
	struct scenario it = {.name = "journal",
			      .length = PAGE,
			      .journal = true,
			      .options = {.file_id = 1, .path = ATOMICIO_PATH_JOURNAL}};

	fail_every_call(&it, 20);
	it.options.path = ATOMICIO_PATH_AUTO;
	it.length = PAGE + 512;
	fail_every_call(&it, 20);
	it.machine = buffered;
	it.length = 12345;
	fail_every_call(&it, 20);
}
END_TEST

START_TEST(a_hardware_write_with_a_journal_behind_it_survives_every_failure)
{
	const struct scenario it = {
		.name = "both", .length = PAGE, .journal = true, .options = {.file_id = 1}};

	fail_every_call(&it, 20);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_hardware_write_survives_every_failure,
		a_filesystem_write_survives_every_failure,
		a_bounced_write_survives_every_failure,
		a_write_below_a_size_limit_survives_every_failure,
		a_reopened_write_survives_every_failure,
		a_plain_fallback_survives_every_failure,
		a_journaled_write_survives_every_failure,
		a_hardware_write_with_a_journal_behind_it_survives_every_failure,
	};

	return check_run("write_faults", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
