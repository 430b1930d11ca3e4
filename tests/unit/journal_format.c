/* SPDX-License-Identifier: MIT */
/*
 * Goal: what is encoded is decoded, every bad field is refused, and arbitrary bytes are safe.
 *
 * Method: one good header and one good frame; one field is changed at a time, its checksum put
 * right again, to both sides of its bound.  Random blocks are decoded at the end of a page with
 * nothing readable behind it.
 */
#define _GNU_SOURCE
#include <check.h>
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "journal_crc.h"
#include "journal_format.h"

#define SIZE (UINT64_C(8192) + 65536)
#define FRAME_MAX 32768u
#define AT 12288u /* where the frame lies */
#define CRC_OF_HEADER 4092u
#define CRC_OF_FRAME 40u

static const struct journal_header good_header = {
	.id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	.size = SIZE,
	.generation = 77,
	.tail_offset = AT,
	.tail_sequence = UINT64_C(0x1122334455667788),
	.frame_max = FRAME_MAX,
};

static uint8_t block[JOURNAL_BLOCK];
static uint8_t frame_bytes[FRAME_MAX];
static struct journal_frame good_frame;

static void put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, 8);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, 4);
}

static void seal_header(void)
{
	put32(block + CRC_OF_HEADER, journal_crc32c(0, block, CRC_OF_HEADER));
}

static void seal_frame(void)
{
	put32(frame_bytes + CRC_OF_FRAME, 0);
	put32(frame_bytes + CRC_OF_FRAME, journal_crc32c(0, frame_bytes, good_frame.header_length));
}

static int decode(void)
{
	struct journal_header header;

	return journal_decode_header(block, &header);
}

/* A frame of a page of 4096 bytes, one of 512, one of 5000. */
static void make_good(void)
{
	static const uint32_t lengths[] = {4096, 512, 5000};
	size_t at = 4096;

	journal_encode_header(block, &good_header);
	memset(frame_bytes, 0xee, sizeof(frame_bytes));
	good_frame = (struct journal_frame){
		.sequence = 9, .offset = AT, .count = 3, .header_length = 4096, .length = 4096 * 5};
	for (uint32_t i = 0; i < 3; i++) {
		const struct journal_entry entry = {
			.file_id = 40 + i,
			.offset = UINT64_C(1) << (33 + i),
			.length = lengths[i],
			.crc = journal_crc32c(0, frame_bytes + at, lengths[i])};

		journal_put_entry(frame_bytes, i, &entry);
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

START_TEST(a_header_comes_back_as_it_was)
{
	struct journal_header header;

	ck_assert_int_eq(journal_decode_header(block, &header), 0);
	ck_assert_mem_eq(header.id, good_header.id, sizeof(header.id));
	ck_assert_uint_eq(header.size, good_header.size);
	ck_assert_uint_eq(header.generation, good_header.generation);
	ck_assert_uint_eq(header.tail_offset, good_header.tail_offset);
	ck_assert_uint_eq(header.tail_sequence, good_header.tail_sequence);
	ck_assert_uint_eq(header.frame_max, good_header.frame_max);
}
END_TEST

START_TEST(the_layout_of_a_header_is_the_written_one)
{
	static const uint8_t magic_and_version[24] = "libatomicio-jrnl\x01\0\0\0\0\x10\0";

	ck_assert_mem_eq(block, magic_and_version, sizeof(magic_and_version));
	ck_assert_int_eq(block[40] | block[41] << 8 | block[42] << 16, (int)SIZE);
	ck_assert_uint_eq(block[56], 77);
	ck_assert_uint_eq(block[72], 0x88);
	ck_assert_uint_eq(block[79], 0x11);
}
END_TEST

START_TEST(another_magic_is_no_journal)
{
	block[3] ^= 1;
	seal_header();
	ck_assert_int_eq(decode(), -ENODATA);
}
END_TEST

START_TEST(every_flipped_bit_of_a_header_is_seen)
{
	for (size_t bit = 0; bit < JOURNAL_BLOCK * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_ne(decode(), 0);
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(another_version_or_block_size_is_not_read)
{
	put32(block + 16, 2);
	seal_header();
	ck_assert_int_eq(decode(), -EPROTONOSUPPORT);
	put32(block + 16, 1);
	put32(block + 20, 512);
	seal_header();
	ck_assert_int_eq(decode(), -EPROTONOSUPPORT);
	put32(block + 20, 4096);
	seal_header();
	ck_assert_int_eq(decode(), 0);
}
END_TEST

START_TEST(a_damaged_header_of_another_version_is_damaged)
{
	put32(block + 16, 2);
	ck_assert_int_eq(decode(), -EBADMSG);
}
END_TEST

struct bound {
	uint32_t at;
	uint32_t width;
	uint64_t good, bad;
};

/* Both sides of each bound; the rest of the header is good_header. */
static const struct bound header_bounds[] = {
	{40, 8, SIZE, SIZE + 1},				/* size: whole blocks */
	{40, 8, 8192 + 65536, 8192 + 61440},			/* two frames fit */
	{40, 8, UINT64_C(1) << 40, (UINT64_C(1) << 40) + 4096}, /* not too large */
	{40, 8, SIZE, 4096},
	{48, 4, 8192, 4096}, /* frame_max */
	{48, 4, 32768, 36864},
	{48, 4, 32768, 32767},
	{64, 8, 8192, 4096}, /* tail_offset: in the ring, or at its end */
	{64, 8, 8192, 8191},
	{64, 8, SIZE, SIZE + 4096},
	{64, 8, AT, AT + 512},
};

static void put(uint8_t *bytes, const struct bound *bound, uint64_t value)
{
	if (bound->width == 8)
		put64(bytes + bound->at, value);
	else
		put32(bytes + bound->at, (uint32_t)value);
}

START_TEST(a_header_field_is_refused_beyond_its_bound)
{
	const struct bound *bound = &header_bounds[_i];

	put(block, bound, bound->good);
	seal_header();
	ck_assert_int_eq(decode(), 0);
	put(block, bound, bound->bad);
	seal_header();
	ck_assert_int_eq(decode(), -EBADMSG);
}
END_TEST

START_TEST(the_largest_frame_is_64_mib)
{
	const uint64_t size = UINT64_C(1) << 30;

	ck_assert_int_eq(journal_check_geometry(size, 64u << 20), 0);
	ck_assert_int_eq(journal_check_geometry(size, (64u << 20) + 4096), -EINVAL);
}
END_TEST

START_TEST(a_frame_comes_back_as_it_was)
{
	struct journal_frame frame;
	struct journal_entry entry;

	ck_assert(journal_peek_frame(frame_bytes, &good_header, AT, &frame));
	ck_assert_uint_eq(frame.sequence, 9);
	ck_assert_uint_eq(frame.offset, AT);
	ck_assert_uint_eq(frame.count, 3);
	ck_assert_uint_eq(frame.length, 4096 * 5);
	ck_assert_uint_eq(frame.header_length, 4096);
	ck_assert(journal_check_frame(frame_bytes, &frame));
	ck_assert(journal_check_pages(frame_bytes, &frame));
	journal_get_entry(frame_bytes, 2, &entry);
	ck_assert_uint_eq(entry.file_id, 42);
	ck_assert_uint_eq(entry.offset, UINT64_C(1) << 35);
	ck_assert_uint_eq(entry.length, 5000);
}
END_TEST

START_TEST(every_flipped_bit_of_header_and_pages_is_seen)
{
	for (size_t byte = 0; byte < 4096 * 5; byte++) {
		/* Padding behind a page is covered by nothing, and never replayed. */
		const bool padding = (byte >= 8192 + 512 && byte < 12288) || byte >= 12288 + 5000;

		frame_bytes[byte] ^= 0x10;
		ck_assert_msg(check() == padding, "byte %zu", byte);
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
	{0, 4, 0x52465441, 0x52465442},	      /* magic */
	{4, 4, 3, 0},			      /* count: the header must have room */
	{4, 4, 168, 169},		      /* (4096 - 56) / 24 */
	{32, 4, FRAME_MAX, FRAME_MAX + 4096}, /* length: not over frame_max */
	{32, 4, 8192, 4096},		      /* more than its header */
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

/* Entry 0: offset at 56 + 8, length at 56 + 16. */
static const struct bound entry_bounds[] = {
	{72, 4, 4096, 0},	{72, 4, 4096, 4097}, /* the sum is the frame's length */
	{72, 4, 1, UINT32_MAX}, {64, 8, INT64_MAX - 4096, INT64_MAX - 4095},
	{64, 8, 0, UINT64_MAX},
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
	Suite *suite = suite_create("journal_format");
	TCase *tests = tcase_create("journal_format");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, make_good, NULL);
	tcase_add_test(tests, a_header_comes_back_as_it_was);
	tcase_add_test(tests, the_layout_of_a_header_is_the_written_one);
	tcase_add_test(tests, another_magic_is_no_journal);
	tcase_add_test(tests, every_flipped_bit_of_a_header_is_seen);
	tcase_add_test(tests, another_version_or_block_size_is_not_read);
	tcase_add_test(tests, a_damaged_header_of_another_version_is_damaged);
	tcase_add_loop_test(tests, a_header_field_is_refused_beyond_its_bound, 0,
			    COUNT(header_bounds));
	tcase_add_test(tests, the_largest_frame_is_64_mib);
	tcase_add_test(tests, a_frame_comes_back_as_it_was);
	tcase_add_test(tests, every_flipped_bit_of_header_and_pages_is_seen);
	tcase_add_test(tests, a_frame_of_another_journal_is_no_frame);
	tcase_add_test(tests, a_frame_in_another_place_is_no_frame);
	tcase_add_loop_test(tests, a_frame_field_is_refused_beyond_its_bound, 0,
			    COUNT(frame_bounds));
	tcase_add_test(tests, a_frame_may_not_reach_beyond_the_ring);
	tcase_add_loop_test(tests, an_entry_is_refused_beyond_its_bound, 0, COUNT(entry_bounds));
	tcase_add_test(tests, arbitrary_bytes_are_never_read_out_of_bounds);
	tcase_set_timeout(tests, 60);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
