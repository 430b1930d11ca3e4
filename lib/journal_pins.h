/* SPDX-License-Identifier: MIT */
/*
 * What entries of guests forbid (JG1, JG2 of journal_guest.h), as the rest of the journal asks it.
 *
 * Flow: a part of journal_internal.h, which includes it; journal_guest_pins.c answers.
 */
#ifndef LIBATOMICIO_JOURNAL_PINS_H
#define LIBATOMICIO_JOURNAL_PINS_H

#include "journal_internal.h"

/* The lock is held by the caller of all of these. */

/* A page that is not home overlaps this ticket: it may not stand in line. */
bool journal_guest_overlaps(const struct atomicio_journal *journal,
			    const struct journal_ticket *ticket);
/* Homes of this file that count for this parity are on their way. */
bool journal_guest_has_homes(const struct atomicio_journal *journal,
			     const struct journal_file *file, uint32_t parity);
/* An entry of a frame is out: nothing may be carried. */
bool journal_guest_writes(const struct atomicio_journal *journal);
/* Something is done, or the tail has moved: whoever was told to come later may come. */
void journal_guest_wake(struct atomicio_journal *journal);
void journal_guest_tail_moved(struct atomicio_journal *journal);
/* Numbers up to the head that have no durable frame, for who reads the others. */
struct journal_hole;
uint32_t journal_guest_list_holes(const struct atomicio_journal *journal,
				  struct journal_hole *holes);

/* journal_space.c: journal_advance_head() in two steps, for a frame that is not yet written. */
void journal_reserve_place(struct atomicio_journal *journal, const struct journal_frame *frame);
void journal_note_whole(struct atomicio_journal *journal, const struct journal_frame *frame);
/* From the end of the last durable frame to the head, if there are others between them. */
uint64_t journal_doubtful_bytes(const struct atomicio_journal *journal);

/* journal_guest_open.c, when nothing is left: no lock. */
void journal_guests_end(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_PINS_H */
