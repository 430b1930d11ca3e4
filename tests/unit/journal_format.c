/* SPDX-License-Identifier: MIT */
/*
 * Goal: the journal's header is decoded as it was encoded, and every bad field is refused.
 *
 * Method: one good header; one field is changed at a time, its checksum put right again, to both
 * sides of its bound.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "check_run.h"
#include "journal_crc.h"
#include "journal_format.h"
#include "journal_sample.h"

#define CRC_OF_HEADER 4092u

static uint8_t block[JOURNAL_BLOCK];

static void seal_header(void)
{
	put32(block + CRC_OF_HEADER, journal_crc32c(0, block, CRC_OF_HEADER));
}

static int decode(void)
{
	struct journal_header header;

	return journal_decode_header(block, &header);
}

static void make_good(void)
{
	journal_encode_header(block, &good_header);
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
	ck_assert_uint_eq(header.head_offset, good_header.head_offset);
	ck_assert_uint_eq(header.head_sequence, good_header.head_sequence);
	ck_assert_uint_eq(header.frame_max, good_header.frame_max);
	ck_assert_uint_eq(header.flags, 0);
	ck_assert_uint_eq(header.done_count, 2);
	ck_assert_mem_eq(header.done, good_header.done, sizeof(header.done));
}
END_TEST

START_TEST(the_layout_of_a_header_is_the_written_one)
{
	static const uint8_t magic_and_version[24] = "libatomicio-jrnl\x02\0\0\0\0\x10\0";

	ck_assert_mem_eq(block, magic_and_version, sizeof(magic_and_version));
	ck_assert_int_eq(block[40] | block[41] << 8 | block[42] << 16, (int)SIZE);
	ck_assert_uint_eq(block[56], 77);
	ck_assert_uint_eq(block[72], 0x88);
	ck_assert_uint_eq(block[79], 0x11);
	ck_assert_uint_eq(block[81], (AT + 4096) >> 8);
	ck_assert_uint_eq(block[88], 0x90);
	ck_assert_uint_eq(block[96], 2);
	ck_assert_uint_eq(block[128], 7);
	ck_assert_uint_eq(block[136], 9);
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
	put32(block + 16, 1);
	seal_header();
	ck_assert_int_eq(decode(), -EPROTONOSUPPORT);
	put32(block + 16, 3);
	seal_header();
	ck_assert_int_eq(decode(), -EPROTONOSUPPORT);
	put32(block + 16, 2);
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
	put32(block + 16, 1);
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
	{40, 8, SIZE, SIZE - 4096},				/* two frames fit */
	{40, 8, UINT64_C(1) << 40, (UINT64_C(1) << 40) + 4096}, /* not too large */
	{40, 8, SIZE, 4096},
	{40, 8, SIZE, 12288},
	{48, 4, 8192, 4096}, /* frame_max */
	{48, 4, 32768, 36864},
	{48, 4, 32768, 32767},
	{64, 8, 16384, 12288}, /* tail_offset: in the ring, or at its end */
	{64, 8, 16384, 16383},
	{64, 8, SIZE, SIZE + 4096},
	{64, 8, AT, AT + 512},
	{72, 8, 1, UINT64_C(0x1122334455667791)}, /* tail_sequence: not behind the head's */
	{80, 8, 16384, 12288},			  /* head_offset */
	{80, 8, SIZE, SIZE + 4096},
	{80, 8, AT, AT + 512},
	{88, 8, (UINT64_C(1) << 62) - 1, UINT64_C(1) << 62}, /* head_sequence: never so large */
	{88, 8, (UINT64_C(1) << 62) - 1, UINT64_MAX},
	{56, 8, (UINT64_C(1) << 62) - 1, UINT64_C(1) << 62}, /* generation */
	{52, 4, 0, 1},					     /* CLEAN: then nothing is live */
	{52, 4, 0, 2},
	{96, 4, 240, 241}, /* done rows */
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

START_TEST(a_clean_header_has_one_place_for_tail_and_head)
{
	struct journal_header header = good_header;

	header.flags = JOURNAL_CLEAN;
	header.tail_offset = header.head_offset;
	header.tail_sequence = header.head_sequence;
	journal_encode_header(block, &header);
	ck_assert_int_eq(decode(), 0);
	header.tail_offset -= 4096;
	journal_encode_header(block, &header);
	ck_assert_int_eq(decode(), -EBADMSG);
	header.tail_offset += 4096;
	header.tail_sequence--;
	journal_encode_header(block, &header);
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

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	const struct check_loop tests[] = {
		{a_header_comes_back_as_it_was, 0, 0},
		{the_layout_of_a_header_is_the_written_one, 0, 0},
		{another_magic_is_no_journal, 0, 0},
		{every_flipped_bit_of_a_header_is_seen, 0, 0},
		{another_version_or_block_size_is_not_read, 0, 0},
		{a_damaged_header_of_another_version_is_damaged, 0, 0},
		{a_header_field_is_refused_beyond_its_bound, 0, COUNT(header_bounds)},
		{a_clean_header_has_one_place_for_tail_and_head, 0, 0},
		{the_largest_frame_is_64_mib, 0, 0},
	};

	return check_run_loops("journal_format", tests, sizeof(tests) / sizeof(tests[0]), make_good,
			       NULL);
}
