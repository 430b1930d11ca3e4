/* SPDX-License-Identifier: MIT */
/*
 * The steps of an application with a ring of its own.  See world_ring.h.
 */
#include "world_ring.h"

#include <errno.h>
#include <string.h>

#include "disk_internal.h"
#include "disk_ring.h"
#include "libatomicio/uring.h"

#define PAGE_MAX 16384u
#define NO_FRAME UINT32_MAX
#define PAST_TRIES 16u /* each makes the next steps of a retirement */

struct slot {
	struct atomicio_request request[ORACLE_OPS];
	struct io_uring_sqe entry;
	struct step_page pages[ORACLE_OPS];
	struct oracle_group group;
	uint32_t count; /* 0: not used */
	uint32_t frame; /* the request whose entry is its frame's */
	bool filled;	/* an entry that is not submitted */
	bool durable;
	uint32_t next;	/* page to bring home */
	uint32_t flags; /* of all its writes */
};

static struct slot slots[REQUESTS];
static uint8_t buffers[REQUESTS][ORACLE_OPS][PAGE_MAX] __attribute__((aligned(4096)));
static bool has_begun;

void ring_boot(void)
{
	memset(slots, 0, sizeof(slots));
	has_begun = false;
	disk_ring_boot();
}

bool ring_is_busy(void)
{
	for (uint32_t i = 0; i < REQUESTS; i++)
		if (slots[i].count)
			return true;
	return false;
}

static bool is_later(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -ENOBUFS || error == -ENOSPC;
}

static int expect(const char *what, int error)
{
	if (error < 0 && !is_later(error) && error != -ECANCELED && !disk.faulted)
		world_problem("%s gives %d, and no call failed", what, error);
	return error;
}

void step_begin(uint32_t frames)
{
	const int error = atomicio_uring_begin(world.journal, frames, -1);

	if (error && !disk.faulted)
		world_problem("begin gives %d", error);
	has_begun = error == 0;
}

static struct slot *take(uint32_t request, const struct step_page *pages, uint32_t count)
{
	struct slot *slot = &slots[request];

	for (uint32_t i = 0; i < count; i++)
		if (!world.handles[pages[i].handle].file)
			return NULL;
	if (slot->count || !has_begun)
		return NULL; /* an earlier step has not ended: a fault, or refused with "later" */
	memset(slot, 0, sizeof(*slot));
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t number = world.handles[pages[i].handle].number;
		const uint16_t tag = oracle_tag(&world.oracle);

		slot->pages[i] = pages[i];
		oracle_add(&slot->group, number, pages[i].offset, pages[i].length, tag);
		oracle_fill(buffers[request][i], number, pages[i].offset, pages[i].length, tag);
	}
	return slot;
}

static int prep(uint32_t request, uint32_t page)
{
	struct slot *slot = &slots[request];
	const struct step_page *where = &slot->pages[page];

	memset(&slot->entry, 0, sizeof(slot->entry));
	return atomicio_uring_prep(&slot->request[page], world.handles[where->handle].file,
				   &slot->entry, buffers[request][page], where->length,
				   where->offset, slot->flags);
}

static void begin(uint32_t request, uint32_t frame)
{
	slots[request].frame = frame;
	oracle_begin(&world.oracle, ORACLE_FIBERS + request, &slots[request].group);
}

int step_prep(uint32_t request, uint32_t handle, uint64_t offset, uint32_t length)
{
	const struct step_page page = {.handle = handle, .offset = offset, .length = length};
	struct slot *slot = take(request, &page, 1);
	int error;

	if (!slot)
		return -EBADF;
	error = prep(request, 0);
	if (error)
		return expect("prep", error);
	slot->count = 1;
	slot->filled = true;
	begin(request, request);
	return 0;
}

int step_gather_group(uint32_t request, const struct step_page *pages, uint32_t count)
{
	struct atomicio_op ops[ORACLE_OPS] = {0};
	struct slot *slot = take(request, pages, count);
	int error;

	if (!slot)
		return -EBADF;
	for (uint32_t i = 0; i < count; i++)
		ops[i] = (struct atomicio_op){.file = world.handles[pages[i].handle].file,
					      .buffer = buffers[request][i],
					      .offset = pages[i].offset,
					      .length = pages[i].length};
	error = atomicio_uring_gather_group(slot->request, ops, count);
	if (error)
		return expect("gather", error);
	slot->count = count;
	slot->frame = NO_FRAME;
	return 0;
}

int step_gather(uint32_t request, uint32_t handle, uint64_t offset, uint32_t length)
{
	const struct step_page page = {.handle = handle, .offset = offset, .length = length};

	return step_gather_group(request, &page, 1);
}

int step_commit(uint32_t request)
{
	struct slot *slot = &slots[request];
	int error;

	if (!slot->count || slot->frame != NO_FRAME)
		return -EBADF;
	error = atomicio_uring_commit(&slot->request[0]);
	if (!error)
		error = prep(request, 0);
	if (error)
		return expect("commit", error);
	slot->filled = true;
	for (uint32_t i = 0; i < REQUESTS; i++)
		if (slots[i].count && slots[i].frame == NO_FRAME)
			begin(i, request);
	return 0;
}

void step_submit(uint32_t request)
{
	struct slot *slot = &slots[request];

	if (!slot->filled)
		return;
	slot->filled = false;
	disk_ring_submit(request, &slot->entry);
}

/* The meaning of a frame's completion for all its requests. */
static void end_frame(uint32_t frame, int result)
{
	enum oracle_end end = ORACLE_UNKNOWN;

	if (result == ATOMICIO_DURABLE)
		end = ORACLE_DURABLE;
	else if (result == -ECANCELED)
		end = ORACLE_NOTHING;
	for (uint32_t i = 0; i < REQUESTS; i++) {
		struct slot *slot = &slots[i];

		if (!slot->count || slot->durable || slot->frame != frame)
			continue;
		oracle_end(&world.oracle, ORACLE_FIBERS + i, end);
		slot->durable = end == ORACLE_DURABLE;
		for (uint32_t k = 0; k < slot->count; k++)
			if ((i != frame || k) && atomicio_uring_result(&slot->request[k]) != result)
				world_problem("a follower hears of something else");
		if (end != ORACLE_DURABLE)
			slot->count = 0;
	}
}

static int done(uint32_t request, int result)
{
	struct slot *slot = &slots[request];
	const uint32_t page = slot->durable ? slot->next : 0;

	result = expect("done", atomicio_uring_done(&slot->request[page], result));
	if (result == ATOMICIO_AGAIN_SQE)
		return result;
	if (!slot->durable) {
		end_frame(slot->frame, result);
		return result;
	}
	if (result)
		world_problem("a home gives %d", result);
	if (++slot->next == slot->count)
		slot->count = 0;
	return 0;
}

int step_complete(uint32_t request)
{
	if (!slots[request].count || !disk_ring_is_out(request))
		return -EBADF;
	return done(request, disk_ring_complete(request));
}

int step_cancel(uint32_t request)
{
	if (!slots[request].count || !slots[request].filled)
		return -EBADF;
	slots[request].filled = false;
	return done(request, -ECANCELED);
}

int step_next(uint32_t request)
{
	struct slot *slot = &slots[request];
	int error;

	if (!slot->count || slot->filled || disk_ring_is_out(request))
		return -EBADF;
	error = prep(request, slot->durable ? slot->next : 0);
	if (error)
		return expect("prep", error);
	slot->filled = true;
	return 0;
}

void step_finish(uint32_t request)
{
	for (uint32_t i = 0; i < 4 * ORACLE_OPS && slots[request].count; i++) {
		if (!slots[request].filled && !disk_ring_is_out(request) && step_next(request))
			return;
		step_submit(request);
		(void)step_complete(request);
	}
}

void step_past(uint32_t request, uint32_t handle, uint64_t offset, uint32_t length)
{
	const struct step_page page = {.handle = handle, .offset = offset, .length = length};
	struct slot *slot = take(request, &page, 1);
	int error = -EAGAIN;

	if (!slot)
		return;
	slot->flags = ATOMICIO_DSYNC;
	slot->group.by_kernel = true;
	for (uint32_t i = 0; i < PAST_TRIES && error == -EAGAIN; i++)
		error = prep(request, 0);
	if (expect("prep", error))
		return;
	begin(request, request);
	disk_ring_submit(request, &slot->entry);
	error = atomicio_uring_done(&slot->request[0], disk_ring_complete(request));
	oracle_end(&world.oracle, ORACLE_FIBERS + request,
		   expect("done", error) ? ORACLE_UNKNOWN : ORACLE_DURABLE);
}

void step_write_busy(uint32_t handle, uint64_t offset, uint32_t length)
{
	struct atomicio_file *file = world.handles[handle].file;
	int error;

	if (!file)
		return;
	error = atomicio_write(file, buffers[0][0], length, offset, 0);
	if (error != -EBUSY && !disk.faulted)
		world_problem("a write that a guest is in the way of gives %d", error);
}

void step_checkpoint_busy(void)
{
	const bool is_busy = ring_is_busy();
	const int error = atomicio_journal_checkpoint(world.journal);

	if (is_busy && error != -EBUSY && !disk.faulted)
		world_problem("a checkpoint that needs a guest gives %d", error);
}
