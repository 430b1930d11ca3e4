/* SPDX-License-Identifier: MIT */
/*
 * Conclusions from the frames found by the scan: the state, the head, and the frames to replay.
 *
 * Flow: called by the scan, once.  Pure: no call.
 *
 * A number is missing if no whole frame has it, but a larger number exists: the tail's, a whole
 * frame's, or below durable_to.  The missing number was durable if it is below the durable_to of
 * any frame, and no frame names it as void.  An acknowledged frame is then lost: corruption (J6).
 * Any other missing number is void: its frame was torn, or never written (N1).
 */
#include "journal_internal.h"

/* Is this number named as void?  Then *next is the first number behind the named range. */
static bool is_void(const struct journal_scan *scan, uint64_t sequence, uint64_t *next)
{
	for (uint32_t i = 0; i < scan->void_count; i++) {
		const struct journal_range *range = &scan->voids[i];

		if (sequence >= range->offset && sequence - range->offset < range->length) {
			*next = range->offset + range->length;
			return true;
		}
	}
	return false;
}

/* Is a number from `from` up to `to` the number of a lost durable frame? */
static bool lost_one(const struct journal_scan *scan, uint64_t from, uint64_t to)
{
	if (to > scan->durable_to)
		to = scan->durable_to;
	while (from < to)
		if (!is_void(scan, from, &from))
			return true;
	return false;
}

bool journal_has_gap(const struct atomicio_journal *journal, uint64_t below)
{
	const struct journal_scan *scan = &journal->scan;
	uint64_t next = journal->header.tail_sequence;

	for (uint32_t i = 0; i < scan->count && next < below; i++) {
		const uint64_t end =
			scan->found[i].sequence < below ? scan->found[i].sequence : below;

		while (next < end)
			if (!is_void(scan, next, &next))
				return true;
		next = scan->found[i].sequence + 1;
	}
	return false;
}

void journal_count_found(struct atomicio_journal *journal)
{
	struct journal_scan *scan = &journal->scan;

	if (scan->count && journal->header.tail_sequence >= journal->base_sequence)
		journal_forget_scan(journal);
	scan->live = 0;
	for (uint32_t i = 0; i < scan->count; i++)
		scan->live += !scan->found[i].aborted &&
			      scan->found[i].sequence >= journal->header.tail_sequence;
}

/* Where in the ring, counted from the tail. */
static uint64_t turn(const struct atomicio_journal *journal, uint64_t offset)
{
	const uint64_t tail = journal->header.tail_offset;

	return offset >= tail ? offset - tail
			      : journal->header.size - tail + (offset - JOURNAL_RING_START);
}

/* The place behind the first `count` frames, and the number of a frame there. */
static uint64_t end_of(const struct atomicio_journal *journal, uint32_t count, uint64_t *sequence)
{
	const struct journal_found *last;

	*sequence = journal->header.tail_sequence;
	if (count == 0)
		return journal->header.tail_offset;
	last = &journal->scan.found[count - 1];
	*sequence = last->sequence + 1;
	return last->offset + last->length;
}

/*
 * H4: may this unreadable range hide an acknowledged frame?  Between two frames only if a number is
 * missing between them; behind the last frame only within reach.
 */
static bool may_hide_one(const struct atomicio_journal *journal, const struct journal_range *bad)
{
	const struct journal_scan *scan = &journal->scan;
	const uint64_t reach = (uint64_t)JOURNAL_REACH * journal->header.frame_max;
	uint64_t end, next, behind;
	uint32_t before = 0;

	while (before < scan->count &&
	       turn(journal, scan->found[before].offset) < turn(journal, bad->offset))
		before++;
	end = end_of(journal, before, &next);
	if (before < scan->count) {
		while (next < scan->found[before].sequence)
			if (!is_void(scan, next, &next))
				return true;
		return false;
	}
	behind = turn(journal, bad->offset) - (before ? turn(journal, end - 1) + 1 : 0);
	if (behind < reach)
		return true;
	/* In reach again if the ring had to wrap before the range. */
	return bad->offset < end && bad->offset - JOURNAL_RING_START < reach;
}

static void judge_unreadable(struct atomicio_journal *journal)
{
	const struct journal_scan *scan = &journal->scan;

	for (uint32_t i = 0; i < scan->bad_count; i++) {
		if (!may_hide_one(journal, &scan->bad[i]))
			continue;
		journal->state = ATOMICIO_JOURNAL_TAIL_UNREADABLE;
		journal->corrupt_offset = scan->bad[i].offset;
		return;
	}
}

/* N2: a chain with all members is replayed, any other is not. */
static void judge_chains(struct journal_scan *scan)
{
	scan->live = 0;
	for (uint32_t first = 0, next; first < scan->count; first = next) {
		const struct journal_found *found = scan->found;
		bool whole = !(found[first].flags & JOURNAL_CHAIN) || found[first].chain_index == 0;
		bool last = !(found[first].flags & JOURNAL_CHAIN);

		for (next = first + 1; next < scan->count && !last; next++) {
			if (found[next - 1].flags & JOURNAL_LAST)
				break;
			if (!(found[next].flags & JOURNAL_CHAIN) ||
			    found[next].chain_first != found[first].chain_first)
				break;
			if (found[next].sequence != found[next - 1].sequence + 1)
				whole = false;
		}
		last = last || found[next - 1].flags & JOURNAL_LAST;
		for (uint32_t i = first; i < next; i++)
			scan->found[i].aborted = !whole || !last;
		scan->live += whole && last ? next - first : 0;
	}
}

static uint64_t span(const struct atomicio_journal *journal)
{
	const uint64_t tail = journal->header.tail_offset, head = journal->head_offset;

	return head > tail ? head - tail
			   : journal->header.size - tail + (head - JOURNAL_RING_START);
}

void journal_judge(struct atomicio_journal *journal)
{
	struct journal_scan *scan = &journal->scan;
	bool corrupt = scan->disordered;
	uint64_t next;

	judge_chains(scan);
	/* Broken chains alone leave nothing to replay: N2. */
	journal->state = scan->live ? ATOMICIO_JOURNAL_UNCLEAN : ATOMICIO_JOURNAL_READY;
	for (uint32_t i = 0; i <= scan->count && !corrupt; i++) {
		const uint64_t end = end_of(journal, i, &next);

		if (!lost_one(scan, next, i < scan->count ? scan->found[i].sequence : UINT64_MAX))
			continue;
		corrupt = true;
		journal->corrupt_offset = end < journal->header.size ? end : JOURNAL_RING_START;
	}
	journal->head_offset = end_of(journal, scan->count, &journal->head_sequence);
	journal->base_offset = journal->head_offset;
	journal->base_sequence = journal->head_sequence;
	journal->live_bytes = (corrupt ? scan->count : scan->live) ? span(journal) : 0;
	/* J6: no number used up, even perhaps, is used again. */
	journal->tail_torn = scan->torn_max >= journal->head_sequence;
	journal->next_sequence = journal->head_sequence;
	if (journal->tail_torn)
		journal->next_sequence = scan->torn_max + 1;
	if (journal->next_sequence < journal->header.head_sequence)
		journal->next_sequence = journal->header.head_sequence;
	if (corrupt)
		journal->state = ATOMICIO_JOURNAL_CORRUPT;
	else
		judge_unreadable(journal);
	/* J3, before recovery: any range may have a live frame. */
	if (journal->state != ATOMICIO_JOURNAL_READY)
		journal_cover_all(journal);
}
