/* SPDX-License-Identifier: MIT */
/*
 * Between disk.c (the state) and disk_sys.c (the calls).
 */
#ifndef CRASH_DISK_INTERNAL_H
#define CRASH_DISK_INTERNAL_H

#include "disk.h"

/* Make a file's pending writes durable from the index `from` on, but for those that are lost. */
void disk_sync(struct disk_state *state, uint32_t file, uint32_t from);
/* They will not be durable by any sync. */
void disk_lose(struct disk_state *state, uint32_t file, uint32_t from);
void disk_write(struct disk_state *state, uint32_t file, uint64_t offset, const uint8_t *data,
		uint64_t length, bool untorn);

#endif /* CRASH_DISK_INTERNAL_H */
