/* SPDX-License-Identifier: MIT */
/*
 * BEHIND: the writer returns when the frame is durable, before the pages are home.
 *
 * Flow: journal_commit() comes here instead of journal_home.c.  A thread that lands requests
 * (journal_retire.c), or waits for a range or a stage, ends the tickets that have come home.
 *
 * BH1 only writes accepted by AIO are left behind.  All other pages are home when the call returns,
 *     as without the flag (a buffered file, a chain, a full context, no AIO, no memory).
 * BH2 a ticket left behind stays in its stage's list and in the counts of its files, like any
 *     ticket on its way home: J2, J8, O3, detach and the limit of stages hold.
 * BH3 the ticket's memory is its own: no memory of the caller is read after the call.
 * BH4 a file with a direct handle and a buffered one has no write on its way that nobody waits for:
 *     a buffered write beside it, in the same page of the cache, would make the kernel fail the
 *     file (mm/filemap.c:kiocb_invalidate_post_direct_write, 6.18).  Where such a file is attached,
 *     no ticket is left behind.
 */
#include "journal_aio.h"

#include <errno.h>

/* A ticket that lives on after its call. */
struct journal_behind {
	struct journal_ticket ticket;
	struct journal_behind *next; /* in the list of tickets left behind */
	struct journal_run *runs;    /* in the stage */
	uint32_t count;
	struct sys_flight flights[]; /* one for each run accepted by AIO */
};

struct journal_ticket *journal_keep_ticket(struct atomicio_journal *journal,
					   struct journal_ticket *ticket)
{
	struct journal_behind *behind;

	/* T1: the end of a turn would have to wait for pages on their way. */
	if (ticket->chain || journal->share || !journal_is_direct(ticket) ||
	    !sys_flights_may_send(&journal->flights))
		return ticket;
	behind =
		journal->sys->allocate(_Alignof(struct journal_behind),
				       sizeof(*behind) + ticket->count * sizeof(struct sys_flight));
	if (!behind)
		return ticket;
	behind->ticket = *ticket;
	if (ticket->ranges == ticket->few)
		behind->ticket.ranges = behind->ticket.few;
	behind->ticket.behind = behind;
	return &behind->ticket;
}

void journal_end_ticket(const struct sys_calls *sys, struct journal_ticket *ticket)
{
	struct journal_behind *behind = ticket->behind;

	journal_forget_ranges(sys, ticket);
	if (behind)
		sys->release_memory(behind);
}

static void send(struct atomicio_journal *journal, struct journal_behind *behind)
{
	uint32_t filled = 0, taken;

	for (uint32_t i = 0; i < behind->count; i++) {
		struct journal_run *run = &behind->runs[i];

		run->state = JOURNAL_RUN_TODO;
		if (run->direct)
			journal_fill_block(&behind->flights[filled++].block, run);
	}
	taken = sys_flights_send_many(&journal->flights, behind->flights, filled);
	filled = 0;
	for (uint32_t i = 0; i < behind->count && filled < taken; i++)
		if (behind->runs[i].direct) {
			behind->runs[i].state = JOURNAL_RUN_FLYING;
			filled++;
		}
}

static void report_failures(struct atomicio_journal *journal, const struct journal_behind *behind)
{
	for (uint32_t i = 0; i < behind->count; i++)
		if (behind->runs[i].error)
			journal_home_failed(journal, behind->runs[i].owner, behind->runs[i].error);
}

bool journal_leave_behind(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	const struct journal_stage *stage = &journal->stages[ticket->stage];
	struct journal_behind *behind = ticket->behind;
	bool flying = false;

	behind->runs = stage->runs + ticket->first_page;
	journal_list_homes(ticket, 0, ticket->count, ticket->data, behind->runs);
	behind->count = journal_merge_runs(behind->runs, ticket->count,
					   stage->vectors + ticket->first_page);
	behind->count = journal_drop_refused(journal, behind->runs, behind->count);
	send(journal, behind);
	for (uint32_t i = 0; i < behind->count; i++) {
		if (behind->runs[i].state == JOURNAL_RUN_TODO) /* BH1 */
			journal_write_run(journal->sys, &behind->runs[i]);
		else
			flying = true;
	}
	if (!flying) {
		report_failures(journal, behind);
		return false;
	}
	pthread_mutex_lock(&journal->lock);
	behind->next = journal->behind;
	journal->behind = behind;
	/* Threads that wait for a home write must now land it themselves. */
	for (struct journal_ticket *other = journal->waiting; other; other = other->next)
		pthread_cond_signal(&other->woken);
	pthread_cond_broadcast(&journal->changed);
	pthread_mutex_unlock(&journal->lock);
	return true;
}

static bool has_landed(const struct journal_behind *behind)
{
	uint32_t flight = 0;

	for (uint32_t i = 0; i < behind->count; i++)
		if (behind->runs[i].state == JOURNAL_RUN_FLYING &&
		    !sys_flight_landed(&behind->flights[flight++]))
			return false;
	return true;
}

static struct journal_behind *take_landed(struct atomicio_journal *journal)
{
	for (struct journal_behind **at = &journal->behind; *at; at = &(*at)->next) {
		struct journal_behind *behind = *at;

		if (!has_landed(behind))
			continue;
		*at = behind->next;
		return behind;
	}
	return NULL;
}

/* Runs cut short or refused are finished by call (O6). */
static void finish(struct atomicio_journal *journal, struct journal_behind *behind)
{
	uint32_t flight = 0;

	for (uint32_t i = 0; i < behind->count; i++)
		if (behind->runs[i].state == JOURNAL_RUN_FLYING)
			journal_end_run(journal->sys, &behind->runs[i],
					behind->flights[flight++].result);
	report_failures(journal, behind);
}

void journal_land_behind(struct atomicio_journal *journal)
{
	struct journal_behind *behind;

	while ((behind = take_landed(journal))) {
		pthread_mutex_unlock(&journal->lock);
		finish(journal, behind);
		pthread_mutex_lock(&journal->lock);
		journal_arrive(journal, &behind->ticket);
		journal_end_ticket(journal->sys, &behind->ticket);
	}
}
