/* SPDX-License-Identifier: MIT */
/*
 * The state of the simulated disk: durable bytes, seen bytes, and the effect of a crash.
 *
 * Flow: below disk_sys.c, which is the system table; see disk.h for the model.
 */
#include "disk.h"

#include <errno.h>
#include <string.h>

#include "disk_internal.h"

struct disk disk;

uint8_t *disk_durable(struct disk_state *state, uint32_t file)
{
	return file == DISK_JOURNAL ? state->durable_journal : state->durable_home[file - 1];
}

uint8_t *disk_seen(struct disk_state *state, uint32_t file)
{
	return file == DISK_JOURNAL ? state->seen_journal : state->seen_home[file - 1];
}

void disk_copy(struct disk_state *to, const struct disk_state *from)
{
	const size_t journal = from->size[DISK_JOURNAL];

	/* Bytes beyond a file's end are zero in both, or never read. */
	memcpy(to->durable_journal, from->durable_journal, journal);
	memcpy(to->seen_journal, from->seen_journal, journal);
	memcpy(to->durable_home, from->durable_home, sizeof(to->durable_home));
	memcpy(to->seen_home, from->seen_home, sizeof(to->seen_home));
	memcpy(to->size, from->size, sizeof(to->size));
	memcpy(to->errors, from->errors, sizeof(to->errors));
	memcpy(to->reported, from->reported, sizeof(to->reported));
	to->writes = from->writes;
	to->randoms = from->randoms;
	memcpy(to->pending, from->pending, from->pending_count * sizeof(to->pending[0]));
	to->pending_count = from->pending_count;
	to->in_flight = from->in_flight;
	to->air = from->air;
	to->pool_used = from->pool_used;
	memcpy(to->pool, from->pool, from->pool_used);
}

void disk_reset(void)
{
	memset(&disk.state, 0, offsetof(struct disk_state, pool));
	for (uint32_t file = 1; file < DISK_FILES; file++)
		disk.state.size[file] = DISK_HOME_SIZE;
}

static uint64_t all_sectors(uint32_t sectors)
{
	return sectors == 64 ? UINT64_MAX : (UINT64_C(1) << sectors) - 1;
}

void disk_put(uint8_t *image, const struct disk_state *state, const struct disk_pending *pending,
	      uint64_t mask)
{
	const uint8_t *data = state->pool + pending->data;

	if (mask == all_sectors(pending->sectors)) {
		memcpy(image + pending->offset, data, pending->sectors * SECTOR);
		return;
	}
	for (uint32_t i = 0; i < pending->sectors; i++)
		if (mask >> i & 1)
			memcpy(image + pending->offset + i * SECTOR, data + i * SECTOR, SECTOR);
}

/* An earlier write cannot overwrite bytes that are durable now. */
static void clip(struct disk_state *state, uint32_t before, uint32_t file, uint64_t start,
		 uint64_t sectors)
{
	for (uint32_t i = 0; i < before; i++) {
		struct disk_pending *pending = &state->pending[i];

		if (pending->file != file)
			continue;
		for (uint32_t j = 0; j < pending->sectors; j++) {
			const uint64_t sector = pending->offset / SECTOR + j;

			if (sector >= start && sector < start + sectors)
				pending->mask &= ~(UINT64_C(1) << j);
		}
	}
}

static void make_durable(struct disk_state *state, uint32_t index)
{
	const struct disk_pending pending = state->pending[index];

	disk_put(disk_durable(state, pending.file), state, &pending, pending.mask);
	clip(state, index, pending.file, pending.offset / SECTOR, pending.sectors);
	state->pending[index].mask = 0;
}

void disk_compact(struct disk_state *state)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < state->pending_count; i++)
		if (state->pending[i].mask)
			state->pending[kept++] = state->pending[i];
	state->pending_count = kept;
	if (kept == 0)
		state->pool_used = 0;
}

void disk_sync(struct disk_state *state, uint32_t file, uint32_t from, uint32_t before)
{
	for (uint32_t i = from; i < state->pending_count; i++)
		if (state->pending[i].file == file && !state->pending[i].lost &&
		    state->pending[i].number < before)
			make_durable(state, i);
	state->in_flight = 0;
	disk_compact(state);
}

void disk_lose(struct disk_state *state, uint32_t file, uint32_t from)
{
	for (uint32_t i = from; i < state->pending_count; i++)
		if (state->pending[i].file == file)
			state->pending[i].lost = true;
}

/* A longer file reads as zeroes where nothing was written. */
static void extend(struct disk_state *state, uint32_t file, uint64_t size)
{
	const uint64_t old = state->size[file];

	memset(disk_durable(state, file) + old, 0, size - old);
	memset(disk_seen(state, file) + old, 0, size - old);
	state->size[file] = size;
}

/* See and remember one write; a large write in pieces. */
void disk_write(struct disk_state *state, uint32_t file, uint64_t offset, const uint8_t *data,
		uint64_t length, bool untorn)
{
	assert(offset % SECTOR == 0 && length % SECTOR == 0);
	disk.stranger_written |= disk.stranger && file == disk.stranger;
	if (offset + length > state->size[file])
		extend(state, file, offset + length);
	memcpy(disk_seen(state, file) + offset, data, length);
	state->in_flight = 0;
	while (length) {
		const uint64_t most = DISK_PIECE_SECTORS * SECTOR;
		const uint64_t piece = length < most ? length : most;
		struct disk_pending *pending = &state->pending[state->pending_count++];

		assert(state->pending_count <= DISK_PENDING);
		assert(state->pool_used + piece <= DISK_POOL);
		assert(!untorn || piece == length);
		*pending = (struct disk_pending){
			.file = file,
			.offset = (uint32_t)offset,
			.sectors = (uint32_t)(piece / SECTOR),
			.data = state->pool_used,
			.mask = all_sectors((uint32_t)(piece / SECTOR)),
			.number = state->writes,
			.untorn = untorn,
		};
		memcpy(state->pool + state->pool_used, data, piece);
		state->pool_used += (uint32_t)piece;
		state->in_flight++;
		offset += piece;
		data += piece;
		length -= piece;
	}
	state->writes++;
}

void disk_write_foreign(uint32_t file, uint64_t offset, const void *data, uint32_t length)
{
	disk_write(&disk.state, file, offset, data, length, false);
	disk.state.in_flight = 0;
}

/*
 * Fates, by number: 0 dropped, 1 kept; then for a write that may tear, of n sectors left: the
 * first 1 to n-1 kept; the last 1 to n-1 kept; one alone kept; all but one kept.  Up to
 * four sectors: every subset, by number.
 */
#define SUBSETS_UP_TO 4u

uint32_t disk_fates(const struct disk_pending *pending)
{
	const uint32_t n = (uint32_t)__builtin_popcountll(pending->mask);

	if (pending->untorn || n == 1)
		return 2;
	return n <= SUBSETS_UP_TO ? 1u << n : 2 + 4 * n - 2;
}

uint64_t disk_fate(const struct disk_pending *pending, uint32_t fate)
{
	const uint32_t n = (uint32_t)__builtin_popcountll(pending->mask);
	uint64_t kept, mask = 0;
	uint32_t at = 0;

	if (fate < 2)
		return fate ? pending->mask : 0;
	if (n <= SUBSETS_UP_TO)
		kept = fate - 1; /* 1 to 2^n - 2 */
	else if (fate < 2 + (n - 1))
		kept = all_sectors(fate - 1);
	else if (fate < 2 + 2 * (n - 1))
		kept = all_sectors(n) & ~all_sectors(fate - n);
	else if (fate < 2 + 2 * (n - 1) + n)
		kept = UINT64_C(1) << (fate - 2 * n);
	else
		kept = all_sectors(n) & ~(UINT64_C(1) << (fate - 3 * n));
	/* Spread the kept sectors over the rest. */
	for (uint32_t i = 0; i < pending->sectors; i++) {
		if (!(pending->mask >> i & 1))
			continue;
		if (kept >> at++ & 1)
			mask |= UINT64_C(1) << i;
	}
	return mask;
}

void disk_cut_power(struct disk_state *to, const struct disk_state *from, const uint16_t *fates)
{
	const size_t journal = from->size[DISK_JOURNAL];

	memcpy(to->durable_journal, from->durable_journal, journal);
	memcpy(to->durable_home, from->durable_home, sizeof(to->durable_home));
	for (uint32_t i = 0; i < from->pending_count; i++) {
		const struct disk_pending *pending = &from->pending[i];
		const uint64_t mask = disk_fate(pending, fates[i]);

		if (mask)
			disk_put(disk_durable(to, pending->file), from, pending, mask);
	}
	memcpy(to->seen_journal, to->durable_journal, journal);
	memcpy(to->seen_home, to->durable_home, sizeof(to->seen_home));
	memcpy(to->size, from->size, sizeof(to->size));
	memset(to->errors, 0, sizeof(to->errors));
	memset(to->reported, 0, sizeof(to->reported));
	to->randoms = from->randoms;
	to->writes = 0;
	to->pending_count = 0;
	to->in_flight = 0;
	to->air = 0;
	to->pool_used = 0;
}

/* The bytes seen before the call under way: durable, and the pending writes on top. */
void disk_kill(struct disk_state *state, uint32_t part)
{
	const uint32_t end = state->pending_count - state->air;
	const uint32_t first = end - state->in_flight;
	uint32_t sectors = 0, keep;

	state->air = 0; /* exit has waited for them */
	if (state->in_flight == 0 || part == 2)
		return;
	for (uint32_t i = first; i < end; i++)
		sectors += state->pending[i].sectors;
	keep = part && !state->pending[first].untorn ? sectors / 2 : 0;
	for (uint32_t i = first; i < end; i++) {
		struct disk_pending *pending = &state->pending[i];
		const uint32_t mine = keep < pending->sectors ? keep : pending->sectors;

		pending->mask = mine ? all_sectors(mine) : 0;
		keep -= mine;
	}
	state->in_flight = 0;
	memcpy(state->seen_journal, state->durable_journal, state->size[DISK_JOURNAL]);
	memcpy(state->seen_home, state->durable_home, sizeof(state->seen_home));
	for (uint32_t i = 0; i < state->pending_count; i++)
		disk_put(disk_seen(state, state->pending[i].file), state, &state->pending[i],
			 state->pending[i].mask);
	disk_compact(state);
}
