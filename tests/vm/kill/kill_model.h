/* SPDX-License-Identifier: MIT */
/*
 * The allowed state of the disks after a cut, and the counts so far: kept in a file between rounds.
 *
 * Flow: kill_judge.c feeds the model with the guest's records.
 */
#ifndef TESTS_VM_KILL_MODEL_H
#define TESTS_VM_KILL_MODEL_H

#include "kill.h"

#include <stddef.h>

/* Since the last check: lanes began at `start`, and `done` is the last that returned. */
struct model_target {
	uint64_t exact[KILL_PAGES]; /* found by the last check */
	uint64_t start[KILL_LANES], done[KILL_LANES];
};

struct model_count {
	uint64_t checks, found_new; /* found_new: pages with a version that was not acknowledged */
	uint64_t acknowledged;	    /* operations */
	uint64_t torn, frames, frame_checks, tails_torn;
};

struct model {
	uint64_t kills, kills_early, rounds;
	uint64_t ready_ms; /* of the last round that became ready, never 0 */
	uint64_t life[KILL_DISKS];
	bool made[KILL_DISKS];
	struct model_target targets[KILL_TARGETS];
	struct model_count counts[KILL_TARGETS];
};

/* Give the disk a new life, with fresh files. */
void model_fresh(struct model *model, uint32_t disk, uint64_t life);
void model_made(struct model *model, uint32_t disk);
/* False: this lane cannot have reached the number. */
bool model_done(struct model *model, uint32_t target, uint32_t lane, uint64_t number);
/*
 * Are these versions right?  If not, `problem` names the fault.  If yes, the versions must be there
 * from now on, and the lanes' next numbers are in start[].
 */
bool model_found(struct model *model, uint32_t target, const uint64_t *versions, char *problem,
		 size_t problem_size);

#endif /* TESTS_VM_KILL_MODEL_H */
