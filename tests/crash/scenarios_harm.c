/* SPDX-License-Identifier: MIT */
/*
 * Scenarios with more than a crash: damage, replaced files, pages that look like frames, a page
 * cache that hides a loss, a full disk (J6, K1, K2, K4, K6, K8).
 *
 * Flow: see world_harm.c for the steps, and for the recoveries before the full recovery.
 */
#include <stddef.h>

#include "scenarios.h"

/* Live pages of two files, for a recovery that can open only one file. */
void run_partial(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	if (boot)
		return;
	step_write(0, 0, 4096, 0);
	step_write(1, 0, 4096, 0);
	step_write(0, 8192, 512, 0);
}

/*
 * A frame rots on the disk, before whole frames: recovery reports the damage, and replays nothing.
 */
void run_rot(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_write(0, 0, 4096, 0);
	step_write(0, 4096, 4096, 0);
	step_write(0, 8192, 512, 0);
	if (boot == 0)
		step_rot();
}

/* A page looks like a frame: in a cut frame, and in a frame written over. */
void run_forged(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	if (boot == 0) {
		step_write(0, 0, 512, 0);
		step_forged(0);
		step_checkpoint();
	}
	for (uint32_t i = 0; i < (boot ? 2u : 4u); i++)
		step_write(1, i * 4096, 512, 0);
}

/* Others have overwritten the home page since: an old header would bring the frame's page back. */
void run_damage(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	for (uint32_t i = 0; i < 2; i++) {
		if (boot == 0 || i)
			step_write(0, 0, 4096, 0);
		if (step_close(0) == 0)
			step_foreign(1, 0, 4096, false, true);
		step_open(0, 1, J, 0);
	}
	step_write(0, 8192, 512, 0);
}

/* A write-back of homes in the cache fails, and the cache outlives the process. */
void run_lying(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, OPEN_BUFFERED);
	step_open(1, 2, J, OPEN_BUFFERED);
	step_write(0, 0, 4096, 0);
	step_write(1, 512, 1024, 0);
	step_write(1, 0, 1024, 0);
	step_checkpoint();
	if (boot)
		return;
	step_restart();
	step_open(1, 2, J, OPEN_BUFFERED);
	step_write(1, 4096, 512, 0);
}

/* A page finds no room at home: it is refused, and nothing else is (K6). */
void run_full(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, OPEN_BUFFERED);
	step_write(0, 0, 512, 0);
	step_refused(0, DISK_HOME_SIZE, 512);
	step_write(1, 12288, 4096, 0);
	step_refused(1, DISK_HOME_SIZE - 512, 1024);
	step_write(1, DISK_HOME_SIZE - 512, 512, 0);
	if (boot == 0 && step_close(0) == 0)
		step_foreign(1, 0, 4096, false, true);
}
