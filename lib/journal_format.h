/* SPDX-License-Identifier: MIT */
/*
 * The journal on disk, format 2: two header blocks, two reserved blocks, then a ring of frames.
 * All numbers little-endian.
 *
 * Flow: pure encoding and decoding, below the rest of the journal family.
 * The same format is written out in man/atomicio-journal.5.
 *
 * Journal header, blocks 0 and 1: two copies, equal when at rest (H1).  Of two whole copies the
 * copy of the higher generation counts.
 *	  0 magic[16] "libatomicio-jrnl"	 40 size u64
 *	 16 version u32: 2			 48 frame_max u32
 *	 20 block_size u32: 4096		 52 flags u32: 1 CLEAN
 *	 24 id[16]				 56 generation u64
 *	 64 tail_offset u64			 72 tail_sequence u64
 *	 80 head_offset u64			 88 head_sequence u64
 *	 96 done_count u32, 0 to 240		100 zero, up to 128
 *	128 done rows of 16 bytes: file_id u64, up_to u64; the rest zero
 *	4092 crc32c u32, of the 4092 bytes before it
 * CLEAN: no frame is live, tail and head are equal, and the next frame goes there.  Without CLEAN
 * the head is as old as the header.  A done row (H3): the pages of this file in frames below up_to
 * are home and durable.
 *
 * Blocks 2 and 3: reserved, zero.  The page shared by processes in turns lies behind the journal,
 * at the next multiple of 2 MiB, and is no part of the format: journal_share.h.
 *
 * Frame, on a block boundary: frame header, file rows, entries, padding to a block, then the
 * pages in the order of their entries, each padded to a block with zeroes:
 *	  0 magic u32 "ATFR"			 48 offset u64, of this frame in the file
 *	  4 count u32, of the entries		 56 durable_to u64 (N1)
 *	  8 id[16], of the journal		 64 chain_first u64, sequence of the first of the
 *	 24 sequence u64			    chain (N2); without CHAIN its own
 *	 32 length u32, of the whole frame	 72 chain_index u32, 0 for the first
 *	 36 header_length u32, up to the pages	 76 files u32, of the file rows
 *	 40 crc32c u32, of the header_length	 80 void_first u64, void_count u32 (N1): sequence
 *	    bytes, with this field zero		    numbers that no frame will ever have
 *	 44 flags u32: 1 CHAIN, 2 LAST,		 92 zero u32
 *	    4 CARRY				 96 file rows, then entries
 * File row, 64 bytes (K4): which file an id named.  A file may have several rows.
 *	  0 file_id u64		 16 birth time, seconds i64	 32 fs_uuid[16], of the filesystem
 *	  8 inode u64		 24 nanoseconds u32		 48 tag[16], of the caller
 *				 28 known u32: 1 fs_uuid, 2 inode, 4 birth time, 8 tag
 * Entry, 24 bytes:
 *	  0 offset u64	 8 length u32	12 crc32c u32, of the page as it goes home
 *	 16 file u32, index of its row		20 escape u32
 * Escape (K1): a key.  The first word of each block of the padded page is XORed with a key other
 * than zero, and no block begins with the magic of a frame.
 */
#ifndef LIBATOMICIO_JOURNAL_FORMAT_H
#define LIBATOMICIO_JOURNAL_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_VERSION 2u
#define JOURNAL_BLOCK 4096u
#define JOURNAL_ID_SIZE 16u
#define JOURNAL_COPIES 2u	  /* of the header: blocks 0 and 1 */
#define JOURNAL_RING_START 16384u /* behind the headers and two reserved blocks */
#define JOURNAL_FRAME_MIN 8192u	  /* two blocks */
#define JOURNAL_FRAME_LIMIT (64u << 20)
#define JOURNAL_SIZE_LIMIT (UINT64_C(1) << 40)
/* No journal counts so far: a larger sequence number or generation is damage. */
#define JOURNAL_SEQUENCE_LIMIT (UINT64_C(1) << 62)
/*
 * No frame starts farther than this many times frame_max behind the end of the last durable frame,
 * the gap of a wrap not counted: beyond is no acknowledged frame (H4).
 */
#define JOURNAL_REACH 4u

#define JOURNAL_FRAME_MAGIC 0x52465441u /* "ATFR" */
#define JOURNAL_FRAME_HEADER 96u
#define JOURNAL_FILE_SIZE 64u
#define JOURNAL_ENTRY_SIZE 24u
#define JOURNAL_DONE_ROWS 240u

#define JOURNAL_CLEAN 0x1u /* journal_header.flags */

/* journal_frame.flags */
#define JOURNAL_CHAIN 0x1u /* one of several frames, replayed together or not at all */
#define JOURNAL_LAST 0x2u  /* the last of its chain */
#define JOURNAL_CARRY 0x4u /* pages of older frames, framed again */

/* journal_identity.known */
#define JOURNAL_KNOWS_FS 0x1u
#define JOURNAL_KNOWS_INODE 0x2u
#define JOURNAL_KNOWS_BIRTH 0x4u
#define JOURNAL_KNOWS_TAG 0x8u

static_assert(JOURNAL_RING_START % JOURNAL_BLOCK == 0, "the ring starts on a block");

/* The pages of a file in frames below `up_to` are home and durable (H3). */
struct journal_done {
	uint64_t file_id;
	uint64_t up_to;
};

/* Contents of the header blocks. */
struct journal_header {
	uint8_t id[JOURNAL_ID_SIZE];
	uint64_t size;
	uint64_t generation;
	uint64_t tail_offset;
	uint64_t tail_sequence;
	uint64_t head_offset;
	uint64_t head_sequence;
	uint32_t frame_max;
	uint32_t flags;
	uint32_t done_count;
	struct journal_done done[JOURNAL_DONE_ROWS];
};

/* Contents of a frame's header. */
struct journal_frame {
	uint64_t sequence;
	uint64_t offset;
	uint64_t durable_to;  /* every lower sequence number was durable, or named as void */
	uint64_t chain_first; /* sequence of the chain's first frame, or its own */
	uint64_t void_first;
	uint32_t void_count;
	uint32_t chain_index;
	uint32_t flags;
	uint32_t files; /* file rows */
	uint32_t count; /* entries */
	uint32_t length;
	uint32_t header_length;
};

/* Identity of the file that an id named when the frame was written (K4). */
struct journal_identity {
	uint64_t file_id;
	uint64_t inode;
	int64_t birth_seconds;
	uint32_t birth_nanoseconds;
	uint32_t known; /* JOURNAL_KNOWS_*: unknown fields are zero */
	uint8_t fs_uuid[16];
	uint8_t tag[16];
};

struct journal_entry {
	uint64_t offset;
	uint32_t length;
	uint32_t crc;	 /* of the page as it goes home */
	uint32_t file;	 /* index of its file row */
	uint32_t escape; /* 0: none */
};

/* Round up to a block; the caller keeps `bytes` far from the end of its type. */
static inline uint64_t journal_padded(uint64_t bytes)
{
	return (bytes + JOURNAL_BLOCK - 1) & ~(uint64_t)(JOURNAL_BLOCK - 1);
}

/* Length of the header part of a frame of so many file rows and entries. */
static inline uint64_t journal_header_length(uint64_t files, uint64_t count)
{
	return journal_padded(JOURNAL_FRAME_HEADER + files * JOURNAL_FILE_SIZE +
			      count * JOURNAL_ENTRY_SIZE);
}

/* Could create have made this geometry?  0 or -EINVAL. */
int journal_check_geometry(uint64_t size, uint32_t frame_max);

void journal_encode_header(uint8_t block[JOURNAL_BLOCK], const struct journal_header *header);

/*
 * Read a header block.  0; -ENODATA: not a journal's; -EBADMSG: damaged; -EPROTONOSUPPORT:
 * another version, its CRC being right.
 */
int journal_decode_header(const uint8_t block[JOURNAL_BLOCK], struct journal_header *header);

/*
 * Finish a frame in place: rows and entries are already in it, with header->files and count; the
 * pages are not looked at.
 */
void journal_encode_frame(uint8_t *frame, const uint8_t id[JOURNAL_ID_SIZE],
			  const struct journal_frame *header);
void journal_encode_file(uint8_t row[JOURNAL_FILE_SIZE], const struct journal_identity *file);
void journal_decode_file(const uint8_t row[JOURNAL_FILE_SIZE], struct journal_identity *file);
void journal_put_row(uint8_t *frame, uint32_t index, const uint8_t row[JOURNAL_FILE_SIZE]);
void journal_put_entry(uint8_t *frame, uint32_t files, uint32_t index,
		       const struct journal_entry *entry);

/* The key for this padded page, 0: no block starts with the magic (K1). */
uint32_t journal_escape_key(const uint8_t *page, uint64_t padded);
/* Put an escape on, or take it off. */
void journal_escape(uint8_t *page, uint64_t padded, uint32_t key);
/* Restore the caller's bytes in all pages of a frame, read or staged whole (N3). */
void journal_unescape(uint8_t *bytes, const struct journal_frame *frame);

/*
 * Could this block at `offset` start a frame of this journal?  Looks at the first block only; fills
 * *frame with lengths inside the ring and frame_max.
 */
bool journal_peek_frame(const uint8_t block[JOURNAL_BLOCK], const struct journal_header *journal,
			uint64_t offset, struct journal_frame *frame);

/* Is the header part whole: the CRC right, the entries' lengths adding up to the frame's? */
bool journal_check_frame(const uint8_t *bytes, const struct journal_frame *frame);

void journal_get_file(const uint8_t *bytes, uint32_t index, struct journal_identity *file);
void journal_get_entry(const uint8_t *bytes, uint32_t files, uint32_t index,
		       struct journal_entry *entry);

/* Do all pages of a frame, read whole into `bytes`, match their entries? */
bool journal_check_pages(const uint8_t *bytes, const struct journal_frame *frame);

#endif /* LIBATOMICIO_JOURNAL_FORMAT_H */
