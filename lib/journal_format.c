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

#define HEADER_CRC (JOURNAL_BLOCK - 4)
#define HEADER_DONE 128u
#define DONE_SIZE 16u
#define FRAME_CRC 40u

static_assert(HEADER_DONE + JOURNAL_DONE_ROWS * DONE_SIZE <= HEADER_CRC, "the rows fit");

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
	uint8_t *row = block + HEADER_DONE;

	assert(header->done_count <= JOURNAL_DONE_ROWS);
	memset(block, 0, JOURNAL_BLOCK);
	memcpy(block, header_magic, sizeof(header_magic));
	put32(block + 16, JOURNAL_VERSION);
	put32(block + 20, JOURNAL_BLOCK);
	memcpy(block + 24, header->id, JOURNAL_ID_SIZE);
	put64(block + 40, header->size);
	put32(block + 48, header->frame_max);
	put32(block + 52, header->flags);
	put64(block + 56, header->generation);
	put64(block + 64, header->tail_offset);
	put64(block + 72, header->tail_sequence);
	put64(block + 80, header->head_offset);
	put64(block + 88, header->head_sequence);
	put32(block + 96, header->done_count);
	for (uint32_t i = 0; i < header->done_count; i++, row += DONE_SIZE) {
		put64(row, header->done[i].file_id);
		put64(row + 8, header->done[i].up_to);
	}
	put32(block + HEADER_CRC, journal_crc32c(0, block, HEADER_CRC));
}

static bool is_ring_offset(uint64_t offset, uint64_t size)
{
	return offset >= JOURNAL_RING_START && offset <= size && offset % JOURNAL_BLOCK == 0;
}

/* Numbers possible in a header of ours. */
static bool is_sane_header(const struct journal_header *header)
{
	const bool empty = header->tail_offset == header->head_offset &&
			   header->tail_sequence == header->head_sequence;

	return journal_check_geometry(header->size, header->frame_max) == 0 &&
	       is_ring_offset(header->tail_offset, header->size) &&
	       is_ring_offset(header->head_offset, header->size) &&
	       header->tail_sequence <= header->head_sequence &&
	       header->head_sequence < JOURNAL_SEQUENCE_LIMIT &&
	       header->generation < JOURNAL_SEQUENCE_LIMIT &&
	       (header->flags & ~JOURNAL_CLEAN) == 0 && (empty || header->flags == 0) &&
	       header->done_count <= JOURNAL_DONE_ROWS;
}

int journal_decode_header(const uint8_t block[JOURNAL_BLOCK], struct journal_header *header)
{
	const uint8_t *row = block + HEADER_DONE;

	if (memcmp(block, header_magic, sizeof(header_magic)) != 0)
		return -ENODATA;
	if (get32(block + HEADER_CRC) != journal_crc32c(0, block, HEADER_CRC))
		return -EBADMSG;
	if (get32(block + 16) != JOURNAL_VERSION || get32(block + 20) != JOURNAL_BLOCK)
		return -EPROTONOSUPPORT;
	*header = (struct journal_header){
		.size = get64(block + 40),
		.frame_max = get32(block + 48),
		.flags = get32(block + 52),
		.generation = get64(block + 56),
		.tail_offset = get64(block + 64),
		.tail_sequence = get64(block + 72),
		.head_offset = get64(block + 80),
		.head_sequence = get64(block + 88),
		.done_count = get32(block + 96),
	};
	memcpy(header->id, block + 24, JOURNAL_ID_SIZE);
	if (!is_sane_header(header))
		return -EBADMSG;
	for (uint32_t i = 0; i < header->done_count; i++, row += DONE_SIZE)
		header->done[i] = (struct journal_done){get64(row), get64(row + 8)};
	return 0;
}

void journal_encode_file(uint8_t row[JOURNAL_FILE_SIZE], const struct journal_identity *file)
{
	uint8_t *at = row;

	put64(at, file->file_id);
	put64(at + 8, file->inode);
	put64(at + 16, (uint64_t)file->birth_seconds);
	put32(at + 24, file->birth_nanoseconds);
	put32(at + 28, file->known);
	memcpy(at + 32, file->fs_uuid, sizeof(file->fs_uuid));
	memcpy(at + 48, file->tag, sizeof(file->tag));
}

void journal_put_row(uint8_t *frame, uint32_t index, const uint8_t row[JOURNAL_FILE_SIZE])
{
	memcpy(frame + JOURNAL_FRAME_HEADER + (size_t)index * JOURNAL_FILE_SIZE, row,
	       JOURNAL_FILE_SIZE);
}

void journal_get_file(const uint8_t *bytes, uint32_t index, struct journal_identity *file)
{
	journal_decode_file(bytes + JOURNAL_FRAME_HEADER + (size_t)index * JOURNAL_FILE_SIZE, file);
}

void journal_decode_file(const uint8_t row[JOURNAL_FILE_SIZE], struct journal_identity *file)
{
	const uint8_t *at = row;

	file->file_id = get64(at);
	file->inode = get64(at + 8);
	file->birth_seconds = (int64_t)get64(at + 16);
	file->birth_nanoseconds = get32(at + 24);
	file->known = get32(at + 28);
	memcpy(file->fs_uuid, at + 32, sizeof(file->fs_uuid));
	memcpy(file->tag, at + 48, sizeof(file->tag));
}

static size_t entry_at(uint32_t files, uint32_t index)
{
	return JOURNAL_FRAME_HEADER + (size_t)files * JOURNAL_FILE_SIZE +
	       (size_t)index * JOURNAL_ENTRY_SIZE;
}

void journal_put_entry(uint8_t *frame, uint32_t files, uint32_t index,
		       const struct journal_entry *entry)
{
	uint8_t *at = frame + entry_at(files, index);

	put64(at, entry->offset);
	put32(at + 8, entry->length);
	put32(at + 12, entry->crc);
	put32(at + 16, entry->file);
	put32(at + 20, entry->escape);
}

void journal_get_entry(const uint8_t *bytes, uint32_t files, uint32_t index,
		       struct journal_entry *entry)
{
	const uint8_t *at = bytes + entry_at(files, index);

	entry->offset = get64(at);
	entry->length = get32(at + 8);
	entry->crc = get32(at + 12);
	entry->file = get32(at + 16);
	entry->escape = get32(at + 20);
}

void journal_encode_frame(uint8_t *frame, const uint8_t id[JOURNAL_ID_SIZE],
			  const struct journal_frame *header)
{
	const size_t entries = entry_at(header->files, header->count);

	put32(frame, JOURNAL_FRAME_MAGIC);
	put32(frame + 4, header->count);
	memcpy(frame + 8, id, JOURNAL_ID_SIZE);
	put64(frame + 24, header->sequence);
	put32(frame + 32, header->length);
	put32(frame + 36, header->header_length);
	put32(frame + FRAME_CRC, 0);
	put32(frame + 44, header->flags);
	put64(frame + 48, header->offset);
	put64(frame + 56, header->durable_to);
	put64(frame + 64, header->chain_first);
	put32(frame + 72, header->chain_index);
	put32(frame + 76, header->files);
	put64(frame + 80, header->void_first);
	put32(frame + 88, header->void_count);
	put32(frame + 92, 0);
	memset(frame + entries, 0, header->header_length - entries);
	put32(frame + FRAME_CRC, journal_crc32c(0, frame, header->header_length));
}

/* Sequence numbers possible in a frame of ours. */
static bool is_sane_chain(const struct journal_frame *frame)
{
	const bool chain = frame->flags & JOURNAL_CHAIN;

	return frame->sequence < JOURNAL_SEQUENCE_LIMIT && frame->durable_to <= frame->sequence &&
	       frame->void_first <= frame->sequence &&
	       frame->void_count <= frame->sequence - frame->void_first &&
	       (frame->flags & ~(JOURNAL_CHAIN | JOURNAL_LAST | JOURNAL_CARRY)) == 0 &&
	       (chain || !(frame->flags & JOURNAL_LAST)) &&
	       (chain ? frame->chain_index <= frame->sequence : frame->chain_index == 0) &&
	       frame->chain_first == frame->sequence - frame->chain_index;
}

bool journal_peek_frame(const uint8_t block[JOURNAL_BLOCK], const struct journal_header *journal,
			uint64_t offset, struct journal_frame *frame)
{
	if (get32(block) != JOURNAL_FRAME_MAGIC ||
	    memcmp(block + 8, journal->id, JOURNAL_ID_SIZE) != 0)
		return false;
	*frame = (struct journal_frame){
		.count = get32(block + 4),
		.sequence = get64(block + 24),
		.length = get32(block + 32),
		.header_length = get32(block + 36),
		.flags = get32(block + 44),
		.offset = get64(block + 48),
		.durable_to = get64(block + 56),
		.chain_first = get64(block + 64),
		.chain_index = get32(block + 72),
		.files = get32(block + 76),
		.void_first = get64(block + 80),
		.void_count = get32(block + 88),
	};
	if (frame->offset != offset || frame->length > journal->frame_max ||
	    frame->length % JOURNAL_BLOCK || frame->length > journal->size - offset)
		return false;
	return frame->count > 0 && frame->count <= frame->length / JOURNAL_BLOCK &&
	       frame->files > 0 && frame->files <= frame->count &&
	       frame->header_length == journal_header_length(frame->files, frame->count) &&
	       frame->header_length < frame->length &&
	       frame->count <= (frame->length - frame->header_length) / JOURNAL_BLOCK &&
	       is_sane_chain(frame);
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

		journal_get_entry(bytes, frame->files, i, &entry);
		if (entry.length == 0 || entry.offset > INT64_MAX ||
		    entry.length > INT64_MAX - entry.offset || entry.file >= frame->files)
			return false;
		length += journal_padded(entry.length);
	}
	return length == frame->length;
}
