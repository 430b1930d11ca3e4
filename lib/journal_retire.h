/* SPDX-License-Identifier: MIT */
/*
 * Retirement: steps, who waits for them, and the tail.
 *
 * Flow: a part of journal_internal.h, which includes it.  The lock is held by the caller of all
 * of these, and dropped for the work.
 */
#ifndef LIBATOMICIO_JOURNAL_RETIRE_H
#define LIBATOMICIO_JOURNAL_RETIRE_H

#include "journal_internal.h"

/* Requests that are on their way together, at most; what finds no room is done by a call. */
#define JOURNAL_FLIGHTS 512u

/* journal_retire.c */

enum journal_step {
	JOURNAL_STEP_IDLE = 0,	/* nothing is to be retired: less than half of the ring is live */
	JOURNAL_STEP_DONE = 1,	/* something was done: look again */
	JOURNAL_STEP_WAIT = 2,	/* requests are on their way, or others are at work, or slow */
	JOURNAL_STEP_CARRY = 3, /* only failed files are left: who has the role must carry them */
	JOURNAL_STEP_CALL = 4,	/* only a call that waits for a disk is left, and may not be made */
	JOURNAL_STEP_GUEST = 5, /* a guest's entry has to complete: nobody waits for that (JG1) */
};

/* Is it time to begin one? */
bool journal_is_half_full(const struct atomicio_journal *journal);
/* Begin one, if none is under way. */
void journal_begin_retirement(struct atomicio_journal *journal);
/*
 * One step of the retirement under way, which is begun if it is time: see enum journal_step.  With
 * `may_call` it may wait for a disk, by one call, where AIO cannot be had.  Or an error of the
 * journal's own file, or -EINTR.
 */
int journal_retire_step(struct atomicio_journal *journal, bool may_call);
/* Look what has become of requests on their way; waits for nothing. */
void journal_land(struct atomicio_journal *journal);

/* journal_checkpoint.c */

/* For a writer after its own page: make a few steps, if there is something to do. */
void journal_help_retire(struct atomicio_journal *journal);
/* Retire the live frames that were written through one handle. */
int journal_retire_file(struct atomicio_journal *journal, const struct journal_file *file);
/*
 * With the role: where a frame of this length can go; or (NULL) see that so many bytes of the ring
 * are free.  -ENOSPC: live frames are pinned (S1).
 */
int journal_make_room(struct atomicio_journal *journal, const struct journal_ticket *for_whom,
		      uint64_t length, uint64_t *offset);

/* journal_tail.c */

/* Everything below this frame is retired, once both headers say so. */
int journal_move_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence);
/* The same, sent and not waited for; false: it has to be journal_move_tail(). */
bool journal_send_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence);
/* Has it moved?  Sends the second copy when the first is there. */
bool journal_land_tail(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_RETIRE_H */
