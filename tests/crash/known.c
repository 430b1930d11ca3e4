/* SPDX-License-Identifier: MIT */
/*
 * A table of the states that were met.  See known.h.
 */
#include "known.h"

#include <string.h>

#include "world.h"

#define TABLE_BITS 22

static uint64_t table[1u << TABLE_BITS];

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
	uint64_t lanes[4] = {hash, 1, 2, 3};
	const uint8_t *bytes = data;

	for (size_t at = 0; at + 32 <= length; at += 32) {
		for (size_t i = 0; i < 4; i++) {
			uint64_t word;

			memcpy(&word, bytes + at + 8 * i, 8);
			lanes[i] = (lanes[i] ^ word) * UINT64_C(0x9E3779B97F4A7C15);
			lanes[i] ^= lanes[i] >> 29;
		}
	}
	for (size_t at = length & ~(size_t)31; at < length; at++)
		lanes[0] = (lanes[0] ^ bytes[at]) * UINT64_C(0x100000001B3);
	return (lanes[0] * 3 ^ lanes[1] * 5 ^ lanes[2] * 7 ^ lanes[3] * 11) *
	       UINT64_C(0xD6E8FEB86659FD93);
}

bool known_state(const struct scenario *scenario)
{
	const struct oracle *oracle = &world.oracle;
	uint64_t hash = (uintptr_t)scenario;
	uint64_t *slot;

	hash = mix(hash, disk.state.durable_journal, disk.state.size[DISK_JOURNAL]);
	hash = mix(hash, disk.state.durable_home, sizeof(disk.state.durable_home));
	hash = mix(hash, oracle->base, sizeof(oracle->base));
	hash = mix(hash, oracle->optional, oracle->optional_count * sizeof(oracle->optional[0]));
	hash = (hash ^ hash >> 31) | 1;
	for (uint32_t i = 0;; i++) {
		slot = &table[(hash + i) >> 7 & ((1u << TABLE_BITS) - 1)];
		if (*slot == hash || i == 64 << 7)
			return *slot == hash;
		if (*slot == 0)
			break;
		i += 127;
	}
	*slot = hash;
	return false;
}
