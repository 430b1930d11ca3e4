/* SPDX-License-Identifier: MIT */
/*
 * Read live frames at run time: for carrying, and for the newest bytes of a failed file.
 *
 * Flow: journal_carry.c reads the pages to be framed again; atomicio_journal_read() is here.
 * Recovery has a reader of its own (journal_scan.c), which believes nothing.  At run time head and
 * tail are known, and a damaged live frame is an error of the disk.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

#include "abi.h"
#include "sys_cancel.h"

/* -ENODATA: no whole frame of this number lies at `offset`. */
static int read_at(const struct atomicio_journal *journal, uint8_t *bytes, uint64_t offset,
		   uint64_t sequence, struct journal_frame *frame)
{
	int error;

	if (offset > journal->header.size - JOURNAL_BLOCK)
		return -ENODATA;
	error = journal_read_all(journal->sys, journal->fd, bytes, JOURNAL_BLOCK, offset);
	if (error)
		return error;
	if (!journal_peek_frame(bytes, &journal->header, offset, frame) ||
	    frame->sequence != sequence)
		return -ENODATA;
	error = journal_read_all(journal->sys, journal->fd, bytes + JOURNAL_BLOCK,
				 frame->length - JOURNAL_BLOCK, offset + JOURNAL_BLOCK);
	if (error)
		return error;
	if (!journal_check_frame(bytes, frame) || !journal_check_pages(bytes, frame))
		return -ENODATA;
	journal_unescape(bytes, frame);
	return 0;
}

/* The frame lies at `offset`, or behind a place that was unreadable when the frame was written. */
static int read_behind(const struct atomicio_journal *journal, uint8_t *bytes, uint64_t offset,
		       uint64_t sequence, struct journal_frame *frame)
{
	const struct journal_scan *scan = &journal->scan;
	int error = read_at(journal, bytes, offset, sequence, frame);

	for (uint32_t i = 0; i < scan->bad_count && error; i++) {
		const uint64_t end = scan->bad[i].offset + scan->bad[i].length;

		if (end > offset)
			error = read_at(journal, bytes, end, sequence, frame);
	}
	return error;
}

int journal_read_live(const struct atomicio_journal *journal, uint8_t *bytes, uint64_t offset,
		      uint64_t sequence, struct journal_frame *frame)
{
	int error = read_behind(journal, bytes, offset, sequence, frame);

	if (error == -ENODATA || (error && journal->scan.bad_count))
		error = read_behind(journal, bytes, JOURNAL_RING_START, sequence, frame);
	return error == -ENODATA ? -EIO : error;
}

void journal_cursor_begin(const struct atomicio_journal *journal, struct journal_cursor *cursor)
{
	*cursor = (struct journal_cursor){
		.offset = journal->header.tail_offset,
		.sequence = journal->header.tail_sequence,
	};
	cursor->hole_count = journal_guest_list_holes(journal, cursor->holes);
	if (journal->scan.count == 0)
		return;
	cursor->offset = journal->base_offset;
	cursor->sequence = journal->base_sequence;
}

/* JG3: step over numbers without a durable frame. */
static void skip_holes(struct journal_cursor *cursor)
{
	for (uint32_t i = 0; i < cursor->hole_count; i++) {
		if (cursor->holes[i].sequence != cursor->sequence)
			continue;
		cursor->offset = cursor->holes[i].end;
		cursor->sequence++;
		i = UINT32_MAX; /* from the first */
	}
}

int journal_cursor_next(const struct atomicio_journal *journal, struct journal_cursor *cursor,
			uint64_t end, uint8_t *bytes, struct journal_frame *frame)
{
	int error;

	while (cursor->index < journal->scan.count) {
		const struct journal_found *found = &journal->scan.found[cursor->index++];

		if (found->aborted || found->sequence < journal->header.tail_sequence)
			continue;
		error = read_at(journal, bytes, found->offset, found->sequence, frame);
		return error ? error == -ENODATA ? -EIO : error : 1;
	}
	skip_holes(cursor);
	if (cursor->sequence >= end)
		return 0;
	error = journal_read_live(journal, bytes, cursor->offset, cursor->sequence, frame);
	if (error)
		return error;
	cursor->offset = frame->offset + frame->length;
	cursor->sequence++;
	return 1;
}

/* The range asked for by atomicio_journal_read(). */
struct wanted {
	const struct journal_header *header;
	uint64_t file_id;
	uint8_t *buffer;
	uint64_t offset;
	uint64_t length;
	int64_t found; /* bytes, perhaps counted several times */
};

static void copy_entry(struct wanted *wanted, const struct journal_entry *entry,
		       const uint8_t *page)
{
	const uint64_t end = wanted->offset + wanted->length;
	const uint64_t entry_end = entry->offset + entry->length;
	const uint64_t from = entry->offset > wanted->offset ? entry->offset : wanted->offset;
	const uint64_t to = entry_end < end ? entry_end : end;

	if (from >= to)
		return;
	memcpy(wanted->buffer + (from - wanted->offset), page + (from - entry->offset),
	       (size_t)(to - from));
	wanted->found += (int64_t)(to - from);
}

static void copy_frame(struct wanted *wanted, const uint8_t *bytes,
		       const struct journal_frame *frame)
{
	const uint8_t *page = bytes + frame->header_length;

	for (uint32_t i = 0; i < frame->count; i++) {
		struct journal_identity file;
		struct journal_entry entry;

		journal_get_entry(bytes, frame->files, i, &entry);
		journal_get_file(bytes, entry.file, &file);
		if (file.file_id == wanted->file_id &&
		    frame->sequence >= journal_done_up_to(wanted->header, file.file_id)) /* H3 */
			copy_entry(wanted, &entry, page);
		page += journal_padded(entry.length);
	}
}

/* All live frames, oldest first: later bytes cover earlier ones. */
static int copy_live(struct atomicio_journal *journal, struct wanted *wanted)
{
	uint8_t *bytes = journal->sys->allocate(JOURNAL_BLOCK, journal->header.frame_max);
	struct journal_cursor cursor;
	struct journal_frame frame = {0};
	uint64_t head;
	int error = bytes ? 1 : -ENOMEM;

	pthread_mutex_lock(&journal->lock);
	journal_await_tail(journal);
	journal->readers++; /* the tail stays in place */
	journal_cursor_begin(journal, &cursor);
	head = journal->head_sequence;
	if (error > 0 && journal->state == ATOMICIO_JOURNAL_CORRUPT)
		error = -EUCLEAN;
	if (error > 0 && journal_has_no_turn(journal))
		error = -EBUSY;
	pthread_mutex_unlock(&journal->lock);
	while (error > 0) {
		error = journal_cursor_next(journal, &cursor, head, bytes, &frame);
		if (error > 0)
			copy_frame(wanted, bytes, &frame);
	}
	pthread_mutex_lock(&journal->lock);
	journal->readers--;
	journal_wake(journal);
	pthread_mutex_unlock(&journal->lock);
	if (bytes)
		journal->sys->release_memory(bytes);
	return error;
}

ATOMICIO_EXPORT int64_t atomicio_journal_read(struct atomicio_journal *journal, uint64_t file_id,
					      void *buffer, size_t length, uint64_t offset)
{
	SYS_NO_CANCEL;
	struct wanted wanted = {.header = journal ? &journal->header : NULL,
				.file_id = file_id,
				.buffer = buffer,
				.offset = offset,
				.length = length};
	int error;

	if (!journal || file_id == 0 || !buffer || offset > INT64_MAX ||
	    length > INT64_MAX - offset)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	error = copy_live(journal, &wanted);
	return error ? error : wanted.found;
}
