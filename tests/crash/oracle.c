/* SPDX-License-Identifier: MIT */
/*
 * Record the promises, and compare images with them.  See oracle.h.
 */
#include "oracle.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "forge.h"

void oracle_reset(struct oracle *oracle)
{
	memset(oracle, 0, sizeof(*oracle));
	oracle->tags = TAG_FIRST;
	for (uint32_t home = 0; home < DISK_HOMES; home++)
		for (uint32_t i = 0; i < HOME_SECTORS; i++)
			oracle->base[home][i] = TAG_FIRST;
}

uint16_t oracle_tag(struct oracle *oracle)
{
	return ++oracle->tags;
}

static uint64_t word_of(uint32_t file, uint64_t sector, uint16_t tag)
{
	return tag == TAG_ZERO ? 0 : (uint64_t)tag << 32 | (uint64_t)file << 16 | sector;
}

void oracle_fill(uint8_t *data, uint32_t file, uint64_t offset, uint64_t length, uint16_t tag)
{
	for (uint64_t at = 0; at < length; at += 8) {
		const uint64_t word = word_of(file, (offset + at) / SECTOR, tag);

		memcpy(data + at, &word, 8);
	}
	for (uint64_t i = FORGE_FIRST; tag == TAG_FORGED && i < FORGE_END; i++)
		memcpy(data + i * SECTOR - offset, forge_sector(i), SECTOR);
}

/* The write of this sector. */
static uint16_t tag_of(const uint8_t *sector, uint32_t file, uint64_t index)
{
	uint64_t word;
	uint16_t tag;

	memcpy(&word, sector, 8);
	tag = (uint16_t)(word >> 32);
	if (word != word_of(file, index, tag) || memcmp(sector, sector + 8, SECTOR - 8) != 0)
		return forge_is_sector(sector, index) ? TAG_FORGED : TAG_BROKEN;
	return tag;
}

void oracle_add(struct oracle_group *group, uint32_t file, uint64_t offset, uint64_t length,
		uint16_t tag)
{
	const uint64_t ones = (UINT64_C(1) << length / SECTOR) - 1;
	struct oracle_op *op = &group->ops[group->count];

	assert(group->count < ORACLE_OPS);
	*op = (struct oracle_op){
		.mask = ones << offset / SECTOR, .tag = tag, .home = (uint16_t)(file - 1)};
	/* The later page of a group covers the earlier. */
	for (uint32_t i = 0; i < group->count; i++)
		if (group->ops[i].home == op->home)
			group->ops[i].mask &= ~op->mask;
	group->count++;
}

static void apply(uint16_t image[DISK_HOMES][HOME_SECTORS], const struct oracle_group *group)
{
	for (uint32_t i = 0; i < group->count; i++)
		for (uint64_t left = group->ops[i].mask; left; left &= left - 1)
			image[group->ops[i].home][__builtin_ctzll(left)] = group->ops[i].tag;
}

static bool is_empty(const struct oracle_group *group)
{
	for (uint32_t i = 0; i < group->count; i++)
		if (group->ops[i].mask)
			return false;
	return true;
}

/* Take the sectors of `by` out of a group. */
static void clip(struct oracle_group *group, const struct oracle_group *by)
{
	for (uint32_t i = 0; i < group->count; i++)
		for (uint32_t j = 0; j < by->count; j++)
			if (group->ops[i].home == by->ops[j].home)
				group->ops[i].mask &= ~by->ops[j].mask;
}

static void remove_empty(struct oracle *oracle)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < oracle->optional_count; i++)
		if (!is_empty(&oracle->optional[i]))
			oracle->optional[kept++] = oracle->optional[i];
	oracle->optional_count = kept;
}

/* The group must be there, over all earlier optional groups. */
static void require(struct oracle *oracle, const struct oracle_group *group, uint32_t before)
{
	for (uint32_t i = 0; i < before; i++)
		clip(&oracle->optional[i], group);
	apply(oracle->base, group);
}

static void push(struct oracle *oracle, const struct oracle_group *group)
{
	assert(oracle->optional_count < ORACLE_OPTIONAL);
	oracle->optional[oracle->optional_count++] = *group;
}

static void push_each(struct oracle *oracle, const struct oracle_group *group)
{
	struct oracle_group one = *group;

	if (!group->is_loose) {
		push(oracle, group);
		return;
	}
	one.count = 1;
	for (uint32_t i = 0; i < group->count; i++) {
		one.ops[0] = group->ops[i];
		push(oracle, &one);
	}
}

void oracle_begin(struct oracle *oracle, uint32_t fiber, const struct oracle_group *group)
{
	oracle->under_way[fiber] = *group;
	oracle->is_under_way[fiber] = true;
}

/* The order of two overlapping writes under way at once is open. */
static bool meets_another(const struct oracle *oracle, const struct oracle_group *group)
{
	for (uint32_t i = 0; i < ORACLE_UNDER_WAY; i++) {
		const struct oracle_group *other = &oracle->under_way[i];

		for (uint32_t k = 0; oracle->is_under_way[i] && k < other->count; k++)
			for (uint32_t j = 0; j < group->count; j++)
				if (other->ops[k].home == group->ops[j].home &&
				    other->ops[k].mask & group->ops[j].mask)
					return true;
	}
	return false;
}

void oracle_end(struct oracle *oracle, uint32_t fiber, enum oracle_end end)
{
	struct oracle_group group = oracle->under_way[fiber];

	oracle->is_under_way[fiber] = false;
	if (end == ORACLE_UNKNOWN || end == ORACLE_VOLATILE) {
		group.is_volatile = end == ORACLE_VOLATILE;
		push(oracle, &group);
	}
	if (end == ORACLE_DURABLE) {
		require(oracle, &group, oracle->optional_count);
		for (uint32_t i = 0; i < oracle->crowd_count; i++)
			push(oracle, &oracle->crowd[i]);
		oracle->crowd_count = 0;
		if (meets_another(oracle, &group))
			oracle->crowd[oracle->crowd_count++] = group;
		remove_empty(oracle);
	}
}

void oracle_synced(struct oracle *oracle, uint32_t file)
{
	for (uint32_t i = 0; i < oracle->optional_count; i++) {
		struct oracle_group *group = &oracle->optional[i];

		if (!group->is_volatile || group->ops[0].home != file - 1)
			continue;
		require(oracle, group, i);
		group->count = 0;
	}
	remove_empty(oracle);
}

void oracle_lost(struct oracle *oracle, uint32_t file)
{
	for (uint32_t i = 0; i < oracle->optional_count; i++)
		if (oracle->optional[i].ops[0].home == file - 1)
			oracle->optional[i].is_volatile = false;
}

void oracle_crashed(struct oracle *oracle)
{
	for (uint32_t i = 0; i < ORACLE_UNDER_WAY; i++) {
		if (!oracle->is_under_way[i])
			continue;
		push_each(oracle, &oracle->under_way[i]);
		oracle->is_under_way[i] = false;
	}
	oracle->crowd_count = 0;
}

static void decode(const uint8_t homes[DISK_HOMES][DISK_HOME_SIZE],
		   uint16_t seen[DISK_HOMES][HOME_SECTORS])
{
	for (uint32_t home = 0; home < DISK_HOMES; home++)
		for (uint32_t i = 0; i < HOME_SECTORS; i++)
			seen[home][i] = tag_of(homes[home] + i * SECTOR, home + 1, i);
}

/* The base with the groups of this subset; groups that may tear take the seen bytes. */
static bool matches(const struct oracle *oracle, uint32_t subset,
		    uint16_t seen[DISK_HOMES][HOME_SECTORS])
{
	uint16_t image[DISK_HOMES][HOME_SECTORS];

	memcpy(image, oracle->base, sizeof(image));
	for (uint32_t i = 0; i < oracle->optional_count; i++) {
		const struct oracle_group *group = &oracle->optional[i];

		if (!(subset >> i & 1))
			continue;
		if (!group->may_tear) {
			apply(image, group);
			continue;
		}
		for (uint64_t left = group->ops[0].mask; left; left &= left - 1) {
			const int at = __builtin_ctzll(left);

			if (seen[group->ops[0].home][at] == group->ops[0].tag)
				image[group->ops[0].home][at] = group->ops[0].tag;
		}
	}
	return memcmp(image, seen, sizeof(image)) == 0;
}

/*
 * After a kill: pages in the journal are durable now, pages that are only seen may still be lost;
 * nothing is known of a page hidden by a later write.
 */
static void settle_on(struct oracle *oracle, uint32_t subset,
		      uint16_t seen[DISK_HOMES][HOME_SECTORS])
{
	const struct oracle before = *oracle;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < oracle->optional_count; i++) {
		struct oracle_group *group = &oracle->optional[i];

		if (!(subset >> i & 1))
			continue;
		if (group->by_kernel || group->may_tear ||
		    matches(&before, subset & ~(1u << i), seen)) {
			oracle->optional[kept++] = *group;
			continue;
		}
		require(oracle, group, kept);
	}
	oracle->optional_count = kept;
	remove_empty(oracle);
}

bool oracle_check(struct oracle *oracle, const uint8_t homes[DISK_HOMES][DISK_HOME_SIZE],
		  bool settle, bool killed)
{
	uint16_t seen[DISK_HOMES][HOME_SECTORS];

	decode(homes, seen);
	/* The largest first: a write hidden by a later one may still be there. */
	for (uint32_t subset = 1u << oracle->optional_count; subset-- > 0;) {
		if (!matches(oracle, subset, seen))
			continue;
		if (settle && killed) {
			settle_on(oracle, subset, seen);
		} else if (settle) {
			memcpy(oracle->base, seen, sizeof(seen));
			oracle->optional_count = 0;
		}
		return true;
	}
	return false;
}

void oracle_explain(const struct oracle *oracle, const uint8_t homes[DISK_HOMES][DISK_HOME_SIZE])
{
	uint16_t seen[DISK_HOMES][HOME_SECTORS];

	decode(homes, seen);
	for (uint32_t home = 0; home < DISK_HOMES; home++) {
		for (uint32_t i = 0; i < HOME_SECTORS; i++) {
			if (seen[home][i] == oracle->base[home][i])
				continue;
			printf("#   file %u sector %u: from write %u, should be %u", home + 1, i,
			       seen[home][i], oracle->base[home][i]);
			for (uint32_t j = 0; j < oracle->optional_count; j++)
				for (uint32_t k = 0; k < oracle->optional[j].count; k++)
					if (oracle->optional[j].ops[k].home == home &&
					    oracle->optional[j].ops[k].mask >> i & 1)
						printf(" or %u", oracle->optional[j].ops[k].tag);
			putchar('\n');
		}
	}
}
