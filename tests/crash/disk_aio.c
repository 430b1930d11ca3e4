/* SPDX-License-Identifier: MIT */
/*
 * The kernel's AIO over the simulated disk: writes in the air.
 *
 * Flow: a part of the system table of disk_sys.c.  A write that was submitted is in the air: it is
 * made when it is reaped, from the memory that the caller gave, as it is then.  Each completion is
 * a call like another: the explorer may crash in it, make it fail, or let another thread run.
 *
 * A crash finds all of them anywhere: at a power cut each meets its fate, whatever came before; of
 * a killed process all are made, because its exit waits for them (fs/aio.c:exit_aio).  Completions
 * come in the order of submission or, with disk.aio_backwards, the other way round.
 */
#include <errno.h>
#include <string.h>

#include "disk_internal.h"
#include "sys_aio.h"

#define AIR_MAX 16u

/* One write in the air. */
struct flight {
	aio_context_t context; /* 0: none */
	struct iocb block;
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

static uint64_t gather(const struct iocb *block, uint8_t *bytes)
{
	return disk_gather((const struct iovec *)(uintptr_t)block->aio_buf,
			   (uint32_t)block->aio_nbytes, bytes);
}

void disk_aio_boot(void)
{
	memset(air, 0, sizeof(air));
	contexts = 0;
}

bool disk_is_in_air(uint32_t file)
{
	for (uint32_t i = 0; i < AIR_MAX; i++)
		if (air[i].context && disk_opened((int)air[i].block.aio_fildes)->file == file)
			return true;
	return false;
}

void disk_land_all(void)
{
	static uint8_t bytes[DISK_GATHER];
	struct disk_state *state = &disk.state;
	const uint32_t own = state->in_flight, before = state->pending_count;

	for (uint32_t i = 0; i < AIR_MAX; i++) {
		const struct iocb *block = &air[i].block;

		if (air[i].context)
			disk_write(state, disk_opened((int)block->aio_fildes)->file,
				   (uint64_t)block->aio_offset, bytes, gather(block, bytes), false);
	}
	state->in_flight = own;
	state->air = state->pending_count - before;
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

		assert(list[i]->aio_lio_opcode == IOCB_CMD_PWRITEV);
		assert(disk_opened((int)list[i]->aio_fildes)->direct);
		while (air[at].context)
			at++;
		assert(at < AIR_MAX);
		air[at] = (struct flight){.context = context, .block = *list[i]};
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
	length = gather(block, bytes);
	flight->context = 0;
	if (call == disk.busy_call)
		return -EAGAIN;
	if (fails)
		return disk_failed_write(file, bytes, length, (uint64_t)block->aio_offset, 0);
	disk_write(&disk.state, file, (uint64_t)block->aio_offset, bytes, length, false);
	disk.state.in_flight = 0;
	return (int64_t)length;
}

static int fake_reap(aio_context_t context, uint32_t least, uint32_t most, struct io_event *events)
{
	assert(least <= most);
	for (uint32_t i = 0; i < least; i++) {
		struct flight *flight = next_of(context);

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
