/* SPDX-License-Identifier: MIT */
/*
 * One state of the exploration, as a string that can be given back to the crash program:
 *
 *	SCENARIO/v1/f12.3.2/s4.7/17p0.1.5/3k2/L
 *
 * v: the variant; f: call, fault and file of the fault; s: where threads switch; then a crash
 * for each level: in call 17, power cut, with these fates; in call 3, killed, all of the call
 * done; at last L: recovery only, or B: the whole boot.
 *
 * Flow: explore.c prints such a string for each failure, and follows the path of a given string.
 */
#ifndef CRASH_REPLAY_H
#define CRASH_REPLAY_H

#include "fiber.h"
#include "world.h"

#define VARIANT_FLUSH 1u     /* RWF_DSYNC flushes what came before */
#define VARIANT_SOON 2u	     /* the next frame waits for short writes to be home */
#define VARIANT_BACKWARDS 4u /* homes sent together end in the opposite order */
#define VARIANT_SLOW 8u	     /* a request without a waiter does not end */
#define VARIANTS 16u

/* The constants of all crashes of one run. */
struct setting {
	const struct scenario *scenario;
	uint32_t variant;
	uint32_t fault_call;
	uint32_t fault;
	uint32_t fault_file;
	struct fiber_schedule schedule;
};

/* One crash. */
struct step {
	uint32_t call;
	char kind; /* p: power cut, k: killed */
	uint32_t count;
	uint16_t fates[DISK_PENDING];
};

void replay_print(char *out, size_t size, const struct setting *setting, const struct step *path,
		  uint32_t levels, char end);

/* Read and skip the part before the crashes, or one crash. */
bool replay_setting(const char **at, struct setting *setting);
void replay_step(const char **at, struct step *step);

#endif /* CRASH_REPLAY_H */
