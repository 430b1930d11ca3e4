/* SPDX-License-Identifier: MIT */
/*
 * Goal: a frame is decoded as it was encoded, every bad field is refused, and arbitrary bytes are
 * safe.
 *
 * Method: one good frame; one field is changed at a time, its checksum put
 * right again, to both sides of its bound.  Random blocks are decoded at the end of a page with
 * nothing readable behind it.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "check_run.h"
#include "journal_crc.h"
#include "journal_format.h"
#include "journal_sample.h"

#define CRC_OF_FRAME 40u

static uint8_t frame_bytes[FRAME_MAX];
static struct journal_frame good_frame;

static void seal_frame(void)
{
	put32(frame_bytes + CRC_OF_FRAME, 0);
	put32(frame_bytes + CRC_OF_FRAME, journal_crc32c(0, frame_bytes, good_frame.header_length));
}

/* A frame with pages of 4096, 512 and 5000 bytes. */
static void make_good(void)
{
	static const uint32_t lengths[] = {4096, 512, 5000};
	const struct journal_identity files[] = {
		{.file_id = 40,
		 .inode = 7,
		 .birth_seconds = -5,
		 .birth_nanoseconds = 6,
		 .known = JOURNAL_KNOWS_FS | JOURNAL_KNOWS_INODE | JOURNAL_KNOWS_BIRTH,
		 .fs_uuid = {9, 8}},
		{.file_id = 41, .known = JOURNAL_KNOWS_TAG, .tag = {1, [15] = 2}},
	};
	uint8_t row[JOURNAL_FILE_SIZE];
	size_t at = 4096;

	memset(frame_bytes, 0xee, sizeof(frame_bytes));
	good_frame = (struct journal_frame){.sequence = 9,
					    .offset = AT,
					    .durable_to = 8,
					    .chain_first = 7,
					    .chain_index = 2,
					    .void_first = 3,
					    .void_count = 2,
					    .flags = JOURNAL_CHAIN | JOURNAL_LAST,
					    .files = 2,
					    .count = 3,
					    .header_length = 4096,
					    .length = 4096 * 5};
	for (uint32_t i = 0; i < 2; i++) {
		journal_encode_file(row, &files[i]);
		journal_put_row(frame_bytes, i, row);
	}
	for (uint32_t i = 0; i < 3; i++) {
		const struct journal_entry entry = {
			.offset = UINT64_C(1) << (33 + i),
			.length = lengths[i],
			.crc = journal_crc32c(0, frame_bytes + at, lengths[i]),
			.file = i % 2};

		memset(frame_bytes + at + lengths[i], 0, journal_padded(lengths[i]) - lengths[i]);
		journal_put_entry(frame_bytes, 2, i, &entry);
		at += journal_padded(lengths[i]);
	}
	journal_encode_frame(frame_bytes, good_header.id, &good_frame);
}

static bool peek(void)
{
	struct journal_frame frame;

	return journal_peek_frame(frame_bytes, &good_header, AT, &frame);
}

static bool check(void)
{
	struct journal_frame frame;

	return journal_peek_frame(frame_bytes, &good_header, AT, &frame) &&
	       journal_check_frame(frame_bytes, &frame) && journal_check_pages(frame_bytes, &frame);
}

struct bound {
	uint32_t at;
	uint32_t width;
	uint64_t good, bad;
};

static void put(uint8_t *bytes, const struct bound *bound, uint64_t value)
{
	if (bound->width == 8)
		put64(bytes + bound->at, value);
	else
		put32(bytes + bound->at, (uint32_t)value);
}

START_TEST(a_frame_comes_back_as_it_was)
{
	struct journal_frame frame;
	struct journal_identity file;
	struct journal_entry entry;

	ck_assert(journal_peek_frame(frame_bytes, &good_header, AT, &frame));
	ck_assert_uint_eq(frame.sequence, 9);
	ck_assert_uint_eq(frame.durable_to, 8);
	ck_assert_uint_eq(frame.chain_first, 7);
	ck_assert_uint_eq(frame.chain_index, 2);
	ck_assert_uint_eq(frame.void_first, 3);
	ck_assert_uint_eq(frame.void_count, 2);
	ck_assert_uint_eq(frame.flags, JOURNAL_CHAIN | JOURNAL_LAST);
	ck_assert_uint_eq(frame.files, 2);
	ck_assert_uint_eq(frame.offset, AT);
	ck_assert_uint_eq(frame.count, 3);
	ck_assert_uint_eq(frame.length, 4096 * 5);
	ck_assert_uint_eq(frame.header_length, 4096);
	ck_assert(journal_check_frame(frame_bytes, &frame));
	ck_assert(journal_check_pages(frame_bytes, &frame));
	journal_get_file(frame_bytes, 0, &file);
	ck_assert_uint_eq(file.file_id, 40);
	ck_assert_uint_eq(file.inode, 7);
	ck_assert_int_eq(file.birth_seconds, -5);
	ck_assert_uint_eq(file.birth_nanoseconds, 6);
	ck_assert_uint_eq(file.fs_uuid[1], 8);
	journal_get_file(frame_bytes, 1, &file);
	ck_assert_uint_eq(file.known, JOURNAL_KNOWS_TAG);
	ck_assert_uint_eq(file.tag[15], 2);
	journal_get_entry(frame_bytes, 2, 1, &entry);
	ck_assert_uint_eq(entry.file, 1);
	journal_get_entry(frame_bytes, 2, 2, &entry);
	ck_assert_uint_eq(entry.file, 0);
	ck_assert_uint_eq(entry.offset, UINT64_C(1) << 35);
	ck_assert_uint_eq(entry.length, 5000);
}
END_TEST

START_TEST(every_flipped_bit_of_header_and_pages_is_seen)
{
	for (size_t byte = 0; byte < 4096 * 5; byte++) {
		/* The padding behind a page too: it is zero. */
		frame_bytes[byte] ^= 0x10;
		ck_assert_msg(!check(), "byte %zu", byte);
		frame_bytes[byte] ^= 0x10;
	}
}
END_TEST

START_TEST(a_frame_of_another_journal_is_no_frame)
{
	frame_bytes[8] ^= 1;
	seal_frame();
	ck_assert(!peek());
}
END_TEST

START_TEST(a_frame_in_another_place_is_no_frame)
{
	struct journal_frame frame;

	ck_assert(!journal_peek_frame(frame_bytes, &good_header, AT + 4096, &frame));
	put64(frame_bytes + 48, AT + 4096);
	seal_frame();
	ck_assert(!peek());
	ck_assert(journal_peek_frame(frame_bytes, &good_header, AT + 4096, &frame));
}
END_TEST

static const struct bound frame_bounds[] = {
	{0, 4, 0x52465441, 0x52465442}, /* magic */
	{4, 4, 3, 0},			/* count: the header must have room */
	{4, 4, 4, 5},			/* a page takes a block at least */
	{76, 4, 3, 0},			/* files: a row at least, and no more than entries */
	{76, 4, 3, 4},
	{24, 8, 9, UINT64_C(1) << 62}, /* sequence: that of chain_first and index */
	{24, 8, 9, 10},
	{56, 8, 9, 10}, /* durable_to */
	{64, 8, 7, 8},	/* chain_first */
	{72, 4, 2, 3},	/* chain_index */
	{44, 4, 7, 8},	/* flags */
	{44, 4, 3, 2},	/* LAST is for chains */
	{44, 4, 1, 0},	/* an index too */
	{80, 8, 7, 8},	/* void numbers are lower than its own */
	{88, 4, 6, 7},
	{32, 4, FRAME_MAX, FRAME_MAX + 4096}, /* length: not over frame_max */
	{32, 4, 16384, 12288},		      /* a block for each entry behind its header */
	{36, 4, 4096, 8192},		      /* header_length: that of count */
};

START_TEST(a_frame_field_is_refused_beyond_its_bound)
{
	const struct bound *bound = &frame_bounds[_i];

	put(frame_bytes, bound, bound->good);
	ck_assert(peek());
	put(frame_bytes, bound, bound->bad);
	ck_assert(!peek());
}
END_TEST

START_TEST(a_frame_may_not_reach_beyond_the_ring)
{
	const uint64_t last = SIZE - 4096 * 5;
	struct journal_frame frame;

	put64(frame_bytes + 48, last);
	ck_assert(journal_peek_frame(frame_bytes, &good_header, last, &frame));
	put64(frame_bytes + 48, last + 4096);
	ck_assert(!journal_peek_frame(frame_bytes, &good_header, last + 4096, &frame));
}
END_TEST

/* Entry 0 behind two rows, at 224: offset 0, length 8, file 16. */
static const struct bound entry_bounds[] = {
	{232, 4, 4096, 0}, /* the sum is the frame's length */
	{232, 4, 4096, 4097},
	{232, 4, 1, UINT32_MAX},
	{224, 8, INT64_MAX - 4096, INT64_MAX - 4095},
	{224, 8, 0, UINT64_MAX},
	{240, 4, 1, 2}, /* the row is there */
};

START_TEST(an_entry_is_refused_beyond_its_bound)
{
	const struct bound *bound = &entry_bounds[_i];

	put(frame_bytes, bound, bound->good);
	seal_frame();
	ck_assert(journal_check_frame(frame_bytes, &good_frame));
	put(frame_bytes, bound, bound->bad);
	seal_frame();
	ck_assert(!journal_check_frame(frame_bytes, &good_frame));
}
END_TEST

START_TEST(arbitrary_bytes_are_never_read_out_of_bounds)
{
	uint8_t *pages = mmap(NULL, FRAME_MAX + 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 1;

	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_int_eq(mprotect(pages + FRAME_MAX, 4096, PROT_NONE), 0);
	for (uint32_t round = 0; round < 200000; round++) {
		struct journal_frame frame;
		uint8_t *start;

		memcpy(pages + FRAME_MAX - 4096, frame_bytes, 4096);
		for (uint32_t i = 0; i < 3; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			start = pages + FRAME_MAX - 4096;
			start[seed >> 33 & 127] = (uint8_t)(seed >> 56);
		}
		if (!journal_peek_frame(start, &good_header, AT, &frame))
			continue;
		ck_assert_uint_le(frame.length, FRAME_MAX);
		ck_assert_uint_lt(frame.header_length, frame.length);
		/* Checked with as many bytes as the frame says, and no more. */
		start = pages + FRAME_MAX - frame.length;
		memmove(start, pages + FRAME_MAX - 4096, 4096);
		seal_frame();
		put32(start + CRC_OF_FRAME, 0);
		put32(start + CRC_OF_FRAME, journal_crc32c(0, start, frame.header_length));
		if (journal_check_frame(start, &frame))
			(void)journal_check_pages(start, &frame);
	}
	munmap(pages, FRAME_MAX + 4096);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	const struct check_loop tests[] = {
		{a_frame_comes_back_as_it_was, 0, 0},
		{every_flipped_bit_of_header_and_pages_is_seen, 0, 0},
		{a_frame_of_another_journal_is_no_frame, 0, 0},
		{a_frame_in_another_place_is_no_frame, 0, 0},
		{a_frame_field_is_refused_beyond_its_bound, 0, COUNT(frame_bounds)},
		{a_frame_may_not_reach_beyond_the_ring, 0, 0},
		{an_entry_is_refused_beyond_its_bound, 0, COUNT(entry_bounds)},
		{arbitrary_bytes_are_never_read_out_of_bounds, 0, 0},
	};

	return check_run_loops("journal_frame", tests, sizeof(tests) / sizeof(tests[0]), make_good,
			       NULL);
}
