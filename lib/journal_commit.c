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
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

#include "journal_crc.h"
#include "sys_refused.h"
#include "trace.h"

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
	struct journal_ticket *ticket;

	*group = (struct group){.first = NULL};
	group->end = &group->first;
	while ((ticket = journal_take(journal, group->first, group->frame.files, group->frame.count,
				      group->data_length))) {
		*group->end = ticket;
		group->end = &ticket->next;
		group->frame.count += ticket->count;
		group->frame.files += ticket->files;
		group->data_length += ticket->data_length;
		group->tickets++;
	}
	group->frame.header_length =
		(uint32_t)journal_header_length(group->frame.files, group->frame.count);
	group->frame.length = group->frame.header_length + (uint32_t)group->data_length;
}

/* Copy the pages into the stage and fill in its rows and entries; the header is for later. */
static void stage_pages(struct journal_stage *stage, const struct group *group)
{
	size_t at = group->frame.header_length;
	uint32_t index = 0, files = 0;

	for (struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next) {
		const struct journal_file *file = NULL;

		ticket->data_offset = at;
		for (uint32_t i = 0; i < ticket->count; i++, index++) {
			const size_t start = at;
			struct journal_page page;
			struct journal_entry entry;

			ticket->page_at(ticket->pages, i, &page);
			if (page.file != file)
				journal_put_row(stage->frame, files++, page.file->row);
			file = page.file;
			memcpy(stage->frame + at, page.buffer, page.length);
			at += page.length;
			memset(stage->frame + at, 0, journal_padded(page.length) - page.length);
			at = start + journal_padded(page.length);
			entry = (struct journal_entry){
				.offset = page.offset,
				.length = page.length,
				.crc = journal_crc32c(0, stage->frame + start, page.length),
				.file = files - 1,
				.escape = journal_escape_key(stage->frame + start, at - start),
			};
			/* K1: until the frame is durable; homes get the page without it (N3). */
			journal_escape(stage->frame + start, at - start, entry.escape);
			journal_put_entry(stage->frame, group->frame.files, index, &entry);
		}
	}
	assert(files == group->frame.files);
}

/* Find room for the group's frame, by a checkpoint if need be; 0 or an error. */
static int reserve(struct atomicio_journal *journal, struct group *group)
{
	int error;

	group->frame.offset = journal_place_frame(journal, group->frame.length);
	if (group->frame.offset)
		return 0;
	error = journal_checkpoint_locked(journal);
	if (error)
		return error;
	group->frame.offset = journal_place_frame(journal, group->frame.length);
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
		for (uint32_t i = 0; i < ticket->count; i++) {
			struct journal_page page;

			ticket->page_at(ticket->pages, i, &page);
			counters->bytes += page.length;
		}
		ticket->stage = (uint32_t)(stage - journal->stages);
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
	struct journal_stage *stage = journal_free_stage(journal);
	struct journal_ticket *ticket, *next;
	struct group group;
	int error;

	gather(journal, &group);
	if (!group.first)
		return;
	error = journal_refused(journal);
	if (!error)
		error = journal_begin(journal);
	if (!error)
		error = reserve(journal, &group);
	if (!error) {
		group.frame.sequence = journal->head_sequence;
		group.frame.chain_first = journal->head_sequence;
		group.frame.durable_to =
			journal->head_sequence; /* N1: one is in flight at a time */
		pthread_mutex_unlock(&journal->lock);
		stage_pages(stage, &group);
		error = write_frame(journal, stage, &group.frame); /* J1 */
		journal_unescape(stage->frame, &group.frame);	   /* N3 */
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
		ticket->next = NULL;
		if (!error)
			journal_depart(stage, ticket);
		journal_settle(ticket, error);
	}
}

/* What the ticket's pages need of a frame: padded bytes, and file rows. */
static void measure(struct journal_ticket *ticket)
{
	const struct journal_file *file = NULL;
	struct journal_page page;

	for (uint32_t i = 0; i < ticket->count; i++) {
		ticket->page_at(ticket->pages, i, &page);
		ticket->data_length += journal_padded(page.length);
		ticket->files += page.file != file;
		file = page.file;
	}
}

int journal_commit(struct atomicio_journal *journal, const void *pages, journal_page_at *page_at,
		   uint32_t count)
{
	struct journal_ticket ticket = {
		.pages = pages,
		.page_at = page_at,
		.count = count,
		.woken = PTHREAD_COND_INITIALIZER,
	};
	int error;

	measure(&ticket);
	if (journal_header_length(ticket.files, count) + ticket.data_length >
	    journal->header.frame_max)
		return -EMSGSIZE;
	pthread_mutex_lock(&journal->lock);
	journal_join_line(journal, &ticket);
	while (journal_await_lead(journal, &ticket)) {
		lead(journal);
		journal_leave(journal);
	}
	error = ticket.error;
	if (!error) {
		pthread_mutex_unlock(&journal->lock);
		error = journal_go_home(journal, &ticket);
		pthread_mutex_lock(&journal->lock);
		if (error)
			journal_poison(journal); /* J9: not home */
		journal_arrive(journal, &ticket);
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}
