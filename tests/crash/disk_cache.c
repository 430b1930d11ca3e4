/* SPDX-License-Identifier: MIT */
/*
 * The page cache of homes whose write-back failed (K8).
 *
 * Flow: a part of the system table of disk_sys.c.  After a failed write-back the cache holds bytes,
 * marked clean, that the disk does not have (ext4 after ENOSPC of a thin device, seen on 6.18).
 */
#include <string.h>

#include "disk_internal.h"

/* The sectors of a pending write in a range of the file. */
static uint64_t sectors_in(const struct disk_pending *pending, uint64_t offset, uint64_t length)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < pending->sectors; i++) {
		const uint64_t at = pending->offset + (uint64_t)i * SECTOR;

		if (at + SECTOR > offset && at < offset + length)
			mask |= UINT64_C(1) << i;
	}
	return mask & pending->mask;
}

bool disk_cache_lies(uint32_t file, uint64_t offset, uint64_t length)
{
	const struct disk_state *state = &disk.state;

	for (uint32_t i = 0; disk.cache_lies && file && i < state->pending_count; i++)
		if (state->pending[i].file == file && state->pending[i].lost &&
		    sectors_in(&state->pending[i], offset, length))
			return true;
	return false;
}

/* The disk's bytes, with all pending writes. */
static void fill(uint8_t *image, uint32_t file, bool with_lost)
{
	struct disk_state *state = &disk.state;

	memcpy(image, disk_durable(state, file), DISK_HOME_SIZE);
	for (uint32_t i = 0; i < state->pending_count; i++)
		if (state->pending[i].file == file && (with_lost || !state->pending[i].lost))
			disk_put(image, state, &state->pending[i], state->pending[i].mask);
}

void disk_read_direct(uint32_t file, uint8_t *buffer, uint64_t length, uint64_t offset)
{
	static uint8_t image[DISK_HOME_SIZE];

	fill(image, file, false);
	memcpy(buffer, image + offset, length);
}

int disk_drop_cache(int fd, uint64_t offset, uint64_t length)
{
	struct disk_state *state = &disk.state;
	const uint32_t file = disk_opened(fd)->file;

	if (!disk_cache_lies(file, offset, length))
		return 0;
	for (uint32_t i = 0; i < state->pending_count; i++)
		if (state->pending[i].file == file && state->pending[i].lost)
			state->pending[i].mask &= ~sectors_in(&state->pending[i], offset, length);
	fill(disk_seen(state, file), file, true);
	disk_compact(state);
	return 0;
}

int disk_cachestat(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out)
{
	(void)fd;
	(void)offset;
	(void)length;
	*out = (struct sys_cachestat){.cache = 0};
	return 0;
}
