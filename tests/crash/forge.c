/* SPDX-License-Identifier: MIT */
/* The frame in a page.  See forge.h. */
#include "forge.h"

#include <endian.h>
#include <string.h>

#include "disk.h"
#include "journal_crc.h"
#include "journal_format.h"

#define FRAME_CRC 40
#define SEQUENCE 1000u /* beyond every frame of a run: live in any place */

static uint8_t frame[2 * JOURNAL_BLOCK];

/* Its id is that of the first journal of a machine: see disk_random(). */
static void make(void)
{
	const struct journal_frame header = {
		.sequence = SEQUENCE,
		.offset = FORGE_PLACE,
		.chain_first = SEQUENCE,
		.files = 1,
		.count = 1,
		.length = sizeof(frame),
		.header_length = JOURNAL_BLOCK,
	};
	const struct journal_identity file = {.file_id = 102};
	struct journal_entry entry = {.length = JOURNAL_BLOCK};
	uint8_t id[JOURNAL_ID_SIZE], row[JOURNAL_FILE_SIZE];
	uint32_t crc = 0;

	memset(id, 0x41, sizeof(id));
	memset(frame + JOURNAL_BLOCK, 0x5a, JOURNAL_BLOCK);
	entry.crc = journal_crc32c(0, frame + JOURNAL_BLOCK, JOURNAL_BLOCK);
	journal_encode_file(row, &file);
	journal_put_row(frame, 0, row);
	journal_put_entry(frame, 1, 0, &entry);
	journal_encode_frame(frame, id, &header);
	/* No sector of zeroes, which the oracle could not tell from a hole. */
	memset(frame + SECTOR, 0x5a, JOURNAL_BLOCK - SECTOR);
	memcpy(frame + FRAME_CRC, &crc, sizeof(crc));
	crc = htole32(journal_crc32c(0, frame, JOURNAL_BLOCK));
	memcpy(frame + FRAME_CRC, &crc, sizeof(crc));
}

const uint8_t *forge_sector(uint64_t index)
{
	if (!frame[0])
		make();
	return frame + (index - FORGE_FIRST) * SECTOR;
}

bool forge_is_sector(const uint8_t *sector, uint64_t index)
{
	return index >= FORGE_FIRST && index < FORGE_END &&
	       memcmp(sector, forge_sector(index), SECTOR) == 0;
}

bool forge_is_in_place(void)
{
	const uint8_t *at = disk.state.seen_journal + FORGE_PLACE;

	(void)forge_sector(FORGE_FIRST);
	return memcmp(at + 8, frame + 8, JOURNAL_BLOCK - 8) == 0 &&
	       memcmp(at + JOURNAL_BLOCK + 8, frame + JOURNAL_BLOCK + 8, JOURNAL_BLOCK - 8) == 0;
}
