/* SPDX-License-Identifier: MIT */
/*
 * Conclusions from the frames read: the frames to replay, and lost frames.
 *
 * Flow: called by reader_scan().  Pure.  atomicio-journal(5), "Which frames are replayed".
 */
#include "journal_read.h"

/*
 * Most sizes of frame_max between the end of the last durable frame and the start of a later frame.
 */
#define REACH 4

/* Does a frame name this number as void? */
static bool is_void(const struct reader *reader, uint64_t sequence, uint64_t *next)
{
	for (uint32_t i = 0; i < reader->count; i++) {
		const struct reader_frame *frame = &reader->frames[i];

		if (!frame->header_whole || sequence < frame->void_first ||
		    sequence - frame->void_first >= frame->void_count)
			continue;
		*next = frame->void_first + frame->void_count;
		return true;
	}
	return false;
}

/* The first number from `from` on, below `to`, that no frame names as void; `to`: there is none. */
static uint64_t first_missing(const struct reader *reader, uint64_t from, uint64_t to)
{
	while (from < to && is_void(reader, from, &from))
		;
	return from < to ? from : to;
}

/* The next whole frame from `index` on; reader->count: there is none. */
static uint32_t next_whole(const struct reader *reader, uint32_t index)
{
	while (index < reader->count && !reader->frames[index].whole)
		index++;
	return index;
}

/* How far behind the tail, in the order in which the ring is written. */
static uint64_t distance(const struct reader_header *header, uint64_t offset)
{
	return offset >= header->tail_offset
		       ? offset - header->tail_offset
		       : header->size - header->tail_offset + offset - READER_RING;
}

/* Do the numbers grow in the order of the ring?  Collect the headers' words about other numbers. */
static void hear_headers(struct reader *reader)
{
	const struct reader_frame *last = NULL;

	for (uint32_t i = 0; i < reader->count; i++) {
		const struct reader_frame *frame = &reader->frames[i];

		if (frame->header_whole && frame->durable_to > reader->durable_to)
			reader->durable_to = frame->durable_to;
		if (!frame->whole)
			continue;
		reader->disordered |= last && frame->sequence <= last->sequence;
		last = frame;
	}
}

/* All frames behind a lost number are useless. */
static void judge_numbers(struct reader *reader)
{
	const struct reader_header *header = reader->header;
	uint64_t next = header->tail_sequence, end = header->tail_offset;
	bool lost = reader->disordered;

	for (uint32_t i = next_whole(reader, 0);; i = next_whole(reader, i + 1)) {
		struct reader_frame *frame = i < reader->count ? &reader->frames[i] : NULL;
		uint64_t to = frame ? frame->sequence : UINT64_MAX;

		if (to > reader->durable_to)
			to = reader->durable_to;
		if (!lost && first_missing(reader, next, to) < to) {
			lost = true;
			reader->lost_sequence = first_missing(reader, next, to);
			reader->corrupt_offset = end < header->size ? end : READER_RING;
		}
		if (!frame)
			break;
		frame->state = lost ? READER_BEYOND : READER_LIVE;
		next = frame->sequence + 1;
		end = frame->offset + frame->length;
	}
	reader->head_offset = end;
	reader->head_sequence = next;
	if (lost)
		reader->state = READER_STATE_CORRUPT;
}

/* Are `from` and the whole frames behind it, up to *to, all members of one chain? */
static bool chain_is_whole(const struct reader *reader, uint32_t from, uint32_t *to)
{
	const struct reader_frame *first = &reader->frames[from], *before = first;
	bool whole = first->chain_index == 0;

	for (*to = next_whole(reader, from + 1); *to < reader->count;
	     *to = next_whole(reader, *to + 1)) {
		const struct reader_frame *frame = &reader->frames[*to];

		if (before->flags & READER_LAST || !(frame->flags & READER_CHAIN) ||
		    frame->chain_first != first->chain_first)
			break;
		whole &= frame->sequence == before->sequence + 1;
		before = frame;
	}
	return whole && before->flags & READER_LAST;
}

static void judge_chains(struct reader *reader)
{
	uint32_t end;

	for (uint32_t i = next_whole(reader, 0); i < reader->count; i = end) {
		bool whole = true;

		end = next_whole(reader, i + 1);
		if (reader->frames[i].flags & READER_CHAIN)
			whole = chain_is_whole(reader, i, &end);
		for (uint32_t j = i; !whole && j < end; j++)
			if (reader->frames[j].whole && reader->frames[j].state == READER_LIVE)
				reader->frames[j].state = READER_ABORTED;
	}
}

/* May an acknowledged frame lie in this unreadable range? */
static bool may_hide_one(const struct reader *reader, const struct reader_range *range)
{
	const struct reader_header *header = reader->header;
	const uint64_t reach = (uint64_t)REACH * header->frame_max;
	const uint64_t place = distance(header, range->offset);
	uint64_t next = header->tail_sequence, end = 0, wrapped = header->tail_offset;

	for (uint32_t i = next_whole(reader, 0); i < reader->count; i = next_whole(reader, i + 1)) {
		const struct reader_frame *frame = &reader->frames[i];

		/* Between two frames: only if the number of one is missing between theirs. */
		if (distance(header, frame->offset) >= place)
			return first_missing(reader, next, frame->sequence) < frame->sequence;
		next = frame->sequence + 1;
		end = distance(header, frame->offset + frame->length - 1) + 1;
		wrapped = frame->offset + frame->length;
	}
	/* Behind the last: the reach of a frame, also at the start of the ring after a wrap. */
	return place - end < reach ||
	       (range->offset < wrapped && range->offset - READER_RING < reach);
}

static void count(struct reader *reader)
{
	const struct reader_header *header = reader->header;

	for (uint32_t i = 0; i < reader->count; i++) {
		struct reader_frame *frame = &reader->frames[i];

		if (!frame->whole)
			frame->state = READER_TORN;
		reader->live += frame->state == READER_LIVE;
		reader->torn += frame->state == READER_TORN;
		reader->beyond += frame->state == READER_BEYOND;
	}
	if (reader->live ||
	    (reader->state == READER_STATE_CORRUPT && next_whole(reader, 0) < reader->count))
		reader->live_bytes = distance(header, reader->head_offset - 1) + 1;
}

void reader_judge(struct reader *reader)
{
	reader->head_offset = reader->header->tail_offset;
	reader->head_sequence = reader->header->tail_sequence;
	if (reader->header->flags & READER_CLEAN)
		return;
	hear_headers(reader);
	judge_numbers(reader);
	judge_chains(reader);
	count(reader);
	if (reader->state == READER_STATE_CORRUPT)
		return;
	if (reader->live)
		reader->state = READER_STATE_UNCLEAN;
	for (uint32_t i = 0; i < reader->unreadable_count; i++) {
		if (!may_hide_one(reader, &reader->unreadable[i]))
			continue;
		reader->state = READER_STATE_UNREADABLE;
		reader->corrupt_offset = reader->unreadable[i].offset;
		return;
	}
}
