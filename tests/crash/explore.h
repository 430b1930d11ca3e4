/* SPDX-License-Identifier: MIT */
/*
 * Cut a scenario short in every possible way.
 *
 * Flow: crash.c names a scenario.  explore.c runs the scenario once for each call that may crash,
 * tries each fate of each write that was not durable, and starts the machine again.  The new start
 * only recovers, which must succeed and keep all promises.  For some fates the scenario then goes
 * on, and crashes a second time, in the recovery or later.
 */
#ifndef CRASH_EXPLORE_H
#define CRASH_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

#define REPLAY_MAX 512u

struct explore_count {
	uint64_t states;   /* crash states recovered and checked */
	uint64_t repeated; /* of these, repeated images with repeated promises */
	uint64_t runs;	   /* of the library, recoveries included */
	uint64_t failures;
	uint64_t vectors_cut; /* crashes whose combinations were more than the bound */
};

struct explore_options {
	bool keep_going;
	uint32_t divide; /* of the bounds, for a short run; 0 and 1: full; see sample_stride() */
};

/* Explore one scenario; false: a state failed, and its replay string was printed. */
bool explore_scenario(const struct scenario *scenario, const struct explore_options *options,
		      struct explore_count *count);

/* Run the one state of a replay string.  0: all well, 1: a failure, 2: no such state. */
int explore_replay(const char *replay);

#endif /* CRASH_EXPLORE_H */
