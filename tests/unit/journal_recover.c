/* SPDX-License-Identifier: MIT */
/*
 * Goal: recovery writes the right pages into the right files, lets one file fail alone, and never
 * hangs because of what its callbacks do.
 *
 * Method: frames put into a ring by hand for up to three files; identities changed, writes made to
 * fail, callbacks that refuse, skip and call back.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_run.h"
#include "ring.h"

#define START JOURNAL_RING_START
#define AT(n) (START + (n)*RING_FRAME_LENGTH)

static struct atomicio_journal *journal;
static struct atomicio_recovered_file fates[RING_HOMES + 1];
static uint32_t asked;

static void setup(void)
{
	ring_make(5);
	memset(fates, 0, sizeof(fates));
	asked = 0;
}

static void report(void *context, const struct atomicio_recovered_file *file)
{
	(void)context;
	ck_assert_uint_le(file->file_id, RING_HOMES);
	fates[file->file_id] = *file;
}

static int recover_with(uint32_t flags, atomicio_choose *choose)
{
	const struct atomicio_recover_options options = {
		.flags = flags, .choose = choose, .report = report};

	return atomicio_journal_recover(journal, ring_resolve, NULL, &options, sizeof(options),
					NULL, 0);
}

/* Frame 5: file 1; frame 6: file 2; frame 7: file 1 again. */
static void three_frames(void)
{
	ring_put(ring_frame(5, AT(0)), 1, 0, 0x55);
	ring_put(ring_frame(6, AT(1)), 2, 0, 0x66);
	ring_put(ring_frame(7, AT(2)), 1, 0, 0x77);
	journal = ring_open();
}

/* K4: field _i of the identity is another. */
START_TEST(another_file_is_left_alone)
{
	static const uint32_t differs[] = {ATOMICIO_DIFFERS_INODE, ATOMICIO_DIFFERS_BIRTH,
					   ATOMICIO_DIFFERS_FILESYSTEM};
	struct journal_identity *then = &ring.now[2];

	/* As if the filesystem kept all of them. */
	if (_i == 0)
		then->inode ^= 1;
	else if (_i == 1)
		then->birth_seconds ^= 1;
	else
		then->fs_uuid[0] ^= 1;
	if (!(then->known & (_i == 0   ? JOURNAL_KNOWS_INODE
			     : _i == 1 ? JOURNAL_KNOWS_BIRTH
				       : JOURNAL_KNOWS_FS))) {
		ring_free();
		_exit(0); /* the kernel does not tell */
	}
	three_frames();
	ck_assert_int_eq(recover_with(0, NULL), -ESTALE);
	ck_assert_int_eq(fates[2].result, -ESTALE);
	ck_assert_uint_eq(fates[2].differs, differs[_i]);
	ck_assert_uint_eq(fates[2].linked, 0); /* the frame holds no other file */
	ck_assert(ring_home_is(2, 0, 0x11));
	/* K7: the other is done. */
	ck_assert_int_eq(fates[1].result, 0);
	ck_assert(ring_home_is(1, 0, 0x77));
	ck_assert_uint_eq(ring_info(journal).state, ATOMICIO_JOURNAL_READY);
	ck_assert_uint_eq(ring_info(journal).live_frames, 3);
	ck_assert_int_eq(recover_with(ATOMICIO_RECOVER_ANY_FILE, NULL), 0);
	ck_assert(ring_home_is(2, 0, 0x66));
	ck_assert_uint_eq(ring_info(journal).state, ATOMICIO_JOURNAL_READY);
	ck_assert_uint_eq(ring_info(journal).live_frames, 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* H3: what was done is not done again, by the next process either. */
START_TEST(a_file_that_is_done_is_never_written_again)
{
	uint8_t newer[4096];

	three_frames();
	ring.bad_home_offset = 0;
	ck_assert_int_eq(recover_with(0, NULL), -ENOSPC);
	ck_assert_int_eq(fates[2].result, -ENOSPC);
	ck_assert(ring_home_is(1, 0, 0x77));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
	memset(newer, 0x99, sizeof(newer));
	ck_assert_int_eq(pwrite(ring.homes[1], newer, sizeof(newer), 0), sizeof(newer));
	ring.bad_home_offset = UINT64_MAX;
	journal = ring_open();
	ck_assert_uint_eq(ring_info(journal).state, ATOMICIO_JOURNAL_UNCLEAN);
	ck_assert_int_eq(recover_with(0, NULL), 0);
	ck_assert(ring_home_is(1, 0, 0x99));
	ck_assert(ring_home_is(2, 0, 0x66));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* Keep 0x66, and see both pages. */
static int keep_one(void *context, const struct atomicio_live_page *page)
{
	const uint8_t *bytes = page->page, *home = page->home;

	(void)context;
	asked++;
	ck_assert_uint_eq(page->length, 4096);
	ck_assert_uint_eq(page->home_length, 4096);
	ck_assert_uint_eq(home[4095], page->sequence == 7 ? 0x55 : 0x11);
	ck_assert_uint_eq(bytes[4095], page->sequence << 4 | page->sequence);
	return page->file_id == 2 ? ATOMICIO_CHOOSE_SKIP : ATOMICIO_CHOOSE_REPLAY;
}

START_TEST(choose_sees_both_pages_and_decides)
{
	three_frames();
	ck_assert_int_eq(recover_with(0, keep_one), 0);
	ck_assert_uint_eq(asked, 3);
	ck_assert(ring_home_is(1, 0, 0x77));
	ck_assert(ring_home_is(2, 0, 0x11));
	ck_assert_uint_eq(fates[2].pages_skipped, 1);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

static int stop(void *context, const struct atomicio_live_page *page)
{
	(void)context;
	(void)page;
	return -EINTR;
}

START_TEST(choose_can_stop_and_all_frames_stay)
{
	three_frames();
	ck_assert_int_eq(recover_with(0, stop), -EINTR);
	ck_assert(ring_home_is(1, 0, 0x11));
	ck_assert_int_eq(recover_with(0, NULL), 0);
	ck_assert(ring_home_is(1, 0, 0x77));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

static int count_pages(void *context, const struct atomicio_live_page *page)
{
	(void)context;
	ck_assert_uint_eq(page->sequence, 5 + asked);
	ck_assert_ptr_null(page->home);
	asked++;
	return 0;
}

START_TEST(walk_shows_every_page_and_writes_nothing)
{
	three_frames();
	ring.writes = 0;
	ck_assert_int_eq(atomicio_journal_walk(journal, count_pages, NULL), 0);
	ck_assert_uint_eq(asked, 3);
	ck_assert_uint_eq(ring.writes, 0);
	ck_assert_int_eq(atomicio_journal_walk(journal, NULL, NULL), -EINVAL);
	ck_assert_int_eq(recover_with(0, NULL), 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

static int call_back(void *context, uint64_t file_id)
{
	struct atomicio_journal_info info;

	(void)context;
	ck_assert_int_eq(atomicio_journal_get_info(journal, &info, sizeof(info)), -EDEADLK);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EDEADLK);
	ck_assert_int_eq(atomicio_journal_forget(journal, 1), -EDEADLK);
	ck_assert_int_eq(atomicio_journal_walk(journal, count_pages, NULL), -EDEADLK);
	ck_assert_int_eq(atomicio_journal_close(journal), -EDEADLK);
	ck_assert_int_eq(atomicio_journal_recover(journal, ring_resolve, NULL, NULL, 0, NULL, 0),
			 -EDEADLK);
	return ring.homes[file_id];
}

START_TEST(a_callback_that_calls_back_gets_an_error_and_no_hang)
{
	three_frames();
	ck_assert_int_eq(atomicio_journal_recover(journal, call_back, NULL, NULL, 0, NULL, 0), 0);
	ck_assert(ring_home_is(1, 0, 0x77));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

static int journal_as_home(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? ring.fd : ring.homes[file_id];
}

START_TEST(the_journal_is_no_home)
{
	three_frames();
	ck_assert_int_eq(atomicio_journal_recover(journal, journal_as_home, NULL, NULL, 0, NULL, 0),
			 -EINVAL);
	ck_assert(ring_home_is(2, 0, 0x66));
	ck_assert_int_eq(recover_with(0, NULL), 0);
	ck_assert(ring_home_is(1, 0, 0x77));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* On a filesystem in memory there is no disk to ask. */
START_TEST(what_the_disk_cannot_be_asked_about_is_unverified)
{
	three_frames();
	ck_assert_int_eq(recover_with(0, NULL), 0);
	ck_assert_uint_eq(fates[1].unverified, 1);
	ck_assert_uint_ne(ring_info(journal).notes & ATOMICIO_JOURNAL_NOTE_VOLATILE, 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

START_TEST(the_newest_version_of_a_page_is_written_and_no_older_one)
{
	struct atomicio_recovery done;

	three_frames();
	ring.writes = 0;
	ck_assert_int_eq(
		atomicio_journal_recover(journal, ring_resolve, NULL, NULL, 0, &done, sizeof(done)),
		0);
	ck_assert(ring_home_is(1, 0, 0x77));
	ck_assert(ring_home_is(2, 0, 0x66));
	ck_assert_uint_eq(done.frames, 3);
	ck_assert_uint_eq(ring.writes, 6); /* two pages; a frame; three of headers */
	ck_assert_uint_eq(done.pages, 3);  /* with the older version */
	ck_assert_uint_eq(done.bytes, (uint64_t)3 * 4096);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

START_TEST(pages_that_overlap_are_written_in_the_order_of_their_frames)
{
	uint8_t bytes[8192];

	ring_put(ring_frame(5, AT(0)), 1, 2048, 0x55);
	ring_put(ring_frame(6, AT(1)), 1, 0, 0x66);
	ring_put(ring_frame(7, AT(2)), 2, 0, 0x77);
	ring_put(ring_frame(8, AT(3)), 2, 2048, 0x88);
	journal = ring_open();
	ck_assert_int_eq(recover_with(0, NULL), 0);
	ck_assert_int_eq(pread(ring.homes[1], bytes, sizeof(bytes), 0), sizeof(bytes));
	ck_assert_uint_eq(bytes[4095], 0x66);
	ck_assert_uint_eq(bytes[4096], 0x55);
	ck_assert_uint_eq(bytes[6143], 0x55);
	ck_assert_uint_eq(bytes[6144], 0x11);
	ck_assert_int_eq(pread(ring.homes[2], bytes, sizeof(bytes), 0), sizeof(bytes));
	ck_assert_uint_eq(bytes[2047], 0x77);
	ck_assert_uint_eq(bytes[2048], 0x88);
	ck_assert_uint_eq(bytes[6143], 0x88);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

static int all_are_one(void *context, uint64_t file_id)
{
	(void)context;
	(void)file_id;
	return ring.homes[3];
}

START_TEST(a_file_with_two_ids_gets_its_pages_in_the_order_of_the_frames)
{
	const struct atomicio_recover_options options = {.flags = ATOMICIO_RECOVER_ANY_FILE};

	ring_put(ring_frame(5, AT(0)), 2, 0, 0x55);
	ring_put(ring_frame(6, AT(1)), 1, 0, 0x66);
	ring_put(ring_frame(7, AT(2)), 1, 4096, 0x77);
	ring_put(ring_frame(8, AT(3)), 2, 4096, 0x88);
	journal = ring_open();
	ck_assert_int_eq(atomicio_journal_recover(journal, all_are_one, NULL, &options,
						  sizeof(options), NULL, 0),
			 0);
	ck_assert(ring_home_is(3, 0, 0x66));
	ck_assert(ring_home_is(3, 4096, 0x88));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* More frames than the window holds: 16 pages, each of them written 16 times. */
START_TEST(many_frames_bring_the_newest_version_of_every_page)
{
	ring_free();
	ring_make_of(1, START + (4u << 20));
	for (uint32_t i = 0; i < 256; i++)
		ring_put(ring_frame(1 + i, AT(i)), 1 + i % 2, (uint64_t)(i % 16) * 4096,
			 (uint8_t)i);
	journal = ring_open();
	ck_assert_int_eq(recover_with(0, NULL), 0);
	for (uint32_t i = 0; i < 16; i++)
		ck_assert(ring_home_is(1 + i % 2, (uint64_t)i * 4096, (uint8_t)(240 + i)));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

int main(void)
{
	const struct check_loop tests[] = {
		{another_file_is_left_alone, 0, 3},
		{a_file_that_is_done_is_never_written_again, 0, 0},
		{choose_sees_both_pages_and_decides, 0, 0},
		{choose_can_stop_and_all_frames_stay, 0, 0},
		{walk_shows_every_page_and_writes_nothing, 0, 0},
		{a_callback_that_calls_back_gets_an_error_and_no_hang, 0, 0},
		{the_journal_is_no_home, 0, 0},
		{what_the_disk_cannot_be_asked_about_is_unverified, 0, 0},
		{the_newest_version_of_a_page_is_written_and_no_older_one, 0, 0},
		{pages_that_overlap_are_written_in_the_order_of_their_frames, 0, 0},
		{a_file_with_two_ids_gets_its_pages_in_the_order_of_the_frames, 0, 0},
		{many_frames_bring_the_newest_version_of_every_page, 0, 0},
	};

	return check_run_loops("journal_recover", tests, sizeof(tests) / sizeof(tests[0]), setup,
			       ring_free);
}
