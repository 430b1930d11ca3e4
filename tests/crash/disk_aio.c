/* SPDX-License-Identifier: MIT */
/*
 * The kernel's AIO over the simulated disk: writes in the air.
 *
 * Flow: a part of the system table of disk_sys.c.  A submitted read or write is in the air.  The
 * request is made at the reaping, with the bytes that the caller's memory has at that moment.  Each
 * completion is a call like another: the explorer may crash in the call, make the call fail, or let
 * another thread run.  A call that waits lets one request land; a call that only looks does so too,
 * except with disk.aio_slow.
 *
 * A sync makes all writes before its submission durable, and no later write.
 *
 * A crash finds requests in any state.  At a power cut each request meets its own fate, whatever
 * the others meet.  The requests of a killed process are all made, because its exit waits for them
 * (fs/aio.c:exit_aio).  Completions come in the order of submission or, with disk.aio_backwards,
 * in the opposite order.
 */
#include <errno.h>
#include <string.h>

#include "disk_internal.h"
#include "disk_ring.h"
#include "sys_aio.h"

#define AIR_MAX 16u

/* One write or sync in the air. */
struct flight {
	aio_context_t context; /* 0: none */
	struct iocb block;
	uint32_t before; /* of a sync: the writes that it makes durable */
};

static struct flight air[AIR_MAX];
static aio_context_t contexts;

/* The bytes of a vector in one piece. */
uint64_t disk_gather(const struct iovec *vector, uint32_t count, uint8_t *bytes)
{
	uint64_t length = 0;

	for (uint32_t i = 0; i < count; i++) {
		assert(length + vector[i].iov_len <= DISK_GATHER);
		memcpy(bytes + length, vector[i].iov_base, vector[i].iov_len);
		length += vector[i].iov_len;
	}
	return length;
}

/* Does the request change the disk when it lands? */
static bool is_write(const struct iocb *block)
{
	return block->aio_lio_opcode == IOCB_CMD_PWRITE ||
	       block->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static uint64_t gather(const struct iocb *block, uint8_t *bytes)
{
	const struct iovec one = {.iov_base = (void *)(uintptr_t)block->aio_buf,
				  .iov_len = block->aio_nbytes};

	if (block->aio_lio_opcode == IOCB_CMD_PWRITE)
		return disk_gather(&one, 1, bytes);
	return disk_gather((const struct iovec *)(uintptr_t)block->aio_buf,
			   (uint32_t)block->aio_nbytes, bytes);
}

void disk_aio_boot(void)
{
	memset(air, 0, sizeof(air));
	contexts = 0;
}

bool disk_is_in_air(int fd)
{
	for (uint32_t i = 0; i < AIR_MAX; i++)
		if (air[i].context && (int)air[i].block.aio_fildes == fd)
			return true;
	return disk_ring_has(fd);
}

void disk_land_all(void)
{
	static uint8_t bytes[DISK_GATHER];
	struct disk_state *state = &disk.state;
	const uint32_t own = state->in_flight, before = state->pending_count;

	for (uint32_t i = 0; i < AIR_MAX; i++) {
		const struct iocb *block = &air[i].block;

		if (air[i].context && is_write(block))
			disk_write(state, disk_opened((int)block->aio_fildes)->file,
				   (uint64_t)block->aio_offset, bytes, gather(block, bytes), false);
	}
	disk_ring_land_all();
	state->in_flight = own;
	state->air = state->pending_count - before;
}

void disk_aio_exit(void)
{
	disk_land_all();
	memset(air, 0, sizeof(air));
}

static int fake_setup(uint32_t depth, aio_context_t *context)
{
	assert(depth);
	*context = ++contexts;
	return 0;
}

static int fake_destroy(aio_context_t context)
{
	for (uint32_t i = 0; i < AIR_MAX; i++)
		assert(air[i].context != context);
	return 0;
}

static int fake_submit(aio_context_t context, uint32_t count, struct iocb **list)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = 0;

		if (list[i]->aio_lio_opcode != IOCB_CMD_FDSYNC)
			assert(disk_opened((int)list[i]->aio_fildes)->direct);
		while (air[at].context)
			at++;
		assert(at < AIR_MAX);
		air[at] = (struct flight){
			.context = context, .block = *list[i], .before = disk.state.writes};
	}
	return (int)count;
}

static struct flight *next_of(aio_context_t context)
{
	for (uint32_t i = 0; i < AIR_MAX; i++) {
		struct flight *flight = &air[disk.aio_backwards ? AIR_MAX - 1 - i : i];

		if (flight->context == context)
			return flight;
	}
	return NULL;
}

static int64_t land(struct flight *flight)
{
	static uint8_t bytes[DISK_GATHER];
	const struct iocb *block = &flight->block;
	const uint32_t file = disk_opened((int)block->aio_fildes)->file;
	uint64_t length;
	uint32_t call;
	const bool fails = disk_enter_call(&call);

	if (call == disk.stop_call)
		disk_stop();
	if (disk_is_dying(call))
		disk_die();
	flight->context = 0;
	if (block->aio_lio_opcode == IOCB_CMD_FDSYNC)
		return disk_ends_sync((int)block->aio_fildes, flight->before, fails);
	if (block->aio_lio_opcode == IOCB_CMD_PREAD)
		return fails ? -EIO
			     : disk_sys.pread(
				       (int)block->aio_fildes, (void *)(uintptr_t)block->aio_buf,
				       (size_t)block->aio_nbytes, (uint64_t)block->aio_offset);
	length = gather(block, bytes);
	if (call == disk.busy_call)
		return -EAGAIN;
	if (fails)
		return disk_failed_write(file, bytes, length, (uint64_t)block->aio_offset, 0);
	if (disk_has_no_room(file, (uint64_t)block->aio_offset + length))
		return -ENOSPC;
	disk_write(&disk.state, file, (uint64_t)block->aio_offset, bytes, length, false);
	if (block->aio_rw_flags & SYS_RWF_DSYNC && !disk.server)
		disk_sync(&disk.state, file,
			  disk.dsync_flushes ? 0 : disk.state.pending_count - disk.state.in_flight,
			  UINT32_MAX);
	disk.state.in_flight = 0;
	return (int64_t)length;
}

static int fake_reap(aio_context_t context, uint32_t least, uint32_t most, struct io_event *events,
		     uint32_t milliseconds)
{
	const bool looks = least == 0;

	assert(least <= most);
	if (looks && !disk.aio_slow && next_of(context))
		least = 1;
	for (uint32_t i = 0; i < least; i++) {
		struct flight *flight = next_of(context);

		if (!flight && milliseconds != SYS_AIO_FOREVER)
			return (int)i;
		assert(flight);
		events[i].data = flight->block.aio_data;
		events[i].res = land(flight);
	}
	return (int)least;
}

const struct sys_aio_calls disk_aio = {
	.setup = fake_setup,
	.destroy = fake_destroy,
	.submit = fake_submit,
	.reap = fake_reap,
};
