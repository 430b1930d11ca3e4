/* SPDX-License-Identifier: MIT */
/*
 * The write-back before a retirement's syncs, spread over many writes.
 *
 * Flow: between the beginning of a retirement and its syncs, by writers after their own page.
 *
 * Half a ring of pages in the page cache keeps a disk busy for a long time, and each frame behind
 * the sync waits for all of them.  Many small pieces leave room for frames in between.
 *
 * R5 a piece is a part of the file, not the latest pages: the kernel writes neighbours together,
 *    and a page written often is written back once.  Only a writer of the same file begins a piece:
 *    a file that hangs holds up no writer of another file (K10).
 * R6 nothing relies on a piece.  Errors are those of the sync, and the sync comes at the latest
 *    when seven eighths of the ring are used.  A thread that waits for room or for an empty journal
 *    sends the syncs at once.
 */
#include "journal_internal.h"

#include "loss.h"

/*
 * A longer write waits for its own bytes more than for a sync's, and is better off with a sync of
 * few large requests.
 */
#define LONGEST (64u << 10)

/*
 * The pieces of a file, in passes.  Frames go on during a pass and leave pages behind it, which the
 * sync would write: each later pass is shorter, and leaves fewer.
 */
#define PIECES 256u

static const struct {
	uint32_t first, end;
} passes[] = {{0, 128}, {128, 192}, {192, 224}, {224, PIECES}};

static uint64_t framed_since_mark(const struct atomicio_journal *journal)
{
	if (journal->head_sequence == journal->mark_sequence)
		return 0;
	return journal_distance(&journal->header, journal->mark_offset, journal->head_offset);
}

static bool is_to_be_spread(const struct atomicio_journal *journal, const struct journal_file *file)
{
	const uint32_t old = (journal->generation - 1) & 1;

	return !file->direct && !file->failed && !file->syncing && file->first[old] &&
	       !file->synced[old] && file->pieces < PIECES && file->span[old].end;
}

/* Begin the write-back of the next pieces that are due.  The lock is dropped for the call. */
static void begin_pieces(struct atomicio_journal *journal, struct journal_file *file, uint32_t due)
{
	const uint32_t first = file->pieces;
	uint64_t piece, start;
	uint32_t pass = 0;

	if (file->spreading || first >= due)
		return;
	while (first >= passes[pass].end)
		pass++;
	if (due > passes[pass].end)
		due = passes[pass].end;
	if (first == passes[pass].first) { /* over all pages that there are now */
		file->pass = file->span[0];
		journal_widen(&file->pass, &file->span[1]);
	}
	piece = (file->pass.end - file->pass.start) / (passes[pass].end - passes[pass].first) + 1;
	start = file->pass.start + (first - passes[pass].first) * piece;
	file->spreading = true;
	file->pieces = due;
	pthread_mutex_unlock(&journal->lock);
	loss_start_write_back(file->loss, start, (due - first) * piece);
	pthread_mutex_lock(&journal->lock);
	file->spreading = false;
}

bool journal_spread(struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	const uint64_t ring = journal->header.size - JOURNAL_RING_START;
	const uint64_t most = (ring - journal_reserve(&journal->header)) / 8 * 3;
	const uint64_t framed = framed_since_mark(journal);
	uint32_t due;

	if (framed >= most || ticket->data_length > LONGEST)
		return false;
	due = (uint32_t)(framed * PIECES / most);
	for (uint32_t i = 0; i < ticket->range_count; i++)
		if (is_to_be_spread(journal, ticket->ranges[i].file))
			begin_pieces(journal, ticket->ranges[i].file, due);
	if (!journal->retiring)
		return false;
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (is_to_be_spread(journal, file))
			return true;
	return false;
}

void journal_widen(struct journal_span *span, const struct journal_span *by)
{
	if (!by->end)
		return;
	if (!span->end || by->start < span->start)
		span->start = by->start;
	if (by->end > span->end)
		span->end = by->end;
}
