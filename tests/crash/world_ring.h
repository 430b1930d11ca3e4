/* SPDX-License-Identifier: MIT */
/*
 * Steps of an application that writes through the journal in its own ring.
 *
 * Flow: as world.h, for requests by number.  A write that is told to come later is none.
 */
#ifndef CRASH_WORLD_RING_H
#define CRASH_WORLD_RING_H

#include "world.h"

#define REQUESTS (ORACLE_UNDER_WAY - ORACLE_FIBERS)

void ring_boot(void);
/* Is an entry of a request out, or a page not home? */
bool ring_is_busy(void);

void step_begin(uint32_t frames);
/* A frame of its own, or a place in the open frame, which commit() of any request closes. */
int step_prep(uint32_t request, uint32_t handle, uint64_t offset, uint32_t length);
int step_gather(uint32_t request, uint32_t handle, uint64_t offset, uint32_t length);
int step_gather_group(uint32_t request, const struct step_page *pages, uint32_t count);
int step_commit(uint32_t request);
/* The filled entry goes to the kernel. */
void step_submit(uint32_t request);
/* Its completion: DURABLE, AGAIN_SQE, 0 or an error. */
int step_complete(uint32_t request);
/* The application reports an entry as never submitted; a submitted entry is cancelled. */
int step_cancel(uint32_t request);
/* The next entry: the home, or the same again. */
int step_next(uint32_t request);
/* All the rest. */
void step_finish(uint32_t request);
/* A whole durable write by the kernel's path, if the live frames of its range can be retired. */
void step_past(uint32_t request, uint32_t handle, uint64_t offset, uint32_t length);
/* A synchronous write that a request is in the way of. */
void step_write_busy(uint32_t handle, uint64_t offset, uint32_t length);
void step_checkpoint_busy(void);

#endif /* CRASH_WORLD_RING_H */
