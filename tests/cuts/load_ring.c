/* SPDX-License-Identifier: MIT */
/*
 * The load of one thread whose frames and home writes are entries of its own io_uring (load.h).
 *
 * Flow: load.c calls load_ring(), which a signal ends.
 *
 * A unit is one page ("0:slot", "1:slot") or a group over both files ("g:group").  Units at home
 * are gathered again, with a new version, into as many frames as allowed.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <libatomicio/journal.h>
#include <libatomicio/uring.h>

#define PAGES_MAX (2 * GROUP)
#define UNITS (FILES * GROUP_SLOT + GROUPS)
#define FRAMES 4u
#define DEPTH 512u

static struct unit {
	struct atomicio_request requests[PAGES_MAX];
	struct atomicio_op ops[PAGES_MAX];
	uint32_t count, left; /* pages, and pages not home */
	uint64_t version;
	char key[16];
	bool is_told;	     /* the version is on a line */
	struct unit *follow; /* in the same frame */
} units[UNITS];

static struct io_uring ring;
static struct unit *gathered;
static uint32_t in_air; /* entries, but for that of the event */
static int event_fd;

static struct io_uring_sqe *entry(void *data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	if (sqe)
		sqe->user_data = (uintptr_t)data;
	else
		load_fail("no entry", EAGAIN);
	return sqe;
}

static void wait_for_event(void)
{
	io_uring_prep_poll_add(entry(&event_fd), event_fd, POLLIN);
}

static struct unit *unit_of(const struct atomicio_request *request)
{
	return &units[(size_t)((const char *)request - (const char *)units) / sizeof(units[0])];
}

/* The next entry of a write: the frame, or the home. */
static void next(struct atomicio_request *request)
{
	const struct unit *unit = unit_of(request);
	const struct atomicio_op *op = &unit->ops[request - unit->requests];
	const int error = atomicio_uring_prep(request, op->file, entry(request), op->buffer,
					      op->length, op->offset, 0);

	if (error)
		load_fail("prep", error);
	in_air++;
}

static int gather(struct unit *unit)
{
	int error;

	for (uint32_t i = 0; i < unit->count; i++)
		load_fill((uint64_t *)(uintptr_t)unit->ops[i].buffer, unit->ops[i].offset / LENGTH,
			  unit->version);
	if (!unit->is_told)
		printf("TRY %s %" PRIu64 "\n", unit->key, unit->version);
	unit->is_told = true;
	error = atomicio_uring_gather_group(unit->requests, unit->ops, unit->count);
	if (error)
		return error;
	unit->left = unit->count;
	unit->follow = gathered;
	gathered = unit;
	return 0;
}

/* A frame is durable, with all its units. */
static void acknowledge(struct unit *unit)
{
	for (; unit; unit = unit->follow) {
		printf("ACK %s %" PRIu64 "\n", unit->key, unit->version);
		for (uint32_t i = 0; i < unit->count; i++)
			next(&unit->requests[i]);
	}
}

static void complete(struct atomicio_request *request, int res)
{
	const int result = atomicio_uring_done(request, res);
	struct unit *unit = unit_of(request);

	in_air--;
	if (result == ATOMICIO_DURABLE) {
		acknowledge(unit);
	} else if (result == ATOMICIO_AGAIN_SQE) {
		next(request);
	} else if (result) {
		load_fail("done", result);
	} else if (--unit->left == 0) {
		unit->version++;
		unit->is_told = false;
	}
}

static void turn(void)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;
	const int error = io_uring_submit_and_wait(&ring, 1);

	if (error < 0 && error != -EINTR)
		load_fail("the ring", error);
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		count++;
		if (cqe->user_data == (uintptr_t)&event_fd) {
			eventfd_t value;

			eventfd_read(event_fd, &value);
			wait_for_event();
		} else {
			complete((struct atomicio_request *)(uintptr_t)cqe->user_data, cqe->res);
		}
	}
	io_uring_cq_advance(&ring, count);
}

static bool is_later(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -ENOBUFS || error == -ENOSPC;
}

static void make_units(struct atomicio_file *const *files, uint64_t version)
{
	for (uint32_t i = 0; i < UNITS; i++) {
		struct unit *unit = &units[i];
		const bool is_group = i >= FILES * GROUP_SLOT;
		const uint32_t group = i - FILES * GROUP_SLOT;
		uint8_t *memory = aligned_alloc(4096, (size_t)PAGES_MAX * LENGTH);

		if (!memory)
			load_fail("memory", ENOMEM);
		unit->version = version;
		unit->count = is_group ? PAGES_MAX : 1;
		if (is_group)
			snprintf(unit->key, sizeof(unit->key), "g:%u", group);
		else
			snprintf(unit->key, sizeof(unit->key), "%u:%u", i / GROUP_SLOT,
				 i % GROUP_SLOT);
		for (uint32_t k = 0; k < unit->count; k++) {
			const uint32_t slot =
				is_group ? GROUP_SLOT + group * GROUP + k / 2 : i % GROUP_SLOT;

			unit->ops[k] = (struct atomicio_op){
				.file = files[is_group ? k % 2 : i / GROUP_SLOT],
				.buffer = memory + (size_t)k * LENGTH,
				.length = LENGTH,
				.offset = (uint64_t)slot * LENGTH};
		}
	}
}

void load_ring(struct atomicio_journal *journal, struct atomicio_file *const *files,
	       uint64_t version)
{
	uint32_t at = 0;
	int error;

	make_units(files, version);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = io_uring_queue_init(DEPTH, &ring, 0);
	if (!error)
		error = atomicio_uring_begin(journal, FRAMES, event_fd);
	if (error)
		load_fail("begin", error);
	wait_for_event();
	for (;;) {
		for (error = 0; !units[at].left && !error; at = error ? at : (at + 1) % UNITS)
			error = gather(&units[at]);
		if (error && !is_later(error))
			load_fail("gather", error);
		error = gathered ? atomicio_uring_commit(&gathered->requests[0]) : 0;
		if (!error && gathered) {
			next(&gathered->requests[0]);
			gathered = NULL;
			continue;
		}
		if (error && !is_later(error))
			load_fail("commit", error);
		if (error != -ENOSPC || in_air)
			turn();
		else if ((error = atomicio_journal_checkpoint(journal)))
			load_fail("checkpoint", error);
	}
}
