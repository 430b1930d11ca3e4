/* SPDX-License-Identifier: MIT */
/*
 * Goal: the steps around the one call keep their promises.  Limits are checked before the kernel
 * would cut a write, the PLAIN fallback writes all bytes at the right place or fails, buffers
 * bounce, a poisoned handle stays poisoned, and no sync hides a loss.
 * Method: writes and syncs on the fake disk, looking at its bytes and at the calls made.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check_run.h"
#include "write_machine.h"

static struct policy_script script;

static struct atomicio_file *open_with(uint32_t fallback, uint32_t bounce_max)
{
	const struct atomicio_options options = {.policy = policy_scripted,
						 .policy_context = &script,
						 .fallback = fallback,
						 .bounce_max = bounce_max};

	memset(&script, 0, sizeof(script));
	script.answers[0] = fallback == ATOMICIO_FALLBACK_PLAIN ? ATOMICIO_FALLBACK : ATOMICIO_FAIL;
	script.answers[1] = ATOMICIO_FAIL;
	script.answer_count = 2;
	return machine_open(&options);
}

START_TEST(a_range_that_crosses_the_size_limit_is_refused_before_the_call)
{
	const uint64_t limit = 3 * PAGE;

	for (int step = -1; step <= 1; step++) {
		struct atomicio_file *file;

		write_machine();
		fake.file_size_limit = limit + (uint64_t)(int64_t)(step * 512);
		file = open_with(ATOMICIO_FALLBACK_PLAIN, 0);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 2 * PAGE, 0),
				 step < 0 ? -EFBIG : 0);
		ck_assert_uint_eq(fake.pwritev2_calls, step >= 0);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 3 * PAGE, 0), -EFBIG);
		ck_assert_uint_eq(script.seen[0].reasons, ATOMICIO_REASON_FILE_SIZE_LIMIT);
		ck_assert_uint_eq(script.seen[0].kind, ATOMICIO_KIND_SPACE);
		ck_assert(disk_holds(3 * PAGE, PAGE, DISK_OLD));
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_limit_lowered_later_is_seen_if_there_was_one)
{
	struct atomicio_file *file;

	fake.file_size_limit = 8 * PAGE;
	file = open_with(ATOMICIO_FALLBACK_NONE, 0);
	fake.file_size_limit = PAGE;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, 0), -EFBIG);
	fake.file_size_limit_result = -EPERM;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EPERM);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	atomicio_close(file);
}
END_TEST

static ssize_t nothing_written(int fd, const struct iovec *vector, int count, uint64_t offset,
			       int flags)
{
	(void)fd;
	(void)vector;
	(void)count;
	(void)offset;
	return flags & SYS_RWF_ATOMIC ? -EINVAL : 0;
}

/* On a buffered descriptor it hears of earlier pages, too: a later sync may not say all is well. */
START_TEST(a_durable_plain_write_that_fails_leaves_no_sync_to_succeed)
{
	struct atomicio_file *file;

	fake.getfl_result = O_RDWR;
	file = open_with(ATOMICIO_FALLBACK_PLAIN, 0);
	script.answers[1] = ATOMICIO_FALLBACK;
	script.answers[2] = ATOMICIO_FAIL;
	script.answer_count = 3;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	fake.fdatasync_result = -EIO;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC), -EIO);
	ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_DSYNC, 0);
	ck_assert_uint_eq(script.seen[script.seen_count - 1].allowed, ATOMICIO_FAIL);
	ck_assert_uint_eq(script.seen[script.seen_count - 1].on_disk, ATOMICIO_DISK_UNKNOWN);
	fake.fdatasync_result = 0;
	ck_assert_int_eq(atomicio_sync(file), -ENOTRECOVERABLE);
	atomicio_close(file);
}
END_TEST

START_TEST(a_plain_write_that_gets_nowhere_ends)
{
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_PLAIN, 0);

	fake.pwritev2 = nothing_written;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EIO);
	ck_assert_uint_eq(fake.pwritev2_calls, 2);
	atomicio_close(file);
}
END_TEST

START_TEST(the_plain_fallback_uses_the_descriptor_of_the_caller)
{
	struct atomicio_file *file;
	const struct atomicio_options options = {.flags = ATOMICIO_OPEN_REOPEN_DIRECT,
						 .fallback = ATOMICIO_FALLBACK_PLAIN};

	fake.getfl_result = O_RDWR;
	file = machine_open(&options);
	ck_assert_int_eq(file->fd, 200);
	ck_assert_int_eq(atomicio_write(file, page, 1000, 77, 0), 0);
	ck_assert_int_eq(disk.write_fd, FAKE_FD);
	ck_assert(disk_holds(77, 1000, NEW));
	ck_assert(disk_holds(1077, 1000, DISK_OLD));
	atomicio_close(file);
}
END_TEST

START_TEST(no_plain_write_is_moved_to_the_end_by_o_append)
{
	const struct {
		const char *release;
		int append, result, flags;
	} rows[] = {
		{"6.9.0", O_APPEND, 0, SYS_RWF_NOAPPEND},
		{"6.8.9", O_APPEND, -EOPNOTSUPP, 0},
		{"6.8.9", 0, 0, 0},
		{"7.0.0", O_APPEND, 0, SYS_RWF_NOAPPEND},
		{"5.10.0", O_APPEND, -EOPNOTSUPP, 0},
		{NULL, O_APPEND, -EOPNOTSUPP, 0},
		{NULL, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct atomicio_file *file;

		write_machine();
		fake.statx.attributes = 0;
		fake.release = rows[i].release;
		file = open_with(ATOMICIO_FALLBACK_PLAIN, 0);
		/* O_APPEND may come later: fcntl(2) can set it. */
		fake.getfl_result |= rows[i].append;
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), rows[i].result);
		ck_assert_uint_eq(disk.moved, 0);
		ck_assert(disk_holds(0, PAGE, rows[i].result ? DISK_OLD : NEW));
		if (rows[i].result) /* and reports the error, also for a durable write */
			ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC),
					 rows[i].result);
		for (uint32_t k = 0; k < script.seen_count; k++)
			ck_assert_uint_eq(script.seen[k].on_disk, ATOMICIO_DISK_OLD);
		if (!rows[i].result)
			ck_assert_int_eq(fake.pwritev2_flags, rows[i].flags);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_buffer_bounces_only_if_it_must_and_may)
{
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_NONE, PAGE);
	const void *bounce = file->bounce;

	memset(page, NEW + 1, sizeof(page));
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	ck_assert_ptr_eq(fake.pwritev2_vector.iov_base, page);
	ck_assert_uint_eq(machine_stats(file).bounces, 0);
	memset(page, NEW, sizeof(page));
	ck_assert_int_eq(atomicio_write(file, page + 1, PAGE, 0, 0), 0);
	ck_assert_ptr_eq(fake.pwritev2_vector.iov_base, bounce);
	ck_assert_uint_eq((uintptr_t)bounce % 4096, 0);
	ck_assert_uint_eq(machine_stats(file).bounces, 1);
	ck_assert(disk_holds(0, PAGE, NEW));
	/* Larger than the buffer. */
	ck_assert_int_eq(atomicio_write(file, page + 1, 2 * PAGE, 0, 0), -EINVAL);
	ck_assert_uint_eq(script.seen[0].reasons, ATOMICIO_REASON_MEMORY_UNALIGNED);
	/* The lock of the bounce buffer is not held when the policy is asked. */
	DISK_SCRIPT(-ENOSPC);
	ck_assert_int_eq(atomicio_write(file, page + 1, PAGE, 0, 0), -ENOSPC);
	ck_assert_int_eq(pthread_mutex_trylock(&file->bounce_lock), 0);
	pthread_mutex_unlock(&file->bounce_lock);
	atomicio_close(file);
	machine_is_clean();
}
END_TEST

/* Another thread's write has the buffer. */
START_TEST(a_write_that_may_not_wait_does_not_wait_for_the_bounce_buffer)
{
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_NONE, PAGE);

	ck_assert_int_eq(pthread_mutex_lock(&file->bounce_lock), 0);
	ck_assert_int_eq(atomicio_write(file, page + 1, PAGE, 0, ATOMICIO_NOWAIT), -EAGAIN);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	ck_assert_uint_eq(script.seen[0].kind, ATOMICIO_KIND_BUSY);
	ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD);
	ck_assert_uint_eq(script.seen[0].reasons, 0);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_NOWAIT), 0);
	pthread_mutex_unlock(&file->bounce_lock);
	ck_assert_int_eq(atomicio_write(file, page + 1, PAGE, 0, ATOMICIO_NOWAIT), 0);
	ck_assert_int_eq(pthread_mutex_trylock(&file->bounce_lock), 0);
	pthread_mutex_unlock(&file->bounce_lock);
	atomicio_close(file);
}
END_TEST

START_TEST(a_broken_write_poisons_the_handle_for_good)
{
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_PLAIN, 0);

	DISK_SCRIPT(512);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EIO);
	ck_assert_uint_eq(script.seen[0].allowed, ATOMICIO_FAIL);
	fake.calls = 0;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, 0), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_write(file, page, 100, PAGE, 0), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_sync(file), -ENOTRECOVERABLE);
	ck_assert_uint_eq(atomicio_check(file, page, PAGE, 0), ATOMICIO_REASON_HANDLE_POISONED);
	ck_assert_uint_eq(fake.calls, 0);
	ck_assert_uint_eq(script.seen_count, 1);
	ck_assert_uint_eq(machine_stats(file).writes_failed, 3);
	ck_assert_int_eq(atomicio_close(file), 0);
	/* A new handle starts afresh. */
	file = open_with(ATOMICIO_FALLBACK_NONE, 0);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	atomicio_close(file);
}
END_TEST

START_TEST(a_failed_sync_poisons_whatever_it_says)
{
	for (int error = 1; error < 140; error++) {
		struct atomicio_file *file;

		write_machine();
		file = open_with(ATOMICIO_FALLBACK_NONE, 0);
		fake.fdatasync_result = -error;
		ck_assert_int_eq(atomicio_sync(file), -error);
		fake.fdatasync_result = 0;
		ck_assert_int_eq(atomicio_sync(file), -ENOTRECOVERABLE);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -ENOTRECOVERABLE);
		ck_assert_uint_eq(machine_stats(file).syncs, 1);
		atomicio_close(file);
	}
	ck_assert_int_eq(atomicio_sync(NULL), -EINVAL);
}
END_TEST

/* A kernel that tells of a lost write once, and syncs slowly. */
static _Atomic int losses, syncs_running, syncs_most;

static int slow_sync(int fd)
{
	const int running = ++syncs_running;
	const bool lost = atomic_exchange(&losses, 0);

	(void)fd;
	if (running > syncs_most)
		syncs_most = running;
	usleep(20000);
	syncs_running--;
	return lost ? -EIO : 0;
}

static void *sync_thread(void *file)
{
	return (void *)(intptr_t)atomicio_sync(file);
}

/* Sync from all threads at once; how many were told that all is well. */
static int sync_all(struct atomicio_file *file)
{
	pthread_t threads[8];
	int well = 0;

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sync_thread, file), 0);
	for (int i = 0; i < 8; i++) {
		void *result;

		pthread_join(threads[i], &result);
		well += result == NULL;
	}
	return well;
}

START_TEST(no_thread_that_syncs_at_once_misses_a_loss)
{
	struct sys_calls calls = *disk_calls;
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_NONE, 0);

	calls.fdatasync = slow_sync;
	file->loss.sys = &calls;
	losses = 1;
	ck_assert_int_eq(sync_all(file), 0);
	ck_assert_int_eq(syncs_most, 1);
	atomicio_close(file);
}
END_TEST

START_TEST(threads_that_sync_at_once_share_calls)
{
	struct sys_calls calls = *disk_calls;
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_NONE, 0);

	calls.fdatasync = slow_sync;
	file->loss.sys = &calls;
	ck_assert_int_eq(sync_all(file), 8);
	/* The sync under way, one for later callers, and one or two for stragglers. */
	ck_assert_uint_le(machine_stats(file).syncs, 4);
	/* One after another share nothing. */
	ck_assert_int_eq(atomicio_sync(file), 0);
	ck_assert_int_eq(atomicio_sync(file), 0);
	ck_assert_uint_ge(machine_stats(file).syncs, 3);
	atomicio_close(file);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_range_that_crosses_the_size_limit_is_refused_before_the_call,
		a_limit_lowered_later_is_seen_if_there_was_one,
		a_durable_plain_write_that_fails_leaves_no_sync_to_succeed,
		a_plain_write_that_gets_nowhere_ends,
		the_plain_fallback_uses_the_descriptor_of_the_caller,
		no_plain_write_is_moved_to_the_end_by_o_append,
		a_buffer_bounces_only_if_it_must_and_may,
		a_write_that_may_not_wait_does_not_wait_for_the_bounce_buffer,
		a_broken_write_poisons_the_handle_for_good,
		a_failed_sync_poisons_whatever_it_says,
		no_thread_that_syncs_at_once_misses_a_loss,
		threads_that_sync_at_once_share_calls,
	};

	return check_run("write_attempt", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
