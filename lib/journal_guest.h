/* SPDX-License-Identifier: MIT */
/*
 * Guests: pages whose frame and homes are written by entries of the caller's ring.
 *
 * Flow: write_uring_journal.c calls this; journal_guest.c gathers pages and gives a frame its
 * place, journal_guest_ring.c gives out entries and takes completions, journal_guest_pins.c says
 * what nobody may do meanwhile, journal_guest_retire.c makes room.  No call for guests waits for a
 * disk, a guest or the role, and none takes memory, except begin and end.
 *
 * A frame (enum journal_guest_state); what holds in each state, and which function leaves it:
 *
 *	FREE     nothing.
 *	  | journal_gather_begin(), _put() and _end()
 *	OPEN     its pages are copied; the frame has no number and no place, and covers no range.
 *	  | journal_gather_close()              | journal_gather_drop(), or close is refused: FREE
 *	DUE      the frame has number and place, the head is behind it, its ranges are covered (J3),
 *	and
 *	  |      count as homes on their way.  No entry is filled.
 *	  | journal_guest_next()
 *	WRITING  its entry may be in the ring, or be submitted at any time (JG2).
 *	  | journal_guest_framed() |-> DUE      the kernel wrote a part of the frame: the same bytes
 *	  go to the same place.  |-> SYNCING  its file's RWF_DSYNC is not trusted (K9): an fdatasync
 *	  is the next entry.  |-> FREE     cancelled before anything was written: its number is
 *	  void, its place a hole.  |-> FREE     another error: the journal is poisoned (J9).
 *	DURABLE a commit (K11).  Each page is READY (its entry is due), FLYING (the entry is out) or
 *	HOME.
 *	  | journal_guest_homed(), of the last page
 *	FREE
 *
 * Rules:
 * JG1 a synchronous call that needs the completion of a guest's entry returns -EBUSY, and never
 *    waits: the waiting thread could be the only thread that reaps completions.
 * JG2 a filled entry cannot be revoked.  Until its completion: the range accepts no other page, the
 *    place stays in the ring, and no retirement passes the homes.  While a frame's entry is out, no
 *    page is carried: a carried page could get a later number than a newer page.
 * JG3 several frames may be on their way together.  A frame's durable_to is therefore at most the
 *    lowest number not yet known to be durable (N1).
 * JG4 not more than JOURNAL_GUEST_SPAN times frame_max lies between the last durable frame and the
 *    head, or an acknowledged frame could lie where recovery does not look (H4).
 * JG5 a call that is not possible now gives an errno, and changes nothing. -EAGAIN: wait for
 *    another thread or request, and for the event's signal; -EBUSY: wait for an entry of the
 *    caller's own; -ENOBUFS: close the open frame first; -ENOSPC: make room first, by a call that
 *    waits; -ENXIO: make the file longer first.
 *
 * Locks: guests->lock (the open frame) before journal->lock (all else).
 */
#ifndef LIBATOMICIO_JOURNAL_GUEST_H
#define LIBATOMICIO_JOURNAL_GUEST_H

#include "journal_internal.h"

#define JOURNAL_GUEST_SPAN 2u
/* How often the same entry is given out again after a short result. */
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
	JOURNAL_GUEST_STAGED, /* the frame is not durable */
	JOURNAL_GUEST_READY,
	JOURNAL_GUEST_FLYING,
	JOURNAL_GUEST_HOME, /* or the file failed, and the frame alone has the page (K7) */
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
	uint64_t serial; /* names this use of the frame in requests */
	enum journal_guest_state state;
	struct journal_frame frame;
	uint8_t *memory; /* the longest header, then pages */
	uint8_t *bytes;	 /* where the closed frame begins in `memory` */
	struct journal_guest_page *pages;
	uint32_t *order; /* of the pages, by file and offset */
	uint32_t left;	 /* pages not yet home */
	uint32_t generation;
	uint32_t tries;
	bool begun; /* an entry may have written a part of the frame, or all */
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
	uint64_t synced; /* calls of journal_guest_synced() */
	/* Numbers and places without a frame, not yet passed by the tail (N1). */
	struct journal_hole holes[JOURNAL_HOLES];
	uint32_t hole_count;
};

/* journal_guest_pins.c */

/* The place in `order` of the first page of this file that ends behind `offset`. */
uint32_t journal_guest_place_of(const struct journal_guest_frame *frame, uint64_t file_id,
				uint64_t offset);
/* A page of this frame that is not home and touches the range, or NULL. */
const struct journal_guest_page *journal_guest_find(const struct journal_guest_frame *frame,
						    uint64_t file_id, uint64_t offset,
						    uint64_t end);

/* The caller holds the lock; journal_pins.h has more such functions. */

/* Does a page of a closed frame, not yet home, touch the range? */
bool journal_guest_covers(const struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
			  uint64_t end);
/* Does a page of this frame touch a ticket in line, or a ticket on its way home? */
bool journal_guest_meets_line(const struct atomicio_journal *journal,
			      const struct journal_guest_frame *frame);
/* A place for a frame of `length` bytes (JG4), or 0. */
uint64_t journal_guest_place(const struct atomicio_journal *journal, uint64_t length);
/* journal_guest_retire.c, with the lock, which is dropped for the work: JG5. */
int journal_guest_make_room(struct atomicio_journal *journal, uint64_t length);
/* From half of the ring on: make the next steps of a retirement. */
void journal_guest_help(struct atomicio_journal *journal);
/* Note the numbers not known to be durable (JG3). */
void journal_guest_note_doubt(struct atomicio_journal *journal);
/* The caller has to come later: signal the event after the next change (JG5). */
void journal_guest_later(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_GUEST_H */
