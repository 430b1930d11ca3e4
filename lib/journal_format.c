/* SPDX-License-Identifier: MIT */
/*
 * Encode and decode the journal's header and frames.
 *
 * Flow: pure; see journal_format.h for the layout.  Decoding trusts nothing: every length is
 * bounded before it is used, so arbitrary bytes give "no frame", never a read out of bounds.
 */
#include "journal_format.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "journal_crc.h"

#define FRAME_MAGIC 0x52465441u /* "ATFR" */
#define HEADER_CRC (JOURNAL_BLOCK - 4)
#define FRAME_CRC 40u

static const char header_magic[16] = {'l', 'i', 'b', 'a', 't', 'o', 'm', 'i',
				      'c', 'i', 'o', '-', 'j', 'r', 'n', 'l'};

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

int journal_check_geometry(uint64_t size, uint32_t frame_max)
{
	if (size % JOURNAL_BLOCK || frame_max % JOURNAL_BLOCK)
		return -EINVAL;
	if (frame_max < JOURNAL_FRAME_MIN || frame_max > JOURNAL_FRAME_LIMIT)
		return -EINVAL;
	if (size > JOURNAL_SIZE_LIMIT || size < JOURNAL_RING_START ||
	    (size - JOURNAL_RING_START) / 2 < frame_max)
		return -EINVAL;
	return 0;
}

void journal_encode_header(uint8_t block[JOURNAL_BLOCK], const struct journal_header *header)
{
	memset(block, 0, JOURNAL_BLOCK);
	memcpy(block, header_magic, sizeof(header_magic));
	put32(block + 16, JOURNAL_VERSION);
	put32(block + 20, JOURNAL_BLOCK);
	memcpy(block + 24, header->id, JOURNAL_ID_SIZE);
	put64(block + 40, header->size);
	put32(block + 48, header->frame_max);
	put64(block + 56, header->generation);
	put64(block + 64, header->tail_offset);
	put64(block + 72, header->tail_sequence);
	put32(block + HEADER_CRC, journal_crc32c(0, block, HEADER_CRC));
}

int journal_decode_header(const uint8_t block[JOURNAL_BLOCK], struct journal_header *header)
{
	if (memcmp(block, header_magic, sizeof(header_magic)) != 0)
		return -ENODATA;
	if (get32(block + HEADER_CRC) != journal_crc32c(0, block, HEADER_CRC))
		return -EBADMSG;
	if (get32(block + 16) != JOURNAL_VERSION || get32(block + 20) != JOURNAL_BLOCK)
		return -EPROTONOSUPPORT;
	memcpy(header->id, block + 24, JOURNAL_ID_SIZE);
	header->size = get64(block + 40);
	header->frame_max = get32(block + 48);
	header->generation = get64(block + 56);
	header->tail_offset = get64(block + 64);
	header->tail_sequence = get64(block + 72);
	if (journal_check_geometry(header->size, header->frame_max) ||
	    header->tail_offset < JOURNAL_RING_START || header->tail_offset > header->size ||
	    header->tail_offset % JOURNAL_BLOCK)
		return -EBADMSG;
	return 0;
}

void journal_put_entry(uint8_t *frame, uint32_t index, const struct journal_entry *entry)
{
	uint8_t *at = frame + JOURNAL_FRAME_HEADER + (size_t)index * JOURNAL_ENTRY_SIZE;

	put64(at, entry->file_id);
	put64(at + 8, entry->offset);
	put32(at + 16, entry->length);
	put32(at + 20, entry->crc);
}

void journal_get_entry(const uint8_t *bytes, uint32_t index, struct journal_entry *entry)
{
	const uint8_t *at = bytes + JOURNAL_FRAME_HEADER + (size_t)index * JOURNAL_ENTRY_SIZE;

	entry->file_id = get64(at);
	entry->offset = get64(at + 8);
	entry->length = get32(at + 16);
	entry->crc = get32(at + 20);
}

void journal_encode_frame(uint8_t *frame, const uint8_t id[JOURNAL_ID_SIZE],
			  const struct journal_frame *header)
{
	const size_t entries = JOURNAL_FRAME_HEADER + (size_t)header->count * JOURNAL_ENTRY_SIZE;

	put32(frame, FRAME_MAGIC);
	put32(frame + 4, header->count);
	memcpy(frame + 8, id, JOURNAL_ID_SIZE);
	put64(frame + 24, header->sequence);
	put32(frame + 32, header->length);
	put32(frame + 36, header->header_length);
	put32(frame + FRAME_CRC, 0);
	put32(frame + 44, 0);
	put64(frame + 48, header->offset);
	memset(frame + entries, 0, header->header_length - entries);
	put32(frame + FRAME_CRC, journal_crc32c(0, frame, header->header_length));
}

bool journal_peek_frame(const uint8_t block[JOURNAL_BLOCK], const struct journal_header *journal,
			uint64_t offset, struct journal_frame *frame)
{
	if (get32(block) != FRAME_MAGIC || memcmp(block + 8, journal->id, JOURNAL_ID_SIZE) != 0)
		return false;
	frame->count = get32(block + 4);
	frame->sequence = get64(block + 24);
	frame->length = get32(block + 32);
	frame->header_length = get32(block + 36);
	frame->offset = get64(block + 48);
	if (frame->offset != offset || frame->length > journal->frame_max ||
	    frame->length % JOURNAL_BLOCK || frame->length > journal->size - offset)
		return false;
	return frame->count > 0 && frame->count <= frame->length / JOURNAL_ENTRY_SIZE &&
	       frame->header_length == journal_header_length(frame->count) &&
	       frame->header_length < frame->length;
}

bool journal_check_frame(const uint8_t *bytes, const struct journal_frame *frame)
{
	static const uint8_t zero[4];
	uint64_t length = frame->header_length;
	uint32_t crc;

	crc = journal_crc32c(0, bytes, FRAME_CRC);
	crc = journal_crc32c(crc, zero, sizeof(zero));
	crc = journal_crc32c(crc, bytes + FRAME_CRC + 4, frame->header_length - FRAME_CRC - 4);
	if (crc != get32(bytes + FRAME_CRC))
		return false;
	for (uint32_t i = 0; i < frame->count; i++) {
		struct journal_entry entry;

		journal_get_entry(bytes, i, &entry);
		if (entry.length == 0 || entry.offset > INT64_MAX ||
		    entry.length > INT64_MAX - entry.offset)
			return false;
		length += journal_padded(entry.length);
	}
	return length == frame->length;
}

bool journal_check_pages(const uint8_t *bytes, const struct journal_frame *frame)
{
	size_t at = frame->header_length;

	for (uint32_t i = 0; i < frame->count; i++) {
		struct journal_entry entry;

		journal_get_entry(bytes, i, &entry);
		if (journal_crc32c(0, bytes + at, entry.length) != entry.crc)
			return false;
		at += journal_padded(entry.length);
	}
	return true;
}
