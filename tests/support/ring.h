/* SPDX-License-Identifier: MIT */
/*
 * A journal in memory whose frames are put there by hand, for what the run time never writes.
 *
 * The file is a memfd, opened by the library as any other; reads can be counted, and can fail in
 * a range.
 */
#ifndef TEST_RING_H
#define TEST_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "journal_internal.h"

#define RING_SIZE (JOURNAL_RING_START + (64u << 10))
#define RING_FRAME_MAX (16u << 10)
#define RING_FRAME_LENGTH 8192u /* of a frame of one page of 4096 bytes */
#define RING_HOMES 3u		/* files 1 to 3, of 64 KiB of 0x11 each */

struct ring {
	int fd;
	int homes[RING_HOMES + 1]; /* by file_id; 0 is not used */
	uint8_t id[16];
	uint32_t reads;
	uint32_t writes;	     /* of the journal's file and of homes */
	uint64_t bad_start, bad_end; /* reads of the journal over this place fail with EIO */
	uint64_t bad_home_offset;    /* writes at this offset of home 2 fail; UINT64_MAX: none */
	struct journal_identity now[RING_HOMES + 1]; /* the kind of each home */
};

extern struct ring ring;
extern struct sys_calls ring_sys;

/* A new journal, not clean, its tail at the start with number `tail`. */
void ring_make(uint64_t tail);
void ring_make_of(uint64_t tail, uint64_t size);
void ring_free(void);

/* A frame of one page of `fill` for file 1, at offset 0; the fields of `frame` as they are given.
 */
struct journal_frame ring_frame(uint64_t sequence, uint64_t offset);
void ring_put(struct journal_frame frame, uint64_t file_id, uint64_t home_offset, uint8_t fill);
/* Put a page of the caller's at `place` of the frame; files 1, one entry. */
void ring_poke(uint64_t offset, const void *bytes, size_t length);

struct atomicio_journal *ring_open(void);
struct atomicio_journal_info ring_info(const struct atomicio_journal *journal);
bool ring_home_is(uint64_t file_id, uint64_t offset, uint8_t fill);
/* For atomicio_journal_recover(): the homes by their ids. */
int ring_resolve(void *context, uint64_t file_id);

#endif /* TEST_RING_H */
