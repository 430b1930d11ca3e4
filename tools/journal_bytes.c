/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a journal: numbers, checksums, headers and frames.  Pure.
 *
 * Flow: below journal_read.c; see atomicio-journal(5) for the format.  Every length is bounded
 * before its use.
 */
#include "journal_read.h"

#include <string.h>

#define HEADER_DONE 128u
#define DONE_SIZE ((size_t)16)
#define FRAME_ROWS 96u
#define ROW_SIZE 64u
#define ENTRY_SIZE 24u
#define NUMBER_LIMIT (UINT64_C(1) << 62)

static uint64_t number(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

static uint32_t u32(const uint8_t *at)
{
	return (uint32_t)number(at, 4);
}

static uint64_t u64(const uint8_t *at)
{
	return number(at, 8);
}

static uint64_t padded(uint64_t bytes)
{
	return (bytes + READER_BLOCK - 1) / READER_BLOCK * READER_BLOCK;
}

/* CRC-32C (Castagnoli), bits reflected, through a table of bytes. */
static uint32_t checksum(uint32_t crc, const uint8_t *bytes, size_t length)
{
	static uint32_t table[256];

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82F63B78u : 0);
	}
	crc = ~crc;
	for (size_t i = 0; i < length; i++)
		crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
	return ~crc;
}

static bool in_ring(const struct reader_header *header, uint64_t offset)
{
	return offset >= READER_RING && offset <= header->size && offset % READER_BLOCK == 0;
}

static bool header_is_sane(const struct reader_header *header)
{
	const bool empty = header->tail_offset == header->head_offset &&
			   header->tail_sequence == header->head_sequence;

	return header->size % READER_BLOCK == 0 && header->size <= UINT64_C(1) << 40 &&
	       header->size >= READER_RING && header->frame_max % READER_BLOCK == 0 &&
	       header->frame_max >= 2 * READER_BLOCK && header->frame_max <= 64u << 20 &&
	       header->frame_max <= (header->size - READER_RING) / 2 &&
	       in_ring(header, header->tail_offset) && in_ring(header, header->head_offset) &&
	       header->tail_sequence <= header->head_sequence &&
	       header->head_sequence < NUMBER_LIMIT && header->generation < NUMBER_LIMIT &&
	       header->flags <= (empty ? READER_CLEAN : 0) &&
	       header->done_count <= READER_DONE_ROWS;
}

void reader_decode_header(const uint8_t *block, struct reader_header *header)
{
	*header = (struct reader_header){
		.version = u32(block + 16),
		.size = u64(block + 40),
		.frame_max = u32(block + 48),
		.flags = u32(block + 52),
		.generation = u64(block + 56),
		.tail_offset = u64(block + 64),
		.tail_sequence = u64(block + 72),
		.head_offset = u64(block + 80),
		.head_sequence = u64(block + 88),
		.done_count = u32(block + 96),
	};
	memcpy(header->id, block + 24, sizeof(header->id));
	if (memcmp(block, "libatomicio-jrnl", 16) != 0)
		header->condition = READER_HEADER_ABSENT;
	else if (checksum(0, block, READER_BLOCK - 4) != u32(block + READER_BLOCK - 4))
		header->condition = READER_HEADER_DAMAGED;
	else if (header->version != 2 || u32(block + 20) != READER_BLOCK)
		header->condition = READER_HEADER_VERSION;
	else if (!header_is_sane(header))
		header->condition = READER_HEADER_DAMAGED;
	for (uint32_t i = 0; header->condition == READER_HEADER_GOOD && i < header->done_count; i++)
		header->done[i] =
			(struct reader_done){u64(block + HEADER_DONE + i * DONE_SIZE),
					     u64(block + HEADER_DONE + i * DONE_SIZE + 8)};
}

/* Check the numbers of a frame against each other. */
static bool numbers_are_sane(const struct reader_frame *frame)
{
	const bool chain = frame->flags & READER_CHAIN;

	if (frame->sequence >= NUMBER_LIMIT || frame->durable_to > frame->sequence)
		return false;
	if (frame->void_first > frame->sequence ||
	    frame->void_count > frame->sequence - frame->void_first)
		return false;
	if (frame->flags & ~(READER_CHAIN | READER_LAST | READER_CARRY) ||
	    (!chain && (frame->flags & READER_LAST || frame->chain_index)))
		return false;
	return frame->chain_index <= frame->sequence &&
	       frame->chain_first == frame->sequence - frame->chain_index;
}

bool reader_decode_frame(const struct reader_header *header, const uint8_t *block, uint64_t offset,
			 struct reader_frame *frame)
{
	*frame = (struct reader_frame){
		.count = u32(block + 4),
		.sequence = u64(block + 24),
		.length = u32(block + 32),
		.header_length = u32(block + 36),
		.flags = u32(block + 44),
		.offset = offset,
		.durable_to = u64(block + 56),
		.chain_first = u64(block + 64),
		.chain_index = u32(block + 72),
		.files = u32(block + 76),
		.void_first = u64(block + 80),
		.void_count = u32(block + 88),
	};
	if (memcmp(block, "ATFR", 4) != 0 || memcmp(block + 8, header->id, 16) != 0 ||
	    u64(block + 48) != offset)
		return false;
	if (frame->length % READER_BLOCK || frame->length > header->frame_max ||
	    frame->length > header->size - offset)
		return false;
	if (!frame->files || frame->files > frame->count || !numbers_are_sane(frame))
		return false;
	return frame->header_length == padded(FRAME_ROWS + (uint64_t)frame->files * ROW_SIZE +
					      (uint64_t)frame->count * ENTRY_SIZE) &&
	       frame->header_length < frame->length &&
	       frame->count <= (frame->length - frame->header_length) / READER_BLOCK;
}

static const uint8_t *entry_at(const uint8_t *bytes, const struct reader_frame *frame,
			       uint32_t index)
{
	return bytes + FRAME_ROWS + (size_t)frame->files * ROW_SIZE + (size_t)index * ENTRY_SIZE;
}

/* The checksum of a page as it goes home: the first word of each block is XORed with the key. */
static uint32_t page_checksum(const uint8_t *page, uint32_t length, uint32_t escape)
{
	uint32_t crc = 0;

	for (uint32_t at = 0; at < length; at += READER_BLOCK) {
		const uint32_t left = length - at < READER_BLOCK ? length - at : READER_BLOCK;
		const uint32_t first = left < 4 ? left : 4;
		uint8_t word[4];

		for (uint32_t i = 0; i < first; i++)
			word[i] = page[at + i] ^ (uint8_t)(escape >> 8 * i);
		crc = checksum(crc, word, first);
		crc = checksum(crc, page + at + first, left - first);
	}
	return crc;
}

/* Is the rest of the last block zero?  Its first word may be escaped, and in the padding. */
static bool padding_is_zero(const uint8_t *page, uint32_t length, uint32_t escape)
{
	const uint64_t last = padded(length) - READER_BLOCK;

	for (uint64_t at = length; at < last + READER_BLOCK; at++) {
		const uint8_t key = at - last < 4 ? (uint8_t)(escape >> 8 * (at - last)) : 0;

		if ((page[at] ^ key) != 0)
			return false;
	}
	return true;
}

void reader_check_frame(const uint8_t *bytes, struct reader_frame *frame)
{
	static const uint8_t zero[4];
	uint64_t length = frame->header_length;
	uint32_t crc = checksum(0, bytes, 40);

	frame->header_whole = frame->whole = false;
	crc = checksum(crc, zero, 4);
	crc = checksum(crc, bytes + 44, frame->header_length - 44);
	if (crc != u32(bytes + 40))
		return;
	for (uint32_t i = 0; i < frame->count; i++) {
		const uint8_t *entry = entry_at(bytes, frame, i);
		const uint64_t offset = u64(entry), size = u32(entry + 8);

		if (size == 0 || offset > INT64_MAX || size > INT64_MAX - offset ||
		    u32(entry + 16) >= frame->files)
			return;
		length += padded(size);
	}
	frame->header_whole = frame->whole = length == frame->length;
	length = frame->header_length;
	for (uint32_t i = 0; i < frame->count && frame->whole; i++) {
		const uint8_t *entry = entry_at(bytes, frame, i);
		const uint32_t size = u32(entry + 8), escape = u32(entry + 20);

		frame->whole = page_checksum(bytes + length, size, escape) == u32(entry + 12) &&
			       padding_is_zero(bytes + length, size, escape);
		length += padded(size);
	}
}

void reader_file(const uint8_t *bytes, uint32_t row, struct reader_file *file)
{
	const uint8_t *at = bytes + FRAME_ROWS + (size_t)row * ROW_SIZE;

	file->file_id = u64(at);
	file->inode = u64(at + 8);
	file->birth_seconds = (int64_t)u64(at + 16);
	file->birth_nanoseconds = u32(at + 24);
	file->known = u32(at + 28);
	memcpy(file->fs_uuid, at + 32, sizeof(file->fs_uuid));
	memcpy(file->tag, at + 48, sizeof(file->tag));
}

void reader_entry(const struct reader *reader, const uint8_t *bytes,
		  const struct reader_frame *frame, uint32_t index, uint64_t *page,
		  struct reader_entry *entry)
{
	const struct reader_header *header = reader->header;
	const uint8_t *at = entry_at(bytes, frame, index);

	if (!*page)
		*page = frame->header_length;
	*entry = (struct reader_entry){
		.offset = u64(at),
		.length = u32(at + 8),
		.crc = u32(at + 12),
		.escape = u32(at + 20),
	};
	reader_file(bytes, u32(at + 16), &entry->file);
	entry->page_whole =
		page_checksum(bytes + *page, entry->length, entry->escape) == entry->crc &&
		padding_is_zero(bytes + *page, entry->length, entry->escape);
	*page += padded(entry->length);
	for (uint32_t i = 0; i < header->done_count && !entry->done; i++)
		entry->done = header->done[i].file_id == entry->file.file_id &&
			      frame->sequence < header->done[i].up_to;
}
