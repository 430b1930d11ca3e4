/* SPDX-License-Identifier: MIT */
/*
 * Memory of a simulated disk: chunks that tables share.
 *
 * Flow: the leaf of the image (cache.h); no system call but the mapping at the start.
 *
 * Rules:
 * CM1 A chunk shared by several tables is never written: the writer copies the chunk first.  A cut
 *     therefore costs the copy of a table, not of a disk.
 * CM2 All memory is mapped at the start.  A server that waits for memory could wait for write-back,
 *     and the write-back for the server: a deadlock.
 */
#ifndef CRASH_STORE_H
#define CRASH_STORE_H

#include <stddef.h>
#include <stdint.h>

#define STORE_CHUNK 16384u

struct store;

/* A disk's contents: chunk numbers, 0 for a hole that reads as zeroes. */
struct table {
	struct store *store;
	uint64_t size;
	uint32_t count;
	uint32_t *chunks;
};

/* All memory that the images may take, in bytes.  NULL: no memory. */
struct store *store_create(uint64_t memory);

/* 0 or -ENOMEM. */
int table_create(struct table *table, struct store *store, uint64_t size);
int table_copy(struct table *copy, const struct table *table);
void table_free(struct table *table);

/* The range lies inside the table.  Writing and clearing return 0 or -ENOSPC: out of memory. */
void table_read(const struct table *table, void *bytes, size_t length, uint64_t offset);
int table_write(struct table *table, const void *bytes, size_t length, uint64_t offset);
int table_clear(struct table *table, uint64_t length, uint64_t offset);

/* Copy `range` from `from` to `to`, by sharing; both are of one size and store. */
void table_share(struct table *to, const struct table *from, uint64_t length, uint64_t offset);

#endif /* CRASH_STORE_H */
