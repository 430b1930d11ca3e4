/* SPDX-License-Identifier: MIT */
/*
 * The journal on disk: two header blocks, then a ring of frames.  All numbers little-endian.
 *
 * Flow: pure encoding and decoding, below the rest of the journal family.
 * The same format is written out in man/atomicio-journal.5.
 *
 * Header, blocks 0 and 1, written in turn; the valid one of the higher generation counts:
 *	  0 magic[16] "libatomicio-jrnl"	 40 size u64
 *	 16 version u32: 1			 48 frame_max u32
 *	 20 block_size u32: 4096		 52 zero u32
 *	 24 id[16]				 56 generation u64
 *	 64 tail_offset u64			 72 tail_sequence u64
 *	4092 crc32c u32, of the 4092 bytes before it
 *
 * Frame, on a block boundary: header, entries, padding to a block, then the pages, each
 * padded to a block:
 *	  0 magic u32 "ATFR"			 40 crc32c u32, of the header_length bytes of
 *	  4 count u32, of the entries		    header, entries and padding, with this
 *	  8 id[16], of the journal		    field zero
 *	 24 sequence u64			 44 zero u32
 *	 32 length u32, of the whole frame	 48 offset u64, of this frame in the file
 *	 36 header_length u32			 56 entries
 * Entry:
 *	  0 file_id u64		  8 offset u64	 16 length u32	 20 crc32c u32, of the page
 */
#ifndef LIBATOMICIO_JOURNAL_FORMAT_H
#define LIBATOMICIO_JOURNAL_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_VERSION 1u
#define JOURNAL_BLOCK 4096u
#define JOURNAL_ID_SIZE 16u
#define JOURNAL_RING_START 8192u /* behind two header blocks */
#define JOURNAL_FRAME_MIN (2u * JOURNAL_BLOCK)
#define JOURNAL_FRAME_LIMIT (64u << 20)
#define JOURNAL_SIZE_LIMIT (UINT64_C(1) << 40)

#define JOURNAL_FRAME_HEADER 56u
#define JOURNAL_ENTRY_SIZE 24u

static_assert(JOURNAL_RING_START == 2 * JOURNAL_BLOCK, "the ring is behind the header blocks");

/* What the header blocks hold. */
struct journal_header {
	uint8_t id[JOURNAL_ID_SIZE];
	uint64_t size;
	uint64_t generation;
	uint64_t tail_offset;
	uint64_t tail_sequence;
	uint32_t frame_max;
};

/* What a frame's header holds. */
struct journal_frame {
	uint64_t sequence;
	uint64_t offset;
	uint32_t count;
	uint32_t length;
	uint32_t header_length;
};

struct journal_entry {
	uint64_t file_id;
	uint64_t offset;
	uint32_t length;
	uint32_t crc;
};

/* Round up to a block; the caller keeps `bytes` far from the end of its type. */
static inline uint64_t journal_padded(uint64_t bytes)
{
	return (bytes + JOURNAL_BLOCK - 1) & ~(uint64_t)(JOURNAL_BLOCK - 1);
}

/* Length of the header part of a frame of `count` entries. */
static inline uint64_t journal_header_length(uint64_t count)
{
	return journal_padded(JOURNAL_FRAME_HEADER + count * JOURNAL_ENTRY_SIZE);
}

/* Is this geometry one that create would make?  0 or -EINVAL. */
int journal_check_geometry(uint64_t size, uint32_t frame_max);

void journal_encode_header(uint8_t block[JOURNAL_BLOCK], const struct journal_header *header);

/*
 * Read a header block.  0; -ENODATA: not a journal's; -EBADMSG: damaged; -EPROTONOSUPPORT:
 * another version, its CRC being right.
 */
int journal_decode_header(const uint8_t block[JOURNAL_BLOCK], struct journal_header *header);

/*
 * Finish a frame in place: the entries are put by journal_put_entry() before, the pages are
 * not looked at.
 */
void journal_encode_frame(uint8_t *frame, const uint8_t id[JOURNAL_ID_SIZE],
			  const struct journal_frame *header);
void journal_put_entry(uint8_t *frame, uint32_t index, const struct journal_entry *entry);

/*
 * Could this block start a frame of this journal that lies at `offset`?  Looks at the first
 * block only; fills *frame with lengths that are inside the ring and frame_max.
 */
bool journal_peek_frame(const uint8_t block[JOURNAL_BLOCK], const struct journal_header *journal,
			uint64_t offset, struct journal_frame *frame);

/* Is the header part whole: the CRC right, the entries' lengths adding up to the frame's? */
bool journal_check_frame(const uint8_t *bytes, const struct journal_frame *frame);

void journal_get_entry(const uint8_t *bytes, uint32_t index, struct journal_entry *entry);

/* Are all pages of a frame, read whole into `bytes`, those that its entries name? */
bool journal_check_pages(const uint8_t *bytes, const struct journal_frame *frame);

#endif /* LIBATOMICIO_JOURNAL_FORMAT_H */
