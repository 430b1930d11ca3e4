/* SPDX-License-Identifier: MIT */
/*
 * A second reader of the journal's format, written from atomicio-journal(5) alone.
 *
 * Flow: journal_dump.c prints what it finds; journal_recover.c asks it which files are named.
 *
 * Rules:
 * R1 it shares no code with the library, so that each checks the other and the page.
 * R2 it only reads, takes no lock, and trusts no number before its checksum is right.
 */
#ifndef JOURNAL_READ_H
#define JOURNAL_READ_H

#include <stdbool.h>
#include <stdint.h>

#define READER_BLOCK 4096u

/* How a header block is (struct reader_header, condition). */
#define READER_HEADER_GOOD 0
#define READER_HEADER_ABSENT 1	/* no magic */
#define READER_HEADER_DAMAGED 2 /* its checksum or its numbers are wrong */
#define READER_HEADER_VERSION 3 /* of another version */

struct reader_header {
	int condition;
	uint32_t version;
	uint32_t frame_max;
	uint8_t id[16];
	uint64_t size;
	uint64_t generation;
	uint64_t tail_offset;
	uint64_t tail_sequence;
};

/* What a frame is for recovery. */
#define READER_LIVE 0	/* it will be replayed */
#define READER_TORN 1	/* it never became durable: it will be ignored */
#define READER_BEYOND 2 /* whole, behind one that is not: the journal is corrupt */

struct reader_frame {
	int state;
	uint32_t count;
	uint32_t length;
	uint32_t header_length;
	uint64_t sequence;
	uint64_t offset;
	bool entries_whole; /* the entries may be read */
};

struct reader_entry {
	uint64_t file_id;
	uint64_t offset;
	uint32_t length;
	uint32_t crc;
	bool page_whole; /* its bytes have this checksum */
};

struct reader {
	int fd;
	struct reader_header headers[2];
	int current;			     /* the header that counts */
	uint8_t *bytes;			     /* of the frame that is being visited */
	uint64_t head_offset, head_sequence; /* where the chain of live frames ends */
	uint64_t live, torn, beyond;	     /* frames met */
};

/* Called for each frame, live ones first and in order; anything but 0 ends the walk with it. */
typedef int reader_visit(void *context, struct reader *reader, const struct reader_frame *frame);

/*
 * Read the headers.  0; -ENODATA, -EPROTONOSUPPORT, -EBADMSG, -ERANGE as atomicio_journal_open();
 * the headers are filled in also then; or an error of reading.
 */
int reader_open(int fd, struct reader *reader);
int reader_walk(struct reader *reader, reader_visit *visit, void *context);
void reader_entry(const struct reader *reader, const struct reader_frame *frame, uint32_t index,
		  struct reader_entry *entry);
void reader_close(struct reader *reader);

#endif /* JOURNAL_READ_H */
