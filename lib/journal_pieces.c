/* SPDX-License-Identifier: MIT */
/*
 * Pieces of live frames that are still the newest of their file (C2).
 *
 * Flow: journal_carry.c adds the pieces in frames of the carried files, has the covered bytes
 * dropped, and frames the rest again.  Pure, except memory.
 */
#include "journal_pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A range covered by newer pieces of the same file. */
struct covered {
	uint64_t start, end;
};

int journal_add_piece(const struct sys_calls *sys, struct journal_pieces *pieces,
		      const struct journal_piece *piece)
{
	const uint32_t room = pieces->room ? pieces->room * 2 : 256;
	struct journal_piece *list;

	if (pieces->count == pieces->room) {
		list = sys->allocate(_Alignof(struct journal_piece), room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		if (pieces->list)
			memcpy(list, pieces->list, pieces->count * sizeof(*list));
		journal_free_pieces(sys, pieces);
		pieces->list = list;
		pieces->room = room;
	}
	pieces->list[pieces->count++] = *piece;
	return 0;
}

void journal_free_pieces(const struct sys_calls *sys, struct journal_pieces *pieces)
{
	if (pieces->list)
		sys->release_memory(pieces->list);
	pieces->list = NULL;
}

static int newest_first(const void *left, const void *right)
{
	const struct journal_piece *a = left, *b = right;

	if (a->file_id != b->file_id)
		return a->file_id < b->file_id ? -1 : 1;
	if (a->sequence != b->sequence)
		return a->sequence > b->sequence ? -1 : 1;
	return a->data > b->data ? -1 : a->data < b->data;
}

static int oldest_first(const void *left, const void *right)
{
	const struct journal_piece *a = left, *b = right;

	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	return a->data < b->data ? -1 : a->data > b->data;
}

/* The first covered range that ends behind `offset`. */
static uint32_t find(const struct covered *covered, uint32_t count, uint64_t offset)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (covered[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Put [start, end) in place of all touched ranges from `first` on. */
static uint32_t insert(struct covered *covered, uint32_t count, uint32_t first, uint64_t start,
		       uint64_t end)
{
	uint32_t last;

	while (first > 0 && covered[first - 1].end == start)
		first--;
	for (last = first; last < count && covered[last].start <= end; last++) {
		if (covered[last].start < start)
			start = covered[last].start;
		if (covered[last].end > end)
			end = covered[last].end;
	}
	memmove(&covered[first + 1], &covered[last], (count - last) * sizeof(*covered));
	covered[first] = (struct covered){.start = start, .end = end};
	return count + 1 - (last - first);
}

/* Keep the bytes of one piece not covered by anything newer. */
static int keep(const struct sys_calls *sys, const struct journal_piece *piece,
		const struct covered *covered, uint32_t count, uint32_t first,
		struct journal_pieces *kept)
{
	uint64_t at = piece->offset;
	int error = 0;

	for (uint32_t i = first; at < piece->end && !error; i++) {
		const uint64_t gap_end =
			i < count && covered[i].start < piece->end ? covered[i].start : piece->end;
		struct journal_piece part = *piece;

		if (gap_end > at) {
			part.offset = at;
			part.end = gap_end;
			part.data = piece->data + (at - piece->offset);
			error = journal_add_piece(sys, kept, &part);
		}
		if (i >= count || covered[i].start >= piece->end)
			break;
		at = covered[i].end;
	}
	return error;
}

int journal_drop_covered(const struct sys_calls *sys, struct journal_pieces *pieces)
{
	struct journal_pieces kept = {.list = NULL};
	struct covered *covered;
	uint32_t count = 0;
	int error = 0;

	if (pieces->count == 0)
		return 0;
	covered = sys->allocate(_Alignof(struct covered), (pieces->count + 1) * sizeof(*covered));
	if (!covered)
		return -ENOMEM;
	qsort(pieces->list, pieces->count, sizeof(*pieces->list), newest_first);
	for (uint32_t i = 0; i < pieces->count && !error; i++) {
		const struct journal_piece *piece = &pieces->list[i];
		uint32_t first;

		if (i && piece->file_id != piece[-1].file_id)
			count = 0;
		first = find(covered, count, piece->offset);
		error = keep(sys, piece, covered, count, first, &kept);
		count = insert(covered, count, first, piece->offset, piece->end);
	}
	sys->release_memory(covered);
	journal_free_pieces(sys, pieces);
	*pieces = kept;
	if (!error)
		qsort(pieces->list, pieces->count, sizeof(*pieces->list), oldest_first);
	return error;
}
