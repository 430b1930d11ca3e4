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
 * All combinations if they are at most `bound`, else, in this order and up to the bound:
 * everything kept, or dropped, but for one write in each of its fates; every combination of
 * kept and dropped; pairs of writes in all their fates; and random ones, always the same.
 * Returns whether the bound cut them short.
 */
bool fates_each(const struct disk_state *state, uint32_t bound, fates_visit *visit, void *context);

#endif /* CRASH_FATES_H */
