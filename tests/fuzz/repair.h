/* SPDX-License-Identifier: MIT */
/*
 * Correct fields that hardly any mutation gets right: checksums, ids, places.
 *
 * Flow: the fuzz targets prepare their inputs with this file.
 */
#ifndef FUZZ_REPAIR_H
#define FUZZ_REPAIR_H

#include <stdint.h>

#define REPAIR_CHECKSUMS 1u
#define REPAIR_PLACES 2u

/* `size` bytes of a journal, in place. */
void repair(uint8_t *journal, uint64_t size, uint32_t mode);

static inline uint32_t repair_get32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static inline uint64_t repair_get64(const uint8_t *at)
{
	return repair_get32(at) | (uint64_t)repair_get32(at + 4) << 32;
}

#endif /* FUZZ_REPAIR_H */
