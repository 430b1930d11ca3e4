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
#define JOURNAL_FD DISK_FD(DISK_JOURNAL)

struct world world;

/* A buffer for each page that may be under way at one time. */
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

/* Pages that are not one group: each is one of its own, from the oracle's view. */
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

/* The caller's answer to recovery. */
int world_resolve(void *context, uint64_t file_id)
{
	(void)context;
	if (file_id < 101 || file_id >= 100 + DISK_FILES)
		world_problem("recovery asks for file %llu", (unsigned long long)file_id);
	return DISK_FD((uint32_t)file_id - 100);
}

static struct atomicio_journal_info journal_info(void)
{
	struct atomicio_journal_info info;

	if (atomicio_journal_get_info(world.journal, &info, sizeof(info)))
		world_problem("no info");
	return info;
}

static void open_journal(void)
{
	const struct atomicio_journal_options options = {
		.size = world.scenario->journal_size,
		.frame_max = world.scenario->frame_max,
		.flags = ATOMICIO_JOURNAL_OVERWRITE,
	};
	int error = journal_open(&disk_sys, JOURNAL_FD, &world.journal);

	/* A crash while it was made leaves no journal; nothing was promised. */
	if (error && !world.oracle.journal_made) {
		error = journal_create(&disk_sys, JOURNAL_FD, &options, sizeof(options));
		if (!error)
			error = journal_open(&disk_sys, JOURNAL_FD, &world.journal);
	}
	if (error && disk.faulted)
		fiber_crash();
	if (error)
		world_problem("the journal cannot be opened: %d", error);
	world.oracle.journal_made = true;
}

void world_check_seen(bool settle)
{
	if (oracle_check(&world.oracle, disk.state.seen_home, settle, true))
		return;
	oracle_explain(&world.oracle, disk.state.seen_home);
	world_problem("a process sees what was never written");
}

/* Open, recover, and look: all promises kept, in what is seen and in what is durable. */
static void recover(void)
{
	int error;

	open_journal();
	if (journal_info().state == ATOMICIO_JOURNAL_CORRUPT)
		world_problem("the journal is called corrupt");
	error = atomicio_journal_recover(world.journal, world_resolve, NULL, NULL, 0, NULL, 0);
	if (error && disk.faulted)
		fiber_crash();
	if (error)
		world_problem("recovery gives %d", error);
	if (journal_info().state != ATOMICIO_JOURNAL_READY)
		world_problem("not ready after recovery");
	if (!oracle_check(&world.oracle, disk.state.seen_home, true, world.killed)) {
		oracle_explain(&world.oracle, disk.state.seen_home);
		world_problem("a promise is broken");
	}
	if (!oracle_check(&world.oracle, disk.state.durable_home, false, false)) {
		oracle_explain(&world.oracle, disk.state.durable_home);
		world_problem("what recovery wrote is not durable");
	}
}

static int resolve_all_but_2(void *context, uint64_t file_id)
{
	return file_id == 102 ? -EACCES : world_resolve(context, file_id);
}

/* Others write to file 1 when its handle is closed. */
static void close_for_others(void)
{
	if (step_close(0) == 0)
		step_foreign(1, 0, 12288, false, true);
}

/*
 * File 2 cannot be had: file 1 is recovered, its frames are in the ring, and it takes writes until
 * the pages of file 2 have to be carried.  Nothing of both is lost or undone (H3, K7).
 */
static void recover_partly(void)
{
	int error;

	open_journal();
	error = atomicio_journal_recover(world.journal, resolve_all_but_2, NULL, NULL, 0, NULL, 0);
	if (error && error != -EACCES)
		world_problem("a recovery without file 2 gives %d", error);
	if (journal_info().state != ATOMICIO_JOURNAL_READY)
		world_problem("not ready after a recovery without file 2");
	world.killed = true; /* file 2 is as it was */
	step_open(0, 1, ATOMICIO_PATH_JOURNAL, 0);
	close_for_others();
	step_open(0, 1, ATOMICIO_PATH_JOURNAL, 0);
	for (uint32_t i = 0; i < 6; i++)
		step_write(0, i % 2 * 4096, 512, 0);
	close_for_others();
	atomicio_journal_close(world.journal);
}

void step_restart(void)
{
	for (uint32_t i = 0; i < HANDLES; i++)
		(void)step_close(i);
	atomicio_journal_close(world.journal);
	world.killed = true; /* no power cut: what is seen need not be durable */
	recover();
}

void step_rot(void)
{
	const uint64_t at = journal_info().tail_offset + 4096 + 100;
	uint8_t homes[DISK_HOMES][DISK_HOME_SIZE];

	world.journal->files = NULL; /* as if killed: nothing is retired */
	atomicio_journal_close(world.journal);
	disk.state.seen_journal[at] ^= 1;
	disk.state.durable_journal[at] ^= 1;
	memcpy(homes, disk.state.seen_home, sizeof(homes));
	open_journal();
	if (journal_info().state != ATOMICIO_JOURNAL_CORRUPT ||
	    journal_info().corrupt_offset != journal_info().tail_offset)
		world_problem("a damaged frame before whole ones is not told");
	if (atomicio_journal_recover(world.journal, world_resolve, NULL, NULL, 0, NULL, 0) !=
		    -EBADMSG ||
	    memcmp(homes, disk.state.seen_home, sizeof(homes)) != 0)
		world_problem("recovery goes on over a damaged frame");
	world.journal->files = NULL; /* as if killed: nothing is retired */
	atomicio_journal_close(world.journal);
	disk.state.seen_journal[at] ^= 1;
	disk.state.durable_journal[at] ^= 1;
	world.killed = true;
	recover();
}

void step_join(void)
{
	fiber_join_all();
	if (!oracle_check(&world.oracle, disk.state.seen_home, true, true))
		world_problem("the threads left something that none of them wrote");
}

void world_main(void *unused)
{
	(void)unused;
	memset(world.handles, 0, sizeof(world.handles));
	ring_boot();
	journal_shares = NULL; /* in memory that this run takes again */
	if (world.scenario->partial && world.boot && !world.recover_only)
		recover_partly();
	recover();
	if (world.recover_only)
		return;
	world.scenario->run(&world, world.boot);
	/* One more crash point, after the last call. */
	if (disk.calls++ == disk.stop_call) {
		disk.state.in_flight = 0;
		disk_stop();
	}
}
