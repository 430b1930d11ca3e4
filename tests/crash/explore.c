/* SPDX-License-Identifier: MIT */
/*
 * Explore the crashes of a scenario, level by level.  See explore.h.
 *
 * A level is one boot: level 0 starts from the empty machine, level 1 from a crash of level 0.
 * The path of crashes that led to the state at hand is kept in `path`, and printed as the replay
 * string (replay.h) if a promise is broken.
 */
#include "explore.h"

#include <stdio.h>
#include <string.h>

#include "fates.h"
#include "fiber.h"
#include "known.h"
#include "replay.h"

#define LEVELS 2u
#define NEVER UINT32_MAX

struct snapshot {
	struct disk_state disk;
	struct oracle oracle;
	bool killed;
};

static struct snapshot starts[LEVELS + 1], crashes[LEVELS];
static struct step path[LEVELS];
static struct setting setting;
static const struct explore_options *options;
static struct explore_count *count;

static void fail(uint32_t levels, char end)
{
	char replay[REPLAY_MAX];

	count->failures++;
	replay_print(replay, sizeof(replay), &setting, path, levels, end);
	printf("not ok - %s: %s\n#   replay: %s\n", setting.scenario->name, world.problem, replay);
	fflush(stdout);
}

static bool stop(void)
{
	return count->failures && !options->keep_going;
}

/* Run one boot on the disk and the promises as they stand.  False: a promise is broken. */
static bool run(uint32_t level, bool recover_only, uint32_t stop_call)
{
	const bool first = level == 0;
	enum fiber_end end;

	world_begin(setting.scenario, level, recover_only, setting.variant & VARIANT_SOON);
	disk.dsync_flushes = setting.variant & VARIANT_FLUSH;
	disk.aio_backwards = setting.variant & VARIANT_BACKWARDS;
	disk.aio_slow = setting.variant & VARIANT_SLOW;
	disk.stop_call = stop_call;
	disk.busy_call = NEVER;
	disk.fault = first ? (enum disk_fault)setting.fault : FAULT_NONE;
	disk.fault_call = setting.fault_call;
	disk.fault_file = setting.fault_file;
	disk.crash = fiber_crash;
	disk.before = fiber_point;
	disk_boot();
	count->runs++;
	end = fiber_run(world_main, NULL, first ? &setting.schedule : NULL);
	if (end == FIBER_DEADLOCK)
		snprintf(world.problem, sizeof(world.problem), "deadlock");
	return world.problem[0] == '\0';
}

static bool run_from(const struct snapshot *start, uint32_t level, bool recover_only,
		     uint32_t stop_call)
{
	disk_copy(&disk.state, &start->disk);
	world.oracle = start->oracle;
	world.killed = start->killed;
	return run(level, recover_only, stop_call);
}

static void save(struct snapshot *snapshot, bool killed)
{
	disk_copy(&snapshot->disk, &disk.state);
	snapshot->oracle = world.oracle;
	snapshot->killed = killed;
}

static uint32_t bound_of(uint32_t level)
{
	const struct scenario *scenario = setting.scenario;
	const uint32_t full = level ? scenario->fates_second : scenario->fates_first;
	const uint32_t bound = options->divide > 1 ? full / options->divide : full;

	return bound < 8 ? 8 : bound;
}

/* A process that is killed is a crash already: two more in a row are not taken. */
static bool may_descend(uint32_t level)
{
	return level + 1 < LEVELS && setting.fault < FAULT_KILLED_BEFORE;
}

struct visit {
	uint32_t level;
	uint32_t index;
	uint32_t stride; /* each so many leads to a second boot; 0: none does */
};

static void explore_level(uint32_t level);

/* Check the result of recovery from the state on the disk; with `descend` go on from there. */
static void check_state(uint32_t level, bool killed, bool descend)
{
	struct snapshot *next = &starts[level + 1];

	count->states++;
	world.killed = killed;
	if (descend || killed)
		save(next, killed);
	if (!killed && known_state(setting.scenario))
		count->repeated++;
	else if (!run(level + 1, true, NEVER))
		fail(level + 1, 'L');
	if (descend && !stop())
		explore_level(level + 1);
}

static bool visit_fates(void *context, const uint16_t *fates)
{
	struct visit *visit = context;
	const struct snapshot *crash = &crashes[visit->level];
	struct step *step = &path[visit->level];
	const bool descend = visit->stride && visit->index % visit->stride == 0;

	visit->index++;
	step->kind = 'p';
	step->count = crash->disk.pending_count;
	memcpy(step->fates, fates, step->count * sizeof(*fates));
	disk_cut_power(&disk.state, &crash->disk, fates);
	world.oracle = crash->oracle;
	check_state(visit->level, false, descend);
	return !stop();
}

static void visit_kills(uint32_t level)
{
	const struct snapshot *crash = &crashes[level];

	for (uint32_t part = crash->disk.in_flight ? 0 : 2; part <= 2 && !stop(); part++) {
		path[level].kind = 'k';
		path[level].count = 1;
		path[level].fates[0] = (uint16_t)part;
		disk_copy(&disk.state, &crash->disk);
		disk_kill(&disk.state, part);
		world.oracle = crash->oracle;
		/* With a fault the settings are many: go on from the fullest state only. */
		check_state(level, true, may_descend(level) && (part == 2 || !setting.fault));
	}
}

static void explore_crash(uint32_t level)
{
	const uint32_t bound = bound_of(level);
	struct visit visit = {.level = level};

	oracle_crashed(&world.oracle);
	save(&crashes[level], false);
	if (may_descend(level)) {
		const uint32_t total = fates_total(&disk.state, bound);

		visit.stride = total / setting.scenario->descend;
		if (visit.stride == 0)
			visit.stride = 1;
	}
	if (fates_each(&crashes[level].disk, bound, visit_fates, &visit))
		count->vectors_cut++;
	if (!stop())
		visit_kills(level);
}

static void explore_level(uint32_t level)
{
	uint32_t calls;

	if (!run_from(&starts[level], level, false, NEVER)) {
		fail(level, 'B');
		return;
	}
	calls = disk.calls;
	for (uint32_t call = level == 0 && setting.fault ? setting.fault_call : 0; call < calls;
	     call++) {
		if (stop())
			return;
		path[level].call = call;
		if (!run_from(&starts[level], level, false, call)) {
			fail(level, 'B');
			return;
		}
		explore_crash(level);
	}
}

/* Calls that fail, and schedules, are no bounds to divide: a short run leaves some out. */
static uint32_t sample_stride(void)
{
	return options->divide >= 100  ? 11
	       : options->divide >= 16 ? 4
	       : options->divide >= 8  ? 2
				       : 1;
}

/* With each call failing in each way, and each home losing a write-back before it. */
static void explore_faults(void)
{
	const uint32_t stride = sample_stride();
	uint32_t calls;

	(void)run_from(&starts[0], 0, false, NEVER);
	calls = disk.calls - 1;
	for (setting.fault_call = 0; setting.fault_call < calls; setting.fault_call += stride) {
		for (setting.fault = FAULT_NOTHING; setting.fault < FAULT_WRITEBACK;
		     setting.fault++)
			if (!stop())
				explore_level(0);
		for (setting.fault_file = 1; setting.fault_file <= 2; setting.fault_file++)
			if (!stop())
				explore_level(0);
		setting.fault_file = 0;
	}
	setting.fault_call = setting.fault = 0;
}

/* With a process killed in each call, before, in the middle of and after it. */
static void explore_kills(void)
{
	const uint32_t stride = sample_stride();
	uint32_t calls;

	(void)run_from(&starts[0], 0, false, NEVER);
	calls = disk.calls - 1;
	for (setting.fault_call = 0; setting.fault_call < calls; setting.fault_call += stride)
		for (setting.fault = FAULT_KILLED_BEFORE; setting.fault < FAULT_KINDS;
		     setting.fault++)
			if (!stop())
				explore_level(0);
	setting.fault_call = setting.fault = 0;
}

/* Under every schedule of up to two switches of threads. */
static void explore_schedules(void)
{
	const uint32_t stride = sample_stride();
	uint32_t points;

	setting.schedule.count = 0;
	(void)run_from(&starts[0], 0, false, NEVER);
	points = fiber_points() + 4;
	for (uint32_t first = 1; first <= points && !stop(); first += stride) {
		setting.schedule = (struct fiber_schedule){.count = 1, .at = {first}};
		explore_level(0);
		for (uint32_t second = first + 1; second <= points && !stop(); second++) {
			setting.schedule =
				(struct fiber_schedule){.count = 2, .at = {first, second}};
			explore_level(0);
		}
	}
	setting.schedule.count = 0;
}

bool explore_scenario(const struct scenario *scenario, const struct explore_options *wanted,
		      struct explore_count *counted)
{
	options = wanted;
	count = counted;
	/* The flush leaves fewer writes to their fate: faults and schedules go without it. */
	for (uint32_t variant = 0; variant < VARIANTS && !stop(); variant++) {
		const bool flush = variant & VARIANT_FLUSH;

		if ((variant & VARIANT_SOON && !scenario->threads) ||
		    (variant & VARIANT_BACKWARDS && !scenario->homes) ||
		    (variant & VARIANT_SLOW && !scenario->slow))
			continue;
		setting = (struct setting){.scenario = scenario, .variant = variant};
		world_prepare();
		save(&starts[0], false);
		explore_level(0);
		if (scenario->faults && !flush && !stop())
			explore_faults();
		if (scenario->kills && !flush && !stop())
			explore_kills();
		if (scenario->threads && !flush && !stop())
			explore_schedules();
	}
	return count->failures == 0;
}

/* Go down the path: crash as it says, and start the next level. */
static bool go_down(const char **at, uint32_t level)
{
	struct step *step = &path[level];

	replay_step(at, step);
	if (!run_from(&starts[level], level, false, step->call))
		return true;
	oracle_crashed(&world.oracle);
	if (step->kind == 'k') {
		disk_kill(&disk.state, step->fates[0]);
	} else {
		save(&crashes[level], false);
		if (step->count != disk.state.pending_count)
			return false;
		disk_cut_power(&disk.state, &crashes[level].disk, step->fates);
	}
	save(&starts[level + 1], step->kind == 'k');
	return true;
}

int explore_replay(const char *replay)
{
	static struct explore_count counted;
	const char *at = replay;
	uint32_t level = 0;

	count = &counted;
	if (!replay_setting(&at, &setting))
		return 2;
	world_prepare();
	save(&starts[0], false);
	while (at[0] == '/' && at[1] >= '0' && at[1] <= '9' && level < LEVELS) {
		at++;
		if (!go_down(&at, level))
			return 2;
		if (world.problem[0])
			break;
		level++;
	}
	if (!world.problem[0]) {
		if (at[0] != '/' || (at[1] != 'L' && at[1] != 'B'))
			return 2;
		(void)run_from(&starts[level], level, at[1] == 'L', NEVER);
	}
	if (world.problem[0])
		printf("# %s\n", world.problem);
	return world.problem[0] ? 1 : 0;
}
