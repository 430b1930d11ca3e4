/* SPDX-License-Identifier: MIT */
/*
 * A second reader of the journal's format, written from atomicio-journal(5) alone.
 *
 * Flow: journal_dump.c prints the findings; journal_recover.c asks for the named files.
 * journal_bytes.c decodes, journal_read.c reads headers and ring, journal_verdict.c draws the
 * conclusions.
 *
 * Rules:
 * JR1 the reader shares no code with the library: each checks the other, and the manual page.
 * JR2 the reader writes nothing, takes no lock, and trusts no number before its checksum is right.
 * JR3 unreadable is not torn: unreadable places are noted, block by block, and the rest is read.
 */
#ifndef JOURNAL_READ_H
#define JOURNAL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READER_BLOCK 4096u
#define READER_RING UINT64_C(16384) /* behind two headers and two reserved blocks */
#define READER_DONE_ROWS 240u

/* How a header block is (struct reader_header, condition). */
#define READER_HEADER_GOOD 0
#define READER_HEADER_ABSENT 1	/* no magic */
#define READER_HEADER_DAMAGED 2 /* its checksum or its numbers are wrong */
#define READER_HEADER_VERSION 3 /* of another version */
#define READER_HEADER_UNREADABLE 4

#define READER_CLEAN 0x1u /* reader_header.flags */

/* Pages of this file in frames below up_to are home and durable. */
struct reader_done {
	uint64_t file_id, up_to;
};

struct reader_header {
	int condition;
	uint32_t version;
	uint32_t frame_max;
	uint32_t flags;
	uint32_t done_count;
	uint8_t id[16];
	uint64_t size;
	uint64_t generation;
	uint64_t tail_offset, tail_sequence;
	uint64_t head_offset, head_sequence;
	struct reader_done done[READER_DONE_ROWS];
};

/* The fate of a frame in recovery. */
#define READER_LIVE 0	 /* recovery will replay the frame */
#define READER_TORN 1	 /* never became durable: recovery will ignore the frame */
#define READER_BEYOND 2	 /* whole, behind one that is lost: the journal is corrupt */
#define READER_ABORTED 3 /* whole, of a chain that is not: recovery will ignore the frame */

/* reader_frame.flags */
#define READER_CHAIN 0x1u
#define READER_LAST 0x2u
#define READER_CARRY 0x4u

struct reader_frame {
	int state;
	bool header_whole; /* the rows and entries may be read */
	bool whole;	   /* and the pages match the entries */
	uint32_t count;	   /* entries */
	uint32_t files;	   /* file rows */
	uint32_t length;
	uint32_t header_length;
	uint32_t flags;
	uint32_t chain_index;
	uint32_t void_count;
	uint64_t void_first;
	uint64_t sequence;
	uint64_t offset;
	uint64_t durable_to;
	uint64_t chain_first;
};

/* reader_file.known */
#define READER_KNOWS_FS 0x1u
#define READER_KNOWS_INODE 0x2u
#define READER_KNOWS_BIRTH 0x4u
#define READER_KNOWS_TAG 0x8u

/* Which file an id named. */
struct reader_file {
	uint64_t file_id;
	uint64_t inode;
	int64_t birth_seconds;
	uint32_t birth_nanoseconds;
	uint32_t known;
	uint8_t fs_uuid[16];
	uint8_t tag[16];
};

struct reader_entry {
	struct reader_file file;
	uint64_t offset;
	uint32_t length;
	uint32_t crc;
	uint32_t escape;
	bool page_whole; /* its bytes have this checksum */
	bool done;	 /* home and durable, as the header says: recovery will not replay the
			  * frame */
};

struct reader_range {
	uint64_t offset, length;
};

/* The conclusions. */
#define READER_STATE_READY 0
#define READER_STATE_UNCLEAN 1
#define READER_STATE_CORRUPT 2
#define READER_STATE_UNREADABLE 3 /* where an acknowledged frame may be */

struct reader {
	int fd;
	struct reader_header headers[2];
	const struct reader_header *header; /* the copy that counts */
	bool equal;			    /* both copies are good and equal */

	struct reader_frame *frames; /* whole or torn, in the order of the ring from the tail */
	uint32_t count, room;
	struct reader_range *unreadable; /* parts of the ring */
	uint32_t unreadable_count, unreadable_room;

	int state;
	uint64_t corrupt_offset; /* of the lost frame, or of the unreadable place; else 0 */
	uint64_t lost_sequence;	 /* of the lost frame */
	uint64_t head_offset, head_sequence;
	uint64_t durable_to;
	uint64_t live, torn, beyond; /* frames */
	uint64_t live_bytes;
	bool disordered; /* no journal is written in this way */
	uint64_t checked;

	uint8_t *bytes; /* a window on the ring */
	uint64_t window_room, window_offset, window_length;
};

/*
 * Read the headers.  0; -ENODATA, -EPROTONOSUPPORT, -EBADMSG, -ERANGE as atomicio_journal_open();
 * the headers are filled in also then; or an error of reading.
 */
int reader_open(int fd, struct reader *reader);
/* Find the frames, and judge them: 0, or an error of reading. */
int reader_scan(struct reader *reader);
/* The bytes of a frame, good until the next call. */
int reader_frame_bytes(struct reader *reader, const struct reader_frame *frame,
		       const uint8_t **bytes);
void reader_close(struct reader *reader);

/* journal_bytes.c */
void reader_decode_header(const uint8_t *block, struct reader_header *header);
/* Could the block at `offset` start a frame? */
bool reader_decode_frame(const struct reader_header *header, const uint8_t *block, uint64_t offset,
			 struct reader_frame *frame);
/* With all bytes of it: fill in header_whole and whole. */
void reader_check_frame(const uint8_t *bytes, struct reader_frame *frame);

/* Entries one by one: start with *page 0, and give it back. */
void reader_entry(const struct reader *reader, const uint8_t *bytes,
		  const struct reader_frame *frame, uint32_t index, uint64_t *page,
		  struct reader_entry *entry);
void reader_file(const uint8_t *bytes, uint32_t row, struct reader_file *file);

/* journal_verdict.c */
void reader_judge(struct reader *reader);

#endif /* JOURNAL_READ_H */
