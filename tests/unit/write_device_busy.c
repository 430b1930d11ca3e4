/* SPDX-License-Identifier: MIT */
/*
 * Goal: what is no fault of a write to a raw block device, a reader's page in the cache or a full
 * request queue, neither breaks the handle nor fails a write that could wait.
 * Method: a fake page cache into which readers bring clean pages, and a queue with no room.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "device_machine.h"

START_TEST(readers_pages_are_busy_and_never_broken)
{
	for (int nowait = 0; nowait < 2; nowait++) {
		struct atomicio_file *file;

		device_machine();
		disk.no_nowait = !nowait;
		file = device_open();
		disk.readers = DISK_FOREVER;
		ck_assert_int_eq(device_write(file, 0), -EAGAIN);
		policy_saw(&script, ATOMICIO_KIND_BUSY, -EAGAIN, ATOMICIO_REASON_CACHED_PAGES);
		ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD_OR_NEW);
		ck_assert_uint_le(fake.pwritev2_calls, 16);
		ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_DSYNC, SYS_RWF_DSYNC);
		/* The handle is good: a reader who pauses lets the next write through. */
		disk.readers = 1;
		disk.cached = 0;
		ck_assert_int_eq(device_write(file, 0), 0);
		ck_assert_uint_eq(disk.tearable, 0);
		ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
		atomicio_close(file);
	}
}
END_TEST

/* Four readers at once: this share of the writes leaves a clean page. */
static ssize_t read_beside(int fd, const struct iovec *vector, int count, uint64_t offset,
			   int flags)
{
	static uint32_t random;

	random = random * 1664525u + 1013904223u;
	(void)fd;
	(void)offset;
	if (disk.cached && flags & SYS_RWF_NOWAIT && count)
		return -EAGAIN;
	disk.cached = (random >> 8) % 100 < 85;
	return (ssize_t)vector->iov_len;
}

START_TEST(no_write_beside_four_readers_is_broken)
{
	const struct atomicio_options options = {.retries_max = 8};
	struct atomicio_file *file = machine_open(&options);
	uint32_t done = 0;

	fake.pwritev2 = read_beside;
	for (int i = 0; i < 100000; i++) {
		const int result = device_write(file, i % 2 ? ATOMICIO_DSYNC : 0);

		ck_assert(result == 0 || result == -EAGAIN);
		done += result == 0;
	}
	ck_assert_uint_gt(done, 90000);
	ck_assert_uint_eq(machine_stats(file).failures[ATOMICIO_KIND_BROKEN], 0);
	atomicio_close(file);
}
END_TEST

START_TEST(an_error_after_a_readers_page_leaves_old_or_new)
{
	const int results[] = {0, -ENOSPC};
	struct atomicio_file *file = device_open();

	disk.readers = 1;
	disk.script = results;
	disk.script_left = 2;
	ck_assert_int_eq(device_write(file, 0), -ENOSPC);
	ck_assert_uint_eq(script.seen[0].kind, ATOMICIO_KIND_SPACE);
	ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	atomicio_close(file);
}
END_TEST

START_TEST(a_full_request_queue_is_waited_for_without_rwf_nowait)
{
	struct atomicio_file *file = device_open();

	disk.queue_full = 1;
	ck_assert_int_eq(device_write(file, 0), 0);
	ck_assert_uint_eq(script.seen_count, 0);
	ck_assert_uint_eq(fake.pwritev2_calls, 2);
	ck_assert_int_eq(fake.pwritev2_flags, SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND);
	ck_assert_uint_eq(disk.drops, 0);
	ck_assert_uint_eq(disk.untorn, 1);
	/* A page cached meanwhile is seen, before and after the call. */
	disk.queue_full = 1;
	disk.arrivals = 1;
	ck_assert_int_eq(device_write(file, 0), 0);
	ck_assert_uint_eq(disk.tearable, 1);
	ck_assert_uint_eq(disk.untorn, 2);
	atomicio_close(file);
}
END_TEST

/* The request queue is full, and then a page is cached: only RWF_NOWAIT is allowed. */
static ssize_t full_then_cached(int fd, const struct iovec *vector, int count, uint64_t offset,
				int flags)
{
	(void)fd, (void)vector, (void)count, (void)offset;
	ck_assert(flags & SYS_RWF_NOWAIT);
	disk.drops_needed = DISK_FOREVER;
	if (fake.pwritev2_calls > 1)
		disk.cached = 1;
	return -EAGAIN;
}

static int cached_later(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out)
{
	static uint32_t looks;

	(void)fd, (void)offset, (void)length;
	*out = (struct sys_cachestat){.cache = ++looks > 1};
	return 0;
}

START_TEST(a_page_that_comes_before_the_wait_is_left_to_rwf_nowait)
{
	struct sys_calls calls = *disk_calls;
	struct atomicio_file *file;

	calls.cachestat = cached_later;
	file = device_open();
	file->sys = &calls;
	fake.pwritev2 = full_then_cached;
	ck_assert_int_eq(device_write(file, 0), -EAGAIN);
	policy_saw(&script, ATOMICIO_KIND_BUSY, -EAGAIN, ATOMICIO_REASON_CACHED_PAGES);
	ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD);
	file->sys = disk_calls;
	atomicio_close(file);
}
END_TEST

START_TEST(a_caller_who_would_not_wait_is_told_of_a_full_request_queue)
{
	struct atomicio_file *file = device_open();

	disk.queue_full = 1;
	ck_assert_int_eq(device_write(file, ATOMICIO_NOWAIT), -EAGAIN);
	policy_saw(&script, ATOMICIO_KIND_BUSY, -EAGAIN, 0);
	ck_assert_uint_eq(fake.pwritev2_calls, 1);
	ck_assert_uint_eq(disk.drops, 0);
	atomicio_close(file);
}
END_TEST

START_TEST(a_journal_heals_what_went_through_the_cache)
{
	struct atomicio_journal *journal = machine_journal();
	const struct atomicio_options options = {.policy = policy_scripted,
						 .policy_context = &script,
						 .path = ATOMICIO_PATH_KERNEL,
						 .journal = journal,
						 .file_id = 1};
	struct atomicio_file *file = machine_open(&options);

	script.answers[0] = ATOMICIO_FALLBACK;
	disk.arrivals = DISK_FOREVER;
	ck_assert_int_eq(device_write(file, 0), 0);
	policy_saw(&script, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_CACHED_PAGES);
	ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_UNKNOWN);
	ck_assert_uint_eq(machine_stats(file).writes_journal, 1);
	ck_assert(disk_holds(PAGE, PAGE, NEW));
	disk.arrivals = 0;
	disk.cached = 0;
	ck_assert_int_eq(device_write(file, 0), 0);
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		readers_pages_are_busy_and_never_broken,
		no_write_beside_four_readers_is_broken,
		an_error_after_a_readers_page_leaves_old_or_new,
		a_full_request_queue_is_waited_for_without_rwf_nowait,
		a_page_that_comes_before_the_wait_is_left_to_rwf_nowait,
		a_caller_who_would_not_wait_is_told_of_a_full_request_queue,
		a_journal_heals_what_went_through_the_cache,
	};

	return check_run("write_device_busy", tests, sizeof(tests) / sizeof(tests[0]),
			 device_machine);
}
