/* SPDX-License-Identifier: MIT */
/*
 * Enumerate combinations of fates.  See fates.h.
 */
#include "fates.h"

#include <string.h>

struct walk {
	fates_visit *visit;
	void *context;
	uint32_t count;		      /* of the writes */
	uint32_t fates[DISK_PENDING]; /* each one's */
	uint32_t left;		      /* visits that the bound still allows */
	bool stopped;
};

static bool show(struct walk *walk, const uint16_t *fates)
{
	if (walk->left == 0 || walk->stopped)
		return false;
	walk->left--;
	walk->stopped = !walk->visit(walk->context, fates);
	return !walk->stopped;
}

/* Count up in mixed radix. */
static void every(struct walk *walk)
{
	uint16_t fates[DISK_PENDING] = {0};
	uint32_t i;

	do {
		if (!show(walk, fates))
			return;
		for (i = 0; i < walk->count; i++) {
			if (++fates[i] < walk->fates[i])
				break;
			fates[i] = 0;
		}
	} while (i < walk->count);
}

static void all_but(struct walk *walk, uint32_t first, uint32_t second, uint16_t others)
{
	uint16_t fates[DISK_PENDING];

	for (uint32_t i = 0; i < walk->count; i++)
		fates[i] = others;
	for (uint32_t i = 0; i < walk->fates[first]; i++) {
		fates[first] = (uint16_t)i;
		if (second == first) {
			if (!show(walk, fates))
				return;
			continue;
		}
		for (uint32_t j = 0; j < walk->fates[second]; j++) {
			fates[second] = (uint16_t)j;
			if (!show(walk, fates))
				return;
		}
	}
}

static void kept_or_dropped(struct walk *walk)
{
	uint16_t fates[DISK_PENDING];

	if (walk->count > 10)
		return;
	for (uint32_t set = 0; set < 1u << walk->count; set++) {
		for (uint32_t i = 0; i < walk->count; i++)
			fates[i] = set >> i & 1;
		if (!show(walk, fates))
			return;
	}
}

static void random_ones(struct walk *walk)
{
	uint16_t fates[DISK_PENDING];
	uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);

	for (;;) {
		for (uint32_t i = 0; i < walk->count; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			fates[i] = (uint16_t)((seed >> 33) % walk->fates[i]);
		}
		if (!show(walk, fates))
			return;
	}
}

uint32_t fates_total(const struct disk_state *state, uint32_t bound)
{
	uint64_t product = 1;

	for (uint32_t i = 0; i < state->pending_count && product <= bound; i++)
		product *= disk_fates(&state->pending[i]);
	return product <= bound ? (uint32_t)product : bound;
}

bool fates_each(const struct disk_state *state, uint32_t bound, fates_visit *visit, void *context)
{
	struct walk walk = {
		.visit = visit, .context = context, .count = state->pending_count, .left = bound};
	uint64_t product = 1;

	for (uint32_t i = 0; i < walk.count; i++) {
		walk.fates[i] = disk_fates(&state->pending[i]);
		if (product <= bound)
			product *= walk.fates[i];
	}
	if (product <= bound) {
		every(&walk);
		return false;
	}
	/* The last write first, because a crash meets it under way. */
	for (uint32_t i = walk.count; i-- > 0;) {
		all_but(&walk, i, i, 1);
		all_but(&walk, i, i, 0);
	}
	kept_or_dropped(&walk);
	for (uint32_t i = walk.count - 1; i-- > 0;)
		all_but(&walk, walk.count - 1, i, 1);
	random_ones(&walk);
	return true;
}
