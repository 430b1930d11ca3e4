/* SPDX-License-Identifier: MIT */
/*
 * The volatile writes that survive a power cut, chosen by a seed.
 *
 * Flow: server.c calls cache_cut() at an event of the disk.
 *
 * A seed chooses one of several manners first, because disks lose in several: all writes, all
 * writes after a moment, all writes before a moment (the cache was written back out of order), or
 * each write alone.  A coin for each write alone would almost never give the first three.
 */
#include "cache.h"

#include <errno.h>

enum fate { DROP, KEEP, TEAR };
enum manner { NOTHING, EVERYTHING, EARLIER, LATER, COINS };

uint64_t cut_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9E3779B97F4A7C15);

	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

static enum manner manner_of(uint64_t seed, uint64_t *random)
{
	static const enum manner by_seed[16] = {NOTHING, EARLIER, EARLIER, EARLIER, EARLIER, LATER,
						LATER,	 LATER,	  COINS,   COINS,   COINS,   COINS,
						COINS,	 COINS,	  COINS,   COINS};

	if (seed <= 1)
		return seed ? NOTHING : EVERYTHING;
	return by_seed[cut_random(random) % 16];
}

/* `moment` is the number of the write in whose middle the power went. */
static enum fate fate_of(enum manner manner, uint32_t number, uint32_t moment, uint64_t *random)
{
	const uint64_t coin = cut_random(random) % 3;

	switch (manner) {
	case NOTHING:
		return DROP;
	case EVERYTHING:
		return KEEP;
	case EARLIER:
		return number < moment ? KEEP : number == moment ? TEAR : DROP;
	case LATER:
		return number > moment ? KEEP : number == moment ? TEAR : DROP;
	default:
		return coin == 0 ? DROP : coin == 1 ? KEEP : TEAR;
	}
}

struct tear {
	uint64_t how, border; /* 0: sectors before the border, 1: after it, 2: a coin for each */
	uint64_t *random;
};

static bool sector_is_kept(const struct tear *tear, uint64_t sector)
{
	if (tear->how == 2)
		return cut_random(tear->random) & 1;
	return (sector < tear->border) == (tear->how == 0);
}

/*
 * Apply the sectors of one write that reached the medium, of at least two; `kept` counts them.  The
 * border lies inside: all and none are the other fates.
 */
static int apply_torn(struct table *cut, const struct entry *entry, uint32_t sector,
		      uint64_t *random, uint64_t *kept)
{
	const uint64_t first = entry->offset / sector;
	const uint64_t end = (entry->offset + entry->length + sector - 1) / sector;
	const struct tear tear = {.how = cut_random(random) % 3,
				  .border = first + 1 + cut_random(random) % (end - first - 1),
				  .random = random};

	for (uint64_t i = first; i < end; i++) {
		const uint64_t from = i == first ? entry->offset : i * sector;
		const uint64_t to = i + 1 == end ? entry->offset + entry->length : (i + 1) * sector;
		const struct entry part = {
			.offset = from,
			.length = to - from,
			.bytes = entry->bytes ? entry->bytes + (from - entry->offset) : NULL};
		int error;

		if (!sector_is_kept(&tear, i))
			continue;
		error = cache_apply(cut, &part);
		if (error)
			return error;
		++*kept;
	}
	return 0;
}

static int apply(struct table *cut, const struct entry *entry, enum fate fate, uint32_t sector,
		 uint64_t *random, struct cut_counts *counts)
{
	const uint64_t sectors = (entry->offset % sector + entry->length + sector - 1) / sector;
	uint64_t kept = 0;
	int error = 0;

	/*
	 * A sector is written whole.  The sector of a program that flushes after each write is
	 * alone in the cache: without this rule most of its cuts would meet a flushed disk.
	 */
	if (fate == KEEP || (fate == TEAR && sectors == 1))
		error = cache_apply(cut, entry), kept = sectors;
	else if (fate == TEAR)
		error = apply_torn(cut, entry, sector, random, &kept);
	if (kept == sectors)
		counts->kept++;
	else if (kept)
		counts->torn++;
	else
		counts->dropped++;
	return error;
}

int cache_cut(const struct cache *cache, uint64_t seed, struct table *cut,
	      struct cut_counts *counts)
{
	uint64_t random = seed;
	const enum manner manner = manner_of(seed, &random);
	const uint32_t moment =
		cache->entries ? (uint32_t)(cut_random(&random) % cache->entries) : 0;
	uint32_t number = 0;
	int error = table_copy(cut, &cache->durable);

	*counts = (struct cut_counts){0};
	for (const struct entry *entry = cache->first; entry && !error; entry = entry->next) {
		const enum fate fate = fate_of(manner, number++, moment, &random);

		error = apply(cut, entry, fate, cache->sector, &random, counts);
	}
	return error;
}
