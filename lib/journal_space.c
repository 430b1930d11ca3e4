/* SPDX-License-Identifier: MIT */
/*
 * Ring arithmetic: where the next frame goes.
 *
 * Flow: asked by commit before a frame is written, told after it.  Pure: no call, no lock.
 */
#include "journal_internal.h"

uint64_t journal_place_frame(const struct atomicio_journal *journal, uint32_t length)
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

void journal_advance_head(struct atomicio_journal *journal, const struct journal_frame *frame)
{
	/* A gap that the wrap left at the end is in use until the tail has passed it. */
	if (frame->offset != journal->head_offset && journal->live_bytes)
		journal->live_bytes += journal->header.size - journal->head_offset;
	journal->live_bytes += frame->length;
	journal->head_offset = frame->offset + frame->length;
	journal->head_sequence++;
}
