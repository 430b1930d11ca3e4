/* SPDX-License-Identifier: MIT */
/*
 * Commit: share a frame, make the frame durable, write home.
 *
 * Flow: journal_commit() is called by the write family on the thread that writes.  Threads that
 * come during the write of a frame wait in line.  The first thread leads the next frame, and takes
 * along all tickets that fit.  Each thread then writes its own pages home, from the staged copy,
 * during the write of the next frame.
 *
 * The copied pages are checksummed, not the caller's: a buffer changed during the call gives the
 * old or the new contents, but never a frame refused by recovery.
 *
 * The states of a frame, their invariants, and the functions that leave them:
 *
 *	GATHERED  gather() took its tickets from the line.  The length is known.
 *	  |-> none     journal_first_frame() or journal_make_room() failed: nothing was written.
 *	  | journal_make_room(), journal_number()
 *	PLACED    place and number are given.  The leader keeps the role: no other frame gets them.
 *	  | stage_pages(), journal_write_frame(), both without the lock
 *	  |-> POISON   the write failed: the frame may be on the disk.  cover_group() has closed its
 *	  |            ranges (J3); journal_poison(): recovery decides (J9).
 *	LIVE      publish(): durable, a commit (K11).  The head is behind the frame, its ranges are
 *	  |       covered (J3), and its tickets go home.
 *	  | homes and syncs done (J2), or carried; retired(), in journal_retire.c
 *	RETIRED   the tail is behind the frame in both headers.  Its place may be used again.
 */
#include "journal_internal.h"

#include <errno.h>

#include "trace.h"

/* A frame being put together from the front of the line. */
struct group {
	struct journal_ticket *first, **end;
	struct journal_frame frame;
	uint64_t data_length;
	uint32_t tickets;
};

static bool has_failed(const struct journal_ticket *ticket)
{
	for (uint32_t i = 0; i < ticket->range_count; i++)
		if (ticket->ranges[i].file->failed)
			return true;
	return false;
}

/* Take tickets from the line, in order, as long as they fit. */
static void gather(struct atomicio_journal *journal, struct group *group)
{
	struct journal_ticket *ticket;

	*group = (struct group){.first = NULL};
	group->end = &group->first;
	while ((ticket = journal_take(journal, group->first, group->frame.files, group->frame.count,
				      group->data_length))) {
		if (has_failed(ticket)) {
			journal_answer(ticket, -ENOTRECOVERABLE); /* K7 */
			continue;
		}
		*group->end = ticket;
		group->end = &ticket->next;
		if (ticket->chain)
			return; /* alone: a chain takes no other ticket */
		group->frame.count += ticket->count;
		group->frame.files += ticket->files;
		group->data_length += ticket->data_length;
		group->tickets++;
	}
	group->frame.header_length =
		(uint32_t)journal_header_length(group->frame.files, group->frame.count);
	group->frame.length = group->frame.header_length + (uint32_t)group->data_length;
}

static void stage_pages(struct journal_stage *stage, const struct group *group)
{
	uint64_t at = group->frame.header_length;
	uint32_t index = 0, files = 0;

	for (struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next) {
		ticket->data_offset = at;
		ticket->first_page = index;
		at = journal_stage_pages(stage->frame, &group->frame, index, &files, at,
					 ticket->pages, ticket->count);
		index += ticket->count;
	}
	assert(files == group->frame.files);
}

/* Account for a durable frame, and send its tickets home. */
static void publish(struct atomicio_journal *journal, struct journal_stage *stage,
		    const struct group *group)
{
	struct journal_counters *counters = &journal->counters;
	uint32_t size = 0;

	journal_advance_head(journal, &group->frame);
	counters->frames++;
	counters->pages += group->frame.count;
	counters->writers += group->tickets;
	while (size < 5 && group->tickets > 1u << size)
		size++;
	counters->group_sizes[size]++;
	if (group->tickets > counters->group_max)
		counters->group_max = group->tickets;
	for (struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next) {
		counters->bytes += ticket->bytes;
		ticket->stage = (uint32_t)(stage - journal->stages);
		ticket->data = stage->frame + ticket->data_offset;
		ticket->generation = journal->generation;
	}
}

static void cover_group(struct atomicio_journal *journal, const struct group *group)
{
	for (const struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next)
		journal_cover_ticket(journal, ticket, group->frame.sequence);
}

/* Find a place, write the frame, and account for it.  The lock is dropped for the work. */
static int frame_group(struct atomicio_journal *journal, struct journal_stage *stage,
		       struct group *group)
{
	struct journal_frame *frame = &group->frame;
	int error = journal_first_frame(journal);

	if (!error)
		error = journal_make_room(journal, group->first, frame->length, &frame->offset);
	if (!error)
		error = journal_check_limit(journal, frame->offset + frame->length);
	if (error)
		return error; /* nothing was written */
	journal_number(journal, frame, journal->head_sequence);
	pthread_mutex_unlock(&journal->lock);
	stage_pages(stage, group);
	error = journal_write_frame(journal, stage->frame, frame); /* J1 */
	journal_unescape(stage->frame, frame);			   /* N3 */
	pthread_mutex_lock(&journal->lock);
	TRACE_FRAME_COMMIT(frame->sequence, frame->count, frame->length, error);
	journal->counters.flushes++;
	journal->counters.bytes_written += frame->length;
	cover_group(journal, group);
	if (error)
		journal_poison(journal); /* J9 */
	else
		publish(journal, stage, group);
	return error;
}

/* A stage without home writes; waits for one. */
static struct journal_stage *free_stage(struct atomicio_journal *journal)
{
	struct journal_stage *stage;

	while (!(stage = journal_find_stage(journal))) {
		journal_land(journal);
		if (!journal_find_stage(journal) && !journal_retire_wait(journal, JOURNAL_SOON_MS))
			(void)journal_add_stage(journal);
	}
	return stage;
}

/* Lead one frame, or one chain.  Called and returns with the lock and the role. */
static void lead(struct atomicio_journal *journal)
{
	struct journal_stage *stage = free_stage(journal);
	struct journal_ticket *ticket, *next;
	struct group group;
	int error;

	gather(journal, &group);
	if (!group.first)
		return;
	if (group.first->chain) {
		stage = &journal->stages[JOURNAL_STAGES];
		error = journal_frame_chain(journal, group.first);
	} else {
		error = frame_group(journal, stage, &group);
	}
	for (ticket = group.first; ticket; ticket = next) {
		next = ticket->next;
		ticket->next = NULL;
		if (!error)
			journal_depart(journal, stage, ticket);
		journal_answer(ticket, error);
	}
}

/*
 * The frame is durable.  True: the pages go home behind the caller, and the ticket is no longer the
 * caller's.
 */
static bool go_home(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	if (ticket->leaves)
		return journal_leave_behind(journal, ticket);
	if (ticket->chain)
		journal_chain_goes_home(journal, ticket);
	else
		journal_go_home(journal, ticket);
	return false;
}

/* Wait for the frame, and lead frames meanwhile. */
static int stand_in_line(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	enum journal_next next;

	journal_join_line(journal, ticket);
	while ((next = journal_await_lead(journal, ticket)) != JOURNAL_NEXT_NONE) {
		if (next == JOURNAL_NEXT_LAND) {
			(void)journal_retire_wait(journal, JOURNAL_SOON_MS);
			journal_land(journal);
			continue;
		}
		lead(journal);
		journal_leave(journal);
	}
	return ticket->error;
}

/* Bring a ticket from the line home; *left: AIO goes on with the ticket. */
static int run_ticket(struct atomicio_journal *journal, struct journal_ticket *ticket, bool *left)
{
	int error;

	pthread_cond_init(&ticket->woken, &journal->clock);
	pthread_mutex_lock(&journal->lock);
	if (journal_guest_overlaps(journal, ticket)) { /* JG1 */
		pthread_mutex_unlock(&journal->lock);
		return -EBUSY;
	}
	error = stand_in_line(journal, ticket);
	pthread_cond_destroy(&ticket->woken);
	if (!error) {
		pthread_mutex_unlock(&journal->lock);
		*left = go_home(journal, ticket);
		pthread_mutex_lock(&journal->lock);
		if (!*left)
			journal_arrive(journal, ticket);
		journal_help_retire(journal, *left ? NULL : ticket);
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_commit(struct atomicio_journal *journal, const struct journal_page *pages,
		   uint32_t count, bool behind)
{
	struct journal_ticket own = {.pages = pages, .count = count};
	struct journal_ticket *ticket = &own;
	bool left = false;
	int error;

	error = journal_measure(journal->sys, ticket);
	if (!error &&
	    journal_header_length(own.files, count) + own.data_length > journal->frame_room)
		error = journal_stage_chain(journal, ticket); /* K5 */
	if (!error && behind)
		ticket = journal_keep_ticket(journal, ticket);
	if (!error)
		error = run_ticket(journal, ticket, &left);
	if (left)
		return error;
	if (ticket->chain)
		journal_forget_chain(journal, ticket);
	journal_end_ticket(journal->sys, ticket);
	return error;
}
