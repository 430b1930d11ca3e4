/* SPDX-License-Identifier: MIT */
/*
 * Goal: no block of a page in a frame starts with the magic of a frame (K1), and the page comes out
 * unchanged.
 *
 * Method: pages with the magic at the start of their blocks, in every pattern; the keys that the
 * encoder tries first are made useless.
 */
#define _GNU_SOURCE
#include <check.h>
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check_run.h"
#include "journal_crc.h"
#include "journal_format.h"
#include "journal_sample.h"

#define MAGIC 0x52465441u /* "ATFR" */

static uint8_t frame_bytes[FRAME_MAX];
static struct journal_frame good_frame;

/* A frame of one page, which lies in frame_bytes, its entry as given. */
static void seal(const struct journal_entry *entry)
{
	good_frame =
		(struct journal_frame){.sequence = 9,
				       .offset = AT,
				       .chain_first = 9,
				       .files = 1,
				       .count = 1,
				       .header_length = 4096,
				       .length = 4096 + (uint32_t)journal_padded(entry->length)};
	journal_put_entry(frame_bytes, 1, 0, entry);
	journal_encode_frame(frame_bytes, good_header.id, &good_frame);
}

static bool check(void)
{
	struct journal_frame frame;

	return journal_peek_frame(frame_bytes, &good_header, AT, &frame) &&
	       journal_check_frame(frame_bytes, &frame) && journal_check_pages(frame_bytes, &frame);
}

/* A page of three blocks; which of them start with the magic of a frame? */
static void make_page(uint8_t *page, bool first, bool second, bool third)
{
	memset(page, 0x5a, 12288);
	if (first)
		put32(page, MAGIC);
	if (second)
		put32(page + 4096, MAGIC);
	if (third)
		put32(page + 8192, MAGIC);
}

START_TEST(a_page_without_the_magic_is_not_escaped)
{
	static uint8_t page[12288];

	make_page(page, false, false, false);
	put32(page + 4, MAGIC); /* not where a frame could start */
	ck_assert_uint_eq(journal_escape_key(page, sizeof(page)), 0);
}
END_TEST

START_TEST(no_block_of_an_escaped_page_starts_with_the_magic)
{
	static uint8_t page[12288], before[12288];
	uint32_t key, word;

	make_page(page, _i & 1, _i & 2, _i & 4);
	/* Keys 1 and 2 would turn these into the magic. */
	if (_i == 1) {
		put32(page + 4096, MAGIC ^ 1);
		put32(page + 8192, MAGIC ^ 2);
	}
	memcpy(before, page, sizeof(page));
	key = journal_escape_key(page, sizeof(page));
	ck_assert_uint_eq(key, _i == 1 ? 3 : 1);
	journal_escape(page, sizeof(page), key);
	for (size_t at = 0; at < sizeof(page); at += 4096) {
		memcpy(&word, page + at, 4);
		ck_assert_uint_ne(le32toh(word), MAGIC);
	}
	journal_escape(page, sizeof(page), key);
	ck_assert_mem_eq(page, before, sizeof(page));
}
END_TEST

START_TEST(a_page_made_to_be_hard_gets_a_key_too)
{
	const uint32_t blocks = JOURNAL_FRAME_LIMIT / 4096;
	uint8_t *page = calloc(blocks, 4096);

	ck_assert_ptr_nonnull(page);
	for (uint32_t i = 0; i < blocks; i++)
		put32(page + (size_t)i * 4096, MAGIC ^ i);
	ck_assert_uint_eq(journal_escape_key(page, JOURNAL_FRAME_LIMIT), blocks);
	free(page);
}
END_TEST

START_TEST(the_checksum_is_that_of_the_page_before_its_escape)
{
	/* Lengths whose last block has no, one, three or more bytes of the page. */
	static const uint32_t lengths[] = {4096, 1, 3, 4, 4097, 4099, 5000, 8192};
	const uint32_t length = lengths[_i];
	const uint64_t padded = journal_padded(length);
	struct journal_entry entry = {.length = length};

	memset(frame_bytes, 0, sizeof(frame_bytes));
	for (uint32_t at = 0; at < length; at += 4096)
		for (uint32_t i = 0; i < 4 && at + i < length; i++)
			frame_bytes[4096 + at + i] = (uint8_t)(MAGIC >> 8 * i);
	entry.crc = journal_crc32c(0, frame_bytes + 4096, length);
	entry.escape = journal_escape_key(frame_bytes + 4096, padded);
	ck_assert_int_eq(entry.escape != 0, length >= 4);
	journal_escape(frame_bytes + 4096, padded, entry.escape);
	seal(&entry);
	ck_assert(check());
	entry.escape ^= 0x100;
	seal(&entry);
	ck_assert(!check());
}
END_TEST

/* Its last byte is the magic's first: the page's own checksum cannot tell the two apart. */
START_TEST(a_frame_over_the_last_block_of_an_older_one_ends_that)
{
	const struct journal_entry entry = {
		.length = 4097,
		.crc = journal_crc32c(0, (const uint8_t[4097]){[4096] = 'A'}, 4097)};

	memset(frame_bytes, 0, sizeof(frame_bytes));
	frame_bytes[8192] = 'A';
	seal(&entry);
	ck_assert(check());
	put32(frame_bytes + 8192, MAGIC);
	ck_assert(!check());
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	const struct check_loop tests[] = {
		{a_page_without_the_magic_is_not_escaped, 0, 0},
		{no_block_of_an_escaped_page_starts_with_the_magic, 1, 8},
		{a_page_made_to_be_hard_gets_a_key_too, 0, 0},
		{the_checksum_is_that_of_the_page_before_its_escape, 0, 8},
		{a_frame_over_the_last_block_of_an_older_one_ends_that, 0, 0},
	};

	return check_run_loops("journal_escape", tests, sizeof(tests) / sizeof(tests[0]), NULL,
			       NULL);
}
