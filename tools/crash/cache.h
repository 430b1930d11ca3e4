/* SPDX-License-Identifier: MIT */
/*
 * A disk with a volatile write cache, and its cuts.
 *
 * Flow: server.c hands in what the kernel asks; cache_cut() gives the disk after a power cut.
 *
 * Rules:
 * CC1 What was written and not flushed is volatile: a cut may drop it, keep it or, at a border of
 *     sectors, tear it, each write alone.  Of two writes of one sector the later one wins if both
 *     are kept.
 * CC2 A flush makes durable what was answered before it came, and nothing else.
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
	struct table current; /* what a read sees */
	struct table durable; /* what no cut can take away */
	struct entry *first, *last;
	uint32_t entries, sector;
	uint64_t bytes; /* in the entries */
	/* Since the start. */
	uint64_t writes, flushes;
};

/* What a cut made of the volatile writes. */
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
