/* SPDX-License-Identifier: MIT */
/*
 * The combinations of fates of the writes that a crash caught.
 *
 * Flow: called by explore.c for each crash.
 */
#ifndef CRASH_FATES_H
#define CRASH_FATES_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"

/* One combination; false: stop. */
typedef bool fates_visit(void *context, const uint16_t *fates);

/* How many combinations fates_each() will show. */
uint32_t fates_total(const struct disk_state *state, uint32_t bound);

/*
 * All combinations, up to `bound`.  If more exist, in this order: all writes kept, or dropped,
 * except one write in each of its fates; every combination of kept and dropped; pairs of writes in
 * all their fates; random combinations, the same in each run.  Returns true if the bound cut the
 * list short.
 */
bool fates_each(const struct disk_state *state, uint32_t bound, fates_visit *visit, void *context);

#endif /* CRASH_FATES_H */
