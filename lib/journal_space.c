/* SPDX-License-Identifier: MIT */
/*
 * Ring arithmetic: the place of the next frame, and the space kept for carrying.
 *
 * Flow: called before and after the write of a frame.  Pure: no call, no lock.
 */
#include "journal_internal.h"

uint64_t journal_reserve(const struct journal_header *header)
{
	const uint64_t ring = header->size - JOURNAL_RING_START;
	const uint64_t least = 2 * (uint64_t)header->frame_max; /* one and the gap of a wrap */
	const uint64_t share = journal_padded(ring / 8);

	if (ring < 3 * least)
		return 0;
	return share < least ? least : share;
}

uint64_t journal_pinned_limit(const struct journal_header *header)
{
	return (header->size - JOURNAL_RING_START) / 4;
}

void journal_number(const struct atomicio_journal *journal, struct journal_frame *frame,
		    uint64_t first)
{
	/* One frame, or chain, is in flight at a time, except frames of guests (JG3). */
	frame->sequence = journal->head_sequence;
	frame->chain_first = frame->durable_to = first;
	if (journal->doubt && journal->doubt < first)
		frame->durable_to = journal->doubt;
	frame->chain_index = (uint32_t)(frame->sequence - first);
	frame->void_first = journal->void_first;
	frame->void_count = journal->void_count;
}

/* The end of an unreadable range touched by [at, at + length), or 0 (H4). */
static uint64_t unreadable(const struct journal_scan *scan, uint64_t at, uint64_t length)
{
	for (uint32_t i = 0; i < scan->bad_count; i++)
		if (scan->bad[i].offset < at + length &&
		    scan->bad[i].offset + scan->bad[i].length > at)
			return scan->bad[i].offset + scan->bad[i].length;
	return 0;
}

/* The first readable place from `at` on that ends at `end`; 0: none, or too far (H4). */
static uint64_t fit(const struct atomicio_journal *journal, uint64_t at, uint64_t end,
		    uint64_t length)
{
	const uint64_t reach = (uint64_t)(JOURNAL_REACH - 1) * journal->header.frame_max -
			       journal_doubtful_bytes(journal);
	const uint64_t start = at;
	uint64_t next;

	while (at <= end && length <= end - at) {
		next = unreadable(&journal->scan, at, length);
		if (!next)
			return at;
		at = next;
		if (at - start >= reach)
			return 0;
	}
	return 0;
}

/* Bytes of the ring from the head to a later frame. */
static uint64_t gap(const struct atomicio_journal *journal, uint64_t place)
{
	const uint64_t head = journal->head_offset;

	return place >= head ? place - head
			     : journal->header.size - head + place - JOURNAL_RING_START;
}

uint64_t journal_place_frame(const struct atomicio_journal *journal, uint64_t length, uint64_t keep)
{
	const uint64_t head = journal->head_offset, end = journal->header.size;
	const uint64_t tail = journal->header.tail_offset, live = journal->live_bytes;
	uint64_t place;

	if (live == 0 || head > tail) {
		place = fit(journal, head, end, length);
		if (!place)
			place = fit(journal, JOURNAL_RING_START, live == 0 ? head : tail, length);
	} else {
		place = fit(journal, head, tail, length);
	}
	if (!place || !keep)
		return place;
	return live + gap(journal, place) + length + keep <= end - JOURNAL_RING_START ? place : 0;
}

uint64_t journal_gaps(const struct atomicio_journal *journal)
{
	uint64_t bytes = journal->header.frame_max;

	for (uint32_t i = 0; i < journal->scan.bad_count; i++)
		bytes += journal->scan.bad[i].length + journal->header.frame_max;
	return bytes;
}

void journal_reserve_place(struct atomicio_journal *journal, const struct journal_frame *frame)
{
	/*
	 * The gap of a wrap at the end is in use until the tail has passed it, even with nothing
	 * live, because the tail stands before the gap.
	 */
	journal->live_bytes += gap(journal, frame->offset) + frame->length;
	journal->head_offset = frame->offset + frame->length;
	journal->head_sequence++;
}

void journal_note_whole(struct atomicio_journal *journal, const struct journal_frame *frame)
{
	if (journal->whole_end && frame->sequence < journal->whole_sequence)
		return;
	journal->whole_sequence = frame->sequence;
	journal->whole_end = frame->offset + frame->length;
}

void journal_advance_head(struct atomicio_journal *journal, const struct journal_frame *frame)
{
	journal_reserve_place(journal, frame);
	journal_note_whole(journal, frame);
}

uint64_t journal_doubtful_bytes(const struct atomicio_journal *journal)
{
	const struct journal_header *header = &journal->header;
	const bool is_live = journal->whole_end && journal->whole_sequence >= header->tail_sequence;
	const uint64_t from = is_live ? journal->whole_end : header->tail_offset;
	const uint64_t next = is_live ? journal->whole_sequence + 1 : header->tail_sequence;

	if (!journal->guests || next >= journal->head_sequence)
		return 0;
	return journal_distance(header, from, journal->head_offset);
}

uint64_t journal_distance(const struct journal_header *header, uint64_t tail, uint64_t head)
{
	return head > tail ? head - tail : header->size - tail + head - JOURNAL_RING_START;
}
