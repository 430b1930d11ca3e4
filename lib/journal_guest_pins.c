/* SPDX-License-Identifier: MIT */
/*
 * The pins of guests: calls forbidden by their entries, and the waits of guests.
 *
 * Flow: asked by line, commit, retirement and carrying, and by guests that want a place.  The
 * caller holds the journal's lock.  Nothing here waits: JG1.
 */
#include "journal_guest.h"

#include <errno.h>

static int compare(const struct journal_guest_page *page, uint64_t file_id, uint64_t offset)
{
	if (page->file->file_id != file_id)
		return page->file->file_id < file_id ? -1 : 1;
	return page->offset + page->length <= offset ? -1 : 1;
}

uint32_t journal_guest_place_of(const struct journal_guest_frame *frame, uint64_t file_id,
				uint64_t offset)
{
	uint32_t low = 0, high = frame->frame.count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (compare(&frame->pages[frame->order[middle]], file_id, offset) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct journal_guest_page *journal_guest_find(const struct journal_guest_frame *frame,
						    uint64_t file_id, uint64_t offset, uint64_t end)
{
	for (uint32_t at = journal_guest_place_of(frame, file_id, offset); at < frame->frame.count;
	     at++) {
		const struct journal_guest_page *page = &frame->pages[frame->order[at]];

		if (page->file->file_id != file_id || page->offset >= end)
			return NULL;
		if (page->state != JOURNAL_GUEST_HOME)
			return page;
	}
	return NULL;
}

/* The frame has number and place: JG2 holds. */
static bool is_closed(const struct journal_guest_frame *frame)
{
	return frame->state > JOURNAL_GUEST_OPEN;
}

/* Is the frame's own entry out, or due? */
static bool is_written(const struct journal_guest_frame *frame)
{
	return is_closed(frame) && frame->state != JOURNAL_GUEST_DURABLE;
}

bool journal_guest_covers(const struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
			  uint64_t end)
{
	const struct journal_guests *guests = journal->guests;

	for (uint32_t i = 0; guests && i < guests->count; i++)
		if (is_closed(&guests->frames[i]) &&
		    journal_guest_find(&guests->frames[i], file_id, offset, end))
			return true;
	return false;
}

/* Walk the shorter list, and look each range up in the longer list. */
static bool meets(const struct journal_guest_frame *frame, const struct journal_ticket *ticket)
{
	uint32_t at = 0;

	for (uint32_t i = 0; ticket->range_count <= frame->frame.count && i < ticket->range_count;
	     i++) {
		const struct journal_extent *range = &ticket->ranges[i];

		if (journal_guest_find(frame, range->file->file_id, range->offset, range->end))
			return true;
	}
	for (uint32_t i = 0; ticket->range_count > frame->frame.count && i < frame->frame.count;
	     i++) {
		const struct journal_guest_page *page = &frame->pages[frame->order[i]];

		at = journal_seek_range(ticket, at, page->file->file_id, page->offset);
		if (at == ticket->range_count)
			return false;
		if (page->state != JOURNAL_GUEST_HOME &&
		    ticket->ranges[at].file->file_id == page->file->file_id &&
		    ticket->ranges[at].offset < page->offset + page->length)
			return true;
	}
	return false;
}

static bool meets_any(const struct journal_guest_frame *frame, const struct journal_ticket *list)
{
	for (; list; list = list->next)
		if (meets(frame, list))
			return true;
	return false;
}

bool journal_guest_overlaps(const struct atomicio_journal *journal,
			    const struct journal_ticket *ticket)
{
	const struct journal_guests *guests = journal->guests;

	for (uint32_t i = 0; guests && i < guests->count; i++)
		if (is_closed(&guests->frames[i]) && meets(&guests->frames[i], ticket))
			return true;
	return false;
}

bool journal_guest_meets_line(const struct atomicio_journal *journal,
			      const struct journal_guest_frame *frame)
{
	bool found = meets_any(frame, journal->waiting);

	for (uint32_t i = 0; i < JOURNAL_STAGES + 1 && !found; i++)
		found = meets_any(frame, journal->stages[i].homing);
	return found;
}

bool journal_guest_has_homes(const struct atomicio_journal *journal,
			     const struct journal_file *file, uint32_t parity)
{
	const struct journal_guests *guests = journal->guests;

	for (uint32_t i = 0; guests && i < guests->count; i++) {
		const struct journal_guest_frame *frame = &guests->frames[i];

		if (!is_closed(frame) || journal_file_parity(file, frame->generation) != parity)
			continue;
		for (uint32_t k = 0; k < frame->frame.count; k++)
			if (frame->pages[k].file == file &&
			    frame->pages[k].state != JOURNAL_GUEST_HOME)
				return true;
	}
	return false;
}

bool journal_guest_uses(struct atomicio_journal *journal, const struct journal_file *file)
{
	struct journal_guests *guests = journal->guests;
	bool found = false;

	if (!guests)
		return false;
	pthread_mutex_lock(&guests->lock); /* the open frame's pages count, too */
	pthread_mutex_lock(&journal->lock);
	for (uint32_t i = 0; i < guests->count; i++) {
		const struct journal_guest_frame *frame = &guests->frames[i];

		for (uint32_t k = 0; frame->state != JOURNAL_GUEST_FREE && k < frame->frame.count;
		     k++)
			found |= frame->pages[k].file == file &&
				 frame->pages[k].state != JOURNAL_GUEST_HOME;
	}
	pthread_mutex_unlock(&journal->lock);
	pthread_mutex_unlock(&guests->lock);
	return found;
}

bool journal_guest_writes(const struct atomicio_journal *journal)
{
	const struct journal_guests *guests = journal->guests;

	for (uint32_t i = 0; guests && i < guests->count; i++)
		if (is_written(&guests->frames[i]))
			return true;
	return false;
}

uint32_t journal_guest_list_holes(const struct atomicio_journal *journal,
				  struct journal_hole *holes)
{
	const struct journal_guests *guests = journal->guests;
	uint32_t count = 0;

	if (!guests)
		return 0;
	for (; count < guests->hole_count; count++)
		holes[count] = guests->holes[count];
	for (uint32_t i = 0; i < guests->count; i++) {
		const struct journal_frame *frame = &guests->frames[i].frame;

		if (is_written(&guests->frames[i]))
			holes[count++] = (struct journal_hole){
				.sequence = frame->sequence,
				.end = frame->offset + frame->length,
			};
	}
	return count;
}

void journal_guest_note_doubt(struct atomicio_journal *journal)
{
	struct journal_hole holes[JOURNAL_HOLES + JOURNAL_GUEST_FRAMES_LIMIT];
	const uint32_t count = journal_guest_list_holes(journal, holes);

	journal->doubt = 0;
	for (uint32_t i = 0; i < count; i++)
		if (!journal->doubt || holes[i].sequence < journal->doubt)
			journal->doubt = holes[i].sequence;
}

void journal_guest_tail_moved(struct atomicio_journal *journal)
{
	struct journal_guests *guests = journal->guests;
	uint32_t kept = 0;

	if (!guests)
		return;
	for (uint32_t i = 0; i < guests->hole_count; i++)
		if (guests->holes[i].sequence >= journal->header.tail_sequence)
			guests->holes[kept++] = guests->holes[i];
	guests->hole_count = kept;
	journal_guest_note_doubt(journal);
}

/* Each frame on its way may be cancelled: a hole must be left for each, and for one more frame. */
static bool has_hole(const struct journal_guests *guests)
{
	uint32_t used = guests->hole_count;

	for (uint32_t i = 0; i < guests->count; i++)
		used += is_written(&guests->frames[i]);
	return used < JOURNAL_HOLES;
}

uint64_t journal_guest_place(const struct atomicio_journal *journal, uint64_t length)
{
	const uint64_t most = JOURNAL_GUEST_SPAN * (uint64_t)journal->header.frame_max;
	const uint64_t doubtful = journal_doubtful_bytes(journal);
	uint64_t offset, gap;

	if (!has_hole(journal->guests))
		return 0;
	offset = journal_place_frame(journal, length, journal_reserve(&journal->header));
	if (!offset || !doubtful)
		return offset;
	gap = offset >= journal->head_offset ? offset - journal->head_offset
					     : journal->header.size - journal->head_offset;
	return doubtful + gap + length <= most ? offset : 0;
}

void journal_guest_later(struct atomicio_journal *journal)
{
	journal->guests->told_later = true;
}

void journal_guest_wake(struct atomicio_journal *journal)
{
	struct journal_guests *guests = journal->guests;

	if (!guests || !guests->told_later)
		return;
	guests->told_later = false;
	if (guests->event >= 0 && journal->sys->signal)
		(void)journal->sys->signal(guests->event);
}
