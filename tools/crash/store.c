/* SPDX-License-Identifier: MIT */
/*
 * Memory of a simulated disk: chunks with a count of the tables that have them (store.h).
 *
 * Flow: cache.c writes and shares; server.c reads.
 */
#define _GNU_SOURCE
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct store {
	uint8_t *bytes;	 /* the chunks; number 0 is never given out */
	uint32_t *users; /* tables that have each */
	uint32_t *spare; /* a stack of chunks that were given back */
	uint32_t spares, fresh, limit;
};

static void *map(uint64_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

struct store *store_create(uint64_t memory)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->limit = (uint32_t)(memory / STORE_CHUNK);
	store->fresh = 1;
	store->bytes = map((uint64_t)store->limit * STORE_CHUNK);
	store->users = map((uint64_t)store->limit * sizeof(uint32_t));
	store->spare = map((uint64_t)store->limit * sizeof(uint32_t));
	if (store->bytes && store->users && store->spare)
		return store;
	free(store); /* the program ends now, with its mappings */
	return NULL;
}

static uint8_t *chunk_bytes(const struct store *store, uint32_t chunk)
{
	return store->bytes + (size_t)chunk * STORE_CHUNK;
}

/* A chunk for one table, its bytes undefined; 0: no memory is left. */
static uint32_t take(struct store *store)
{
	uint32_t chunk;

	if (store->spares)
		chunk = store->spare[--store->spares];
	else if (store->fresh < store->limit)
		chunk = store->fresh++;
	else
		return 0;
	store->users[chunk] = 1;
	return chunk;
}

static void put(struct store *store, uint32_t chunk)
{
	if (!chunk)
		return;
	assert(store->users[chunk] > 0);
	if (--store->users[chunk] == 0)
		store->spare[store->spares++] = chunk;
}

int table_create(struct table *table, struct store *store, uint64_t size)
{
	table->store = store;
	table->size = size;
	table->count = (uint32_t)((size + STORE_CHUNK - 1) / STORE_CHUNK);
	table->chunks = calloc(table->count, sizeof(*table->chunks));
	return table->chunks ? 0 : -ENOMEM;
}

int table_copy(struct table *copy, const struct table *table)
{
	const int error = table_create(copy, table->store, table->size);

	if (error)
		return error;
	memcpy(copy->chunks, table->chunks, table->count * sizeof(*table->chunks));
	for (uint32_t i = 0; i < copy->count; i++)
		if (copy->chunks[i])
			copy->store->users[copy->chunks[i]]++;
	return 0;
}

void table_free(struct table *table)
{
	for (uint32_t i = 0; i < table->count; i++)
		put(table->store, table->chunks[i]);
	free(table->chunks);
	*table = (struct table){.store = NULL};
}

/* A range of one chunk: the next `length` bytes from `offset` that lie in chunk `index`. */
struct piece {
	uint32_t index, start, length;
};

static struct piece piece_of(uint64_t length, uint64_t offset)
{
	const uint32_t start = (uint32_t)(offset % STORE_CHUNK);
	const uint32_t room = STORE_CHUNK - start;

	return (struct piece){.index = (uint32_t)(offset / STORE_CHUNK),
			      .start = start,
			      .length = length < room ? (uint32_t)length : room};
}

void table_read(const struct table *table, void *bytes, size_t length, uint64_t offset)
{
	uint8_t *to = bytes;

	assert(offset <= table->size && length <= table->size - offset);
	while (length) {
		const struct piece piece = piece_of(length, offset);
		const uint32_t chunk = table->chunks[piece.index];

		if (chunk)
			memcpy(to, chunk_bytes(table->store, chunk) + piece.start, piece.length);
		else
			memset(to, 0, piece.length);
		to += piece.length;
		offset += piece.length;
		length -= piece.length;
	}
}

/* CM1: a chunk that this table alone has, with the bytes that it had, or NULL. */
static uint8_t *own(struct table *table, const struct piece *piece)
{
	struct store *store = table->store;
	const uint32_t old = table->chunks[piece->index];
	uint32_t chunk;

	if (old && store->users[old] == 1)
		return chunk_bytes(store, old);
	chunk = take(store);
	if (!chunk)
		return NULL;
	if (piece->length < STORE_CHUNK && old)
		memcpy(chunk_bytes(store, chunk), chunk_bytes(store, old), STORE_CHUNK);
	else if (piece->length < STORE_CHUNK)
		memset(chunk_bytes(store, chunk), 0, STORE_CHUNK);
	put(store, old);
	table->chunks[piece->index] = chunk;
	return chunk_bytes(store, chunk);
}

int table_write(struct table *table, const void *bytes, size_t length, uint64_t offset)
{
	const uint8_t *from = bytes;

	assert(offset <= table->size && length <= table->size - offset);
	while (length) {
		const struct piece piece = piece_of(length, offset);
		uint8_t *chunk = own(table, &piece);

		if (!chunk)
			return -ENOSPC;
		memcpy(chunk + piece.start, from, piece.length);
		from += piece.length;
		offset += piece.length;
		length -= piece.length;
	}
	return 0;
}

int table_clear(struct table *table, uint64_t length, uint64_t offset)
{
	assert(offset <= table->size && length <= table->size - offset);
	while (length) {
		const struct piece piece = piece_of(length, offset);

		if (piece.length == STORE_CHUNK) {
			put(table->store, table->chunks[piece.index]);
			table->chunks[piece.index] = 0;
		} else if (table->chunks[piece.index]) {
			uint8_t *chunk = own(table, &piece);

			if (!chunk)
				return -ENOSPC;
			memset(chunk + piece.start, 0, piece.length);
		}
		offset += piece.length;
		length -= piece.length;
	}
	return 0;
}

void table_share(struct table *to, const struct table *from, uint64_t length, uint64_t offset)
{
	const uint64_t end = (offset + length + STORE_CHUNK - 1) / STORE_CHUNK;

	for (uint64_t i = offset / STORE_CHUNK; i < end; i++) {
		const uint32_t chunk = from->chunks[i];

		if (to->chunks[i] == chunk)
			continue;
		put(to->store, to->chunks[i]);
		to->chunks[i] = chunk;
		if (chunk)
			to->store->users[chunk]++;
	}
}
