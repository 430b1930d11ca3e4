/* SPDX-License-Identifier: MIT */
/*
 * Put checksums, ids and places right.  See repair.h.
 */
#include "repair.h"

#include <string.h>

#include "journal_crc.h"

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void repair_header(uint8_t *block)
{
	memcpy(block, "libatomicio-jrnl", 16);
	put32(block + 16, 2);
	put32(block + 20, 4096);
	put32(block + 4092, journal_crc32c(0, block, 4092));
}

/* Of a page on its way home: without the escape. */
static uint32_t page_crc(uint8_t *page, uint64_t length, uint32_t escape)
{
	uint32_t crc = 0;

	for (uint64_t at = 0; at < length; at += 4096) {
		const uint64_t left = length - at < 4096 ? length - at : 4096;
		uint8_t block[4096];

		memcpy(block, page + at, left);
		for (uint64_t i = 0; i < 4 && i < left; i++)
			block[i] ^= (uint8_t)(escape >> 8 * i);
		crc = journal_crc32c(crc, block, left);
	}
	return crc;
}

/* The page checksums and then the frame's own, for the part inside the journal. */
static void repair_frame(uint8_t *journal, uint64_t size, uint64_t at, uint32_t mode)
{
	uint8_t *frame = journal + at;
	const uint32_t count = repair_get32(frame + 4);
	const uint64_t header = repair_get32(frame + 36);
	const uint64_t files = repair_get32(frame + 76);
	uint64_t page = at + header;

	if (mode & REPAIR_PLACES) {
		memcpy(frame + 8, journal + 24, 16);
		put32(frame + 48, (uint32_t)at);
		put32(frame + 52, 0);
	}
	if (header < 96 || header > size - at || files > (header - 96) / 64 ||
	    count > (header - 96 - files * 64) / 24)
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *entry = frame + 96 + files * 64 + (uint64_t)i * 24;
		const uint64_t length = repair_get32(entry + 8);

		if (length > size || page > size - length)
			break;
		put32(entry + 12, page_crc(journal + page, length, repair_get32(entry + 20)));
		page += (length + 4095) & ~UINT64_C(4095);
	}
	put32(frame + 40, 0);
	put32(frame + 40, journal_crc32c(0, frame, header));
}

void repair(uint8_t *journal, uint64_t size, uint32_t mode)
{
	if (!(mode & REPAIR_CHECKSUMS))
		return;
	for (uint64_t at = 0; at < 8192 && at + 4096 <= size; at += 4096)
		repair_header(journal + at);
	for (uint64_t at = 16384; at + 4096 <= size; at += 4096)
		if (memcmp(journal + at, "ATFR", 4) == 0)
			repair_frame(journal, size, at, mode);
}
