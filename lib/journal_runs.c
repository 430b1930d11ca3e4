/* SPDX-License-Identifier: MIT */
/*
 * Make runs of pages: sorted by file and offset, the newest of equal ones, neighbours in one call.
 *
 * Flow: see journal_aio.h.  Pure: no call, no memory but the caller's.
 */
#include "journal_aio.h"

/* The kernel takes no more in one call (UIO_MAXIOV, MAX_RW_COUNT). */
#define VECTOR_MAX 1024u
#define RUN_MAX (UINT64_C(1) << 30)

static bool is_before(const struct journal_run *a, const struct journal_run *b)
{
	if (a->owner != b->owner)
		return (uintptr_t)a->owner < (uintptr_t)b->owner;
	if (a->offset != b->offset)
		return a->offset < b->offset;
	return a->data < b->data; /* of several frames: the older one first */
}

/* Shell's sort: qsort() of older C libraries takes memory for so many. */
static void sort(struct journal_run *runs, uint32_t count)
{
	static const uint32_t gaps[] = {3548, 1577, 701, 301, 132, 57, 23, 10, 4, 1};

	for (uint32_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		const uint32_t gap = gaps[g];

		for (uint32_t i = gap; i < count; i++) {
			const struct journal_run run = runs[i];
			uint32_t at = i;

			for (; at >= gap && is_before(&run, &runs[at - gap]); at -= gap)
				runs[at] = runs[at - gap];
			runs[at] = run;
		}
	}
}

static bool is_sorted(const struct journal_run *runs, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (is_before(&runs[i], &runs[i - 1]))
			return false;
	return true;
}

static void add_older(struct journal_run *run, const struct journal_run *older)
{
	run->pages += older->pages;
	run->older += older->length + older->older;
}

static void replace(struct journal_run *last, const struct journal_run *run)
{
	const struct journal_run older = *last;

	*last = *run;
	add_older(last, &older);
}

bool journal_keep_newest(struct journal_run *runs, uint32_t *count)
{
	uint32_t kept = 0;

	if (!is_sorted(runs, *count))
		sort(runs, *count);
	for (uint32_t i = 0; i < *count; i++) {
		struct journal_run *last = kept ? &runs[kept - 1] : NULL;
		const struct journal_run *run = &runs[i];

		if (!last || last->owner != run->owner ||
		    run->offset >= last->offset + last->length)
			runs[kept++] = *run;
		else if (run->offset == last->offset && run->length >= last->length)
			replace(last, run);
		else if (run->data > last->data ||
			 run->offset + run->length > last->offset + last->length)
			return false;
		else
			add_older(last, run);
	}
	*count = kept;
	return true;
}

/* Put a page at the end of the run before it. */
static bool join(struct journal_run *run, const struct journal_run *page)
{
	struct iovec *last = &run->vector[run->count - 1];

	if (page->owner != run->owner || page->fd != run->fd ||
	    page->offset != run->offset + run->length || run->length + page->length > RUN_MAX)
		return false;
	if ((const uint8_t *)last->iov_base + last->iov_len == page->data) {
		last->iov_len += page->length;
	} else if (run->count < VECTOR_MAX) {
		last[1] = (struct iovec){.iov_base = (void *)(uintptr_t)page->data,
					 .iov_len = page->length};
		run->count++;
	} else {
		return false;
	}
	run->length += page->length;
	run->pages += page->pages;
	run->older += page->older;
	return true;
}

uint32_t journal_merge_runs(struct journal_run *runs, uint32_t count, struct iovec *vectors)
{
	struct journal_run *run = NULL;

	if (!is_sorted(runs, count))
		sort(runs, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct journal_run page = runs[i];

		if (run && join(run, &page))
			continue;
		vectors = run ? run->vector + run->count : vectors;
		run = run ? run + 1 : runs;
		*run = page;
		run->vector = vectors;
		run->count = 1;
		vectors[0] = (struct iovec){.iov_base = (void *)(uintptr_t)page.data,
					    .iov_len = page.length};
	}
	return run ? (uint32_t)(run - runs) + 1 : 0;
}
