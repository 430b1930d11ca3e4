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
#include "trace.h"

/* A frame being put together from the head of the line. */
struct group {
	struct journal_ticket *first, **end;
	struct journal_frame frame;
	uint64_t data_length;
	uint32_t tickets;
};

bool journal_has_failed(const struct journal_ticket *ticket)
{
	for (uint32_t i = 0; i < ticket->range_count; i++)
		if (ticket->ranges[i].file->failed)
			return true;
	return false;
}

/* Take tickets from the line, in order, up to the first that cannot come along. */
static void gather(struct atomicio_journal *journal, struct group *group)
{
	struct journal_ticket *ticket;

	*group = (struct group){.first = NULL};
	group->end = &group->first;
	while ((ticket = journal_take(journal, group->first, group->frame.files, group->frame.count,
				      group->data_length))) {
		if (journal_has_failed(ticket)) {
			journal_settle(ticket, -ENOTRECOVERABLE); /* K7 */
			continue;
		}
		*group->end = ticket;
		group->end = &ticket->next;
		if (ticket->chain)
			return; /* alone: it has frames of its own */
		group->frame.count += ticket->count;
		group->frame.files += ticket->files;
		group->data_length += ticket->data_length;
		group->tickets++;
	}
	group->frame.header_length =
		(uint32_t)journal_header_length(group->frame.files, group->frame.count);
	group->frame.length = group->frame.header_length + (uint32_t)group->data_length;
}

/* Copy one page into a frame, with its entry; the frame header is for later. */
uint64_t journal_stage_page(uint8_t *bytes, const struct journal_frame *frame, uint32_t index,
			    uint32_t row, uint64_t at, const struct journal_page *page)
{
	const uint64_t padded = journal_padded(page->length);
	uint8_t *data = bytes + at;
	struct journal_entry entry;

	memcpy(data, page->buffer, page->length);
	memset(data + page->length, 0, padded - page->length);
	entry = (struct journal_entry){
		.offset = page->offset,
		.length = page->length,
		.crc = journal_crc32c(0, data, page->length),
		.file = row,
		.escape = journal_escape_key(data, padded),
	};
	/* K1: until the frame is durable; homes get the page without it (N3). */
	journal_escape(data, padded, entry.escape);
	journal_put_entry(bytes, frame->files, index, &entry);
	return at + padded;
}

static void stage_pages(struct journal_stage *stage, const struct group *group)
{
	uint64_t at = group->frame.header_length;
	uint32_t index = 0, files = 0;

	for (struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next) {
		const struct journal_file *file = NULL;

		ticket->data_offset = at;
		ticket->first_page = index;
		for (uint32_t i = 0; i < ticket->count; i++, index++) {
			struct journal_page page;

			ticket->page_at(ticket->pages, i, &page);
			if (page.file != file)
				journal_put_row(stage->frame, files++, page.file->row);
			file = page.file;
			at = journal_stage_page(stage->frame, &group->frame, index, files - 1, at,
						&page);
		}
	}
	assert(files == group->frame.files);
}

/*
 * An error of a frame's write says that it may be there all the same, so it may not look like one
 * of those that journal_commit() gives for nothing written.
 */
int journal_frame_error(int error)
{
	switch (error) {
	case -EINVAL:
	case -EMSGSIZE:
	case -ENOSPC:
	case -EFBIG:
	case -ENOMEM:
	case -EINTR:
	case -EBUSY:
	case -EUCLEAN:
	case -ENOTRECOVERABLE:
		return -EIO;
	default:
		return error;
	}
}

/* Write a frame, durably; no lock held: this is where the time goes. */
int journal_write_frame(const struct atomicio_journal *journal, uint8_t *bytes,
			const struct journal_frame *frame)
{
	journal_encode_frame(bytes, journal->header.id, frame);
	return journal_frame_error(
		journal_write_durable(journal, bytes, frame->length, frame->offset));
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
		counters->bytes += ticket->bytes;
		ticket->stage = (uint32_t)(stage - journal->stages);
		ticket->data = stage->frame + ticket->data_offset;
		ticket->generation = journal->generation;
	}
}

/*
 * Close the group's ranges to writes that bypass the journal (J3), and remember that its files
 * have frames (J10).  Those of a failed frame too: it may be on disk all the same, and would be
 * replayed over what bypassed it, or over what others wrote after a close that gave 0.
 */
void journal_cover_ticket(struct atomicio_journal *journal, const struct journal_ticket *ticket,
			  uint64_t sequence)
{
	const uint32_t now = journal->generation & 1;

	for (uint32_t i = 0; i < ticket->range_count; i++) {
		const struct journal_extent *range = &ticket->ranges[i];

		if (!range->file->first[now])
			range->file->first[now] = sequence;
		journal_cover(journal, range->file->file_id, range->offset,
			      range->end - range->offset);
	}
}

static void cover_group(struct atomicio_journal *journal, const struct group *group)
{
	for (const struct journal_ticket *ticket = group->first; ticket; ticket = ticket->next)
		journal_cover_ticket(journal, ticket, group->frame.sequence);
}

/* H1: before the first frame, once. */
int journal_first_frame(struct atomicio_journal *journal)
{
	int error = journal_refused(journal);

	if (error || journal->begun)
		return error;
	error = journal_prove_header(journal);
	if (!error)
		error = journal_begin(journal);
	/* Nothing of the frame was written, and the journal is not poisoned. */
	if (!error || error == -EFBIG || error == -EINTR)
		return error;
	return journal_is_full(error) ? -ENOSPC : journal_frame_error(error);
}

/* Find a place, write the frame there, and account for it.  The lock is dropped for the work. */
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

/* Lead one frame, or one chain.  Called and returns with the lock and the role. */
static void lead(struct atomicio_journal *journal)
{
	struct journal_stage *stage = journal_free_stage(journal);
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
		journal_settle(ticket, error);
	}
}

/* The frame is durable.  True: the pages go home behind the caller, who has the ticket no more. */
static bool go_home(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	if (ticket->behind)
		return journal_leave_behind(journal, ticket);
	if (ticket->chain)
		journal_chain_goes_home(journal, ticket);
	else
		journal_go_home(journal, ticket);
	return false;
}

/* From the line to home, or to the way there. */
static int run_ticket(struct atomicio_journal *journal, struct journal_ticket *ticket, bool *left)
{
	int error;

	pthread_cond_init(&ticket->woken, &journal->clock);
	pthread_mutex_lock(&journal->lock);
	if (journal_guest_overlaps(journal, ticket)) { /* JG1 */
		pthread_mutex_unlock(&journal->lock);
		return -EBUSY;
	}
	journal_join_line(journal, ticket);
	while (journal_await_lead(journal, ticket)) {
		lead(journal);
		journal_leave(journal);
	}
	error = ticket->error;
	pthread_cond_destroy(&ticket->woken);
	if (!error) {
		pthread_mutex_unlock(&journal->lock);
		*left = go_home(journal, ticket);
		pthread_mutex_lock(&journal->lock);
		if (!*left)
			journal_arrive(journal, ticket);
		journal_help_retire(journal);
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_commit(struct atomicio_journal *journal, const void *pages, journal_page_at *page_at,
		   uint32_t count, bool behind)
{
	struct journal_ticket own = {.pages = pages, .page_at = page_at, .count = count};
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
