/* SPDX-License-Identifier: MIT */
/*
 * Goal: the decoder of arbitrary bytes reads only the input, and accepts only sane values.
 *
 * Method: libFuzzer, with each input in a heap block of exactly its length: the address sanitizer
 * sees one byte too many.
 */
#include <stdlib.h>
#include <string.h>

#include "journal_crc.h"
#include "journal_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct journal_header journal = {
	.id = {1},
	.size = 16384 + 262144,
	.generation = 1,
	.tail_offset = 16384,
	.head_offset = 16384,
	.tail_sequence = 1,
	.frame_max = 131072,
};

static void try_header(const uint8_t *block)
{
	struct journal_header header;
	uint8_t again[JOURNAL_BLOCK];

	if (journal_decode_header(block, &header))
		return;
	if (journal_check_geometry(header.size, header.frame_max))
		abort();
	journal_encode_header(again, &header);
	if (journal_decode_header(again, &header))
		abort();
}

/* Like the scan: the first block, then as many bytes as the block asks for. */
static void try_frame(uint8_t *bytes, size_t size)
{
	struct journal_frame frame;

	memcpy(bytes + 8, journal.id, JOURNAL_ID_SIZE);
	if (!journal_peek_frame(bytes, &journal, 16384, &frame) || frame.length > size)
		return;
	bytes = realloc(bytes, frame.length);
	if (!bytes)
		abort();
	if (journal_check_frame(bytes, &frame))
		(void)journal_check_pages(bytes, &frame);
	/* With the checksum right, the lengths of the entries are all that is left to refuse. */
	memset(bytes + 40, 0, 4);
	{
		const uint32_t crc = journal_crc32c(0, bytes, frame.header_length);

		for (int i = 0; i < 4; i++)
			bytes[40 + i] = (uint8_t)(crc >> 8 * i);
	}
	if (journal_check_frame(bytes, &frame))
		(void)journal_check_pages(bytes, &frame);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;
	struct journal_frame frame;

	if (size < JOURNAL_BLOCK || size > 262144)
		return 0;
	bytes = malloc(size);
	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	try_header(bytes);
	memcpy(bytes + 8, journal.id, JOURNAL_ID_SIZE);
	if (journal_peek_frame(bytes, &journal, 16384, &frame) && frame.length <= size)
		try_frame(bytes, size);
	else
		free(bytes);
	return 0;
}
