/* SPDX-License-Identifier: MIT */
/*
 * Which bytes a ticket writes, sorted: what overlap checks are done on.
 *
 * Flow: filled on the thread that writes, before its ticket stands in line; journal_line.c
 * compares.  Pure, but for the memory of a long list.
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
	struct journal_page page;

	ticket->ranges = ticket->few;
	if (ticket->count > JOURNAL_RANGES_FEW) {
		ticket->ranges = sys->allocate(_Alignof(struct journal_extent),
					       ticket->count * sizeof(*ticket->ranges));
		if (!ticket->ranges)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < ticket->count; i++) {
		ticket->page_at(ticket->pages, i, &page);
		ticket->bytes += page.length;
		ticket->data_length += journal_padded(page.length);
		ticket->files += page.file != file;
		file = page.file;
		ticket->ranges[i] = (struct journal_extent){
			.file = page.file, .offset = page.offset, .end = page.offset + page.length};
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

bool journal_tickets_overlap(const struct journal_ticket *a, const struct journal_ticket *b)
{
	uint32_t i = 0, j = 0;

	while (i < a->range_count && j < b->range_count) {
		const struct journal_extent *left = &a->ranges[i], *right = &b->ranges[j];

		if (left->file->file_id != right->file->file_id) {
			if (left->file->file_id < right->file->file_id)
				i++;
			else
				j++;
		} else if (left->end <= right->offset) {
			i++;
		} else if (right->end <= left->offset) {
			j++;
		} else {
			return true;
		}
	}
	return false;
}
