/* SPDX-License-Identifier: MIT */
/*
 * A page that holds what looks like a frame (K1): the caller's bytes, whole and right in every
 * checksum, at the very place of the journal where a frame could be.
 *
 * Flow: oracle.c fills such pages and knows them again; the step is in world_harm.c.
 */
#ifndef CRASH_FORGE_H
#define CRASH_FORGE_H

#include <stdbool.h>
#include <stdint.h>

/* Of a write of FORGE_LENGTH bytes at offset 0: its third and fourth block are the frame. */
#define TAG_FORGED 0xf000u
#define FORGE_LENGTH 16384u
#define FORGE_FIRST 16u /* sector */
#define FORGE_END 32u

/* The frame claims this place, and would change file 2. */
#define FORGE_PLACE 36864u

/* The bytes of one sector of the forged frame. */
const uint8_t *forge_sector(uint64_t index);
/* Is it one? */
bool forge_is_sector(const uint8_t *sector, uint64_t index);
/* Does the journal hold the forged frame at FORGE_PLACE, with its first words plain or escaped? */
bool forge_is_in_place(void);

#endif /* CRASH_FORGE_H */
