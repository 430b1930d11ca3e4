/* SPDX-License-Identifier: MIT */
/*
 * Read a journal's headers and frames.  See journal_read.h for the rules, and
 * atomicio-journal(5) for the format.
 */
#include "journal_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define RING_START UINT64_C(8192) /* behind two header blocks */
#define ENTRIES_START 56u
#define ENTRY_SIZE 24u

static uint64_t reader_number(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

static uint32_t reader_u32(const uint8_t *at)
{
	return (uint32_t)reader_number(at, 4);
}

static uint64_t reader_u64(const uint8_t *at)
{
	return reader_number(at, 8);
}

static uint64_t reader_padded(uint64_t bytes)
{
	return (bytes + READER_BLOCK - 1) / READER_BLOCK * READER_BLOCK;
}

/* CRC-32C (Castagnoli), bits reflected, bit by bit through a table of half bytes. */
static uint32_t reader_crc(uint32_t crc, const uint8_t *bytes, size_t length)
{
	static uint32_t table[16];

	for (uint32_t i = 1; !table[15] && i < 16; i++) {
		table[i] = i;
		for (int bit = 0; bit < 4; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82F63B78u : 0);
	}
	crc = ~crc;
	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* Read all of a range that the journal has; a file that ends before is too short. */
static int reader_pread(const struct reader *reader, uint8_t *bytes, uint64_t length,
			uint64_t offset)
{
	while (length) {
		const ssize_t count = pread(reader->fd, bytes, (size_t)length, (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count ? -errno : -ERANGE;
		bytes += count;
		offset += (uint64_t)count;
		length -= (uint64_t)count;
	}
	return 0;
}

static bool reader_sane(const struct reader_header *header)
{
	const uint64_t blocks = header->size | header->frame_max | header->tail_offset;

	return blocks % READER_BLOCK == 0 && header->size <= UINT64_C(1) << 40 &&
	       header->size >= RING_START && header->frame_max / 2 >= READER_BLOCK &&
	       header->frame_max <= 64u << 20 &&
	       header->frame_max <= (header->size - RING_START) / 2 &&
	       header->tail_offset >= RING_START && header->tail_offset <= header->size;
}

static void reader_decode(const uint8_t *block, struct reader_header *header)
{
	*header = (struct reader_header){
		.version = reader_u32(block + 16),
		.size = reader_u64(block + 40),
		.frame_max = reader_u32(block + 48),
		.generation = reader_u64(block + 56),
		.tail_offset = reader_u64(block + 64),
		.tail_sequence = reader_u64(block + 72),
	};
	memcpy(header->id, block + 24, sizeof(header->id));
	if (memcmp(block, "libatomicio-jrnl", 16) != 0)
		header->condition = READER_HEADER_ABSENT;
	else if (reader_crc(0, block, READER_BLOCK - 4) != reader_u32(block + READER_BLOCK - 4))
		header->condition = READER_HEADER_DAMAGED;
	else if (header->version != 1 || reader_u32(block + 20) != READER_BLOCK)
		header->condition = READER_HEADER_VERSION;
	else if (!reader_sane(header))
		header->condition = READER_HEADER_DAMAGED;
}

/* The header that counts, or why none does. */
static int reader_choose(struct reader *reader)
{
	const struct reader_header *first = &reader->headers[0], *second = &reader->headers[1];
	const bool good[2] = {first->condition == READER_HEADER_GOOD,
			      second->condition == READER_HEADER_GOOD};

	if (first->condition == READER_HEADER_VERSION || second->condition == READER_HEADER_VERSION)
		return -EPROTONOSUPPORT;
	if (good[0] && good[1] && memcmp(first->id, second->id, sizeof(first->id)) != 0)
		return -EBADMSG;
	if (good[0] || good[1]) {
		reader->current = !good[0] || (good[1] && second->generation > first->generation);
		return 0;
	}
	return first->condition == READER_HEADER_ABSENT && second->condition == READER_HEADER_ABSENT
		       ? -ENODATA
		       : -EBADMSG;
}

int reader_open(int fd, struct reader *reader)
{
	uint8_t *block = aligned_alloc(READER_BLOCK, READER_BLOCK);
	uint64_t size;
	int error = block ? 0 : -ENOMEM;

	*reader = (struct reader){.fd = fd};
	for (size_t i = 0; i < 2 && !error; i++) {
		reader->headers[i].condition = READER_HEADER_ABSENT;
		error = reader_pread(reader, block, READER_BLOCK, i * READER_BLOCK);
		if (error == -ERANGE)
			error = 0; /* the file ends before this block: it has no header */
		else if (!error)
			reader_decode(block, &reader->headers[i]);
	}
	free(block);
	if (!error)
		error = reader_choose(reader);
	if (error)
		return error;
	size = (uint64_t)lseek(fd, 0, SEEK_END);
	if (size < reader->headers[reader->current].size)
		return -ERANGE;
	reader->bytes = aligned_alloc(READER_BLOCK, reader->headers[reader->current].frame_max);
	return reader->bytes ? 0 : -ENOMEM;
}

void reader_close(struct reader *reader)
{
	free(reader->bytes);
	reader->bytes = NULL;
}

/* Does the block in `bytes`, which lies at `offset`, start a frame that could be there? */
static bool reader_starts(const struct reader *reader, const uint8_t *bytes, uint64_t offset,
			  struct reader_frame *frame)
{
	const struct reader_header *header = &reader->headers[reader->current];

	*frame = (struct reader_frame){
		.count = reader_u32(bytes + 4),
		.sequence = reader_u64(bytes + 24),
		.length = reader_u32(bytes + 32),
		.header_length = reader_u32(bytes + 36),
		.offset = offset,
	};
	return memcmp(bytes, "ATFR", 4) == 0 && memcmp(bytes + 8, header->id, 16) == 0 &&
	       reader_u64(bytes + 48) == offset && frame->length % READER_BLOCK == 0 &&
	       frame->length <= header->frame_max && frame->length <= header->size - offset &&
	       frame->count > 0 && frame->header_length < frame->length &&
	       frame->header_length ==
		       reader_padded(ENTRIES_START + (uint64_t)frame->count * ENTRY_SIZE);
}

/* With the whole header part in reader->bytes: its checksum, and lengths that add up. */
static bool reader_header_whole(const struct reader *reader, const struct reader_frame *frame)
{
	static const uint8_t zero[4];
	const uint8_t *bytes = reader->bytes;
	uint64_t length = frame->header_length;
	uint32_t crc = reader_crc(0, bytes, 40);

	crc = reader_crc(crc, zero, 4);
	crc = reader_crc(crc, bytes + 44, frame->header_length - 44);
	if (crc != reader_u32(bytes + 40))
		return false;
	for (uint32_t i = 0; i < frame->count; i++) {
		const uint8_t *entry = bytes + ENTRIES_START + (size_t)i * ENTRY_SIZE;
		const uint64_t offset = reader_u64(entry + 8), size = reader_u32(entry + 16);

		if (size == 0 || offset > INT64_MAX || size > INT64_MAX - offset)
			return false;
		length += reader_padded(size);
	}
	return length == frame->length;
}

void reader_entry(const struct reader *reader, const struct reader_frame *frame, uint32_t index,
		  struct reader_entry *entry)
{
	uint64_t page = frame->header_length;

	for (uint32_t i = 0; i <= index; i++) {
		const uint8_t *at = reader->bytes + ENTRIES_START + (size_t)i * ENTRY_SIZE;

		*entry = (struct reader_entry){
			.file_id = reader_u64(at),
			.offset = reader_u64(at + 8),
			.length = reader_u32(at + 16),
			.crc = reader_u32(at + 20),
		};
		if (i < index)
			page += reader_padded(entry->length);
	}
	entry->page_whole = reader_crc(0, reader->bytes + page, entry->length) == entry->crc;
}

/* Read the frame `sequence` at `offset`: 1 it is there and whole, 0 it is not, or an error. */
static int reader_take(struct reader *reader, uint64_t offset, uint64_t sequence,
		       struct reader_frame *frame)
{
	struct reader_entry entry;
	int error;

	if (offset >= reader->headers[reader->current].size)
		return 0;
	error = reader_pread(reader, reader->bytes, READER_BLOCK, offset);
	if (error)
		return error;
	if (!reader_starts(reader, reader->bytes, offset, frame) || frame->sequence != sequence)
		return 0;
	error = reader_pread(reader, reader->bytes, frame->length, offset);
	if (error)
		return error;
	frame->entries_whole = reader_header_whole(reader, frame);
	if (!frame->entries_whole)
		return 0;
	for (uint32_t i = 0; i < frame->count; i++) {
		reader_entry(reader, frame, i, &entry);
		if (!entry.page_whole)
			return 0;
	}
	return 1;
}

/* The live frames, from the tail on. */
static int reader_walk_live(struct reader *reader, reader_visit *visit, void *context)
{
	const struct reader_header *header = &reader->headers[reader->current];
	struct reader_frame frame = {0};
	int found;

	reader->head_offset = header->tail_offset;
	reader->head_sequence = header->tail_sequence;
	/* No more frames fit the ring than it has pairs of blocks. */
	for (uint64_t left = header->size / READER_BLOCK / 2; left; left--) {
		found = reader_take(reader, reader->head_offset, reader->head_sequence, &frame);
		if (found == 0 && reader->head_offset != RING_START)
			found = reader_take(reader, RING_START, reader->head_sequence, &frame);
		if (found <= 0)
			return found;
		reader->live++;
		reader->head_offset = frame.offset + frame.length;
		reader->head_sequence++;
		found = visit(context, reader, &frame);
		if (found)
			return found;
	}
	return 0;
}

int reader_walk(struct reader *reader, reader_visit *visit, void *context)
{
	const uint64_t size = reader->headers[reader->current].size;
	uint8_t *bytes = reader->bytes;
	struct reader_frame frame;
	int error = reader_walk_live(reader, visit, context);

	/* Then every block: a frame that is missing may be torn, or have others behind it. */
	for (uint64_t offset = RING_START; !error && offset < size; offset += READER_BLOCK) {
		error = reader_pread(reader, bytes, READER_BLOCK, offset);
		if (error || !reader_starts(reader, bytes, offset, &frame) ||
		    frame.sequence < reader->head_sequence)
			continue;
		error = reader_pread(reader, bytes, frame.length, offset);
		if (error)
			break;
		frame.entries_whole = reader_header_whole(reader, &frame);
		if (frame.sequence == reader->head_sequence) {
			frame.state = READER_TORN;
			reader->torn++;
		} else if (frame.entries_whole) {
			frame.state = READER_BEYOND;
			reader->beyond++;
		} else {
			continue;
		}
		error = visit(context, reader, &frame);
	}
	return error;
}
