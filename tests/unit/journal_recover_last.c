/* SPDX-License-Identifier: MIT */
/*
 * Goal: recovery of a page in the last block below INT64_MAX, which no write of ours makes any more
 * (A41), brings the page home, or fails its file and keeps its frames: nothing is lost in silence.
 * Method: frames put into a log area by hand, as an older version left them; a home in memory that
 * claims to be direct, in blocks of 4 KiB; and a home that answers a write with its length and
 * writes nothing, as XFS does.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "check_run.h"
#include "ring.h"

#define END ((uint64_t)INT64_MAX + 1)
#define AT(n) (JOURNAL_RING_START + (n)*RING_FRAME_LENGTH)

static struct atomicio_journal *journal;
static struct atomicio_recovered_file fates[RING_HOMES + 1];
static bool makes_nothing;

static int claim_direct(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	const int result = sys_linux.statx(fd, path, mask, out);

	out->mask |= SYS_STATX_DIOALIGN;
	out->dio_offset_align = 4096;
	out->dio_mem_align = 512;
	return result;
}

static ssize_t make_nothing(int fd, const struct iovec *vector, int count, uint64_t offset,
			    int flags)
{
	return makes_nothing && count && offset > END / 2
		       ? (ssize_t)vector->iov_len
		       : sys_linux.pwritev2(fd, vector, count, offset, flags);
}

static void setup(void)
{
	ring_make(5);
	ring_sys.statx = claim_direct;
	ring_sys.pwritev2 = make_nothing;
	ring_sys.aio = NULL; /* no write but by that */
	makes_nothing = false;
}

static void report(void *context, const struct atomicio_recovered_file *file)
{
	(void)context;
	fates[file->file_id] = *file;
}

static int recover(void)
{
	const struct atomicio_recover_options options = {.report = report};

	return atomicio_journal_recover(journal, ring_resolve, NULL, &options, sizeof(options),
					NULL, 0);
}

/* Frame 5: file 1; frame 6: file 2, at `last`. */
static void open_with(uint64_t last)
{
	ring_put(ring_frame(5, AT(0)), 1, 0, 0x55);
	ring_put(ring_frame(6, AT(1)), 2, last, 0x66);
	journal = ring_open();
}

/* The last whole block; a page that ends in the last block, and one at the very end. */
static const uint64_t places[] = {END - 8192, END - 4096 - 512, END - 1 - 4096};

START_TEST(a_page_up_to_the_largest_offset_is_brought_home)
{
	open_with(places[_i]);
	ck_assert_int_eq(recover(), 0);
	ck_assert(ring_home_is(2, places[_i], 0x66));
	ck_assert_uint_eq(ring_info(journal).live_frames, 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

START_TEST(a_page_that_is_made_nothing_of_fails_its_file_and_stays_in_the_journal)
{
	makes_nothing = true;
	open_with(places[_i]);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(recover(), -EIO);
		ck_assert_int_eq(fates[2].result, -EIO);
		ck_assert_int_eq(fates[1].result, 0);
		ck_assert(ring_home_is(1, 0, 0x55));
		ck_assert_uint_ge(ring_info(journal).live_frames, 1);
	}
	makes_nothing = false;
	ck_assert_int_eq(recover(), 0);
	ck_assert(ring_home_is(2, places[_i], 0x66));
	ck_assert_uint_eq(ring_info(journal).live_frames, 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

int main(void)
{
	const struct check_loop tests[] = {
		{a_page_up_to_the_largest_offset_is_brought_home, 0, 3},
		{a_page_that_is_made_nothing_of_fails_its_file_and_stays_in_the_journal, 0, 3},
	};

	return check_run_loops("journal_recover_last", tests, sizeof(tests) / sizeof(tests[0]),
			       setup, ring_free);
}
