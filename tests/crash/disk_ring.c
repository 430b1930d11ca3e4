/* SPDX-License-Identifier: MIT */
/*
 * Entries in the air.  See disk_ring.h.
 */
#include "disk_ring.h"

#include <string.h>

#include "disk_internal.h"

static struct io_uring_sqe out[DISK_RING];
static bool is_out[DISK_RING];

void disk_ring_boot(void)
{
	memset(is_out, 0, sizeof(is_out));
}

void disk_ring_submit(uint32_t number, const struct io_uring_sqe *entry)
{
	assert(!is_out[number]);
	out[number] = *entry;
	is_out[number] = true;
}

bool disk_ring_is_out(uint32_t number)
{
	return is_out[number];
}

int disk_ring_complete(uint32_t number)
{
	const struct io_uring_sqe *entry = &out[number];
	const struct iovec vector = {.iov_base = (void *)(uintptr_t)entry->addr,
				     .iov_len = entry->len};

	assert(is_out[number]);
	is_out[number] = false;
	if (entry->opcode == IORING_OP_NOP)
		return 0;
	if (entry->opcode == IORING_OP_FSYNC)
		return disk_sys.fdatasync(entry->fd);
	assert(entry->opcode == IORING_OP_WRITE);
	return (int)disk_sys.pwritev2(entry->fd, &vector, 1, entry->off, (int)entry->rw_flags);
}

bool disk_ring_has(int fd)
{
	for (uint32_t i = 0; i < DISK_RING; i++)
		if (is_out[i] && out[i].opcode != IORING_OP_NOP && out[i].fd == fd)
			return true;
	return false;
}

void disk_ring_land_all(void)
{
	for (uint32_t i = 0; i < DISK_RING; i++)
		if (is_out[i] && out[i].opcode == IORING_OP_WRITE)
			disk_write(&disk.state, disk_opened(out[i].fd)->file, out[i].off,
				   (const uint8_t *)(uintptr_t)out[i].addr, out[i].len, false);
}
