/* SPDX-License-Identifier: MIT */
/*
 * The sorted ranges of a ticket, for the checks of overlap.
 *
 * Flow: filled on the thread that writes, before its ticket stands in line; journal_line.c
 * compares.  Pure, except the memory of a long list.
 *
 * RA1 the lists are sorted and merged without the journal's lock, and compared with it: a page is
 *     looked up in a group, and a few ranges tell whether two groups lie apart.  Other threads
 *     therefore do not wait long for the lock while a large group is on its way.
 */
#include "journal_internal.h"

#include <errno.h>
#include <stdlib.h>

static int compare(const void *left, const void *right)
{
	const struct journal_extent *a = left, *b = right;

	assert(a->file && b->file);

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): qsort gives what was collected */
	if (a->file->file_id != b->file->file_id)
		return a->file->file_id < b->file->file_id ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return 0;
}

static bool is_sorted(const struct journal_extent *ranges, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (compare(&ranges[i - 1], &ranges[i]) > 0)
			return false;
	return true;
}

/* Neighbours become one; false: two overlap. */
static bool join(struct journal_ticket *ticket)
{
	struct journal_extent *last = ticket->ranges;

	for (uint32_t i = 1; i < ticket->range_count; i++) {
		const struct journal_extent *next = &ticket->ranges[i];

		if (next->file->file_id == last->file->file_id && next->offset < last->end)
			return false;
		if (next->file == last->file && next->offset == last->end)
			last->end = next->end;
		else
			*++last = *next;
	}
	ticket->range_count = (uint32_t)(last - ticket->ranges) + 1;
	return true;
}

int journal_measure(const struct sys_calls *sys, struct journal_ticket *ticket)
{
	const struct journal_file *file = NULL;

	ticket->ranges = ticket->few;
	if (ticket->count > JOURNAL_RANGES_FEW) {
		ticket->ranges = sys->allocate(_Alignof(struct journal_extent),
					       ticket->count * sizeof(*ticket->ranges));
		if (!ticket->ranges)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < ticket->count; i++) {
		const struct journal_page *page = &ticket->pages[i];

		ticket->bytes += page->length;
		ticket->data_length += journal_padded(page->length);
		ticket->files += page->file != file;
		file = page->file;
		ticket->ranges[i] = (struct journal_extent){.file = page->file,
							    .offset = page->offset,
							    .end = page->offset + page->length};
	}
	ticket->range_count = ticket->count;
	if (!is_sorted(ticket->ranges, ticket->count))
		qsort(ticket->ranges, ticket->count, sizeof(*ticket->ranges), compare);
	return join(ticket) ? 0 : -EINVAL;
}

void journal_forget_ranges(const struct sys_calls *sys, struct journal_ticket *ticket)
{
	if (ticket->ranges && ticket->ranges != ticket->few)
		sys->release_memory(ticket->ranges);
}

bool journal_is_direct(const struct journal_ticket *ticket)
{
	for (uint32_t i = 0; i < ticket->range_count; i++)
		if (ticket->ranges[i].file->direct)
			return true;
	return false;
}

/* Does the range end before these bytes of a file begin? */
static bool is_before(const struct journal_extent *range, uint64_t file_id, uint64_t offset)
{
	if (range->file->file_id != file_id)
		return range->file->file_id < file_id;
	return range->end <= offset;
}

/*
 * The steps double, then halve: a near range is found as fast as by walking, a far range without a
 * look at every range in between.
 */
uint32_t journal_seek_range(const struct journal_ticket *ticket, uint32_t at, uint64_t file_id,
			    uint64_t offset)
{
	const struct journal_extent *ranges = ticket->ranges;
	uint32_t low = at, high, step = 1;

	if (at == ticket->range_count || !is_before(&ranges[at], file_id, offset))
		return at;
	while (step < ticket->range_count - low &&
	       is_before(&ranges[low + step], file_id, offset)) {
		low += step;
		step *= 2;
	}
	/* The range at `low` is before the bytes; the range at `high` is not, or does not exist. */
	high = step < ticket->range_count - low ? low + step : ticket->range_count;
	while (high - low > 1) {
		const uint32_t middle = low + (high - low) / 2;

		if (is_before(&ranges[middle], file_id, offset))
			low = middle;
		else
			high = middle;
	}
	return high;
}

bool journal_tickets_overlap(const struct journal_ticket *a, const struct journal_ticket *b)
{
	uint32_t i = 0, j = 0;

	while (j < b->range_count) {
		const struct journal_extent *left, *right = &b->ranges[j];

		i = journal_seek_range(a, i, right->file->file_id, right->offset);
		if (i == a->range_count)
			return false;
		left = &a->ranges[i];
		if (!is_before(right, left->file->file_id, left->offset))
			return true;
		j = journal_seek_range(b, j + 1, left->file->file_id, left->offset);
	}
	return false;
}
