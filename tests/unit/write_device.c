/* SPDX-License-Identifier: MIT */
/*
 * Goal: no success is reported for a write to a raw block device that the kernel may have made
 * through the page cache, and no loop runs for ever.
 * Method: a fake page cache that holds pages, keeps them, or gets them in the middle of a call,
 * with and without a driver that can do RWF_NOWAIT.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "device_machine.h"

START_TEST(a_clean_device_takes_one_untorn_call)
{
	struct atomicio_file *file = device_open();

	ck_assert_int_eq(device_write(file, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(disk.untorn, 1);
	ck_assert_uint_eq(fake.pwritev2_calls, 1);
	ck_assert_int_eq(fake.pwritev2_flags,
			 SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND | SYS_RWF_NOWAIT | SYS_RWF_DSYNC);
	ck_assert(disk_holds(PAGE, PAGE, NEW));
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
	atomicio_close(file);
	machine_is_clean();
}
END_TEST

START_TEST(cached_pages_are_dropped_before_the_write)
{
	for (int nowait = 0; nowait < 2; nowait++) {
		struct atomicio_file *file;

		device_machine();
		disk.no_nowait = !nowait;
		file = device_open();
		disk.cached = 4;
		ck_assert_int_eq(device_write(file, 0), 0);
		ck_assert_uint_eq(disk.untorn, 1);
		ck_assert_uint_eq(disk.tearable, 0);
		ck_assert_uint_eq(disk.write_backs, 1);
		ck_assert_uint_eq(disk.drops, 1);
		ck_assert_uint_eq(script.seen_count, 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(pages_that_cannot_be_dropped_are_busy_and_nothing_is_written)
{
	for (int nowait = 0; nowait < 2; nowait++) {
		struct atomicio_file *file;

		device_machine();
		disk.no_nowait = !nowait;
		file = device_open();
		disk.cached = 1;
		disk.drops_needed = DISK_FOREVER;
		ck_assert_int_eq(device_write(file, 0), -EAGAIN);
		policy_saw(&script, ATOMICIO_KIND_BUSY, -EAGAIN, ATOMICIO_REASON_CACHED_PAGES);
		ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD);
		ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
		ck_assert_uint_le(fake.pwritev2_calls, 16);
		ck_assert_uint_le(fake.calls, 100);
		/* Nothing is lost: without the cached pages the write works. */
		disk.cached = 0;
		ck_assert_int_eq(device_write(file, 0), 0);
		ck_assert_uint_eq(disk.tearable, 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(pages_that_need_many_drops_are_waited_for_within_the_bound)
{
	for (uint32_t drops = 1; drops <= 20; drops++) {
		struct atomicio_file *file;

		device_machine();
		file = device_open();
		disk.cached = 1;
		disk.drops_needed = drops;
		ck_assert_int_eq(device_write(file, 0), drops < 16 ? 0 : -EAGAIN);
		ck_assert_uint_eq(disk.untorn, drops < 16);
		ck_assert_uint_eq(disk.tearable, 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_write_that_went_through_the_cache_is_repeated_until_it_did_not)
{
	for (int nowait = 0; nowait < 2; nowait++) {
		struct atomicio_file *file;

		device_machine();
		disk.no_nowait = !nowait;
		file = device_open();
		disk.arrivals = 1;
		ck_assert_int_eq(device_write(file, 0), 0);
		ck_assert_uint_eq(disk.tearable, 1);
		ck_assert_uint_eq(disk.untorn, 1);
		/* The torn one may still be in the device's cache: the repeat is durable. */
		ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_DSYNC, SYS_RWF_DSYNC);
		ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_write_that_was_only_ever_made_through_the_cache_is_broken)
{
	for (int nowait = 0; nowait < 2; nowait++) {
		struct atomicio_file *file;

		device_machine();
		disk.no_nowait = !nowait;
		file = device_open();
		script.answers[0] = ATOMICIO_RETRY;
		disk.arrivals = DISK_FOREVER;
		ck_assert_int_eq(device_write(file, 0), -EIO);
		policy_saw(&script, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_CACHED_PAGES);
		ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_UNKNOWN);
		ck_assert_uint_le(fake.pwritev2_calls, 16);
		ck_assert_uint_eq(machine_stats(file).writes_hardware, 0);
		disk.arrivals = 0;
		ck_assert_int_eq(device_write(file, 0), -ENOTRECOVERABLE);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(an_error_after_a_doubtful_success_is_broken)
{
	const int errors[] = {-EIO, -ENOSPC, -EINVAL, -EOPNOTSUPP, -EINTR};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const int results[] = {0, errors[i]};
		struct atomicio_file *file;

		device_machine();
		file = device_open();
		disk.arrivals = 1;
		disk.script = results;
		disk.script_left = 2;
		ck_assert_int_eq(device_write(file, 0), -EIO);
		policy_saw(&script, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_CACHED_PAGES);
		ck_assert_uint_eq(disk.tearable, 1);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_short_result_is_broken_and_never_repeated)
{
	struct atomicio_file *file = device_open();

	DISK_SCRIPT(512);
	ck_assert_int_eq(device_write(file, 0), -EIO);
	policy_saw(&script, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_SHORT_WRITE);
	ck_assert_uint_eq(fake.pwritev2_calls, 1);
	atomicio_close(file);
}
END_TEST

START_TEST(nowait_leaves_cached_pages_alone)
{
	struct atomicio_file *file = device_open();

	disk.cached = 1;
	ck_assert_int_eq(device_write(file, ATOMICIO_NOWAIT), -EAGAIN);
	policy_saw(&script, ATOMICIO_KIND_BUSY, -EAGAIN, ATOMICIO_REASON_CACHED_PAGES);
	ck_assert_uint_eq(disk.drops, 0);
	ck_assert_uint_eq(disk.write_backs, 0);
	ck_assert_uint_eq(fake.pwritev2_calls, 1);
	atomicio_close(file);
}
END_TEST

START_TEST(a_look_that_fails_proves_nothing)
{
	struct atomicio_file *file = device_open();

	fake.cachestat_result = -EPERM;
	ck_assert_int_eq(device_write(file, 0), -EIO);
	policy_saw(&script, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_CACHED_PAGES);
	atomicio_close(file);

	/* Without RWF_NOWAIT the look comes first, and so nothing is written. */
	device_machine();
	disk.no_nowait = true;
	file = device_open();
	fake.cachestat_result = -EPERM;
	ck_assert_int_eq(device_write(file, 0), -EOPNOTSUPP);
	policy_saw(&script, ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP, ATOMICIO_REASON_CACHED_PAGES);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	atomicio_close(file);
}
END_TEST

START_TEST(a_kernel_without_cachestat_takes_no_untorn_write)
{
	struct atomicio_file *file;
	struct atomicio_caps caps_now;

	fake.cachestat_result = -ENOSYS;
	file = device_open();
	ck_assert_int_eq(device_write(file, 0), -EOPNOTSUPP);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	ck_assert_int_eq(atomicio_file_get_caps(file, &caps_now, sizeof(caps_now)), 0);
	ck_assert(caps_now.reasons & ATOMICIO_REASON_CACHED_PAGES);
	ck_assert(atomicio_check(file, page, PAGE, 0) & ATOMICIO_REASON_CACHED_PAGES);
	atomicio_close(file);
}
END_TEST

START_TEST(a_kernel_without_cachestat_sends_auto_to_the_journal)
{
	struct atomicio_journal *journal = machine_journal();
	const struct atomicio_options options = {
		.policy = atomicio_policy_strict, .journal = journal, .file_id = 1};
	struct atomicio_file *file;

	fake.cachestat_result = -ENOSYS;
	file = machine_open(&options);
	ck_assert_int_eq(device_write(file, 0), 0);
	ck_assert_uint_eq(machine_stats(file).writes_journal, 1);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	machine_is_clean();
}
END_TEST

START_TEST(the_end_of_the_device_is_a_bound_and_not_a_cut)
{
	struct atomicio_file *file = device_open();

	fake.device_size = 4 * PAGE;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 3 * PAGE, 0), 0);
	fake.pwritev2_calls = 0;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 4 * PAGE, 0), -ENOSPC);
	policy_saw(&script, ATOMICIO_KIND_SPACE, -ENOSPC, ATOMICIO_REASON_DEVICE_END);
	fake.device_size = 4 * PAGE - 512;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 3 * PAGE, 0), -ENOSPC);
	fake.device_size_result = -EIO;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EIO);
	ck_assert_uint_eq(script.seen[2].kind, ATOMICIO_KIND_SPACE);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	atomicio_close(file);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_clean_device_takes_one_untorn_call,
		cached_pages_are_dropped_before_the_write,
		pages_that_cannot_be_dropped_are_busy_and_nothing_is_written,
		pages_that_need_many_drops_are_waited_for_within_the_bound,
		a_write_that_went_through_the_cache_is_repeated_until_it_did_not,
		a_write_that_was_only_ever_made_through_the_cache_is_broken,
		an_error_after_a_doubtful_success_is_broken,
		a_short_result_is_broken_and_never_repeated,
		nowait_leaves_cached_pages_alone,
		a_look_that_fails_proves_nothing,
		a_kernel_without_cachestat_takes_no_untorn_write,
		a_kernel_without_cachestat_sends_auto_to_the_journal,
		the_end_of_the_device_is_a_bound_and_not_a_cut,
	};

	return check_run("write_device", tests, sizeof(tests) / sizeof(tests[0]), device_machine);
}
