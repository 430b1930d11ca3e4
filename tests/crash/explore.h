/* SPDX-License-Identifier: MIT */
/*
 * Every way in which a scenario can be cut short.
 *
 * Flow: crash.c names a scenario; explore.c runs it once for each call in which it may crash,
 * gives each write that was not durable each of its fates, and starts the machine again: once
 * only to recover, which must succeed and keep all promises, and for some fates to go on with the
 * scenario and crash a second time, in recovery or after it.
 */
#ifndef CRASH_EXPLORE_H
#define CRASH_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

#define REPLAY_MAX 512u

struct explore_count {
	uint64_t states;   /* crash states recovered and checked */
	uint64_t repeated; /* of these, the same image and the same promises as one before */
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

/* Run the one state that a replay string names.  0: all well, 1: it fails, 2: no such state. */
int explore_replay(const char *replay);

#endif /* CRASH_EXPLORE_H */
