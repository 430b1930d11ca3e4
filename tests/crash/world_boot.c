/* SPDX-License-Identifier: MIT */
/*
 * A boot: the journal is opened and recovered, and all promises are checked; and the steps that
 * begin one anew.  See world.h.
 */
#include <errno.h>
#include <string.h>

#include "disk_internal.h"
#include "fiber.h"
#include "journal_share.h"
#include "world.h"
#include "world_ring.h"
#include "write.h"

#define JOURNAL_FD DISK_FD(DISK_JOURNAL)
#define HOME_SOON (128u << 10) /* the library's own settings */

unsigned int crash_home_soon;

void world_prepare(void)
{
	disk_reset();
	oracle_reset(&world.oracle);
	for (uint32_t file = 1; file < DISK_FILES; file++) {
		oracle_fill(disk_seen(&disk.state, file), file, 0, DISK_HOME_SIZE, TAG_FIRST);
		oracle_fill(disk_durable(&disk.state, file), file, 0, DISK_HOME_SIZE, TAG_FIRST);
	}
}

void world_begin(const struct scenario *scenario, uint32_t boot, bool recover_only, bool soon)
{
	world.scenario = scenario;
	disk.journal_buffered = scenario->buffered_journal;
	disk.server = scenario->server;
	disk.full = scenario->full;
	disk.cache_lies = scenario->cache_lies;
	world.boot = boot;
	world.recover_only = recover_only;
	world.problem[0] = '\0';
	crash_home_soon = soon ? HOME_SOON : 0;
}

/* The caller's answer to recovery. */
int world_resolve(void *context, uint64_t file_id)
{
	(void)context;
	if (file_id < 101 || file_id >= 100 + DISK_FILES)
		world_problem("recovery asks for file %llu", (unsigned long long)file_id);
	return DISK_FD((uint32_t)file_id - 100);
}

struct atomicio_journal_info world_info(void)
{
	struct atomicio_journal_info info;

	if (atomicio_journal_get_info(world.journal, &info, sizeof(info)))
		world_problem("no info");
	return info;
}

void world_open_journal(void)
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

void world_recover(void)
{
	int error;

	world_open_journal();
	if (world.notes & ~world_info().notes)
		world_problem("a damaged header is not told");
	if (world_info().state == ATOMICIO_JOURNAL_CORRUPT)
		world_problem("the journal is called corrupt");
	error = atomicio_journal_recover(world.journal, world_resolve, NULL, NULL, 0, NULL, 0);
	if (error && disk.faulted)
		fiber_crash();
	if (error)
		world_problem("recovery gives %d", error);
	if (world_info().state != ATOMICIO_JOURNAL_READY)
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

void step_restart(void)
{
	for (uint32_t i = 0; i < HANDLES; i++)
		(void)step_close(i);
	atomicio_journal_close(world.journal);
	world.killed = true; /* no power cut: what is seen need not be durable */
	world_recover();
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
	journal_shares = NULL; /* in memory that this run reuses */
	world.notes = 0;
	if (world.scenario->partial && world.boot && !world.recover_only)
		world_recover_partly();
	if (world.scenario->damage && world.recover_only)
		world_recover_damaged();
	else if (world.scenario->damage && world.boot)
		world_damage_one();
	world_recover();
	world.notes = 0;
	if (world.recover_only)
		return;
	world.scenario->run(&world, world.boot);
	/* One more crash point, after the last call. */
	if (disk.calls++ == disk.stop_call) {
		disk.state.in_flight = 0;
		disk_stop();
	}
}
