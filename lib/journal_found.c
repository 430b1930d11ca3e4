/* SPDX-License-Identifier: MIT */
/*
 * The lists made by a scan: frames, and the files named by their rows.
 *
 * Flow: the scan adds, journal_judge.c and recovery read and forget.  No call except for memory.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

/* The list with room for one more member, moved if full; NULL: no memory. */
static void *grown(const struct sys_calls *sys, void *list, uint32_t count, uint32_t *room,
		   size_t size)
{
	const uint32_t more = *room ? *room * 2 : 64;
	void *moved;

	if (count < *room)
		return list;
	if (*room > UINT32_MAX / 2 / size)
		return NULL;
	moved = sys->allocate(_Alignof(max_align_t), more * size);
	if (!moved)
		return NULL;
	if (list) {
		memcpy(moved, list, count * size);
		sys->release_memory(list);
	}
	*room = more;
	return moved;
}

int journal_add_found(struct atomicio_journal *journal, const struct journal_frame *frame)
{
	struct journal_scan *scan = &journal->scan;
	struct journal_found *more;

	if (scan->count && scan->found[scan->count - 1].sequence >= frame->sequence)
		scan->disordered = true;
	more = grown(journal->sys, scan->found, scan->count, &scan->room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	scan->found = more;
	scan->found[scan->count++] = (struct journal_found){
		.sequence = frame->sequence,
		.offset = frame->offset,
		.durable_to = frame->durable_to,
		.chain_first = frame->chain_first,
		.chain_index = frame->chain_index,
		.flags = frame->flags,
		.length = frame->length,
	};
	return 0;
}

/* A known row is not kept again; the last rows are searched. */
#define ROWS_ASKED 64u

static bool know_row(struct journal_scan *scan, const struct journal_identity *file, uint64_t last)
{
	for (uint32_t i = 0; i < ROWS_ASKED && i < scan->row_count; i++) {
		struct journal_row *row = &scan->rows[scan->row_count - 1 - i];

		if (memcmp(&row->identity, file, sizeof(*file)) == 0) {
			row->last = last;
			return true;
		}
	}
	return false;
}

int journal_add_rows(struct atomicio_journal *journal, const uint8_t *bytes,
		     const struct journal_frame *frame)
{
	struct journal_scan *scan = &journal->scan;

	for (uint32_t i = 0; i < frame->files; i++) {
		struct journal_identity file;
		struct journal_row *more;

		journal_get_file(bytes, i, &file);
		if (know_row(scan, &file, frame->sequence))
			continue;
		more = grown(journal->sys, scan->rows, scan->row_count, &scan->row_room,
			     sizeof(*more));
		if (!more)
			return -ENOMEM;
		scan->rows = more;
		scan->rows[scan->row_count++] = (struct journal_row){file, frame->sequence};
	}
	return 0;
}

void journal_forget_scan(struct atomicio_journal *journal)
{
	if (journal->scan.found)
		journal->sys->release_memory(journal->scan.found);
	if (journal->scan.rows)
		journal->sys->release_memory(journal->scan.rows);
	journal->scan.found = NULL;
	journal->scan.rows = NULL;
	journal->scan.count = journal->scan.room = journal->scan.live = 0;
	journal->scan.row_count = journal->scan.row_room = 0;
	journal->void_count = 0;
}
