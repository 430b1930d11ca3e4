/* SPDX-License-Identifier: MIT */
/*
 * Goal: with ATOMICIO_DSYNC all that a batch calls done is durable, by as few calls as will do.
 * Method: a ring and disks in memory; every flag and every fdatasync is counted.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "queue_machine.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

static int64_t second_is_short(const struct io_uring_sqe *sqe, uint32_t number)
{
	return number == 2 ? 512 : (int64_t)sqe->len;
}

START_TEST(one_durable_write_a_file_carries_dsync)
{
	struct atomicio_file *files[3];

	for (uint32_t i = 0; i < 3; i++)
		files[i] = open_with(i, ATOMICIO_FAIL, 0);
	make_queue(8);
	put_all(files, 3, 3);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 3, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(fake_ring.with_dsync, 3);
	ck_assert_uint_eq(fake_ring.fdatasyncs, 0);
	/* The third file has one write, the others have two. */
	put_all(files, 3, 5);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 5, ATOMICIO_DSYNC), 0);
	check_all(3, 5);
	ck_assert_uint_eq(fake_ring.with_dsync, 4);
	ck_assert_uint_eq(fake_ring.fdatasyncs, 2);
	ck_assert_uint_eq(queue_stats().syncs, 2);
	/* Not asked for: neither. */
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 5, 0), 0);
	ck_assert_uint_eq(fake_ring.with_dsync, 4);
	ck_assert_uint_eq(fake_ring.fdatasyncs, 2);
	ck_assert_uint_eq(fake_stats(files[0]).writes_hardware, 5);
}
END_TEST

START_TEST(files_beyond_the_list_are_durable_too)
{
	static struct atomicio_file *files[FAKE_DISKS];

	for (uint32_t i = 0; i < FAKE_DISKS; i++)
		files[i] = open_with(i, ATOMICIO_FAIL, 0);
	make_queue(16);
	put_all(files, FAKE_DISKS, 2 * FAKE_DISKS);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 2 * FAKE_DISKS, ATOMICIO_DSYNC), 0);
	check_all(FAKE_DISKS, 2 * FAKE_DISKS);
	ck_assert_uint_eq(fake_ring.fdatasyncs, QUEUE_FILES_MAX);
	ck_assert_uint_eq(fake_ring.with_dsync, 2 * (FAKE_DISKS - QUEUE_FILES_MAX));
}
END_TEST

START_TEST(failed_sync_fails_all_ops_of_its_file_and_poisons_it)
{
	struct atomicio_file *files[2] = {open_with(0, ATOMICIO_FAIL, 0),
					  open_with(1, ATOMICIO_FAIL, 0)};

	fake_ring.fdatasync_at = 2;
	fake_ring.fdatasync_error = -EIO;
	make_queue(4);
	put_all(files, 2, 8);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 8, ATOMICIO_DSYNC), -EIO);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(ops[i].result, i % 2 ? -EIO : 0);
	ck_assert_uint_eq(fake_stats(files[0]).writes_hardware, 4);
	ck_assert_uint_eq(fake_stats(files[1]).writes_hardware, 0);
	ck_assert_uint_eq(fake_stats(files[1]).writes_failed, 4);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 8, ATOMICIO_DSYNC), -ENOTRECOVERABLE);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(ops[i].result, i % 2 ? -ENOTRECOVERABLE : 0);
}
END_TEST

START_TEST(file_of_only_failed_ops_is_not_synced)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_FAIL, 0);

	fake_ring.result = ring_cannot;
	make_queue(4);
	put_all(&file, 1, 4);
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, ATOMICIO_DSYNC), -EOPNOTSUPP);
	ck_assert_uint_eq(fake_ring.fdatasyncs, 0);
}
END_TEST

START_TEST(torn_op_poisons_its_handle_and_the_rest_is_not_called_durable)
{
	struct atomicio_file *file = open_with(0, ATOMICIO_RETRY, ATOMICIO_FALLBACK_PLAIN);

	make_queue(1);
	put_all(&file, 1, 4);
	fake_ring.numbered = 0;
	fake_ring.result = second_is_short;
	ck_assert_int_eq(atomicio_write_batch(queue, ops, 4, ATOMICIO_DSYNC), -ENOTRECOVERABLE);
	ck_assert_int_eq(ops[1].result, -EIO);
	ck_assert_int_eq(ops[0].result, -ENOTRECOVERABLE);
	ck_assert_int_eq(ops[3].result, -ENOTRECOVERABLE);
	ck_assert_uint_eq(fake_stats(file).writes_hardware, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_durable_write_a_file_carries_dsync,
		files_beyond_the_list_are_durable_too,
		failed_sync_fails_all_ops_of_its_file_and_poisons_it,
		file_of_only_failed_ops_is_not_synced,
		torn_op_poisons_its_handle_and_the_rest_is_not_called_durable,
	};

	return check_run("uring_durable", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
