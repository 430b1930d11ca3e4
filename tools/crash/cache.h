/* SPDX-License-Identifier: MIT */
/*
 * A disk with a volatile write cache, and its cuts.
 *
 * Flow: server.c hands in the kernel's requests; cache_cut() gives the disk after a power cut.
 *
 * Rules:
 * CC1 A write that was not flushed is volatile.  A cut may drop, keep or, at a border of sectors,
 *     tear each such write alone.  Of two writes of a sector the later write wins if a cut keeps
 *     both.
 * CC2 A flush makes durable all writes answered before the flush came, and nothing else.
 * CC3 A full cache writes its oldest entries to the medium without being asked, as disks do.
 */
#ifndef CRASH_CACHE_H
#define CRASH_CACHE_H

#include "store.h"

#include <stdbool.h>

/* One write, or one clearing (bytes is NULL), that is not durable yet. */
struct entry {
	struct entry *next;
	uint64_t offset, length;
	uint8_t *bytes;
};

struct cache {
	struct table current; /* the bytes seen by a read */
	struct table durable; /* the durable bytes */
	struct entry *first, *last;
	uint32_t entries, sector;
	uint64_t bytes; /* in the entries */
	/* Since the start. */
	uint64_t writes, flushes;
};

/* The fate of the volatile writes in a cut. */
struct cut_counts {
	uint32_t dropped, kept, torn;
};

/* Numbers that depend on nothing but the state. */
uint64_t cut_random(uint64_t *state);

/* 0 or -ENOMEM. */
int cache_create(struct cache *cache, struct store *store, uint64_t size, uint32_t sector);

/* 0 or -ENOSPC: the store is full. */
int cache_write(struct cache *cache, const void *bytes, size_t length, uint64_t offset);
int cache_clear(struct cache *cache, uint64_t length, uint64_t offset);
int cache_flush(struct cache *cache);

/* Put one volatile write into a table. */
int cache_apply(struct table *table, const struct entry *entry);

/*
 * The disk after a cut: `cut` is a new table.  seed 0 keeps every write, seed 1 drops every one.
 * Returns 0, -ENOMEM or -ENOSPC.
 */
int cache_cut(const struct cache *cache, uint64_t seed, struct table *cut,
	      struct cut_counts *counts);

#endif /* CRASH_CACHE_H */
