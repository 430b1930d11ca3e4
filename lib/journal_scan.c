/* SPDX-License-Identifier: MIT */
/*
 * Read the ring of an unclean journal: find the live frames, and whether one was lost.
 *
 * Flow: at open, once, before any write (K3).  journal_judge.c draws the conclusions.
 *
 * The ring is read from the tail to its end, then from its start to the tail.  A whole frame, live
 * or retired, is stepped over (K1): nothing inside a frame is looked at.  Elsewhere every block is
 * looked at.  Frames are collected by their numbers, adjacent or not (N1).
 */
#include "journal_internal.h"

/*
 * Limit: bytes checked, in sizes of the ring.  Whole frames are disjoint, and few torn frames
 * overlap; more are checked only if somebody has made frames inside of frames to keep us busy.
 */
#define CHECKED_MAX 16u

/* The header of a live frame speaks for older frames, even if its own pages are torn. */
static void hear_header(struct journal_scan *scan, const struct journal_frame *frame)
{
	if (frame->durable_to > scan->durable_to)
		scan->durable_to = frame->durable_to;
	if (frame->void_count == 0)
		return;
	/* Many frames may name a range until it is retired. */
	for (uint32_t i = 0; i < scan->void_count; i++)
		if (scan->voids[i].offset == frame->void_first &&
		    scan->voids[i].length == frame->void_count)
			return;
	if (scan->void_count < JOURNAL_VOIDS)
		scan->voids[scan->void_count++] =
			(struct journal_range){frame->void_first, frame->void_count};
}

/* Look at a possible frame, and say how far to step. */
static int look_at_frame(struct atomicio_journal *journal, const uint8_t *bytes,
			 const struct journal_frame *frame, uint64_t *step)
{
	struct journal_scan *scan = &journal->scan;
	const bool live = frame->sequence >= journal->header.tail_sequence;
	const bool header_whole = journal_check_frame(bytes, frame);
	int error;

	*step = JOURNAL_BLOCK;
	scan->checked += frame->length;
	if (live && header_whole)
		hear_header(scan, frame);
	if (header_whole && journal_check_pages(bytes, frame)) {
		*step = frame->length;
		if (!live)
			return 0;
		error = journal_add_found(journal, frame);
		return error ? error : journal_add_rows(journal, bytes, frame);
	}
	/* J6: the number is used up, if possible at all in a journal of ours. */
	if (live && frame->sequence - journal->header.tail_sequence < JOURNAL_AHEAD_MAX &&
	    frame->sequence > scan->torn_max)
		scan->torn_max = frame->sequence;
	return 0;
}

static int scan_part(struct atomicio_journal *journal, struct journal_window *window,
		     uint64_t start, uint64_t end)
{
	struct journal_scan *scan = &journal->scan;
	uint64_t step;

	for (uint64_t at = start; at < end; at += step) {
		struct journal_frame frame;
		uint8_t *bytes;
		int error =
			journal_window_at(journal, window, scan, at, JOURNAL_BLOCK, end, &bytes);

		if (error)
			return error;
		step = JOURNAL_BLOCK;
		if (!journal_peek_frame(bytes, &journal->header, at, &frame) ||
		    frame.length > end - at)
			continue;
		if (scan->checked / CHECKED_MAX > journal->header.size) {
			scan->disordered = true;
			return 0;
		}
		error = journal_window_at(journal, window, scan, at, frame.length, end, &bytes);
		if (!error)
			error = look_at_frame(journal, bytes, &frame, &step);
		if (error)
			return error;
	}
	return 0;
}

int journal_scan_again(struct atomicio_journal *journal)
{
	journal_forget_scan(journal);
	if (journal->scan.bad)
		journal->sys->release_memory(journal->scan.bad);
	journal->scan = (struct journal_scan){.count = 0};
	journal->retiring = false;
	return journal_scan_ring(journal);
}

int journal_scan_ring(struct atomicio_journal *journal)
{
	const uint64_t tail = journal->header.tail_offset;
	struct journal_window window;
	int error;

	journal->head_offset = tail;
	journal->head_sequence = journal->next_sequence = journal->header.head_sequence;
	if (journal->header.flags & JOURNAL_CLEAN) { /* K3 */
		journal->state = ATOMICIO_JOURNAL_READY;
		return 0;
	}
	error = journal_window_open(journal, &window);
	if (!error)
		error = scan_part(journal, &window, tail, journal->header.size);
	if (!error)
		error = scan_part(journal, &window, JOURNAL_RING_START, tail);
	journal_window_close(journal, &window);
	if (error)
		return error;
	journal_judge(journal);
	if (journal->state == ATOMICIO_JOURNAL_READY)
		journal_forget_scan(journal);
	return 0;
}
