/* SPDX-License-Identifier: MIT */
/*
 * Goal: no success is reported for a write that ext4 made through the page cache, whenever its
 * inode became inline or journaled; and a steady write costs two calls.
 * Method: a fake ext4 whose inode flags are set before a write, between look and write, or by
 * nobody, through a handle and through a guest's entries; the fake counts what may tear.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <liburing.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "look_machine.h"
#include "write_machine.h"

START_TEST(a_steady_write_costs_two_calls)
{
	struct atomicio_file *file = open_file();

	for (uint32_t i = 0; i < 4; i++) {
		fake.calls = 0;
		ck_assert_int_eq(write_page(file, i % 2 ? ATOMICIO_DSYNC : 0), 0);
		ck_assert_uint_eq(fake.calls, 2);
		ck_assert_uint_eq(disk.untorn, i + 1);
	}
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 4);
	atomicio_close(file);
	machine_is_clean();
}
END_TEST

START_TEST(the_first_write_to_a_file_without_blocks_is_made_twice_and_then_durably)
{
	/* One block may hold the attributes. */
	for (uint64_t blocks = 0; blocks <= 16; blocks += 8) {
		struct atomicio_file *file;

		ext4();
		disk_is_ext4(blocks);
		file = open_file();
		ck_assert_int_eq(write_page(file, 0), 0);
		ck_assert_uint_eq(disk.untorn, blocks < 16 ? 2 : 1);
		ck_assert_int_eq(!!(fake.pwritev2_flags & SYS_RWF_DSYNC), blocks < 16);
		fake.calls = 0;
		ck_assert_int_eq(write_page(file, 0), 0);
		ck_assert_uint_eq(fake.calls, 2);
		ck_assert_uint_eq(machine_stats(file).writes_hardware, 2);
		ck_assert_uint_eq(script.seen_count, 0);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_flag_that_is_seen_before_the_write_leaves_the_old_page)
{
	struct atomicio_file *file;

	disk_is_ext4(0);
	file = open_file();
	fake.inode_flags = SYS_INODE_INLINE_DATA;
	ck_assert_int_eq(write_page(file, 0), -EOPNOTSUPP);
	saw(ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP, ATOMICIO_REASON_DATA_JOURNALED,
	    ATOMICIO_DISK_OLD);
	fake.inode_flags = SYS_INODE_JOURNAL_DATA;
	ck_assert_int_eq(write_page(file, ATOMICIO_DSYNC), -EOPNOTSUPP);
	ck_assert_uint_eq(fake.pwritev2_calls, 0);
	fake.inode_flags = 0;
	ck_assert_int_eq(write_page(file, 0), 0);
	ck_assert_uint_eq(disk.tearable, 0);
	atomicio_close(file);
}
END_TEST

START_TEST(journaled_data_between_look_and_write_is_broken_and_never_done)
{
	for (uint32_t flags = 0; flags <= ATOMICIO_DSYNC; flags++) {
		struct atomicio_file *file;

		ext4();
		file = open_file();
		ck_assert_int_eq(write_page(file, flags), 0);
		disk.spoil = SYS_INODE_JOURNAL_DATA;
		ck_assert_int_eq(write_page(file, flags), -EIO);
		saw(ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_DATA_JOURNALED,
		    ATOMICIO_DISK_UNKNOWN);
		ck_assert_uint_eq(disk.tearable, 1);
		ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
		ck_assert_int_eq(write_page(file, flags), -ENOTRECOVERABLE);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(a_journal_heals_what_a_look_after_found_and_nothing_is_poisoned)
{
	struct atomicio_file *file;

	journal = machine_journal();
	file = open_file();
	script.answers[0] = ATOMICIO_FALLBACK;
	disk.spoil = SYS_INODE_JOURNAL_DATA;
	ck_assert_int_eq(write_page(file, 0), 0);
	ck_assert(script.seen[0].allowed & ATOMICIO_FALLBACK);
	saw(ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_DATA_JOURNALED, ATOMICIO_DISK_UNKNOWN);
	ck_assert_uint_eq(machine_stats(file).writes_journal, 1);
	/* The next is refused before it is made, and goes to the journal with the old page. */
	ck_assert_int_eq(write_page(file, 0), 0);
	saw(ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP, ATOMICIO_REASON_DATA_JOURNALED,
	    ATOMICIO_DISK_OLD);
	/* The flag gone, the hardware takes over again. */
	fake.inode_flags = 0;
	ck_assert_int_eq(write_page(file, 0), 0);
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
	/* If the policy declines the journal, the handle is broken. */
	script.answers[0] = ATOMICIO_FAIL;
	disk.spoil = SYS_INODE_JOURNAL_DATA;
	ck_assert_int_eq(write_page(file, 0), -EIO);
	ck_assert_int_eq(write_page(file, 0), -ENOTRECOVERABLE);
	atomicio_close(file);
	atomicio_journal_close(journal);
}
END_TEST

START_TEST(inline_data_between_look_and_write_is_repeated_until_it_is_none)
{
	for (int late = 0; late < 2; late++) {
		struct atomicio_file *file;

		ext4();
		disk_is_ext4(0);
		disk.converts_late = late;
		file = open_file();
		disk.spoil = SYS_INODE_INLINE_DATA;
		ck_assert_int_eq(write_page(file, 0), 0);
		ck_assert_uint_eq(disk.tearable, 1);
		ck_assert_uint_gt(disk.untorn, 0);
		ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_DSYNC, SYS_RWF_DSYNC);
		ck_assert_uint_eq(machine_stats(file).writes_hardware, 1);
		ck_assert_uint_eq(disk.write_backs, (uint32_t)late);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(xfs_needs_no_looks)
{
	struct atomicio_file *file;

	write_machine();
	fake.inode_flags_result = -EPERM;
	file = open_file();
	ck_assert_int_eq(write_page(file, 0), 0);
	ck_assert_uint_eq(fake.calls, 1);
	atomicio_close(file);
}
END_TEST

static struct atomicio_request request;
static struct io_uring_sqe entry;

static int prep(struct atomicio_file *file)
{
	return atomicio_uring_prep(&request, file, &entry, page, PAGE, FAR, 0);
}

/* The kernel takes the entry. */
static int complete(void)
{
	const struct iovec vector = {.iov_base = page, .iov_len = entry.len};

	return atomicio_uring_done(&request,
				   (int32_t)disk_calls->pwritev2(entry.fd, &vector, 1, entry.off,
								 (int)entry.rw_flags));
}

START_TEST(a_guests_write_is_looked_at_like_any_other)
{
	struct atomicio_file *file;

	memset(&request, 0, sizeof(request));
	disk_is_ext4(0);
	file = open_file();
	/* Inline before the first: refused, with the old page there. */
	fake.inode_flags = SYS_INODE_INLINE_DATA;
	ck_assert_int_eq(prep(file), -EOPNOTSUPP);
	fake.inode_flags = 0;
	/* The first twice, in two entries. */
	ck_assert_int_eq(prep(file), 0);
	ck_assert_int_eq(complete(), ATOMICIO_AGAIN_SQE);
	ck_assert_int_eq(prep(file), 0);
	ck_assert_int_eq((int)entry.rw_flags & SYS_RWF_DSYNC, SYS_RWF_DSYNC);
	ck_assert_int_eq(complete(), 0);
	ck_assert_int_eq(prep(file), 0);
	ck_assert_int_eq(complete(), 0);
	ck_assert_uint_eq(machine_stats(file).writes_hardware, 2);
	ck_assert_int_eq(prep(file), 0);
	disk.spoil = SYS_INODE_JOURNAL_DATA;
	ck_assert_int_eq(complete(), -EIO);
	ck_assert_int_eq(prep(file), -ENOTRECOVERABLE);
	atomicio_close(file);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_steady_write_costs_two_calls,
		the_first_write_to_a_file_without_blocks_is_made_twice_and_then_durably,
		a_flag_that_is_seen_before_the_write_leaves_the_old_page,
		journaled_data_between_look_and_write_is_broken_and_never_done,
		a_journal_heals_what_a_look_after_found_and_nothing_is_poisoned,
		inline_data_between_look_and_write_is_repeated_until_it_is_none,
		xfs_needs_no_looks,
		a_guests_write_is_looked_at_like_any_other,
	};

	return check_run("write_look", tests, sizeof(tests) / sizeof(tests[0]), ext4);
}
