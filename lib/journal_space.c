/* SPDX-License-Identifier: MIT */
/*
 * Ring arithmetic: where the next frame goes, and what is kept free for carrying.
 *
 * Flow: asked before a frame is written, told after it.  Pure: no call, no lock.
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
	/* One frame, or chain, is in flight at a time. */
	frame->sequence = journal->head_sequence;
	frame->chain_first = frame->durable_to = first;
	frame->chain_index = (uint32_t)(frame->sequence - first);
	frame->void_first = journal->void_first;
	frame->void_count = journal->void_count;
}

static uint64_t place_in(const struct journal_header *header, uint64_t live, uint64_t head,
			 uint64_t length, uint64_t keep)
{
	const uint64_t tail = header->tail_offset, end = header->size;
	const uint64_t ring = end - JOURNAL_RING_START;
	uint64_t place = 0, used;

	if (live == 0 || head > tail) {
		const uint64_t front = live == 0 ? head : tail;

		if (length <= end - head)
			place = head;
		else if (length <= front - JOURNAL_RING_START)
			place = JOURNAL_RING_START;
	} else if (length <= tail - head) {
		place = head;
	}
	if (!place || !keep)
		return place;
	used = live + length + (place == head ? 0 : end - head);
	return used + keep <= ring ? place : 0;
}

uint64_t journal_place_frame(const struct atomicio_journal *journal, uint64_t length, uint64_t keep)
{
	return place_in(&journal->header, journal->live_bytes, journal->head_offset, length, keep);
}

void journal_advance_head(struct atomicio_journal *journal, const struct journal_frame *frame)
{
	/* A gap that the wrap left at the end is in use until the tail has passed it: also where
	 * nothing was live, because the tail stands before it. */
	if (frame->offset != journal->head_offset)
		journal->live_bytes += journal->header.size - journal->head_offset;
	journal->live_bytes += frame->length;
	journal->head_offset = frame->offset + frame->length;
	journal->head_sequence++;
}

uint64_t journal_distance(const struct journal_header *header, uint64_t tail, uint64_t head)
{
	return head > tail ? head - tail : header->size - tail + head - JOURNAL_RING_START;
}
