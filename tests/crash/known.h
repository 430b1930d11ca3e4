/* SPDX-License-Identifier: MIT */
/*
 * Which crash states were recovered and checked before: other fates often make the same image.
 *
 * Flow: explore.c asks before each recovery.
 */
#ifndef CRASH_KNOWN_H
#define CRASH_KNOWN_H

#include <stdbool.h>

struct scenario;

/*
 * Was the image on the disk now, with the promises as they stand, asked about before?  By a hash
 * of 64 bits; a full table forgets.
 */
bool known_state(const struct scenario *scenario);

#endif /* CRASH_KNOWN_H */
