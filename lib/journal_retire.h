/* SPDX-License-Identifier: MIT */
/*
 * Retirement: the steps, the waits for them, and the tail.
 *
 * Flow: a part of journal_internal.h, which includes it.  The caller holds the lock, which is
 * dropped for the work.
 */
#ifndef LIBATOMICIO_JOURNAL_RETIRE_H
#define LIBATOMICIO_JOURNAL_RETIRE_H

#include "journal_internal.h"

/* Most requests on their way together; work beyond is done by a call. */
#define JOURNAL_FLIGHTS 512u

/* journal_retire.c */

enum journal_step {
	JOURNAL_STEP_IDLE = 0,	/* no retirement is due: less than half of the ring is live */
	JOURNAL_STEP_DONE = 1,	/* progress was made: look again */
	JOURNAL_STEP_WAIT = 2,	/* requests are on their way, or other threads are at work */
	JOURNAL_STEP_CARRY = 3, /* only failed files are left: the thread with the role must carry
				 * them */
	JOURNAL_STEP_CALL = 4,	/* only a call that waits for a disk is left, and may not be made */
	JOURNAL_STEP_GUEST = 5, /* a guest's entry has to complete: no call waits for the entry
				 * (JG1) */
};

/* Is it time to begin a retirement? */
bool journal_is_half_full(const struct atomicio_journal *journal);
/* Begin a retirement, if none is under way. */
void journal_begin_retirement(struct atomicio_journal *journal);
/*
 * Make one step of the retirement under way, or begin a retirement if the time has come: see enum
 * journal_step.  With `may_call` the step may wait for a disk, by one call, where AIO is not
 * possible.  Else returns an error of the journal's own file, or -EINTR.
 */
int journal_retire_step(struct atomicio_journal *journal, bool may_call);
/* Take the results of ended requests, without waiting. */
void journal_land(struct atomicio_journal *journal);

/* journal_spread.c */

/*
 * A retirement is under way: begin the write-back that is due.  True: the syncs had better wait for
 * more of it.
 */
bool journal_spread(struct atomicio_journal *journal, const struct journal_ticket *ticket);
/* Let a span reach over another one, too. */
void journal_widen(struct journal_span *span, const struct journal_span *by);

/* journal_checkpoint.c */

/*
 * For a writer after its own page: make a few steps, if a retirement is due.  `ticket` is home, or
 * NULL.
 */
void journal_help_retire(struct atomicio_journal *journal, const struct journal_ticket *ticket);
/* Retire the live frames that were written through one handle. */
int journal_retire_file(struct atomicio_journal *journal, const struct journal_file *file);
/* 1: frames of an id are live; 0: none are; or why they cannot be retired. */
int journal_ask_live(const struct atomicio_journal *journal, uint64_t file_id);
/*
 * With the role: find a place for a frame of `length` bytes; or (`offset` NULL) make sure that
 * `length` bytes of the ring are free.  -ENOSPC: live frames are pinned (C1).
 */
int journal_make_room(struct atomicio_journal *journal, const struct journal_ticket *for_whom,
		      uint64_t length, uint64_t *offset);

/* journal_tail.c */

/* Retire all frames before this frame, by writing both headers. */
int journal_move_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence);
/*
 * As journal_move_tail(), but only send the headers; false: sending is not possible, use
 * journal_move_tail().
 */
bool journal_send_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence);
/* Has the tail moved?  Sends the second copy after the first copy has landed. */
bool journal_land_tail(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_RETIRE_H */
