/* SPDX-License-Identifier: MIT */
/* Tools of the io_uring tests: pages with a number, policies, counters. */
#include "fake_ring.h"

#include <check.h>
#include <string.h>

#define PAGE_SEEDS 4096

static uint8_t page_bytes[PAGE_SEEDS][16384] __attribute__((aligned(4096)));
static bool page_made[PAGE_SEEDS];

const void *fake_page(uint32_t seed)
{
	ck_assert_uint_lt(seed, PAGE_SEEDS);
	if (!page_made[seed])
		for (size_t i = 0; i < sizeof(page_bytes[seed]); i += sizeof(uint32_t))
			memcpy(&page_bytes[seed][i], &seed, sizeof(seed));
	page_made[seed] = true;
	return page_bytes[seed];
}

bool fake_disk_holds(uint32_t disk, uint64_t offset, uint64_t length, uint32_t seed)
{
	return memcmp(&fake_disk_bytes[disk][offset], fake_page(seed), length) == 0;
}

uint32_t fake_decide(void *context, const struct atomicio_failure *failure)
{
	struct fake_policy *policy = context;

	policy->seen++;
	policy->last = *failure;
	return policy->answer;
}

struct atomicio_stats fake_stats(const struct atomicio_file *file)
{
	struct atomicio_stats stats;

	ck_assert_int_eq(atomicio_file_get_stats(file, &stats, sizeof(stats)), 0);
	return stats;
}
