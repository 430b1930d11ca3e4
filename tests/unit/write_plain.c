/* SPDX-License-Identifier: MIT */
/*
 * Goal: no page is torn because of a buffer that cannot be read, by the PLAIN fallback, on a raw
 * disk or on XFS; and what PLAIN reports as durable is.
 * Method: the fake disk, on which a buffer is not readable, or a filesystem does not keep
 * RWF_DSYNC.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

static struct policy_script script;

static struct atomicio_file *open_with(uint32_t fallback)
{
	const struct atomicio_options options = {
		.policy = policy_scripted, .policy_context = &script, .fallback = fallback};

	memset(&script, 0, sizeof(script));
	script.answers[0] = fallback == ATOMICIO_FALLBACK_PLAIN ? ATOMICIO_FALLBACK : ATOMICIO_FAIL;
	script.answers[1] = ATOMICIO_FAIL;
	script.answer_count = 2;
	return machine_open(&options);
}

/* A half-mapped buffer, with each answer of a kernel; the last kernel has no such advice. */
START_TEST(a_buffer_that_cannot_be_read_is_refused_before_a_plain_write_could_tear)
{
	const int errors[] = {-EFAULT, -ENOMEM, -EINVAL, -EHWPOISON, -EINVAL};

	for (int i = 0; i < 5; i++) {
		struct atomicio_file *file;

		write_machine();
		file = open_with(ATOMICIO_FALLBACK_PLAIN);
		fake.populate_result = errors[i];
		fake.populate_known = i == 4 ? -EINVAL : 0;
		DISK_SCRIPT(-EINVAL);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), i == 4 ? 0 : -EFAULT);
		ck_assert_uint_eq(disk.plain, i == 4);
		if (i < 4) {
			ck_assert_uint_eq(script.seen[1].kind, ATOMICIO_KIND_UNSUPPORTED);
			ck_assert_uint_eq(script.seen[1].allowed, ATOMICIO_FAIL);
		}
		ck_assert_int_eq(atomicio_sync(file), 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_buffer_that_cannot_be_read_never_reaches_a_raw_disk)
{
	struct atomicio_file *file;

	disk_is_device();
	file = open_with(ATOMICIO_FALLBACK_NONE);
	fake.populate_result = -ENOMEM;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC), -EFAULT);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	ck_assert_uint_eq(script.seen[0].on_disk, ATOMICIO_DISK_OLD);
	ck_assert_int_eq(atomicio_sync(file), 0);
	atomicio_close(file);
}
END_TEST

/* XFS writes a part where the buffer ends inside a block: asked only where that can be. */
START_TEST(a_buffer_that_may_end_inside_a_block_is_asked_before_the_write)
{
	const struct {
		uint32_t block, misalign;
		int asked;
	} rows[] = {
		{4096, 0, 0},	{4096, 512, 1}, {4096, 2048, 1}, {1024, 1024, 0},
		{1024, 512, 1}, {8192, 0, 1},	{16384, 0, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct atomicio_file *file;

		write_machine();
		fake.statx.atomic_write_unit_min = rows[i].block;
		file = open_with(ATOMICIO_FALLBACK_NONE);
		ck_assert_uint_eq(file->limits.unit_min, rows[i].block);
		ck_assert_int_eq(atomicio_write(file, page + rows[i].misalign, PAGE, 0, 0), 0);
		ck_assert_int_eq((int)fake.calls, 1 + rows[i].asked);
		fake.pwritev2_calls = 0;
		fake.populate_result = -ENOMEM;
		ck_assert_int_eq(atomicio_write(file, page + rows[i].misalign, PAGE, 0, 0),
				 rows[i].asked ? -EFAULT : 0);
		ck_assert_uint_eq(fake.pwritev2_calls, !rows[i].asked);
		ck_assert_int_eq(atomicio_sync(file), 0);
		atomicio_close(file);
	}
}
END_TEST

static ssize_t refuse_unaligned(int fd, const struct iovec *vector, int count, uint64_t offset,
				int flags)
{
	(void)fd;
	(void)count;
	if (flags & SYS_RWF_ATOMIC || (uintptr_t)vector->iov_base % 512 || offset % 512)
		return -EINVAL;
	return (ssize_t)vector->iov_len;
}

/* A direct descriptor accepts the write through a copy, or is not asked. */
START_TEST(a_plain_write_bounces_as_the_untorn_one_does)
{
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN,
						 .bounce_max = PAGE};
	struct atomicio_file *file;

	for (int told = 0; told < 2; told++) {
		write_machine();
		if (!told)
			fake.statx.mask &= ~SYS_STATX_DIOALIGN;
		file = machine_open(&options);
		fake.pwritev2 = refuse_unaligned;
		ck_assert_int_eq(atomicio_write(file, page + 1, PAGE, 0, 0), 0);
		ck_assert_uint_eq(machine_stats(file).writes_plain, 1);
		ck_assert_uint_ge(machine_stats(file).bounces, 1);
		ck_assert_int_eq(pthread_mutex_trylock(&file->bounce_lock), 0);
		pthread_mutex_unlock(&file->bounce_lock);
		/* Larger than the bounce buffer: the kernel, which would refuse, is not asked. */
		fake.pwritev2_calls = 0;
		ck_assert_int_eq(atomicio_write(file, page + 1, PAGE + 512, 0, 0), -EINVAL);
		ck_assert_uint_eq(fake.pwritev2_calls, !told);
		atomicio_close(file);
		machine_is_clean();
	}
}
END_TEST

START_TEST(a_shape_that_a_direct_plain_write_cannot_have_leaves_the_old_page)
{
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_PLAIN);

	ck_assert_int_eq(atomicio_write(file, page, PAGE - 1, 1, ATOMICIO_DSYNC), -EINVAL);
	ck_assert_uint_eq(script.seen[1].path, ATOMICIO_PATH_PLAIN);
	ck_assert_uint_eq(script.seen[1].kind, ATOMICIO_KIND_SHAPE);
	ck_assert_uint_eq(script.seen[1].on_disk, ATOMICIO_DISK_OLD);
	ck_assert_uint_eq(script.seen[1].reasons,
			  ATOMICIO_REASON_LENGTH_UNALIGNED | ATOMICIO_REASON_OFFSET_UNALIGNED);
	ck_assert_uint_eq(script.seen[1].allowed, ATOMICIO_FAIL);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	atomicio_close(file);

	/* ext4 writes it through the page cache; and a descriptor may have become buffered. */
	for (int i = 0; i < 2; i++) {
		write_machine();
		fake.fs_magic = i ? SYS_MAGIC_XFS : SYS_MAGIC_EXT4;
		file = open_with(ATOMICIO_FALLBACK_PLAIN);
		fake.getfl_result = i ? O_RDWR : O_RDWR | O_DIRECT;
		ck_assert_int_eq(atomicio_write(file, page, PAGE - 1, 1, 0), 0);
		atomicio_close(file);
	}
}
END_TEST

/* Half a page with EAGAIN would be worse than a wait. */
START_TEST(a_plain_write_blocks_whatever_was_asked_for)
{
	for (int durable = 0; durable < 2; durable++) {
		struct atomicio_file *file;

		write_machine();
		file = open_with(ATOMICIO_FALLBACK_PLAIN);
		/* No hardware takes it. */
		ck_assert_int_eq(atomicio_write(file, page, PAGE + 512, 0,
						ATOMICIO_NOWAIT | (durable ? ATOMICIO_DSYNC : 0)),
				 0);
		ck_assert_uint_eq(disk.plain, 1);
		ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_NOWAIT, 0);
		ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_DSYNC, durable ? SYS_RWF_DSYNC : 0);
		atomicio_close(file);
	}
}
END_TEST

/* FUSE passes the flag on, and its server may drop the flag. */
START_TEST(a_durable_plain_write_is_synced_where_the_flag_is_not_known_to_be_kept)
{
	const uint32_t magics[] = {0x58465342u, 0xef53u,     0x9123683eu, 0x65735546u,
				   0x01021997u, 0x794c7630u, 0x12345678u};

	for (int i = 0; i < 14; i++) {
		const bool keeps = i % 7 < 3, by_descriptor = i >= 7;
		struct atomicio_file *file;

		write_machine();
		fake.fs_magic = magics[i % 7];
		if (by_descriptor)
			fake.getfl_result |= O_DSYNC;
		file = open_with(ATOMICIO_FALLBACK_PLAIN);
		/* No hardware takes it. */
		ck_assert_int_eq(atomicio_write(file, page, PAGE + 512, 0,
						by_descriptor ? 0 : ATOMICIO_DSYNC),
				 0);
		ck_assert_uint_eq(disk.plain, 1);
		ck_assert_int_eq(disk.syncs == 0, keeps);
		atomicio_close(file);
	}
}
END_TEST

/* With the two descriptions of a reopened file: the plain one's loss is the handle's. */
START_TEST(a_plain_write_that_is_told_of_a_lost_page_poisons)
{
	for (int error = 1; error < 134; error++) {
		struct atomicio_file *file;

		if (error == ECANCELED)
			continue;
		write_machine();
		file = open_with(ATOMICIO_FALLBACK_PLAIN);
		disk_lose(-error);
		/* No hardware for this length: the plain write is the first call. */
		ck_assert_int_eq(atomicio_write(file, page, PAGE + 512, 0, ATOMICIO_DSYNC), -error);
		ck_assert(write_is_poisoned(file));
		ck_assert_uint_eq(script.seen[1].allowed, ATOMICIO_FAIL);
		ck_assert_uint_eq(script.seen[1].on_disk, ATOMICIO_DISK_UNKNOWN);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(the_plain_fallback_goes_on_after_short_writes)
{
	const uint64_t pieces[] = {1, 511, 512, 4096, PAGE - 1};

	for (size_t i = 0; i < 5; i++) {
		struct atomicio_file *file;

		write_machine();
		memset(page + PAGE / 2, NEW + 1, PAGE / 2);
		file = open_with(ATOMICIO_FALLBACK_PLAIN);
		disk.piece_max = pieces[i];
		DISK_SCRIPT(-EINVAL);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC), 0);
		ck_assert_uint_eq(disk.plain, (PAGE + pieces[i] - 1) / pieces[i]);
		ck_assert_mem_eq(disk.bytes[0] + PAGE, page, PAGE);
		ck_assert(disk_holds(0, PAGE, DISK_OLD));
		ck_assert(disk_holds(2 * PAGE, PAGE, DISK_OLD));
		/* No call of the write has the flag. */
		ck_assert_int_eq(fake.pwritev2_flags, SYS_RWF_NOAPPEND | SYS_RWF_DSYNC);
		ck_assert_uint_eq(machine_stats(file).writes_plain, 1);
		ck_assert_uint_eq(machine_stats(file).bytes, PAGE);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_plain_write_that_stops_leaves_the_range_unknown)
{
	struct atomicio_file *file = open_with(ATOMICIO_FALLBACK_PLAIN);

	disk.piece_max = 4096;
	DISK_SCRIPT(-ENOTBLK, 0, 0, -ENOSPC);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -ENOSPC);
	ck_assert_uint_eq(script.seen[1].path, ATOMICIO_PATH_PLAIN);
	ck_assert_uint_eq(script.seen[1].on_disk, ATOMICIO_DISK_UNKNOWN);
	ck_assert_uint_eq(script.seen[1].allowed & ATOMICIO_FALLBACK, 0);
	ck_assert_uint_eq(machine_stats(file).writes_plain, 0);
	atomicio_close(file);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_buffer_that_cannot_be_read_is_refused_before_a_plain_write_could_tear,
		a_buffer_that_cannot_be_read_never_reaches_a_raw_disk,
		a_buffer_that_may_end_inside_a_block_is_asked_before_the_write,
		a_plain_write_bounces_as_the_untorn_one_does,
		a_shape_that_a_direct_plain_write_cannot_have_leaves_the_old_page,
		a_plain_write_blocks_whatever_was_asked_for,
		a_durable_plain_write_is_synced_where_the_flag_is_not_known_to_be_kept,
		a_plain_write_that_is_told_of_a_lost_page_poisons,
		the_plain_fallback_goes_on_after_short_writes,
		a_plain_write_that_stops_leaves_the_range_unknown,
	};

	return check_run("write_plain", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
