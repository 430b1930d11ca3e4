/* SPDX-License-Identifier: MIT */
/*
 * Goal: open finds the frames that are live, and says of a journal what is true: clean, live,
 * corrupt, or not readable where it matters.
 *
 * Method: frames put into a ring by hand; blocks damaged, or made unreadable; reads counted.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_run.h"
#include "journal_crc.h"
#include "ring.h"

#define START JOURNAL_RING_START
#define AT(n) (START + (n)*RING_FRAME_LENGTH)

static void setup(void)
{
	ring_make(5);
}

static uint32_t state_of(struct atomicio_journal *journal)
{
	return ring_info(journal).state;
}

static uint64_t found(const struct atomicio_journal *journal)
{
	return journal->scan.count;
}

static void recovered(struct atomicio_journal *journal)
{
	ck_assert_int_eq(atomicio_journal_recover(journal, ring_resolve, NULL, NULL, 0, NULL, 0),
			 0);
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_READY);
}

/* K3 */
START_TEST(a_clean_journal_is_opened_with_few_reads_whatever_its_size)
{
	const struct atomicio_journal_options options = {.size = 64u << 20};
	const int fd = memfd_create("large", 0);
	struct atomicio_journal *journal;

	ck_assert_int_eq(journal_create(&ring_sys, fd, &options, sizeof(options)), 0);
	close(ring.fd);
	ring.fd = fd;
	ring.reads = ring.writes = 0;
	journal = ring_open();
	ck_assert_uint_le(ring.reads, 8);
	ck_assert_uint_eq(ring.writes, 0);
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_READY);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

START_TEST(an_unclean_ring_is_read_once_and_open_writes_nothing)
{
	struct atomicio_journal *journal;

	for (uint32_t i = 0; i < 8; i++)
		ring_put(ring_frame(5 + i, AT(i)), 1, 0, (uint8_t)(0x20 + i));
	journal = ring_open();
	ck_assert_uint_eq(ring.writes, 0);
	/* Two headers, and a ring of one piece. */
	ck_assert_uint_le(ring.reads, 4);
	ck_assert_uint_eq(found(journal), 8);
	recovered(journal);
	ck_assert(ring_home_is(1, 0, 0x27));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
	ring.reads = 0;
	journal = ring_open();
	ck_assert_uint_le(ring.reads, 8);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* K1 */
START_TEST(a_frame_inside_of_a_frame_is_not_looked_at)
{
	static uint8_t block[JOURNAL_BLOCK];
	struct journal_frame outer = ring_frame(5, START);
	struct atomicio_journal *journal;

	/* As a format without the escape would have it: a whole frame in the page of another. */
	ring_put(ring_frame(6, AT(0) + JOURNAL_BLOCK), 2, 0, 0x66);
	ck_assert_int_eq(pread(ring.fd, block, sizeof(block), AT(0) + JOURNAL_BLOCK),
			 sizeof(block));
	ring_put(outer, 1, 0, 0x55);
	{
		struct journal_entry entry = {.length = JOURNAL_BLOCK};
		static uint8_t bytes[RING_FRAME_LENGTH];
		uint8_t row[JOURNAL_FILE_SIZE];

		memcpy(bytes + JOURNAL_BLOCK, block, sizeof(block));
		entry.crc = journal_crc32c(0, block, sizeof(block));
		journal_encode_file(row, &ring.now[1]);
		journal_put_row(bytes, 0, row);
		journal_put_entry(bytes, 1, 0, &entry);
		journal_encode_frame(bytes, ring.id, &outer);
		ring_poke(START, bytes, sizeof(bytes));
	}
	journal = ring_open();
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_UNCLEAN);
	ck_assert_uint_eq(found(journal), 1);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* K2, H4: copy _i is damaged, or unreadable. */
START_TEST(one_damaged_header_is_harmless_and_told)
{
	static uint8_t copies[2 * JOURNAL_BLOCK];
	const uint64_t at = (uint64_t)(_i % 2) * JOURNAL_BLOCK;
	struct atomicio_journal *journal;

	ring_put(ring_frame(5, START), 1, 0, 0x55);
	if (_i < 2) {
		ring_poke(at + 100, "x", 1);
	} else {
		ring.bad_start = at;
		ring.bad_end = at + JOURNAL_BLOCK;
	}
	journal = ring_open();
	ck_assert_uint_eq(ring_info(journal).notes & 3u, _i % 2 ? 2u : 1u);
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_UNCLEAN);
	recovered(journal);
	ck_assert(ring_home_is(1, 0, 0x55));
	ring.bad_end = 0;
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
	/* H1: equal when at rest. */
	ck_assert_int_eq(pread(ring.fd, copies, sizeof(copies), 0), sizeof(copies));
	ck_assert_mem_eq(copies, copies + JOURNAL_BLOCK, JOURNAL_BLOCK);
	journal = ring_open();
	ck_assert_uint_eq(ring_info(journal).notes & 3u, 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* N1 */
START_TEST(a_missing_number_that_was_never_durable_is_void)
{
	struct journal_frame frame = ring_frame(7, AT(1));
	struct atomicio_journal *journal;

	ring_put(ring_frame(5, AT(0)), 1, 0, 0x55);
	frame.durable_to = 6; /* 6 was under way when 7 was made */
	ring_put(frame, 1, 4096, 0x77);
	journal = ring_open();
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_UNCLEAN);
	recovered(journal);
	ck_assert(ring_home_is(1, 0, 0x55));
	ck_assert(ring_home_is(1, 4096, 0x77));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

START_TEST(a_missing_number_that_was_durable_is_corruption)
{
	struct atomicio_journal *journal;

	ring_put(ring_frame(5, AT(0)), 1, 0, 0x55);
	ring_put(ring_frame(7, AT(2)), 1, 4096, 0x77); /* durable_to 7 */
	journal = ring_open();
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_CORRUPT);
	ck_assert_uint_eq(ring_info(journal).corrupt_offset, AT(1));
	ck_assert_int_eq(atomicio_journal_recover(journal, ring_resolve, NULL, NULL, 0, NULL, 0),
			 -EBADMSG);
	ck_assert(ring_home_is(1, 0, 0x11));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

START_TEST(a_missing_number_that_a_frame_names_is_void)
{
	struct journal_frame frame = ring_frame(8, AT(1));
	struct atomicio_journal *journal;

	ring_put(ring_frame(5, AT(0)), 1, 0, 0x55);
	frame.void_first = 6;
	frame.void_count = _i ? 2 : 1; /* 7 too, or not */
	ring_put(frame, 1, 4096, 0x88);
	journal = ring_open();
	ck_assert_uint_eq(state_of(journal),
			  _i ? ATOMICIO_JOURNAL_UNCLEAN : ATOMICIO_JOURNAL_CORRUPT);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* The header of a torn frame proves the frames before it. */
START_TEST(a_torn_frame_shows_that_the_one_before_it_is_lost)
{
	struct atomicio_journal *journal;

	ring_put(ring_frame(5, AT(0)), 1, 0, 0x55);
	ring_put(ring_frame(6, AT(1)), 1, 0, 0x66);
	ring_poke(AT(0) + 5000, "x", 1);
	ring_poke(AT(1) + 5000, "x", 1);
	journal = ring_open();
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_CORRUPT);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* N2 */
START_TEST(a_chain_without_its_last_frame_is_skipped)
{
	struct journal_frame frame;
	struct atomicio_journal *journal;

	for (uint32_t i = 0; i < 2; i++) {
		frame = ring_frame(5 + i, AT(i));
		frame.chain_first = 5;
		frame.chain_index = i;
		frame.durable_to = 5;
		frame.flags = JOURNAL_CHAIN | (_i && i == 1 ? JOURNAL_LAST : 0);
		ring_put(frame, 1, i * 4096, 0x55);
	}
	ring_put(ring_frame(7, AT(2)), 1, 8192, 0x77);
	journal = ring_open();
	recovered(journal);
	ck_assert(ring_home_is(1, 0, _i ? 0x55 : 0x11));
	ck_assert(ring_home_is(1, 4096, _i ? 0x55 : 0x11));
	ck_assert(ring_home_is(1, 8192, 0x77));
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* H4: no frame can hide between two consecutive frames. */
START_TEST(what_cannot_be_read_matters_only_where_a_frame_may_hide)
{
	const struct atomicio_recover_options consent = {.flags = ATOMICIO_RECOVER_UNREADABLE};
	struct atomicio_journal *journal;
	struct atomicio_recovery done;
	int error;

	ring_put(ring_frame(5, AT(0)), 1, 0, 0x55);
	ring_put(ring_frame(6, AT(2)), 1, 0, 0x66);
	ring.bad_start = _i ? AT(3) : AT(1);
	ring.bad_end = ring.bad_start + 512;
	journal = ring_open();
	ck_assert_uint_ne(ring_info(journal).notes & ATOMICIO_JOURNAL_NOTE_UNREADABLE, 0);
	ck_assert_uint_eq(ring_info(journal).unreadable, 1);
	ck_assert_uint_eq(state_of(journal),
			  _i ? ATOMICIO_JOURNAL_TAIL_UNREADABLE : ATOMICIO_JOURNAL_UNCLEAN);
	error = atomicio_journal_recover(journal, ring_resolve, NULL, NULL, 0, NULL, 0);
	ck_assert_int_eq(error, _i ? -EIO : 0);
	ck_assert(ring_home_is(1, 0, _i ? 0x11 : 0x66));
	if (_i) {
		ck_assert_int_eq(atomicio_journal_recover(journal, ring_resolve, NULL, &consent,
							  sizeof(consent), &done, sizeof(done)),
				 0);
		ck_assert_uint_eq(done.unreadable, 1);
		ck_assert(ring_home_is(1, 0, 0x66));
	}
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

/* Frames in frames, all but their last byte right: nobody is kept busy for ever. */
START_TEST(numbers_that_run_backwards_are_corruption)
{
	struct atomicio_journal *journal;

	ring_put(ring_frame(6, AT(0)), 1, 0, 0x66);
	ring_put(ring_frame(5, AT(1)), 1, 0, 0x55);
	journal = ring_open();
	ck_assert_uint_eq(state_of(journal), ATOMICIO_JOURNAL_CORRUPT);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
}
END_TEST

int main(void)
{
	const struct check_loop tests[] = {
		{a_clean_journal_is_opened_with_few_reads_whatever_its_size, 0, 0},
		{an_unclean_ring_is_read_once_and_open_writes_nothing, 0, 0},
		{a_frame_inside_of_a_frame_is_not_looked_at, 0, 0},
		{one_damaged_header_is_harmless_and_told, 0, 4},
		{a_missing_number_that_was_never_durable_is_void, 0, 0},
		{a_missing_number_that_was_durable_is_corruption, 0, 0},
		{a_missing_number_that_a_frame_names_is_void, 0, 2},
		{a_torn_frame_shows_that_the_one_before_it_is_lost, 0, 0},
		{a_chain_without_its_last_frame_is_skipped, 0, 2},
		{what_cannot_be_read_matters_only_where_a_frame_may_hide, 0, 2},
		{numbers_that_run_backwards_are_corruption, 0, 0},
	};

	return check_run_loops("journal_scan", tests, sizeof(tests) / sizeof(tests[0]), setup,
			       ring_free);
}
