/* SPDX-License-Identifier: MIT */
/*
 * Commit: share a frame, make it durable, write home.
 *
 * Flow: journal_commit() is called by the write family on the thread that writes.  Threads that
 * come while a frame is on its way wait in line; the first of them leads the next frame
 * and takes along all that fit.  Each thread then writes its own pages home, from the staged
 * copy, while the next frame is already on its way.
 *
 * The pages are copied before they are checksummed: a caller that changes its buffer during the
 * call gets one of the two contents, but never a frame that recovery would refuse.
 */
#include "journal.h"

#include <errno.h>
#include <string.h>

#include "journal_crc.h"
#include "sys_refused.h"
#include "trace.h"

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

/* A frame being put together from the head of the line. */
struct group {
	struct journal_ticket *first, **end;
	struct journal_frame frame;
	uint64_t data_length;
	uint32_t tickets;
};

/* Take tickets from the line, in order, up to the first that cannot come along. */
static void gather(struct atomicio_journal *journal, struct group *group)
{
	*group = (struct group){.first = NULL};
	group->end = &group->first;
	while (journal->waiting) {
		struct journal_ticket *ticket = journal->waiting;
		const uint64_t length =
			journal_frame_length((uint64_t)group->frame.count + ticket->count,
					     group->data_length + ticket->data_length);

		if (length > journal->header.frame_max || overlaps_any(ticket, group->first) ||
		    must_wait(journal, ticket))
			break;
		journal->waiting = ticket->next;
		if (!journal->waiting)
			journal->waiting_end = &journal->waiting;
		ticket->next = NULL;
		*group->end = ticket;
		group->end = &ticket->next;
		group->frame.count += ticket->count;
		group->data_length += ticket->data_length;
		group->tickets++;
	}
	group->frame.header_length = (uint32_t)journal_header_length(group->frame.count);
	group->frame.length = group->frame.header_length + (uint32_t)group->data_length;
}

/* Copy the pages into the stage and fill in its entries; the header is for later. */
static void stage_pages(struct journal_stage *stage, const struct group *group)
{
	size_t at = group->frame.header_length;
	uint32_t index = 0;

	for (struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next) {
		ticket->data_offset = at;
		for (uint32_t i = 0; i < ticket->count; i++, index++) {
			const size_t start = at;
			struct journal_page page;
			struct journal_entry entry;

			ticket->page_at(ticket->pages, i, &page);
			memcpy(stage->frame + at, page.buffer, page.length);
			at += page.length;
			memset(stage->frame + at, 0, journal_padded(page.length) - page.length);
			at = start + journal_padded(page.length);
			entry = (struct journal_entry){
				.file_id = page.file->file_id,
				.offset = page.offset,
				.length = page.length,
				.crc = journal_crc32c(0, stage->frame + start, page.length),
			};
			journal_put_entry(stage->frame, index, &entry);
		}
	}
}

/* Where a frame of this length can go without touching a live one (J7); 0: nowhere. */
static uint64_t place_frame(const struct atomicio_journal *journal, uint32_t length)
{
	const uint64_t head = journal->head_offset, tail = journal->header.tail_offset;
	const uint64_t end = journal->header.size;

	if (journal->live_bytes == 0 || head > tail) {
		const uint64_t front = journal->live_bytes == 0 ? head : tail;

		if (length <= end - head)
			return head;
		return length <= front - JOURNAL_RING_START ? JOURNAL_RING_START : 0;
	}
	return length <= tail - head ? head : 0;
}

/* A stage with nobody writing home from it; waits for one. */
static struct journal_stage *free_stage(struct atomicio_journal *journal)
{
	for (;;) {
		for (uint32_t i = 0; i < JOURNAL_STAGES; i++)
			if (!journal->stages[i].homing)
				return &journal->stages[i];
		pthread_cond_wait(&journal->changed, &journal->lock);
	}
}

/* Find room for the group's frame, by a checkpoint if need be; 0 or an error. */
static int reserve(struct atomicio_journal *journal, struct group *group)
{
	int error;

	group->frame.offset = place_frame(journal, group->frame.length);
	if (group->frame.offset)
		return 0;
	error = journal_checkpoint_locked(journal);
	if (error)
		return error;
	group->frame.offset = place_frame(journal, group->frame.length);
	/* frame_max is at most half the ring, and the ring is empty. */
	assert(group->frame.offset);
	return 0;
}

/* Write the frame, durably.  No lock held: this is where the time goes. */
static int write_frame(struct atomicio_journal *journal, const struct journal_stage *stage,
		       const struct journal_frame *frame)
{
	const struct iovec vector = {.iov_base = stage->frame, .iov_len = frame->length};
	ssize_t result;

	journal_encode_frame(stage->frame, journal->header.id, frame);
	result = sys_write_at(journal->sys, journal->fd, &vector, 1, frame->offset, SYS_RWF_DSYNC);
	if (result < 0)
		return (int)result;
	return (size_t)result == frame->length ? 0 : -EIO;
}

/* The frame is durable: account for it, and send its tickets home. */
static void publish(struct atomicio_journal *journal, struct journal_stage *stage,
		    const struct group *group)
{
	struct journal_counters *counters = &journal->counters;
	uint32_t size = 0;

	/* A gap that the wrap left at the end is in use until the tail has passed it. */
	if (group->frame.offset != journal->head_offset && journal->live_bytes)
		journal->live_bytes += journal->header.size - journal->head_offset;
	journal->live_bytes += group->frame.length;
	journal->head_offset = group->frame.offset + group->frame.length;
	journal->head_sequence++;
	counters->frames++;
	counters->pages += group->frame.count;
	counters->writers += group->tickets;
	while (size < 5 && group->tickets > 1u << size)
		size++;
	counters->group_sizes[size]++;
	if (group->tickets > counters->group_max)
		counters->group_max = group->tickets;
	for (struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next) {
		for (uint32_t i = 0; i < ticket->count; i++) {
			struct journal_page page;

			ticket->page_at(ticket->pages, i, &page);
			counters->bytes += page.length;
		}
		ticket->stage = (uint32_t)(stage - journal->stages);
		ticket->framed = true;
	}
}

/*
 * Close the group's ranges to writes that bypass the journal (J3), and remember that its files
 * have frames (J10).  Those of a failed frame too: it may be on disk all the same, and would be
 * replayed over what bypassed it, or over what others wrote after a close that gave 0.
 */
static void cover_group(struct atomicio_journal *journal, const struct group *group)
{
	for (const struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next) {
		for (uint32_t i = 0; i < ticket->count; i++) {
			struct journal_page page;

			ticket->page_at(ticket->pages, i, &page);
			page.file->dirty = true;
			journal_cover(journal, &page);
		}
	}
}

/* Lead one frame.  Called and returns with the lock held. */
static void lead(struct atomicio_journal *journal)
{
	struct journal_stage *stage = free_stage(journal);
	struct journal_ticket *ticket, *next;
	struct group group;
	int error;

	gather(journal, &group);
	if (!group.first)
		return;
	error = journal_refused(journal);
	if (!error)
		error = reserve(journal, &group);
	if (!error) {
		group.frame.sequence = journal->head_sequence;
		pthread_mutex_unlock(&journal->lock);
		stage_pages(stage, &group);
		error = write_frame(journal, stage, &group.frame); /* J1 */
		pthread_mutex_lock(&journal->lock);
		TRACE_FRAME_COMMIT(group.frame.sequence, group.frame.count, group.frame.length,
				   error);
		journal->counters.flushes++;
		journal->counters.bytes_written += group.frame.length;
		cover_group(journal, &group);
		if (error)
			journal_poison(journal); /* J9 */
		else
			publish(journal, stage, &group);
	}
	for (ticket = group.first; ticket; ticket = next) {
		next = ticket->next;
		ticket->error = error;
		ticket->next = NULL;
		if (!error) {
			ticket->next = stage->homing;
			stage->homing = ticket;
		}
		ticket->settled = true;
		pthread_cond_signal(&ticket->woken);
	}
}

/* The ticket is home, or never will be (J9). */
static void arrive(struct atomicio_journal *journal, struct journal_ticket *ticket, int error)
{
	struct journal_ticket **at = &journal->stages[ticket->stage].homing;

	while (*at != ticket)
		at = &(*at)->next;
	*at = ticket->next;
	if (error)
		journal_poison(journal);
	journal_wake(journal);
}

static uint64_t padded_length(const void *pages, journal_page_at *page_at, uint32_t count)
{
	struct journal_page page;
	uint64_t length = 0;

	for (uint32_t i = 0; i < count; i++) {
		page_at(pages, i, &page);
		length += journal_padded(page.length);
	}
	return length;
}

int journal_commit(struct atomicio_journal *journal, const void *pages, journal_page_at *page_at,
		   uint32_t count)
{
	struct journal_ticket ticket = {
		.pages = pages,
		.page_at = page_at,
		.count = count,
		.data_length = padded_length(pages, page_at, count),
		.woken = PTHREAD_COND_INITIALIZER,
	};
	int error;

	if (journal_frame_length(count, ticket.data_length) > journal->header.frame_max)
		return -EMSGSIZE;
	pthread_mutex_lock(&journal->lock);
	*journal->waiting_end = &ticket;
	journal->waiting_end = &ticket.next;
	while (!ticket.settled) {
		if (!may_lead(journal)) {
			pthread_cond_wait(&ticket.woken, &journal->lock);
			continue;
		}
		journal->busy = true;
		lead(journal);
		journal_leave(journal);
	}
	error = ticket.error;
	if (!error) {
		pthread_mutex_unlock(&journal->lock);
		error = journal_go_home(journal, &ticket);
		pthread_mutex_lock(&journal->lock);
		arrive(journal, &ticket, error);
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}
