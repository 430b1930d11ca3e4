/* SPDX-License-Identifier: MIT */
/*
 * The lanes: threads that do what the plan says until the machine is gone.
 *
 * Flow: from kill_guest.c when a disk's pages are checked.  A lane tells of an operation after the
 * call returned, and begins the next one after the judge has that record.
 */
#define _GNU_SOURCE
#include "kill_guest.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>

struct lane {
	const struct kill_files *files;
	uint32_t number;
	char *pages[KILL_GROUP];
};

static int write_naked(const struct lane *lane, uint32_t page)
{
	const uint32_t size = lane->files->target->page_size;
	const struct iovec vector = {lane->pages[0], size};
	uint32_t file;
	uint64_t offset = kill_place(lane->files->target, page, &file);
	ssize_t result = pwritev2(lane->files->fds[file], &vector, 1, (off_t)offset, RWF_DSYNC);

	if (result < 0)
		return -errno;
	return (uint32_t)result == size ? 0 : -ERANGE;
}

static int write_group(const struct lane *lane, const struct kill_op *op)
{
	struct atomicio_op ops[KILL_GROUP] = {0};

	for (uint32_t i = 0; i < op->count; i++) {
		uint32_t file;

		ops[i].offset = kill_place(lane->files->target, op->pages[i], &file);
		ops[i].file = lane->files->files[file];
		ops[i].buffer = lane->pages[i];
		ops[i].length = lane->files->target->page_size;
	}
	return atomicio_write_batch(NULL, ops, op->count, ATOMICIO_ALL_OR_NONE | ATOMICIO_DSYNC);
}

static int perform(const struct lane *lane, const struct kill_op *op)
{
	const struct kill_files *files = lane->files;
	uint32_t file;
	uint64_t offset;

	switch (op->kind) {
	case KILL_SYNC:
		return atomicio_sync(files->files[0]);
	case KILL_CHECKPOINT:
		return atomicio_journal_checkpoint(files->journal);
	case KILL_ALL_OR_NONE:
		return write_group(lane, op);
	case KILL_WRITE:
		break;
	}
	if (files->target->way == KILL_NAKED)
		return write_naked(lane, op->pages[0]);
	offset = kill_place(files->target, op->pages[0], &file);
	return atomicio_write(files->files[file], lane->pages[0], files->target->page_size, offset,
			      op->dsync ? ATOMICIO_DSYNC : 0);
}

static void *run_lane(void *argument)
{
	struct lane *lane = argument;
	const struct kill_target *target = lane->files->target;
	struct kill_record record = {.magic = KILL_MAGIC, .kind = KILL_DONE, .disk = target->disk};
	uint64_t number;

	record.target = (uint32_t)(target - kill_targets);
	record.lane = lane->number;
	number = kill_command.start[record.target][lane->number];
	for (;; number++) {
		struct kill_op op;
		int error;

		kill_plan(target, lane->files->life, lane->number, number, &op);
		for (uint32_t i = 0; i < op.count; i++)
			kill_stamp(lane->pages[i], target, lane->files->life, op.pages[i], number);
		error = perform(lane, &op);
		if (error)
			kill_wrong(target, "write", -error);
		record.number = number;
		kill_tell(&record);
	}
	return NULL;
}

void kill_write(struct kill_files *files)
{
	for (uint32_t i = 0; i < files->target->lanes; i++) {
		struct lane *lane = calloc(1, sizeof(*lane));
		pthread_t thread;

		if (!lane)
			abort();
		lane->files = files;
		lane->number = i;
		for (uint32_t k = 0; k < KILL_GROUP; k++)
			lane->pages[k] = kill_memory();
		if (pthread_create(&thread, NULL, run_lane, lane) != 0)
			abort();
	}
}
