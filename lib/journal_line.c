/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is: the role of the one thread at work, and the line of the tickets.
 *
 * Flow: commit puts its ticket in line and waits here; whoever holds the role and has done his
 * work wakes the next one here.  No call of this file reads or writes anything.
 */
#include "journal_internal.h"

#include <errno.h>

/* Wait for the role, with the lock held on return (it is dropped during the work itself). */
void journal_enter(struct atomicio_journal *journal)
{
	while (journal->busy)
		pthread_cond_wait(&journal->changed, &journal->lock);
	journal->busy = true;
}

void journal_leave(struct atomicio_journal *journal)
{
	journal->busy = false;
	journal_wake(journal);
}

int journal_refused(const struct atomicio_journal *journal)
{
	switch (journal->state) {
	case ATOMICIO_JOURNAL_READY:
		return 0;
	case ATOMICIO_JOURNAL_POISONED:
		return -ENOTRECOVERABLE;
	default:
		return -EUCLEAN;
	}
}

void journal_poison(struct atomicio_journal *journal)
{
	journal->state = ATOMICIO_JOURNAL_POISONED;
	pthread_cond_broadcast(&journal->changed);
}

/*
 * Which tickets may share a frame, and which must wait.
 */
static bool pages_overlap(const struct journal_page *a, const struct journal_page *b)
{
	return a->file->file_id == b->file->file_id && a->offset < b->offset + b->length &&
	       b->offset < a->offset + a->length;
}

static bool tickets_overlap(const struct journal_ticket *a, const struct journal_ticket *b)
{
	struct journal_page left, right;

	for (uint32_t i = 0; i < a->count; i++) {
		a->page_at(a->pages, i, &left);
		for (uint32_t j = 0; j < b->count; j++) {
			b->page_at(b->pages, j, &right);
			if (pages_overlap(&left, &right))
				return true;
		}
	}
	return false;
}

static bool overlaps_any(const struct journal_ticket *ticket, const struct journal_ticket *list)
{
	for (; list; list = list->next)
		if (tickets_overlap(ticket, list))
			return true;
	return false;
}

/* J8: a range still on its way home from an earlier frame may not enter the next one. */
static bool must_wait(const struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
		if (overlaps_any(ticket, journal->stages[i].homing))
			return true;
	return false;
}

/*
 * Is a writer on its way home who will be there soon?  It may well come back with its next page,
 * and then shares the frame: a leader that does not wait for it finds half of the writers in
 * line, for ever, and pays twice the flushes.  A long group takes longer than a flush may.
 */
static bool home_soon(const struct atomicio_journal *journal)
{
	for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
		for (const struct journal_ticket *ticket = journal->stages[i].homing; ticket;
		     ticket = ticket->next)
			if (ticket->data_length <= JOURNAL_HOME_SOON)
				return true;
	return false;
}

/* Can a frame be led now? */
static bool may_lead(const struct atomicio_journal *journal)
{
	return !journal->busy && journal->waiting && !home_soon(journal) &&
	       !must_wait(journal, journal->waiting);
}

/* Only the first in line is woken to lead; whoever comes in before it wakes up leads for it. */
void journal_wake(struct atomicio_journal *journal)
{
	pthread_cond_broadcast(&journal->changed);
	if (may_lead(journal))
		pthread_cond_signal(&journal->waiting->woken);
}

void journal_join_line(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	*journal->waiting_end = ticket;
	journal->waiting_end = &ticket->next;
}

bool journal_await_lead(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	while (!ticket->settled && !may_lead(journal))
		pthread_cond_wait(&ticket->woken, &journal->lock);
	if (ticket->settled)
		return false;
	journal->busy = true;
	return true;
}

struct journal_ticket *journal_take(struct atomicio_journal *journal,
				    const struct journal_ticket *with, uint64_t files,
				    uint64_t count, uint64_t data_length)
{
	struct journal_ticket *ticket = journal->waiting;

	if (!ticket ||
	    journal_header_length(files + ticket->files, count + ticket->count) + data_length +
			    ticket->data_length >
		    journal->header.frame_max ||
	    overlaps_any(ticket, with) || must_wait(journal, ticket))
		return NULL;
	journal->waiting = ticket->next;
	if (!journal->waiting)
		journal->waiting_end = &journal->waiting;
	ticket->next = NULL;
	return ticket;
}

void journal_settle(struct journal_ticket *ticket, int error)
{
	ticket->error = error;
	ticket->settled = true;
	pthread_cond_signal(&ticket->woken);
}

struct journal_stage *journal_free_stage(struct atomicio_journal *journal)
{
	for (;;) {
		for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
			if (!journal->stages[i].homing)
				return &journal->stages[i];
		pthread_cond_wait(&journal->changed, &journal->lock);
	}
}

void journal_depart(struct journal_stage *stage, struct journal_ticket *ticket)
{
	ticket->next = stage->homing;
	stage->homing = ticket;
}

void journal_arrive(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	struct journal_ticket **at = &journal->stages[ticket->stage].homing;

	while (*at != ticket)
		at = &(*at)->next;
	*at = ticket->next;
	journal_wake(journal);
}

void journal_await_homes(struct atomicio_journal *journal)
{
	for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
		while (journal->stages[i].homing)
			pthread_cond_wait(&journal->changed, &journal->lock);
}
