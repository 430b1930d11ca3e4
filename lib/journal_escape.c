/* SPDX-License-Identifier: MIT */
/*
 * The pages in a frame: their escape (K1) and their checksums.
 *
 * Flow: pure; see journal_format.h for the layout.  Commit puts the escape on before the write of a
 * frame, and takes the escape off before the first home write; scan and recovery take it off after
 * reading.
 */
#include "journal_format.h"

#include <endian.h>
#include <string.h>

#include "journal_crc.h"

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

/*
 * Each of n blocks forbids one key, and the smallest free key from 1 to n + 1 is taken.  A bit for
 * each key keeps the search linear for a page made to be hard.
 */
static uint32_t free_key(const uint8_t *page, uint64_t blocks)
{
	uint64_t taken[(JOURNAL_FRAME_LIMIT / JOURNAL_BLOCK + 2 + 63) / 64] = {1};
	uint32_t key = 1;

	for (uint64_t i = 0; i < blocks; i++) {
		const uint32_t bad = get32(page + i * JOURNAL_BLOCK) ^ JOURNAL_FRAME_MAGIC;

		if (bad <= blocks + 1)
			taken[bad / 64] |= UINT64_C(1) << bad % 64;
	}
	while (taken[key / 64] >> key % 64 & 1)
		key++;
	return key;
}

uint32_t journal_escape_key(const uint8_t *page, uint64_t padded)
{
	assert(padded % JOURNAL_BLOCK == 0 && padded <= JOURNAL_FRAME_LIMIT);
	for (uint64_t at = 0; at < padded; at += JOURNAL_BLOCK)
		if (get32(page + at) == JOURNAL_FRAME_MAGIC)
			return free_key(page, padded / JOURNAL_BLOCK);
	return 0;
}

void journal_escape(uint8_t *page, uint64_t padded, uint32_t key)
{
	for (uint64_t at = 0; key && at < padded; at += JOURNAL_BLOCK)
		put32(page + at, get32(page + at) ^ key);
}

void journal_unescape(uint8_t *bytes, const struct journal_frame *frame)
{
	uint8_t *page = bytes + frame->header_length;

	for (uint32_t i = 0; i < frame->count; i++) {
		struct journal_entry entry;

		journal_get_entry(bytes, frame->files, i, &entry);
		journal_escape(page, journal_padded(entry.length), entry.escape);
		page += journal_padded(entry.length);
	}
}

/* The CRC of a page under its escape, without taking the escape off. */
static uint32_t page_crc(const uint8_t *page, uint32_t length, uint32_t key)
{
	uint32_t crc = 0;

	if (key == 0)
		return journal_crc32c(0, page, length);
	for (uint32_t at = 0; at < length;) {
		const uint32_t left = length - at;
		const uint32_t piece = left < JOURNAL_BLOCK ? left : JOURNAL_BLOCK;
		uint8_t word[4];

		put32(word, get32(page + at) ^ key);
		crc = journal_crc32c(crc, word, piece < 4 ? piece : 4);
		if (piece > 4)
			crc = journal_crc32c(crc, page + at + 4, piece - 4);
		at += piece;
	}
	return crc;
}

/*
 * Is all behind the page zero?  A frame may have been written over the last block of an older one,
 * and the page's checksum may cover no more than a byte of this block.
 */
static bool is_padding_zero(const uint8_t *page, const struct journal_entry *entry)
{
	const uint64_t padded = journal_padded(entry->length);
	const uint64_t last = padded - JOURNAL_BLOCK;
	uint8_t word[4];

	put32(word, get32(page + last) ^ entry->escape);
	for (uint64_t at = entry->length; at < padded; at++)
		if (at < last + 4 ? word[at - last] : page[at])
			return false;
	return true;
}

bool journal_check_pages(const uint8_t *bytes, const struct journal_frame *frame)
{
	const uint8_t *page = bytes + frame->header_length;

	for (uint32_t i = 0; i < frame->count; i++) {
		struct journal_entry entry;

		journal_get_entry(bytes, frame->files, i, &entry);
		if (page_crc(page, entry.length, entry.escape) != entry.crc ||
		    !is_padding_zero(page, &entry))
			return false;
		page += journal_padded(entry.length);
	}
	return true;
}
