/* SPDX-License-Identifier: MIT */
/*
 * Threads that take turns: the library's threads, run in an order that the test chooses.
 *
 * Flow: a run of a scenario is one fiber, or several; the library's pthread calls are wrapped
 * by the linker (--wrap) and end up here.  A fiber runs until it waits, ends, or reaches a
 * point where the schedule says to switch.  Every interleaving can therefore be repeated, a crash
 * is a jump out of all fibers, and a deadlock is seen at once.
 */
#ifndef CRASH_FIBER_H
#define CRASH_FIBER_H

#include <stdbool.h>
#include <stdint.h>

#define FIBERS 4u
#define FIBER_SWITCHES 3u

enum fiber_end { FIBER_DONE, FIBER_CRASHED, FIBER_DEADLOCK };

/* Switch to the next ready fiber, at these points of fiber_point(). */
struct fiber_schedule {
	uint32_t count;
	uint32_t at[FIBER_SWITCHES];
};

/* Run `main` and its fibers, to the end, the crash or the deadlock. */
enum fiber_end fiber_run(void (*main)(void *), void *argument,
			 const struct fiber_schedule *schedule);

/* From inside. */
void fiber_start(void (*body)(void *), void *argument);
void fiber_join_all(void);   /* wait for all that were started */
void fiber_point(void);	     /* the schedule may switch here */
void fiber_crash(void);	     /* leave the run */
uint32_t fiber_self(void);   /* 0: main */
uint32_t fiber_points(void); /* counted in the last run, beside other fibers */

#endif /* CRASH_FIBER_H */
