/* SPDX-License-Identifier: MIT */
/*
 * The application's io_uring over the simulated disk.
 *
 * Flow: world_ring.c hands in entries that the library filled.  A submitted entry is in the air, as
 * in disk_aio.c: made when the completion is asked for, as a call like another.  A crash before the
 * completion finds the write in any state.
 */
#ifndef CRASH_DISK_RING_H
#define CRASH_DISK_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "write_entry.h"

#define DISK_RING 8u

void disk_ring_boot(void);
void disk_ring_submit(uint32_t number, const struct io_uring_sqe *entry);
bool disk_ring_is_out(uint32_t number);
/* The result: a crash point, and a place for a fault. */
int disk_ring_complete(uint32_t number);
bool disk_ring_has(int fd);
/* The machine stops: what is in the air is pending. */
void disk_ring_land_all(void);

#endif /* CRASH_DISK_RING_H */
