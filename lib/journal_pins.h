/* SPDX-License-Identifier: MIT */
/*
 * Questions of the journal about guests' entries (JG1, JG2 of journal_guest.h).
 *
 * Flow: a part of journal_internal.h, which includes it; journal_guest_pins.c answers.
 */
#ifndef LIBATOMICIO_JOURNAL_PINS_H
#define LIBATOMICIO_JOURNAL_PINS_H

#include "journal_internal.h"

/* The caller holds the lock. */

/*
 * Does a guest's page that is not home overlap this ticket?  If so, the ticket may not stand in
 * line.
 */
bool journal_guest_overlaps(const struct atomicio_journal *journal,
			    const struct journal_ticket *ticket);
/* Are homes of this file that count for this parity on their way? */
bool journal_guest_has_homes(const struct atomicio_journal *journal,
			     const struct journal_file *file, uint32_t parity);
/* Is an entry of a frame out?  If so, nothing may be carried. */
bool journal_guest_writes(const struct atomicio_journal *journal);
/* Progress was made, or the tail has moved: signal callers that have to come later. */
void journal_guest_wake(struct atomicio_journal *journal);
void journal_guest_tail_moved(struct atomicio_journal *journal);
/* Numbers up to the head without a durable frame, for a reader of live frames. */
struct journal_hole;
uint32_t journal_guest_list_holes(const struct atomicio_journal *journal,
				  struct journal_hole *holes);

/* journal_space.c: journal_advance_head() in two steps, for a frame not yet written. */
void journal_reserve_place(struct atomicio_journal *journal, const struct journal_frame *frame);
void journal_note_whole(struct atomicio_journal *journal, const struct journal_frame *frame);
/* Bytes from the end of the last durable frame to the head, if frames lie between. */
uint64_t journal_doubtful_bytes(const struct atomicio_journal *journal);

/* journal_guest_open.c, after the last guest: no lock. */
void journal_guests_end(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_PINS_H */
