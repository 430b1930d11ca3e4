/* SPDX-License-Identifier: MIT */
/*
 * Read the ring in large pieces, each byte once.
 *
 * Flow: below scan, recovery and walk, which move a window over the ring.  An unreadable piece is
 * read again block by block, and its unreadable blocks are known (H4).
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

/* Least length of a read. */
#define WINDOW_PIECE (1u << 20)

/*
 * Errors of the disk and not of the call: the place is unreadable now, and other places may be
 * readable (block/blk-core.c: blk_errors, 6.18; EUCLEAN and EBADMSG are filesystems' words for a
 * checksum).
 */
static bool is_unreadable(int error)
{
	switch (error) {
	case -EIO:
	case -ENODATA:
	case -EREMOTEIO:
	case -EILSEQ:
	case -ETIMEDOUT:
	case -EUCLEAN:
	case -EBADMSG:
		return true;
	default:
		return false;
	}
}

int journal_read_all(const struct sys_calls *sys, int fd, uint8_t *buffer, uint64_t length,
		     uint64_t offset)
{
	uint32_t interrupted = 0;

	while (length) {
		const ssize_t result = sys->pread(fd, buffer, (size_t)length, offset);

		if (result == -EINTR && ++interrupted < JOURNAL_EINTR_MAX)
			continue;
		if (result == 0)
			return -ERANGE;
		/* Our own words for "no frame" and "damaged" are no errors of a call. */
		if (result < 0)
			return is_unreadable((int)result) ? -EIO : (int)result;
		buffer += result;
		offset += (uint64_t)result;
		length -= (uint64_t)result;
	}
	return 0;
}

int journal_window_open(const struct atomicio_journal *journal, struct journal_window *window)
{
	const uint64_t ring = journal->header.size - JOURNAL_RING_START;

	*window = (struct journal_window){.room = journal->header.frame_max};
	window->room += ring < WINDOW_PIECE ? ring : WINDOW_PIECE;
	window->bytes = journal->sys->allocate(JOURNAL_BLOCK, window->room);
	return window->bytes ? 0 : -ENOMEM;
}

void journal_window_close(const struct atomicio_journal *journal, struct journal_window *window)
{
	if (window->bytes)
		journal->sys->release_memory(window->bytes);
	window->bytes = NULL;
}

static int note_unreadable(const struct atomicio_journal *journal, struct journal_scan *scan,
			   uint64_t offset)
{
	struct journal_range *last = scan->bad_count ? &scan->bad[scan->bad_count - 1] : NULL;
	struct journal_range *more;

	if (last && last->offset + last->length == offset) {
		last->length += JOURNAL_BLOCK;
		return 0;
	}
	if (scan->bad_count == scan->bad_room) {
		const uint32_t room = scan->bad_room ? scan->bad_room * 2 : 16;

		more = journal->sys->allocate(_Alignof(max_align_t), room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		if (scan->bad) {
			memcpy(more, scan->bad, scan->bad_count * sizeof(*more));
			journal->sys->release_memory(scan->bad);
		}
		scan->bad = more;
		scan->bad_room = room;
	}
	assert(scan->bad && scan->bad_count < scan->bad_room);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is room, and so memory */
	scan->bad[scan->bad_count++] = (struct journal_range){offset, JOURNAL_BLOCK};
	return 0;
}

/* Block by block; an unreadable one is noted, and zero. */
static int read_blocks(const struct atomicio_journal *journal, struct journal_scan *scan,
		       uint8_t *bytes, uint64_t length, uint64_t offset)
{
	for (uint64_t at = 0; at < length; at += JOURNAL_BLOCK) {
		int error = journal_read_all(journal->sys, journal->fd, bytes + at, JOURNAL_BLOCK,
					     offset + at);

		if (error == -EIO) {
			memset(bytes + at, 0, JOURNAL_BLOCK);
			error = note_unreadable(journal, scan, offset + at);
		}
		if (error)
			return error;
	}
	return 0;
}

int journal_window_at(const struct atomicio_journal *journal, struct journal_window *window,
		      struct journal_scan *scan, uint64_t offset, uint64_t length, uint64_t end,
		      uint8_t **bytes)
{
	uint64_t have = 0, more;
	int error;

	assert(length <= end - offset);
	if (offset >= window->offset && offset < window->offset + window->length)
		have = window->offset + window->length - offset;
	if (have < length) {
		if (have)
			memmove(window->bytes, window->bytes + (offset - window->offset),
				(size_t)have);
		window->offset = offset;
		window->length = have;
		more = window->room - have;
		if (more > end - offset - have)
			more = end - offset - have;
		error = journal_read_all(journal->sys, journal->fd, window->bytes + have, more,
					 offset + have);
		if (error == -EIO && scan)
			error = read_blocks(journal, scan, window->bytes + have, more,
					    offset + have);
		if (error == -EIO && !scan) { /* bytes read ahead do not matter */
			more = length - have;
			error = journal_read_all(journal->sys, journal->fd, window->bytes + have,
						 more, offset + have);
		}
		if (error)
			return error;
		window->length = have + more;
	}
	*bytes = window->bytes + (offset - window->offset);
	return 0;
}

bool journal_window_holds(const struct journal_window *window, const struct journal_found *found)
{
	return found->offset >= window->offset &&
	       found->offset + found->length <= window->offset + window->length;
}

int journal_window_frame(const struct atomicio_journal *journal, struct journal_window *window,
			 const struct journal_found *found, uint8_t **bytes,
			 struct journal_frame *frame)
{
	int error = journal_window_at(journal, window, NULL, found->offset, found->length,
				      journal->header.size, bytes);

	if (error)
		return error;
	/* J4 once more: whole at open, but the disk may not keep its bytes. */
	if (!journal_peek_frame(*bytes, &journal->header, found->offset, frame) ||
	    frame->sequence != found->sequence || frame->length != found->length ||
	    !journal_check_frame(*bytes, frame) || !journal_check_pages(*bytes, frame))
		return -EIO;
	return 0;
}
