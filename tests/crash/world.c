/* SPDX-License-Identifier: MIT */
/* The steps that scenarios are made of.  See world.h. */
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "disk_internal.h"
#include "fiber.h"
#include "journal_share.h"
#include "world_ring.h"
#include "write.h"

#define PAGE_MAX 16384u

struct world world;

/* A buffer for each page under way at one time. */
static uint8_t buffers[ORACLE_FIBERS][ORACLE_OPS][PAGE_MAX] __attribute__((aligned(4096)));

void world_problem(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(world.problem, sizeof(world.problem), format, list);
	va_end(list);
	fiber_crash();
	__builtin_unreachable();
}

/* Errors are right only where a call was made to fail. */
int world_expect(const char *what, int error)
{
	if (error && !disk.faulted && !(error == -EBUSY && ring_is_busy()))
		world_problem("%s gives %d, and no call failed", what, error);
	return error;
}

static enum oracle_end end_of(const struct handle *handle, int error, bool durable)
{
	if (error == 0)
		return durable ? ORACLE_DURABLE : ORACLE_VOLATILE;
	if (handle->path != ATOMICIO_PATH_JOURNAL)
		return ORACLE_UNKNOWN;
	return error == -ENOTRECOVERABLE || error == -EUCLEAN || error == -EMSGSIZE ||
			       error == -ENOSPC || error == -EBUSY
		       ? ORACLE_NOTHING
		       : ORACLE_UNKNOWN;
}

static uint64_t journal_writes(const struct handle *handle)
{
	struct atomicio_stats stats;

	if (atomicio_file_get_stats(handle->file, &stats, sizeof(stats)))
		world_problem("no stats");
	return stats.writes_journal;
}

static int write_tagged(uint32_t number, uint64_t offset, uint32_t length, uint32_t flags,
			uint16_t tag)
{
	const struct handle *handle = &world.handles[number];
	const uint32_t self = fiber_self();
	struct oracle_group group = {.by_kernel = handle->path != ATOMICIO_PATH_JOURNAL};
	uint64_t before;
	bool durable;
	int error;

	if (!handle->file) /* a fault kept it from being opened */
		return -EBADF;
	oracle_add(&group, handle->number, offset, length, tag);
	oracle_fill(buffers[self][0], handle->number, offset, length, tag);
	oracle_begin(&world.oracle, self, &group);
	before = journal_writes(handle);
	error = atomicio_write(handle->file, buffers[self][0], length, offset, flags);
	durable = flags & ATOMICIO_DSYNC || journal_writes(handle) != before;
	oracle_end(&world.oracle, self, end_of(handle, error, durable));
	if (error)
		oracle_lost(&world.oracle, handle->number);
	return world_expect("a write", error);
}

int step_write(uint32_t handle, uint64_t offset, uint32_t length, uint32_t flags)
{
	return write_tagged(handle, offset, length, flags, oracle_tag(&world.oracle));
}

int step_write_again(uint32_t handle, uint64_t offset, uint32_t length, uint16_t tag)
{
	return write_tagged(handle, offset, length, 0, tag);
}

/* Pages without a group: for the oracle each is its own group. */
static void end_loose(const struct step_page *pages, const struct atomicio_op *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct handle *handle = &world.handles[pages[i].handle];
		struct oracle_group one = {.by_kernel = handle->path != ATOMICIO_PATH_JOURNAL};

		oracle_add(&one, handle->number, pages[i].offset, pages[i].length,
			   (uint16_t)ops[i].reserved);
		oracle_begin(&world.oracle, 0, &one);
		oracle_end(&world.oracle, 0, end_of(handle, ops[i].result, true));
		if (ops[i].result)
			oracle_lost(&world.oracle, handle->number);
	}
}

int step_group_with(const struct step_page *pages, uint32_t count, bool loose, uint32_t flags)
{
	const uint32_t self = fiber_self();
	struct atomicio_op ops[ORACLE_OPS] = {0};
	struct oracle_group group = {.is_loose = loose};
	uint16_t tags[ORACLE_OPS];
	int error;

	for (uint32_t i = 0; i < count; i++) {
		const struct handle *handle = &world.handles[pages[i].handle];

		if (!handle->file)
			return -EBADF;
		if (loose && handle->path != ATOMICIO_PATH_JOURNAL)
			group.by_kernel = true;
		tags[i] = pages[i].tag ? pages[i].tag : oracle_tag(&world.oracle);
		oracle_add(&group, handle->number, pages[i].offset, pages[i].length, tags[i]);
		oracle_fill(buffers[self][i], handle->number, pages[i].offset, pages[i].length,
			    tags[i]);
		ops[i] = (struct atomicio_op){.file = handle->file,
					      .buffer = buffers[self][i],
					      .offset = pages[i].offset,
					      .length = pages[i].length};
	}
	oracle_begin(&world.oracle, self, &group);
	error = atomicio_write_batch(NULL, ops, count,
				     (loose ? ATOMICIO_DSYNC : ATOMICIO_ALL_OR_NONE) | flags);
	if (loose) {
		oracle_end(&world.oracle, self, ORACLE_NOTHING);
		for (uint32_t i = 0; i < count; i++)
			ops[i].reserved = tags[i];
		end_loose(pages, ops, count);
	} else {
		oracle_end(&world.oracle, self,
			   end_of(&world.handles[pages[0].handle], error, true));
	}
	return world_expect("a batch", error);
}

void step_group_refused(const struct step_page *pages, uint32_t count, int error)
{
	struct atomicio_op ops[ORACLE_OPS] = {0};

	for (uint32_t i = 0; i < count; i++) {
		ops[i] = (struct atomicio_op){.file = world.handles[pages[i].handle].file,
					      .buffer = buffers[0][i],
					      .offset = pages[i].offset,
					      .length = pages[i].length};
		if (!ops[i].file)
			return;
	}
	if (atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE) != error)
		world_problem("a group is not refused by %d", error);
}

void step_open(uint32_t number, uint32_t file, uint32_t path, uint32_t how)
{
	struct handle *handle = &world.handles[number];
	const struct atomicio_options options = {
		.journal = world.journal,
		.file_id = 100 + file,
		.path = path,
		.flags = how & OPEN_REOPEN_DIRECT ? ATOMICIO_OPEN_REOPEN_DIRECT : 0,
	};
	const int fd = how & OPEN_BUFFERED ? DISK_FD_BUFFERED(file) : DISK_FD(file);

	*handle = (struct handle){.number = file, .path = path};
	world_expect("open", write_open(&disk_sys, fd, &options, sizeof(options), &handle->file));
}

int step_close(uint32_t number)
{
	struct atomicio_file *file = world.handles[number].file;

	world.handles[number].file = NULL;
	return file ? world_expect("close", atomicio_close(file)) : -EBADF;
}

int step_sync(uint32_t number)
{
	const struct handle *handle = &world.handles[number];
	const int error = handle->file ? atomicio_sync(handle->file) : -EBADF;

	if (error)
		oracle_lost(&world.oracle, handle->number);
	else
		oracle_synced(&world.oracle, handle->number);
	return world_expect("sync", error);
}

int step_settle(uint32_t number, uint64_t offset, uint32_t length)
{
	const struct handle *handle = &world.handles[number];
	const int error = handle->file ? atomicio_settle(handle->file, offset, length) : -EBADF;

	if (error)
		oracle_lost(&world.oracle, handle->number);
	return world_expect("settle", error);
}

int step_forget(uint32_t file)
{
	return world_expect("forget", atomicio_journal_forget(world.journal, 100 + file));
}

void step_checkpoint(void)
{
	(void)world_expect("checkpoint", atomicio_journal_checkpoint(world.journal));
}

void step_foreign(uint32_t file, uint64_t offset, uint32_t length, bool zero, bool sync)
{
	const uint16_t tag = zero ? TAG_ZERO : oracle_tag(&world.oracle);
	struct oracle_group group = {.may_tear = true, .is_volatile = true};

	oracle_add(&group, file, offset, length, tag);
	oracle_fill(buffers[0][0], file, offset, length, tag);
	oracle_begin(&world.oracle, 0, &group);
	disk_write_foreign(file, offset, buffers[0][0], length);
	oracle_end(&world.oracle, 0, ORACLE_VOLATILE);
	if (!sync)
		return;
	if (disk_sys.fdatasync(DISK_FD_BUFFERED(file)))
		oracle_lost(&world.oracle, file);
	else
		oracle_synced(&world.oracle, file);
}
