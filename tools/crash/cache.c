/* SPDX-License-Identifier: MIT */
/*
 * A disk with a volatile write cache (cache.h has the rules).
 *
 * Flow: server.c calls; cut.c chooses the writes kept by a cut.
 */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 8192u
#define BYTES_MAX (UINT64_C(64) << 20)

int cache_create(struct cache *cache, struct store *store, uint64_t size, uint32_t sector)
{
	*cache = (struct cache){.sector = sector};
	if (table_create(&cache->current, store, size))
		return -ENOMEM;
	return table_create(&cache->durable, store, size);
}

int cache_apply(struct table *table, const struct entry *entry)
{
	if (!entry->bytes)
		return table_clear(table, entry->length, entry->offset);
	return table_write(table, entry->bytes, entry->length, entry->offset);
}

static void remove_first(struct cache *cache)
{
	struct entry *entry = cache->first;

	cache->first = entry->next;
	if (!cache->first)
		cache->last = NULL;
	cache->entries--;
	cache->bytes -= entry->bytes ? entry->length : 0;
	free(entry->bytes);
	free(entry);
}

/* CC3 */
static int make_room(struct cache *cache)
{
	while (cache->entries > ENTRIES_MAX || cache->bytes > BYTES_MAX) {
		const int error = cache_apply(&cache->durable, cache->first);

		if (error)
			return error;
		remove_first(cache);
	}
	return 0;
}

static int add(struct cache *cache, const void *bytes, uint64_t length, uint64_t offset)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (!entry)
		return -ENOSPC;
	*entry = (struct entry){.offset = offset, .length = length};
	if (bytes) {
		entry->bytes = malloc(length);
		if (!entry->bytes) {
			free(entry);
			return -ENOSPC;
		}
		memcpy(entry->bytes, bytes, length);
		cache->bytes += length;
	}
	if (cache->last)
		cache->last->next = entry;
	else
		cache->first = entry;
	cache->last = entry;
	cache->entries++;
	cache->writes++;
	return make_room(cache);
}

int cache_write(struct cache *cache, const void *bytes, size_t length, uint64_t offset)
{
	const int error = table_write(&cache->current, bytes, length, offset);

	return error ? error : add(cache, bytes, length, offset);
}

int cache_clear(struct cache *cache, uint64_t length, uint64_t offset)
{
	const int error = table_clear(&cache->current, length, offset);

	return error ? error : add(cache, NULL, length, offset);
}

/* CC2: no request is under way: every byte read is durable now. */
int cache_flush(struct cache *cache)
{
	while (cache->first) {
		table_share(&cache->durable, &cache->current, cache->first->length,
			    cache->first->offset);
		remove_first(cache);
	}
	cache->flushes++;
	return 0;
}
