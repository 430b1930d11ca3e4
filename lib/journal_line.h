/* SPDX-License-Identifier: MIT */
/*
 * The line of the writers, places in the ring, and one frame.
 *
 * Flow: a part of journal_internal.h, which includes it.
 */
#ifndef LIBATOMICIO_JOURNAL_LINE_H
#define LIBATOMICIO_JOURNAL_LINE_H

#include "journal_internal.h"

/* journal_line.c: the caller holds the lock. */

/* Take or give back the role: one thread frames or recovers. */
void journal_enter(struct atomicio_journal *journal);
void journal_leave(struct atomicio_journal *journal);
/* Is a sync, a header or a home write on its way, without a waiter? */
static inline bool journal_has_requests(const struct atomicio_journal *journal)
{
	return journal->syncs_out || journal->tail_out || journal->behind;
}
#define JOURNAL_WAIT_FOREVER UINT32_MAX
/* Wait for a request on its way or for a change; false: the time is over. */
bool journal_retire_wait(struct atomicio_journal *journal, uint32_t milliseconds);
/* A ticket is home, or the role is free, or frames are retired: wake the threads that may go on. */
void journal_wake(struct atomicio_journal *journal);
/* 0 if the journal takes writes, else -EUCLEAN, -ENOTRECOVERABLE or (no turn) -EBUSY. */
int journal_refused(const struct atomicio_journal *journal);
void journal_poison(struct atomicio_journal *journal);

static inline void journal_join_line(struct atomicio_journal *journal,
				     struct journal_ticket *ticket)
{
	*journal->waiting_end = ticket;
	journal->waiting_end = &ticket->next;
}
/* What comes next for the thread of a ticket in line. */
enum journal_next {
	JOURNAL_NEXT_NONE, /* the ticket is answered */
	JOURNAL_NEXT_LEAD, /* the role is this thread's: lead a frame */
	JOURNAL_NEXT_LAND, /* the line waits for homes without a thread: land, and ask again */
};
enum journal_next journal_await_lead(struct atomicio_journal *journal,
				     struct journal_ticket *ticket);
/*
 * Take the first ticket in line that can share a frame with the tickets of `with`, already taken,
 * which have `files` rows, `count` pages and `data_length` bytes.
 */
struct journal_ticket *journal_take(struct atomicio_journal *journal,
				    const struct journal_ticket *with, uint64_t files,
				    uint64_t count, uint64_t data_length);
void journal_answer(struct journal_ticket *ticket, int error);
/* Is a part of the ticket's ranges still on its way home from an earlier frame (J8)? */
bool journal_meets_homing(const struct atomicio_journal *journal,
			  const struct journal_ticket *ticket);
/* A ticket with a durable frame departs from its stage; at its arrival all its pages are home. */
void journal_depart(struct atomicio_journal *journal, struct journal_stage *stage,
		    struct journal_ticket *ticket);
void journal_arrive(struct atomicio_journal *journal, struct journal_ticket *ticket);

/* journal_space.c: pure. */

/* Number a frame, or a whole chain from `first` on, and name the void numbers (N1). */
void journal_number(const struct atomicio_journal *journal, struct journal_frame *frame,
		    uint64_t first);

/* Bytes of the ring kept for carrying (C1); 0: the ring is too small. */
uint64_t journal_reserve(const struct journal_header *header);
/* Most bytes that may be carried. */
uint64_t journal_pinned_limit(const struct journal_header *header);
/*
 * A place for a frame of `length` bytes, with `keep` bytes left behind the frame (J7); 0: no place.
 */
uint64_t journal_place_frame(const struct atomicio_journal *journal, uint64_t length,
			     uint64_t keep);
/* Most bytes in gaps: at the end of the ring, and before unreadable places. */
uint64_t journal_gaps(const struct atomicio_journal *journal);
/* A frame is durable: move the head behind the frame. */
void journal_advance_head(struct atomicio_journal *journal, const struct journal_frame *frame);
/* Bytes from a tail to a head, with at least one frame in between. */
uint64_t journal_distance(const struct journal_header *header, uint64_t tail, uint64_t head);

/* Most bytes of a frame of these pages: each may need a file row of its own. */
static inline uint64_t journal_frame_length(uint64_t count, uint64_t data_length)
{
	return journal_header_length(count, count) + data_length;
}

/* journal_frame.c: no lock.  The frame is staged; its header is made here. */
int journal_write_frame(const struct atomicio_journal *journal, uint8_t *bytes,
			const struct journal_frame *frame);
/*
 * Copy pages into a frame, from entry `index` on and from byte `at` on; *files is the next row, and
 * a run of pages of one file has one.  Returns where the next page goes.
 */
uint64_t journal_stage_pages(uint8_t *bytes, const struct journal_frame *frame, uint32_t index,
			     uint32_t *files, uint64_t at, const struct journal_page *pages,
			     uint32_t count);
int journal_frame_error(int error);
/* With the lock: a stage without home writes, or NULL; and memory for one more stage. */
struct journal_stage *journal_find_stage(struct atomicio_journal *journal);
bool journal_add_stage(struct atomicio_journal *journal);
/* With the lock: a frame with these pages may be on disk. */
void journal_cover_ticket(struct atomicio_journal *journal, const struct journal_ticket *ticket,
			  uint64_t sequence);

#endif /* LIBATOMICIO_JOURNAL_LINE_H */
