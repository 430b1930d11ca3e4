/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of scenarios.
 *
 * Flow: scenarios.c has the table, and the scenarios without a failure.  Groups are in
 * scenarios_groups.c, failing calls and threads in scenarios_faults.c, damage in scenarios_harm.c.
 */
#ifndef CRASH_SCENARIOS_H
#define CRASH_SCENARIOS_H

#include "world.h"

#define J ATOMICIO_PATH_JOURNAL
#define RING(bytes) (16384u + (bytes))
#define PAGES(array) array, sizeof(array) / sizeof((array)[0]), false
#define LOOSE(array) array, sizeof(array) / sizeof((array)[0]), true

void run_group(struct world *w, uint32_t boot);
void run_chain(struct world *w, uint32_t boot);
void run_batch(struct world *w, uint32_t boot);
void run_batch_mixed(struct world *w, uint32_t boot);
void run_poison(struct world *w, uint32_t boot);
void run_poison_group(struct world *w, uint32_t boot);
void run_homes(struct world *w, uint32_t boot);
void run_homes_threads(struct world *w, uint32_t boot);
void run_steps(struct world *w, uint32_t boot);
void run_steps_threads(struct world *w, uint32_t boot);
void run_behind(struct world *w, uint32_t boot);
void run_behind_threads(struct world *w, uint32_t boot);
void run_carry(struct world *w, uint32_t boot);
void run_partial(struct world *w, uint32_t boot);
void run_rot(struct world *w, uint32_t boot);
void run_forged(struct world *w, uint32_t boot);
void run_damage(struct world *w, uint32_t boot);
void run_lying(struct world *w, uint32_t boot);
void run_full(struct world *w, uint32_t boot);
void run_ring(struct world *w, uint32_t boot);
void run_ring_gather(struct world *w, uint32_t boot);
void run_ring_wrap(struct world *w, uint32_t boot);
void run_ring_fails(struct world *w, uint32_t boot);
void run_stolen(struct world *w, uint32_t boot);
void run_turns(struct world *w, uint32_t boot);
void run_turns_full(struct world *w, uint32_t boot);
void run_threads(struct world *w, uint32_t boot);
void run_threads_full(struct world *w, uint32_t boot);

#endif /* CRASH_SCENARIOS_H */
