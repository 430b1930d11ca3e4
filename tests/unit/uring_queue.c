/* SPDX-License-Identifier: MIT */
/*
 * Goal: a batch through a queue ends with every op's own result and its bytes on the disk, for any
 * order of completions, and is made durable with the fewest calls.
 * Method: an io_uring and disks in memory; every consumed entry is checked.  Failures of the
 * io_uring itself are in uring_ring.c.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "queue_machine.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

START_TEST(create_checks_its_arguments)
{
	struct atomicio_queue *none = NULL;

	ck_assert_int_eq(atomicio_queue_create(0, &none), -EINVAL);
	ck_assert_int_eq(atomicio_queue_create(4097, &none), -EINVAL);
	ck_assert_int_eq(atomicio_queue_create(1, NULL), -EFAULT);
	ck_assert_ptr_null(none);
	make_queue(4096);
	atomicio_queue_destroy(queue);
	make_queue(1);
	ck_assert_int_eq(atomicio_queue_get_stats(NULL, NULL, 0), -EFAULT);
	ck_assert_int_eq(atomicio_queue_get_stats(queue, &(struct atomicio_queue_stats){0}, 47),
			 -EINVAL);
	atomicio_queue_destroy(queue);
	atomicio_queue_destroy(NULL);
	ck_assert_uint_eq(fake.allocated, 0);
	ck_assert_uint_eq(fake_ring.created, fake_ring.destroyed);
}
END_TEST

START_TEST(create_gives_errors_that_the_caller_can_mend_and_leaks_nothing)
{
	const int errors[] = {-EMFILE, -ENFILE};

	for (size_t i = 0; i < 2; i++) {
		fake_ring.create_result = errors[i];
		ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, 8, &queue),
				 errors[i]);
	}
	fake_ring.create_result = 0;
	fake.fail_at = fake.calls + 1;
	fake.fail_error = -ENOMEM;
	ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, 8, &queue), -ENOMEM);
	ck_assert_ptr_null(queue);
	ck_assert_uint_eq(fake.allocated, 0);
}
END_TEST

START_TEST(without_io_uring_the_queue_works_through_pwritev2_and_says_so)
{
	const int errors[] = {-ENOSYS, -EPERM, -ENOMEM, -EACCES};
	struct atomicio_file *files[2] = {open_with(0, ATOMICIO_FAIL, 0),
					  open_with(1, ATOMICIO_FAIL, 0)};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake_ring.create_result = errors[i];
		fake_ring.plain_calls = fake_ring.fdatasyncs = fake_ring.with_dsync = 0;
		memset(fake_disk_bytes, 0, sizeof(fake_disk_bytes));
		make_queue(4);
		put_all(files, 2, 16);
		ck_assert_int_eq(atomicio_write_batch(queue, ops, 16, ATOMICIO_DSYNC), 0);
		check_all(2, 16);
		ck_assert_uint_eq(fake_ring.plain_calls, 16);
		ck_assert_uint_eq(fake_ring.fdatasyncs, 2);
		ck_assert_uint_eq(fake_ring.with_dsync, 0);
		ck_assert_int_eq(queue_stats().ring_error, errors[i]);
		ck_assert_uint_eq(queue_stats().submissions, 0);
		atomicio_queue_destroy(queue);
	}
	ck_assert_uint_eq(fake_ring.enters, 0);
	ck_assert_uint_eq(fake_stats(files[0]).writes_hardware, 8 * 4);
}
END_TEST

START_TEST(every_op_gets_its_own_result_and_bytes_in_any_order_of_completion)
{
	const uint32_t depths[] = {1, 2, 3, 7, 32, 256};
	struct atomicio_file *files[4];

	for (uint32_t i = 0; i < 4; i++)
		files[i] = open_with(i * 1, ATOMICIO_FAIL, 0);
	for (uint32_t seed = 0; seed < 6; seed++) {
		for (size_t d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
			const uint32_t count = seed % 2 ? 61 : 64;

			fake_ring.seed = seed;
			fake_ring.in_flight_max = 0;
			memset(fake_disk_bytes, 0, sizeof(fake_disk_bytes));
			make_queue(depths[d]);
			put_all(files, 4, count);
			ck_assert_int_eq(atomicio_write_batch(queue, ops, count, 0), 0);
			check_all(4, count);
			ck_assert_uint_eq(fake_ring.in_flight_max,
					  depths[d] < count ? depths[d] : count);
			ck_assert_uint_eq(queue_stats().submissions, count);
			ck_assert_uint_eq(queue_stats().ops, count);
			ck_assert_uint_eq(queue_stats().batches, 1);
			ck_assert_uint_eq(queue_stats().waits, fake_ring.enters);
			fake_ring.enters = 0;
			atomicio_queue_destroy(queue);
		}
	}
	ck_assert_uint_eq(fake_ring.without_flag, 0);
	ck_assert_uint_eq(fake_ring.plain_calls, 0);
	ck_assert_uint_eq(fake_ring.in_flight, 0);
	ck_assert_uint_eq(fake_ring.created, fake_ring.destroyed);
}
END_TEST

/* A write at offset 4096 * n fails if n is a multiple of 3, each with an error of its own. */
static int64_t thirds_fail(const struct io_uring_sqe *sqe, uint32_t number)
{
	(void)number;
	return sqe->off / 4096 % 3 ? (int64_t)sqe->len : -(int64_t)(200 + sqe->off / 4096);
}

START_TEST(failed_ops_fail_alone_and_the_first_by_index_is_returned)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_FAIL, 0);

	fake_ring.seed = 5;
	fake_ring.result = thirds_fail;
	make_queue(4);
	put_all(&file, 1, 16);
	ops[1].length = 12288; /* a shape that no kernel takes */
	ops[2].buffer = NULL;
	ops[4].offset = 1;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 16, 0), -200);
	for (uint32_t i = 0; i < 16; i++) {
		if (i == 1 || i == 2 || i == 4)
			ck_assert_int_eq(ops[i].result, -EINVAL);
		else if (i % 3 == 0)
			ck_assert_int_eq(ops[i].result, -(int)(200 + i));
		else
			ck_assert(ops[i].result == 0 && fake_disk_holds(0, i * 4096, 4096, i + 1));
		if (ops[i].result)
			ck_assert(fake_disk_holds(0, i * 4096, 4096, 0));
	}
	ck_assert_uint_eq(fake_stats(file).writes_failed, 6 + 3);
	ck_assert_uint_eq(fake_stats(file).writes_hardware, 7);
	ck_assert_uint_eq(policy.seen, 8);
}
END_TEST

START_TEST(batch_that_is_misused_touches_no_result)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_FAIL, 0);

	make_queue(4);
	put_all(&file, 1, 4);
	ck_assert_int_eq(atomicio_write_batch(queue, NULL, 4, 0), -EINVAL);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 0, 0), -EINVAL);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, 0x20), -EINVAL);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, ATOMICIO_ALL_OR_NONE), -EOPNOTSUPP);
	ops[3].file = NULL;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, 0), -EINVAL);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_int_eq(ops[i].result, 12345);
	/* And the queue is free again. */
	put_all(&file, 1, 4);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, 0), 0);
}
END_TEST

START_TEST(unaligned_buffer_is_bounced_through_pwritev2)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_FAIL, 0);

	make_queue(4);
	put_all(&file, 1, 8);
	ops[3].buffer = (const char *)fake_page(4) + 4;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 8, 0), 0);
	check_all(1, 8);
	ck_assert_uint_eq(fake_ring.plain_calls, 1);
	ck_assert_uint_eq(fake_stats(file).bounces, 1);
	ck_assert_uint_eq(queue_stats().submissions, 7);
}
END_TEST

/* Else every later error would be taken for the loss of a page (L7 of loss.h). */
START_TEST(after_a_durable_batch_no_write_waits_for_a_flush)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_FAIL, 0);

	make_queue(4);
	for (uint32_t count = 1; count <= 8; count += 7) {
		put_all(&file, 1, count);
		ck_assert_int_eq(atomicio_write_batch(queue, ops, count, ATOMICIO_DSYNC), 0);
		ck_assert_uint_eq(file->loss.unsynced, 0);
	}
	put_all(&file, 1, 8);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 8, 0), 0);
	ck_assert_uint_eq(file->loss.unsynced, 1);
}
END_TEST

/* The first three submissions of each write at an odd page are BUSY. */
static int64_t busy_first(const struct io_uring_sqe *sqe, uint32_t number)
{
	static uint32_t seen[FAKE_DISKS][FAKE_DISK_SIZE / 4096];
	uint32_t *times = &seen[sqe->fd - FAKE_FD][sqe->off / 4096];

	(void)number;
	return sqe->off / 4096 % 2 && (*times)++ < 3 ? -EAGAIN : (int64_t)sqe->len;
}

START_TEST(busy_ops_are_submitted_again)
{
	struct atomicio_file *files[2] = {open_with(0, ATOMICIO_RETRY, 0),
					  open_with(1, ATOMICIO_RETRY, 0)};

	fake_ring.seed = 3;
	fake_ring.result = busy_first;
	make_queue(4);
	put_all(files, 2, 32);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 32, 0), 0);
	check_all(2, 32);
	ck_assert_uint_eq(queue_stats().submissions, 32 + 3 * 16);
	ck_assert_uint_eq(fake_stats(files[0]).retries + fake_stats(files[1]).retries, 48);
	/* A thread that waits anyway may wait for the write-back. */
	ck_assert_uint_eq(fake_ring.write_backs, 48);
	ck_assert_uint_eq(fake_ring.started_write_backs, 0);
}
END_TEST

/* A call of pwritev2, which has no user_data, cannot be cancelled. */
static int64_t odd_are_cancelled(const struct io_uring_sqe *sqe, uint32_t number)
{
	(void)number;
	return sqe->user_data && sqe->off / 4096 % 2 ? -ECANCELED : (int64_t)sqe->len;
}

/* The kernel could not make a worker for them; the strict policy is never asked. */
START_TEST(cancelled_ops_go_through_pwritev2)
{
	struct atomicio_file *files[2] = {open_with(0, ATOMICIO_FAIL, 0),
					  open_with(1, ATOMICIO_FAIL, 0)};

	fake_ring.result = odd_are_cancelled;
	make_queue(4);
	put_all(files, 2, 16);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 16, ATOMICIO_DSYNC), 0);
	check_all(2, 16);
	ck_assert_uint_eq(queue_stats().submissions, 16);
	ck_assert_uint_eq(fake_ring.plain_calls, 8);
	ck_assert_uint_eq(fake_ring.fdatasyncs, 2);
	ck_assert_uint_eq(fake_ring.without_flag, 0);
	ck_assert_int_eq(queue_stats().ring_error, 0);
	ck_assert_uint_eq(fake_stats(files[0]).failures[ATOMICIO_KIND_BUSY], 0);
	ck_assert_uint_eq(fake_stats(files[0]).writes_hardware, 8);
	atomicio_queue_destroy(queue);
}
END_TEST

START_TEST(fallback_is_made_and_counted)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_FALLBACK, ATOMICIO_FALLBACK_PLAIN);

	fake_ring.result = ring_cannot;
	make_queue(4);
	put_all(&file, 1, 8);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 8, ATOMICIO_DSYNC), 0);
	check_all(1, 8);
	ck_assert_uint_eq(fake_stats(file).writes_plain, 8);
	ck_assert_uint_eq(fake_stats(file).writes_hardware, 0);
	ck_assert_uint_eq(fake_stats(file).fallbacks, 8);
	/* The policy was told what was asked for, and the plain writes were synced too. */
	ck_assert_uint_eq(policy.last.flags, ATOMICIO_DSYNC);
	ck_assert_uint_eq(fake_ring.fdatasyncs, 1);
}
END_TEST

static int64_t second_is_short(const struct io_uring_sqe *sqe, uint32_t number)
{
	return number == 2 ? 512 : (int64_t)sqe->len;
}

START_TEST(nothing_is_submitted_through_a_poisoned_handle)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_RETRY, ATOMICIO_FALLBACK_PLAIN);

	make_queue(1);
	put_all(&file, 1, 4);
	fake_ring.numbered = 0;
	fake_ring.result = second_is_short;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, 0), -EIO);
	ck_assert_int_eq(ops[0].result, 0);
	ck_assert_int_eq(ops[1].result, -EIO);
	ck_assert_int_eq(ops[2].result, -ENOTRECOVERABLE);
	ck_assert_int_eq(ops[3].result, -ENOTRECOVERABLE);
	ck_assert_uint_eq(fake_ring.consumed, 2);
}
END_TEST

START_TEST(doubtful_device_write_is_repeated_in_the_ring)
{
	struct atomicio_file *file;

	fake.statx.mode = S_IFBLK | 0600;
	file = open_with(0, ATOMICIO_FAIL, 0);
	make_queue(4);
	put_all(&file, 1, 1);
	fake_ring.cached_for = 1;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 1, 0), 0);
	check_all(1, 1);
	ck_assert_uint_eq(queue_stats().submissions, 2);
	ck_assert_int_eq(fake_ring.last.rw_flags,
			 SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND | SYS_RWF_NOWAIT | SYS_RWF_DSYNC);
	/* A reader's page only means busy; a dirty page may mean a torn write. */
	fake_ring.cached_for = 1000;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 1, 0), -EAGAIN);
	ck_assert_uint_eq(policy.last.on_disk, ATOMICIO_DISK_OLD_OR_NEW);
	fake_ring.cached_for = 1000;
	fake_ring.dirty = true;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 1, 0), -EIO);
	ck_assert_uint_eq(policy.last.kind, ATOMICIO_KIND_BROKEN);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		create_checks_its_arguments,
		create_gives_errors_that_the_caller_can_mend_and_leaks_nothing,
		without_io_uring_the_queue_works_through_pwritev2_and_says_so,
		every_op_gets_its_own_result_and_bytes_in_any_order_of_completion,
		failed_ops_fail_alone_and_the_first_by_index_is_returned,
		batch_that_is_misused_touches_no_result,
		unaligned_buffer_is_bounced_through_pwritev2,
		after_a_durable_batch_no_write_waits_for_a_flush,
		busy_ops_are_submitted_again,
		cancelled_ops_go_through_pwritev2,
		fallback_is_made_and_counted,
		nothing_is_submitted_through_a_poisoned_handle,
		doubtful_device_write_is_repeated_in_the_ring,
	};

	return check_run("uring_queue", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
