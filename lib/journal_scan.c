/* SPDX-License-Identifier: MIT */
/*
 * Read the ring: which frames are live, and is one of them damaged?
 *
 * Flow: at open, before any write, and again frame by frame in recovery.
 *
 * Live frames follow one another from the tail with consecutive sequence numbers, each directly
 * behind the one before it or, where it did not fit before the end, at the start of the
 * ring.  The first that is missing ends them.  One frame was in flight at most, so a
 * whole frame header with a later number anywhere in the ring proves that the missing one had
 * been durable: corruption (J6).
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

/* A read of the ring, at least, where frames are small. */
#define READ_AHEAD (256u << 10)

int journal_read_all(const struct sys_calls *sys, int fd, uint8_t *buffer, uint64_t length,
		     uint64_t offset)
{
	while (length) {
		const ssize_t result = sys->pread(fd, buffer, (size_t)length, offset);

		if (result <= 0)
			return result < 0 ? (int)result : -ERANGE;
		buffer += result;
		offset += (uint64_t)result;
		length -= (uint64_t)result;
	}
	return 0;
}

static int read_all(const struct atomicio_journal *journal, uint8_t *buffer, uint64_t length,
		    uint64_t offset)
{
	return journal_read_all(journal->sys, journal->fd, buffer, length, offset);
}

/* Have `length` bytes of the ring, from `offset` on, in the window, if the ring goes so far. */
static int look_at(const struct atomicio_journal *journal, struct journal_window *window,
		   uint64_t offset, uint64_t length)
{
	uint64_t have = 0;
	int error;

	if (offset >= window->offset && offset <= window->offset + window->length)
		have = window->offset + window->length - offset;
	if (have >= length)
		return 0;
	/* Small frames come many in a read; of a large one the rest is read, and no more. */
	if (length < READ_AHEAD)
		length = READ_AHEAD;
	if (length > journal->header.frame_max)
		length = journal->header.frame_max;
	if (length > journal->header.size - offset)
		length = journal->header.size - offset;
	if (have)
		memmove(window->bytes, window->bytes + (offset - window->offset), (size_t)have);
	window->length = 0;
	error = read_all(journal, window->bytes + have, length - have, offset + have);
	if (error)
		return error;
	window->offset = offset;
	window->length = length;
	return 0;
}

int journal_read_frame(const struct atomicio_journal *journal, struct journal_window *window,
		       uint64_t offset, uint64_t sequence, uint8_t **bytes,
		       struct journal_frame *frame)
{
	uint8_t *at;
	int error;

	if (offset > journal->header.size - JOURNAL_BLOCK)
		return -ENODATA;
	error = look_at(journal, window, offset, JOURNAL_BLOCK);
	if (error)
		return error;
	at = window->bytes + (offset - window->offset);
	/* J4: id and place, then sequence, then the checksums. */
	if (!journal_peek_frame(at, &journal->header, offset, frame) || frame->sequence != sequence)
		return -ENODATA;
	error = look_at(journal, window, offset, frame->length);
	if (error)
		return error;
	at = window->bytes + (offset - window->offset);
	if (!journal_check_frame(at, frame) || !journal_check_pages(at, frame))
		return -ENODATA;
	*bytes = at;
	return 0;
}

int journal_next_frame(const struct atomicio_journal *journal, struct journal_window *window,
		       uint64_t offset, uint64_t sequence, uint8_t **bytes,
		       struct journal_frame *frame)
{
	const int error = journal_read_frame(journal, window, offset, sequence, bytes, frame);

	if (error != -ENODATA || offset == JOURNAL_RING_START)
		return error;
	return journal_read_frame(journal, window, JOURNAL_RING_START, sequence, bytes, frame);
}

/*
 * Look at every block of the ring for frame headers.  Returns 1 if a whole one has a sequence
 * number above `sequence`, 0 if none has, or an error.  *same is set if a block looks like
 * the start of the frame `sequence` itself, which then was torn.
 */
static int find_later(struct atomicio_journal *journal, uint64_t sequence, bool *same)
{
	uint8_t *buffer = journal->stages[0].frame;
	const uint64_t window = journal->header.frame_max;
	struct journal_frame frame;

	/* A header part may reach from one window into the next: read it again from its start. */
	for (uint64_t start = JOURNAL_RING_START; start < journal->header.size;) {
		const uint64_t left = journal->header.size - start;
		const uint64_t length = left < window ? left : window;
		uint64_t next = start + length;
		int error = read_all(journal, buffer, length, start);

		if (error)
			return error;
		for (uint64_t at = 0; at < length; at += JOURNAL_BLOCK) {
			if (!journal_peek_frame(buffer + at, &journal->header, start + at, &frame))
				continue;
			if (frame.sequence < sequence)
				continue;
			if (at && frame.header_length > length - at) {
				next = start + at;
				break;
			}
			if (frame.sequence == sequence)
				*same = true;
			else if (journal_check_frame(buffer + at, &frame))
				return 1;
		}
		start = next;
	}
	return 0;
}

int journal_scan(struct atomicio_journal *journal)
{
	uint64_t offset = journal->header.tail_offset;
	uint64_t sequence = journal->header.tail_sequence;
	struct journal_window window = {.bytes = journal->stages[1].frame};
	struct journal_frame frame;
	uint8_t *bytes;
	uint64_t live = 0;
	int found;

	/* Bounded: each frame is a block at least, and live ones do not overlap. */
	while (live < journal->header.size - JOURNAL_RING_START) {
		const int error =
			journal_next_frame(journal, &window, offset, sequence, &bytes, &frame);

		if (error == -ENODATA)
			break;
		if (error)
			return error;
		if (frame.offset != offset && live)
			live += journal->header.size - offset;
		live += frame.length;
		journal->last_offset = frame.offset;
		offset = frame.offset + frame.length;
		sequence++;
	}
	journal->head_offset = offset;
	journal->head_sequence = sequence;
	journal->live_bytes = live;
	found = find_later(journal, sequence, &journal->tail_torn);
	if (found < 0)
		return found;
	journal->state = live ? ATOMICIO_JOURNAL_UNCLEAN : ATOMICIO_JOURNAL_READY;
	/* J3, before recovery: any range may have a live frame. */
	if (live || found)
		journal_cover_all(journal);
	if (found) {
		journal->state = ATOMICIO_JOURNAL_CORRUPT;
		journal->corrupt_offset =
			offset < journal->header.size ? offset : JOURNAL_RING_START;
	}
	return 0;
}
