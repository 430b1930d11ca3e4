/* SPDX-License-Identifier: MIT */
/*
 * Goal: with ATOMICIO_BEHIND a write returns when its frame is durable; its page is home when
 * somebody asks for it, in the order of the frames, and an error of the way home is told by settle,
 * sync and close.
 * Method: single pages and groups through the fake disk, whose AIO ends when it is told to.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>

#include "behind_machine.h"
#include "check_run.h"
#include "homes_machine.h"
#include "journal_internal.h"
#include "libatomicio/uring.h"
#include "write_entry.h"

START_TEST(the_write_returns_before_its_page_is_home)
{
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	ck_assert_uint_eq(fake_aio.in_air, 1);
	ck_assert(is_home(1, DISK_OLD));
	memset(page, 9, PAGE); /* the buffer is the caller's again (BH3) */
	fake_aio.slow = 2;
	ck_assert_int_eq(atomicio_settle(file, PAGE, 1), 0);
	ck_assert(is_home(1, 7));
	ck_assert_uint_eq(fake_aio.in_air, 0);
	stop();
}
END_TEST

START_TEST(settle_waits_for_its_range_alone)
{
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	ck_assert_int_eq(atomicio_settle(file, 2 * PAGE, PAGE), 0);
	ck_assert_int_eq(atomicio_settle(file, 0, PAGE), 0);
	ck_assert_int_eq(atomicio_settle(file, 2 * PAGE, 0), 0);
	ck_assert_uint_eq(fake_aio.in_air, 1);
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
	ck_assert(is_home(1, 7));
	ck_assert_int_eq(atomicio_settle(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(atomicio_settle(file, UINT64_MAX, 1), -EINVAL);
	ck_assert_int_eq(atomicio_settle(file, 1, INT64_MAX), -EINVAL);
	stop();
}
END_TEST

START_TEST(sync_checkpoint_and_close_wait_for_all)
{
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	fake_aio.slow = 2;
	disk.syncs = 0;
	ck_assert_int_eq(atomicio_sync(file), 0);
	ck_assert(is_home(1, 7));
	ck_assert_uint_eq(disk.syncs, 1);
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(2, 8, ATOMICIO_BEHIND), 0);
	fake_aio.slow = 2;
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert(is_home(2, 8));
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(3, 9, ATOMICIO_BEHIND), 0);
	fake_aio.slow = 2;
	ck_assert_int_eq(atomicio_close(file), 0);
	ck_assert(is_home(3, 9));
	file = NULL;
	atomicio_journal_close(journal);
	journal = NULL;
	machine_is_clean();
}
END_TEST

/* J8: the second frame is not even made before the first page is home. */
START_TEST(pages_that_overlap_go_home_in_order)
{
	for (int i = 1; i < 20; i++) {
		fake_aio.slow = (uint32_t)i % 3;
		ck_assert_int_eq(put(1, i, ATOMICIO_BEHIND), 0);
		ck_assert_uint_le(fake_aio.in_air, 2); /* and perhaps a sync */
		if (i > 1)
			ck_assert(is_home(1, i - 1) || is_home(1, i));
	}
	ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
	ck_assert(is_home(1, 19));
	stop();
}
END_TEST

/* BH4: neighbours in one page of the cache, written direct and buffered at the same time. */
START_TEST(nothing_is_left_behind_beside_a_buffered_handle_of_the_file)
{
	struct atomicio_options options = {
		.journal = journal, .file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_file *buffered;

	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	ck_assert_uint_eq(fake_aio.in_air, 1);
	fake_aio.slow = 2;
	fake.getfl_result = O_RDWR;
	buffered = machine_open(&options);
	fake.getfl_result = O_RDWR | O_DIRECT;
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert(is_home(1, 7));
	fake_aio.slow = FAKE_AIO_NEVER;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(put(2, i, ATOMICIO_BEHIND), 0);
		ck_assert_uint_eq(fake_aio.in_air, 0);
		ck_assert(is_home(2, i));
	}
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_close(buffered), 0);
	stop();
}
END_TEST

/* Two direct handles are no reason. */
START_TEST(pages_are_left_behind_beside_another_direct_handle)
{
	struct atomicio_options options = {
		.journal = journal, .file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_file *other;

	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	other = machine_open(&options);
	ck_assert_uint_eq(fake_aio.in_air, 1);
	ck_assert_int_eq(put(2, 8, ATOMICIO_BEHIND), 0);
	ck_assert_uint_eq(fake_aio.in_air, 2);
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_close(other), 0);
	stop();
}
END_TEST

/* Nobody but the ring's loop may ever come to look whether the page is home. */
START_TEST(a_write_in_a_ring_over_the_page_is_taken_when_it_is_home)
{
	static struct atomicio_request request;
	struct io_uring_sqe entry;

	memset(&request, 0, sizeof(request));
	ck_assert_int_eq(atomicio_uring_begin(journal, 2, -1), 0);
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(atomicio_uring_prep(&request, file, &entry, page, PAGE, PAGE, 0),
				 -EAGAIN);
	ck_assert(is_home(1, DISK_OLD));
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_uring_prep(&request, file, &entry, page, PAGE, PAGE, 0), 0);
	ck_assert(is_home(1, 7));
	ck_assert_int_eq(atomicio_uring_done(&request, -ECANCELED), -ECANCELED);
	stop();
}
END_TEST

/* Memory: one frame per stage, and then a writer waits. */
START_TEST(what_is_left_behind_is_bounded)
{
	struct atomicio_journal_info info;
	uint64_t memory;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &info, sizeof(info)), 0);
	memory = info.memory;
	for (uint32_t i = 0; i < 200; i++) {
		fake_aio.slow = 3;
		ck_assert_int_eq(put(i % 16, (int)(i % 100), ATOMICIO_BEHIND), 0);
		ck_assert_uint_le(fake_aio.in_air,
				  JOURNAL_STAGES + 1); /* and a request of retirement */
	}
	ck_assert_int_eq(atomicio_journal_get_info(journal, &info, sizeof(info)), 0);
	ck_assert_uint_le(info.memory, memory * JOURNAL_STAGES / JOURNAL_STAGES_FIRST);
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
	for (uint32_t i = 184; i < 200; i++)
		ck_assert(is_home(i % 16, (int)(i % 100)));
	stop();
}
END_TEST

/* BH1 */
START_TEST(where_it_cannot_be_had_the_page_is_home_on_return)
{
	start(O_RDWR); /* buffered */
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	ck_assert(is_home(1, 7));
	ck_assert_uint_eq(fake_aio.submits, 0);
	ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
	stop();
	direct();
	fake_aio.setup_result = -ENOSYS;
	for (int i = 1; i < 4; i++) {
		ck_assert_int_eq(put(1, i, ATOMICIO_BEHIND), 0);
		ck_assert(is_home(1, i));
	}
	ck_assert_uint_eq(fake_aio.setups, 1);
	stop();
	direct();
	fake_aio.submit_once = -EAGAIN;
	ck_assert_int_eq(put(1, 7, ATOMICIO_BEHIND), 0);
	ck_assert(is_home(1, 7));
	stop();
}
END_TEST

START_TEST(a_group_goes_home_behind_its_call)
{
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(write_group_by(NULL, ATOMICIO_ALL_OR_NONE | ATOMICIO_BEHIND), 0);
	ck_assert_uint_eq(fake_aio.in_air, 3); /* its runs */
	ck_assert(disk_holds(0, DISK_BYTES, DISK_OLD));
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_settle(file, 0, 0), 0);
	all_home();
	/* Submit accepts only a part. */
	fake_aio.most = 1;
	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(write_group_by(NULL, ATOMICIO_BEHIND), 0);
	ck_assert_uint_eq(fake_aio.in_air, 3);
	fake_aio.slow = 0;
	ck_assert_int_eq(atomicio_sync(file), 0);
	all_home();
	stop();
}
END_TEST

/* J3: who writes past the journal waits for the page, or it would land over his. */
START_TEST(a_write_past_the_journal_waits_for_the_page)
{
	const struct atomicio_options options = {
		.file_id = 1, .journal = journal, .path = ATOMICIO_PATH_KERNEL};
	struct atomicio_file *other;

	fake_aio.slow = FAKE_AIO_NEVER;
	ck_assert_int_eq(put(0, 7, ATOMICIO_BEHIND), 0);
	fake_claim(4096, 262144, 65536);
	other = machine_open(&options);
	fake_aio.slow = 3;
	memset(page, 9, PAGE);
	ck_assert_int_eq(atomicio_write(other, page, PAGE, 0, ATOMICIO_DSYNC), 0);
	ck_assert_uint_ge(disk.untorn, 1);
	ck_assert(is_home(0, 9));
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_int_eq(atomicio_close(other), 0);
	stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_write_returns_before_its_page_is_home,
		settle_waits_for_its_range_alone,
		sync_checkpoint_and_close_wait_for_all,
		pages_that_overlap_go_home_in_order,
		nothing_is_left_behind_beside_a_buffered_handle_of_the_file,
		pages_are_left_behind_beside_another_direct_handle,
		a_write_in_a_ring_over_the_page_is_taken_when_it_is_home,
		what_is_left_behind_is_bounded,
		where_it_cannot_be_had_the_page_is_home_on_return,
		a_group_goes_home_behind_its_call,
		a_write_past_the_journal_waits_for_the_page,
	};

	return check_run("journal_behind", tests, sizeof(tests) / sizeof(tests[0]), direct);
}
