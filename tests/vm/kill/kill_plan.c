/* SPDX-License-Identifier: MIT */
/*
 * The pages, every operation, and the bytes of a page.
 *
 * Flow: pure; the guest follows the plan, the judge computes the same plan again.
 */
#include "kill.h"

#include <stddef.h>
#include <string.h>

const char *const kill_filesystems[KILL_DISKS] = {"ext4", "xfs", "xfs"};

const struct kill_target kill_targets[KILL_TARGETS] = {
	{"ext4-journal", 0, 96, 16384, 3, KILL_JOURNAL},
	{"ext4-control", 0, 64, 16384, 3, KILL_NAKED},
	{"xfs-journal", 1, 96, 16384, 3, KILL_JOURNAL},
	{"xfs-control", 1, 64, 16384, 3, KILL_NAKED},
	{"xfs-atomic-16k", 2, 96, 16384, 3, KILL_KERNEL},
	{"xfs-atomic-64k", 2, 16, 65536, 1, KILL_KERNEL},
};

struct stamp {
	uint32_t magic, target, page, sector;
	uint64_t life, version, sum;
	uint64_t filler[59];
};

_Static_assert(sizeof(struct stamp) == KILL_SECTOR, "a stamp fills a sector");

uint64_t kill_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* A page of the lane's own: its number leaves the rest `lane`. */
static uint32_t own_page(const struct kill_target *target, uint32_t lane, uint64_t random)
{
	uint32_t own = (target->pages - lane + target->lanes - 1) / target->lanes;

	return (uint32_t)(random % own) * target->lanes + lane;
}

void kill_plan(const struct kill_target *target, uint64_t life, uint32_t lane, uint64_t number,
	       struct kill_op *op)
{
	uint64_t state = life ^ (number * 0xd1342543de82ef95ULL) ^
			 ((uint64_t)(target - kill_targets) << 56) ^ ((uint64_t)lane << 48);
	uint64_t chance = kill_random(&state) % 100;
	uint32_t first;

	memset(op, 0, sizeof(*op));
	op->kind = KILL_WRITE;
	op->dsync = true;
	op->count = 1;
	if (target->way == KILL_JOURNAL && chance < 30) {
		op->kind = KILL_ALL_OR_NONE;
		op->count = 2 + (uint32_t)(kill_random(&state) % (KILL_GROUP - 1));
	} else if (target->way == KILL_JOURNAL && chance < 33) {
		op->kind = KILL_CHECKPOINT;
		op->count = 0;
	} else if (target->way != KILL_NAKED && chance >= 97) {
		op->kind = KILL_SYNC;
		op->count = 0;
	} else if (target->way == KILL_KERNEL) {
		op->dsync = chance >= 20;
	}
	/* Neighbours among the lane's pages: the pages of a group differ. */
	first = own_page(target, lane, kill_random(&state)) / target->lanes;
	for (uint32_t i = 0; i < op->count; i++)
		op->pages[i] = own_page(target, lane, first + i);
}

static uint64_t sum_of(const struct stamp *stamp)
{
	const unsigned char *bytes = (const unsigned char *)stamp;
	uint64_t sum = 0xcbf29ce484222325ULL;

	for (size_t at = 0; at < sizeof(*stamp); at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		if (at == offsetof(struct stamp, sum))
			word = 0;
		sum = (sum ^ word) * 0x100000001b3ULL;
		sum ^= sum >> 29;
	}
	return sum;
}

void kill_stamp(void *page, const struct kill_target *target, uint64_t life, uint32_t number,
		uint64_t version)
{
	struct stamp stamp = {.magic = KILL_MAGIC,
			      .target = (uint32_t)(target - kill_targets),
			      .page = number,
			      .life = life,
			      .version = version};

	for (uint32_t i = 0; i < sizeof(stamp.filler) / sizeof(stamp.filler[0]); i++)
		stamp.filler[i] = version * 0x9e3779b97f4a7c15ULL + i;
	for (uint32_t i = 0; i < target->page_size / KILL_SECTOR; i++) {
		stamp.sector = i;
		stamp.sum = sum_of(&stamp);
		memcpy((char *)page + i * KILL_SECTOR, &stamp, sizeof(stamp));
	}
}

uint64_t kill_read(const void *page, const struct kill_target *target, uint64_t life,
		   uint32_t number)
{
	struct stamp stamp;
	uint64_t version = 0;

	for (uint32_t i = 0; i < target->page_size / KILL_SECTOR; i++) {
		memcpy(&stamp, (const char *)page + i * KILL_SECTOR, sizeof(stamp));
		if (i == 0)
			version = stamp.version;
		if (stamp.magic != KILL_MAGIC || stamp.target != target - kill_targets ||
		    stamp.page != number || stamp.sector != i || stamp.life != life ||
		    stamp.version != version || stamp.sum != sum_of(&stamp))
			return KILL_TORN;
	}
	return version;
}
