/* SPDX-License-Identifier: MIT */
/*
 * The pages that a transaction has written, and the length of the file for the transaction.
 *
 * A hash table by page number.  SQLite writes whole pages; a part of a page (a backup between page
 * sizes) is laid into a page that fill() reads first.  This file makes no system call.
 */
#include "vfs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

void vfs_pages_begin(struct vfs_pages *pages, uint32_t page_size, uint64_t end)
{
	assert(!pages->count && page_size >= 512 && (page_size & (page_size - 1)) == 0);
	pages->page_size = page_size;
	pages->end = end;
	pages->start_end = end;
}

static struct vfs_page *find(const struct vfs_pages *pages, uint64_t index)
{
	struct vfs_page *page;

	if (!pages->slots)
		return NULL;
	for (page = pages->table[index & (pages->slots - 1)]; page; page = page->next)
		if (page->index == index)
			return page;
	return NULL;
}

static int grow(struct vfs_pages *pages)
{
	const uint32_t slots = pages->slots ? pages->slots * 2 : FIRST_SLOTS;
	struct vfs_page **table = sqlite3_malloc64(slots * sizeof(struct vfs_page *));

	if (!table)
		return SQLITE_NOMEM;
	memset(table, 0, slots * sizeof(struct vfs_page *));
	for (uint32_t i = 0; i < pages->slots; i++) {
		struct vfs_page *page = pages->table[i];

		while (page) {
			struct vfs_page *next = page->next;

			page->next = table[page->index & (slots - 1)];
			table[page->index & (slots - 1)] = page;
			page = next;
		}
	}
	sqlite3_free(pages->table);
	pages->table = table;
	pages->slots = slots;
	return SQLITE_OK;
}

/* A page not kept yet: the bytes of the file, up to its end. */
static int add(struct vfs_pages *pages, uint64_t index, bool is_whole, vfs_fill *fill,
	       void *context, struct vfs_page **made)
{
	const uint64_t offset = index * pages->page_size;
	struct vfs_page *page;
	uint64_t below;
	int code;

	if (pages->count >= pages->slots) {
		code = grow(pages);
		if (code)
			return code;
	}
	page = sqlite3_malloc64(sizeof(*page) + pages->page_size);
	if (!page)
		return SQLITE_NOMEM;
	if (!is_whole) {
		/* Bytes cut off in this transaction are zeros when the file grows again. */
		below = pages->start_end < pages->end ? pages->start_end : pages->end;
		below = below > offset ? below - offset : 0;
		if (below > pages->page_size)
			below = pages->page_size;
		memset(page->bytes, 0, pages->page_size);
		code = below ? fill(context, page->bytes, (uint32_t)below, offset) : SQLITE_OK;
		if (code) {
			sqlite3_free(page);
			return code;
		}
	}
	page->index = index;
	page->next = pages->table[index & (pages->slots - 1)];
	pages->table[index & (pages->slots - 1)] = page;
	pages->count++;
	*made = page;
	return SQLITE_OK;
}

int vfs_pages_put(struct vfs_pages *pages, const void *buffer, uint32_t length, uint64_t offset,
		  vfs_fill *fill, void *context)
{
	const uint8_t *from = buffer;

	while (length) {
		const uint64_t index = offset / pages->page_size;
		const uint32_t at = (uint32_t)(offset % pages->page_size);
		const uint32_t room = pages->page_size - at;
		const uint32_t part = length < room ? length : room;
		struct vfs_page *page = find(pages, index);

		if (!page) {
			const int code =
				add(pages, index, part == pages->page_size, fill, context, &page);

			if (code)
				return code;
		}
		memcpy(page->bytes + at, from, part);
		from += part;
		offset += part;
		length -= part;
		if (offset > pages->end)
			pages->end = offset;
	}
	return SQLITE_OK;
}

int vfs_pages_truncate(struct vfs_pages *pages, uint64_t size, vfs_fill *fill, void *context)
{
	static const uint8_t zero;
	struct vfs_page *page;

	if (size > pages->end) /* the group makes the file as long as its header says */
		return vfs_pages_put(pages, &zero, 1, size - 1, fill, context);
	for (uint32_t i = 0; i < pages->slots; i++) {
		struct vfs_page **link = &pages->table[i];

		while ((page = *link)) {
			const uint64_t start = page->index * pages->page_size;

			if (start >= size) {
				*link = page->next;
				sqlite3_free(page);
				pages->count--;
				continue;
			}
			if (start + pages->page_size > size)
				memset(page->bytes + (size - start), 0,
				       pages->page_size - (size - start));
			link = &page->next;
		}
	}
	pages->end = size;
	if (pages->start_end > size)
		pages->start_end = size;
	return SQLITE_OK;
}

void vfs_pages_read(const struct vfs_pages *pages, void *buffer, uint32_t length, uint64_t offset)
{
	uint8_t *to = buffer;

	while (length) {
		const uint32_t at = (uint32_t)(offset % pages->page_size);
		const uint32_t room = pages->page_size - at;
		const uint32_t part = length < room ? length : room;
		const struct vfs_page *page = find(pages, offset / pages->page_size);

		if (page)
			memcpy(to, page->bytes + at, part);
		to += part;
		offset += part;
		length -= part;
	}
}

static int compare(const void *a, const void *b)
{
	const struct vfs_page *const *left = a, *const *right = b;

	return (*left)->index < (*right)->index ? -1 : (*left)->index > (*right)->index;
}

struct vfs_page **vfs_pages_sorted(const struct vfs_pages *pages)
{
	struct vfs_page **sorted = sqlite3_malloc64((pages->count + 1) * sizeof(struct vfs_page *));
	uint32_t count = 0;

	if (!sorted)
		return NULL;
	for (uint32_t i = 0; i < pages->slots; i++)
		for (struct vfs_page *page = pages->table[i]; page; page = page->next)
			sorted[count++] = page;
	assert(count == pages->count);
	qsort(sorted, count, sizeof(struct vfs_page *), compare);
	return sorted;
}

/* Less than a page, at the end of a file of another length. */
uint32_t vfs_pages_length(const struct vfs_pages *pages, const struct vfs_page *page)
{
	const uint64_t start = page->index * pages->page_size;

	assert(start < pages->end);
	return pages->end - start < pages->page_size ? (uint32_t)(pages->end - start)
						     : pages->page_size;
}

void vfs_pages_clear(struct vfs_pages *pages)
{
	for (uint32_t i = 0; i < pages->slots; i++) {
		struct vfs_page *page = pages->table[i];

		while (page) {
			struct vfs_page *next = page->next;

			sqlite3_free(page);
			page = next;
		}
	}
	sqlite3_free(pages->table);
	memset(pages, 0, sizeof(*pages));
}
