/* SPDX-License-Identifier: MIT */
/*
 * Guests: pages whose frame and homes are written by entries of the caller's ring.
 *
 * Flow: write_uring_journal.c calls this; journal_guest.c gathers pages and gives a frame its
 * place, journal_guest_ring.c gives out entries and takes completions, journal_guest_pins.c says
 * what nobody may do meanwhile, journal_guest_retire.c makes room.  No call of these waits for a
 * disk, a guest or the role, and none takes memory, but for begin and end.
 *
 * A frame (enum journal_guest_state); what holds in each state, and which function leaves it:
 *
 *	FREE     nothing.
 *	  | journal_gather()
 *	OPEN     its pages are copied; it has no number and no place, and nothing knows of it.
 *	  | journal_gather_close()              | journal_gather_drop(), or close is refused: FREE
 *	DUE      it has number and place, the head is behind it, its ranges are covered (J3), and
 *	  |      count as homes on their way.  No entry is filled.
 *	  | journal_guest_next()
 *	WRITING  its entry may be in the ring, or be submitted at any time (JG2).
 *	  | journal_guest_framed()
 *	  |-> DUE      the kernel did less than all of it: the same bytes go to the same place.
 *	  |-> SYNCING  its file's RWF_DSYNC is not trusted (K9): an fdatasync is the next entry.
 *	  |-> FREE     cancelled before anything was written: its number is void, its place a hole.
 *	  |-> FREE     another error: the journal is poisoned (J9).
 *	DURABLE  a commit (E1).  Of each page: READY, its entry may be had; FLYING, it is out; HOME.
 *	  | journal_guest_homed(), of the last page
 *	FREE
 *
 * Rules:
 * JG1 a synchronous call that needs the completion of a guest's entry returns -EBUSY, and never
 *    waits for it: one thread prepares, then calls.
 * JG2 an entry that was filled cannot be revoked.  Until its completion: its range takes no other
 *    page, its place stays in the ring, no retirement passes its homes, and while an entry of a
 *    frame is out, nothing is carried: what is carried could get a later number than a newer page.
 * JG3 frames may be on their way together, so of some the numbers are not known to be durable when
 *    later ones are written.  A frame says so: its durable_to is at most the lowest of these (N1).
 * JG4 not more than JOURNAL_GUEST_SPAN times frame_max lies between the last durable frame and the
 *    head, or an acknowledged frame could lie where recovery does not look for it (H4).
 * JG5 what may not be done now is told by an errno, and never half done.  -EAGAIN: not before
 *    somebody else has done something, and then the event is signalled; -EBUSY: not before an
 *    entry of the caller's own has completed; -ENOBUFS: not before the open frame is closed;
 *    -ENOSPC: not before a call that waits has made room.
 *
 * Locks: guests->lock (the open frame) before journal->lock (all else).
 */
#ifndef LIBATOMICIO_JOURNAL_GUEST_H
#define LIBATOMICIO_JOURNAL_GUEST_H

#include "journal_internal.h"

#define JOURNAL_GUEST_SPAN 2u
/* The kernel did less than all of it: how often the same entry is given out again. */
#define JOURNAL_GUEST_TRIES 64u

enum journal_guest_state {
	JOURNAL_GUEST_FREE,
	JOURNAL_GUEST_OPEN,
	JOURNAL_GUEST_DUE,
	JOURNAL_GUEST_WRITING,
	JOURNAL_GUEST_SYNCING,
	JOURNAL_GUEST_DURABLE,
};

enum journal_guest_page_state {
	JOURNAL_GUEST_STAGED, /* its frame is not durable */
	JOURNAL_GUEST_READY,
	JOURNAL_GUEST_FLYING,
	JOURNAL_GUEST_HOME, /* or its file failed, and its frame is all it has (K7) */
};

struct journal_guest_page {
	struct journal_file *file;
	uint8_t *data; /* staged */
	uint64_t offset;
	uint32_t length;
	uint32_t row; /* in the frame */
	uint32_t crc, escape;
	uint32_t tries;
	enum journal_guest_page_state state;
};

struct journal_guest_frame {
	uint64_t serial; /* names this use of it: requests know it by that */
	enum journal_guest_state state;
	struct journal_frame frame;
	uint8_t *memory; /* the longest header, then pages */
	uint8_t *bytes;	 /* where the frame begins in it, once it is closed */
	struct journal_guest_page *pages;
	uint32_t *order; /* of the pages, by file and offset */
	uint32_t left;	 /* pages that are not home */
	uint32_t generation;
	uint32_t tries;
	bool begun; /* an entry may have written some of it, or all */
	bool noappend;
};

struct journal_guests {
	pthread_mutex_t lock;
	struct journal_guest_frame *frames;
	uint32_t count;
	uint32_t page_room; /* of a frame */
	uint64_t data_start;
	uint64_t turn; /* serials given */
	struct journal_guest_frame *open;
	int event; /* the caller's; -1: none */
	bool told_later;
	/* Numbers and places that no frame has, and the tail has not passed (N1). */
	struct journal_hole holes[JOURNAL_HOLES];
	uint32_t hole_count;
};

/* Put what is to be written next into *io. */
void journal_guest_fill(const struct atomicio_journal *journal,
			const struct journal_guest_frame *frame, struct journal_guest_io *io);

/* journal_guest_pins.c */

/* The place in `order` of the first page that ends behind `offset` of this file. */
uint32_t journal_guest_place_of(const struct journal_guest_frame *frame, uint64_t file_id,
				uint64_t offset);
/* A page of this frame that is not home and touches these bytes, or NULL. */
const struct journal_guest_page *journal_guest_find(const struct journal_guest_frame *frame,
						    uint64_t file_id, uint64_t offset,
						    uint64_t end);

/* The lock is held by the caller of these; journal_pins.h has the others. */

/* Does a page that is closed in, and not home, touch these bytes? */
bool journal_guest_covers(const struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
			  uint64_t end);
/* Does a page of this frame touch one that stands in line, or is on its way home, by call? */
bool journal_guest_meets_line(const struct atomicio_journal *journal,
			      const struct journal_guest_frame *frame);
/* Where a frame of this length can go (JG4), or 0. */
uint64_t journal_guest_place(const struct atomicio_journal *journal, uint64_t length);
/* journal_guest_retire.c, with the lock, which is dropped for the work: JG5, or -ENOSPC. */
int journal_guest_make_room(struct atomicio_journal *journal, uint64_t length);
/* From half of the ring on: the next steps, if there are some. */
void journal_guest_help(struct atomicio_journal *journal);
/* Which numbers are not known to be durable (JG3)? */
void journal_guest_note_doubt(struct atomicio_journal *journal);
/* The caller is told to come later: signal it when something has happened (JG5). */
void journal_guest_later(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_GUEST_H */
