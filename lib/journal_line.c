/* SPDX-License-Identifier: MIT */
/*
 * The role of the one thread that frames, and the line of the tickets.
 *
 * Flow: commit puts its ticket in line and waits here.  A thread that gives the role back wakes the
 * next thread here.  No call of this file does I/O: no thread holds the lock while a disk works
 * (K10).
 *
 * The line is first come, first served.  Exception: a ticket that has to wait for a home write on
 * its way (J8), or whose file keeps too many stages, lets later tickets pass (K10).
 *
 * The states of a ticket, their invariants, and the functions that leave them:
 *
 *	MEASURED  ranges are sorted, a chain is staged.  Only the ticket's own thread has a pointer.
 *	  | journal_join_line()
 *	IN LINE   in journal->waiting.  Its thread waits in journal_await_lead(), or leads a frame.
 *	  | journal_take(), by the leader: the ticket may go (J8, K10) and fits the frame
 *	TAKEN     in the leader's group, and nobody else's.  Its frame is being written.
 *	  |-> ANSWERED journal_answer() with an error: no page of it goes home.
 *	  | the frame is durable: journal_depart(), then journal_answer() with 0
 *	HOMING    in its stage's list.  Overlapping tickets wait (J8), and the files' `homes` keep
 *	  |       the frame's generation from being retired.  The ticket's thread writes the pages
 *	  |       home, or AIO requests do (journal_behind.c).
 *	  | journal_arrive(), by its thread or by journal_land_behind()
 *	HOME      every page is home, or its file has failed (K7).  The memory is free.
 */
#include "journal_internal.h"

#include <errno.h>

/* Most tickets looked at, from the front of the line. */
#define LOOK_MAX 64u

/* Wait for the role, with the lock held on return; the work itself drops the lock. */
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
	if (journal_has_no_turn(journal))
		return -EBUSY;
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
	atomic_store_explicit(&journal->poisoned, true, memory_order_relaxed);
	pthread_cond_broadcast(&journal->changed);
}

/* False: the time is over. */
static bool wait_for(struct atomicio_journal *journal, pthread_cond_t *cond, uint32_t milliseconds)
{
	return sys_wait(cond, &journal->lock, milliseconds);
}

bool journal_retire_wait(struct atomicio_journal *journal, uint32_t milliseconds)
{
	bool landed;

	/* The thread that syncs the file will note the result of our ended sync in a moment. */
	if (journal->look_again) {
		journal->look_again = false;
		(void)wait_for(journal, &journal->changed, JOURNAL_SOON_MS);
		return true;
	}
	if (journal_has_requests(journal) && !journal->collecting) {
		journal->collecting = true;
		pthread_mutex_unlock(&journal->lock);
		landed = sys_flights_wait(&journal->flights, milliseconds < JOURNAL_SLOW_MS
								     ? milliseconds
								     : JOURNAL_SLOW_MS);
		pthread_mutex_lock(&journal->lock);
		journal->collecting = false;
		pthread_cond_broadcast(&journal->changed);
		return landed;
	}
	if (milliseconds != JOURNAL_WAIT_FOREVER)
		return wait_for(journal, &journal->changed, milliseconds);
	pthread_cond_wait(&journal->changed, &journal->lock);
	return true;
}

static bool overlaps_any(const struct journal_ticket *ticket, const struct journal_ticket *list)
{
	for (; list; list = list->next)
		if (journal_tickets_overlap(ticket, list))
			return true;
	return false;
}

bool journal_meets_homing(const struct atomicio_journal *journal,
			  const struct journal_ticket *ticket)
{
	for (uint32_t i = 0; i < JOURNAL_STAGES + 1; i++)
		if (overlaps_any(ticket, journal->stages[i].homing))
			return true;
	return false;
}

static uint32_t stages_left(const struct atomicio_journal *journal)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
		left += !journal->stages[i].homing;
	return left;
}

/* K10: a file whose home writes hang may not have the last stages as well. */
static bool keeps_stages(const struct atomicio_journal *journal,
			 const struct journal_ticket *ticket)
{
	if (stages_left(journal) > JOURNAL_STAGES_SPARE)
		return false;
	for (uint32_t i = 0; i < ticket->range_count; i++) {
		const struct journal_file *file = ticket->ranges[i].file;

		if (file->homes[0] || file->homes[1])
			return true;
	}
	return false;
}

/*
 * A chain has many ranges.  While the chain waits for a range (J8), no other ticket may write to
 * any range of the chain.  Else the chain could wait for ever, each time for another range.
 */
static bool is_behind_chain(const struct atomicio_journal *journal,
			    const struct journal_ticket *ticket)
{
	for (const struct journal_ticket *at = journal->waiting; at && at != ticket; at = at->next)
		if (at->chain && journal_tickets_overlap(at, ticket))
			return true;
	return false;
}

static bool may_go(const struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	if (!journal->homing)
		return true;
	return !journal_meets_homing(journal, ticket) /* J8 */ && !keeps_stages(journal, ticket) &&
	       !is_behind_chain(journal, ticket);
}

/* The first ticket in line that may be framed now. */
static struct journal_ticket *first_free(const struct atomicio_journal *journal)
{
	struct journal_ticket *ticket = journal->waiting;

	for (uint32_t i = 0; i < LOOK_MAX && ticket; i++, ticket = ticket->next)
		if (may_go(journal, ticket))
			return ticket;
	return NULL;
}

/*
 * Will a ticket on its way home be there soon?  The writer may come back with the next page, and
 * share the frame.  A leader that does not wait would find only half of the writers in line, for
 * ever, and pay twice the flushes.  A long group may take longer than a flush, and a late ticket
 * may never come home (K10): the leader waits for neither.
 */
static bool home_soon(const struct atomicio_journal *journal)
{
	if (!journal->homing)
		return false;
	for (uint32_t i = 0; i < JOURNAL_STAGES + 1; i++)
		for (const struct journal_ticket *ticket = journal->stages[i].homing; ticket;
		     ticket = ticket->next)
			if (ticket->data_length <= JOURNAL_HOME_SOON && !ticket->late)
				return true;
	return false;
}

static void note_late(struct atomicio_journal *journal)
{
	for (uint32_t i = 0; i < JOURNAL_STAGES + 1; i++)
		for (struct journal_ticket *ticket = journal->stages[i].homing; ticket;
		     ticket = ticket->next)
			ticket->late = true;
}

/* Wake only one thread to lead.  A thread that arrives before the woken thread leads instead. */
void journal_wake(struct atomicio_journal *journal)
{
	struct journal_ticket *first;

	pthread_cond_broadcast(&journal->changed);
	journal_guest_wake(journal);
	if (journal->busy || !journal->waiting)
		return;
	first = first_free(journal);
	if (!first && journal->behind) /* the first in line lands the requests on their way */
		first = journal->waiting;
	if (first)
		pthread_cond_signal(&first->woken);
}

enum journal_next journal_await_lead(struct atomicio_journal *journal,
				     struct journal_ticket *ticket)
{
	while (!ticket->answered) {
		const struct journal_ticket *first = journal->busy ? NULL : first_free(journal);

		/*
		 * The whole line waits for homes, and homes of BEHIND have no thread of their own.
		 */
		if (!first && !journal->busy && journal->behind)
			return JOURNAL_NEXT_LAND;
		if (first && !home_soon(journal)) {
			journal->busy = true;
			return JOURNAL_NEXT_LEAD;
		}
		if (first != ticket)
			pthread_cond_wait(&ticket->woken, &journal->lock);
		else if (!wait_for(journal, &ticket->woken, JOURNAL_SOON_MS))
			note_late(journal);
	}
	return JOURNAL_NEXT_NONE;
}

static struct journal_ticket *take_out(struct atomicio_journal *journal, struct journal_ticket **at)
{
	struct journal_ticket *ticket = *at;

	*at = ticket->next;
	if (!*at)
		journal->waiting_end = at;
	ticket->next = NULL;
	return ticket;
}

struct journal_ticket *journal_take(struct atomicio_journal *journal,
				    const struct journal_ticket *with, uint64_t files,
				    uint64_t count, uint64_t data_length)
{
	struct journal_ticket **at = &journal->waiting;

	for (uint32_t i = 0; i < LOOK_MAX && *at; i++, at = &(*at)->next) {
		const struct journal_ticket *ticket = *at;

		if (!may_go(journal, ticket) || overlaps_any(ticket, with))
			continue;
		/*
		 * No later ticket passes a ticket that is only large, or the large ticket would
		 * wait for ever.
		 */
		if (ticket->chain)
			return with ? NULL : take_out(journal, at);
		if (journal_header_length(files + ticket->files, count + ticket->count) +
			    data_length + ticket->data_length >
		    journal->frame_room)
			return NULL;
		return take_out(journal, at);
	}
	return NULL;
}

void journal_answer(struct journal_ticket *ticket, int error)
{
	ticket->error = error;
	ticket->answered = true;
	pthread_cond_signal(&ticket->woken);
}

/* The count of homes that includes this range of a ticket. */
static uint32_t *homes(const struct journal_ticket *ticket, uint32_t range)
{
	struct journal_file *file = ticket->ranges[range].file;

	return &file->homes[journal_file_parity(file, ticket->generation)];
}

void journal_depart(struct atomicio_journal *journal, struct journal_stage *stage,
		    struct journal_ticket *ticket)
{
	ticket->next = stage->homing;
	stage->homing = ticket;
	journal->homing++;
	ticket->leaves = ticket->behind && !journal->two_ways; /* BH4 */
	ticket->late = ticket->leaves; /* no writer comes back from a home write behind */
	ticket->courier = ticket->count > 1 && !ticket->leaves && journal_is_direct(ticket)
				  ? journal_take_courier(journal)
				  : NULL;
	for (uint32_t i = 0; i < ticket->range_count; i++)
		(*homes(ticket, i))++;
}

void journal_arrive(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	struct journal_ticket **at = &journal->stages[ticket->stage].homing;

	while (*at != ticket)
		at = &(*at)->next;
	*at = ticket->next;
	journal->homing--;
	journal_give_courier(ticket->courier);
	for (uint32_t i = 0; i < ticket->range_count; i++)
		(*homes(ticket, i))--;
	journal_wake(journal);
}
