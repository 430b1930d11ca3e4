/* SPDX-License-Identifier: MIT */
/*
 * Applications with an io_uring of their own: entries that end late, in another order, or never,
 * beside writes by call.
 *
 * Flow: explore.c runs these scenarios like any other; each ends with entries without completion.
 */
#include <stddef.h>

#include "scenarios.h"
#include "world_ring.h"

/* Single pages: the frame, then the home, with other entries in between. */
void run_ring(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, OPEN_BUFFERED);
	step_open(2, 1, ATOMICIO_PATH_KERNEL, 0);
	step_begin(4);
	step_prep(0, 0, 0, 4096);
	step_submit(0);
	step_write(1, 0, 512, 0);
	step_write_busy(0, 2048, 512);
	step_complete(0);
	step_prep(1, 0, 4096, 512);
	step_submit(1);
	step_next(0);
	step_submit(0);
	step_write(0, 8192, 512, 0);
	step_complete(1);
	step_complete(0);
	step_checkpoint_busy();
	step_finish(1);
	step_prep(4, 0, 12288, 4096);
	step_finish(4);
	step_past(2, 2, 12288, 4096); /* past the journal, over a live frame */
	step_prep(4, 0, 12288, 4096);
	step_finish(4);
	step_write(2, 12288, 4096, ATOMICIO_DSYNC);
	if (boot == 0) {
		step_checkpoint();
		step_write(0, 0, 512, 0);
	}
	step_prep(2, 0, 4096, 512); /* submitted, and never seen again */
	step_submit(2);
	step_write(1, 0, 512, 0);
	step_prep(3, 1, 4096, 512); /* never submitted */
	step_write(1, 512, 512, 0);
}

/* Frames of several requests, some of them groups, end in another order; one is cancelled. */
void run_ring_gather(struct world *w, uint32_t boot)
{
	static const struct step_page pair[] = {
		{.handle = 0, .offset = 0, .length = 512},
		{.handle = 1, .offset = 4096, .length = 1536},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_begin(4);
	step_gather_group(0, pair, 2);
	step_gather(1, 0, 8192, 512);
	step_commit(1);
	step_gather(2, 1, 0, 512);
	step_commit(2);
	step_submit(1);
	step_submit(2);
	step_complete(2);
	step_next(2);
	step_complete(1);
	if (boot == 0) {
		step_prep(3, 1, 8192, 512);
		step_cancel(3);
		step_write(1, 8192, 512, 0);
	}
	step_finish(0);
	step_gather_group(4, pair, 2);
	step_commit(4);
	step_submit(2);
	step_submit(4);
	step_complete(2);
	step_complete(4);
}

/* A ring of few frames: what is told to come later comes after a checkpoint; holes are retired. */
void run_ring_wrap(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_begin(2);
	for (uint32_t i = 0; i < (boot ? 2u : 6u); i++) {
		if (step_prep(0, i % 2, i % 3 * 4096, 512) != 0) {
			step_checkpoint();
			step_prep(0, i % 2, i % 3 * 4096, 512);
		}
		step_submit(0);
		if (step_prep(1, 1 - i % 2, 8192 + i % 2 * 512, 512) == 0)
			step_cancel(1);
		step_complete(0);
		step_finish(0);
	}
	step_prep(0, 0, 0, 4096);
	step_submit(0);
	step_complete(0);
	step_next(0);
	step_submit(0); /* its home is abandoned */
	step_checkpoint_busy();
	step_write(1, 0, 512, 0);
}

/* The same with calls that fail. */
void run_ring_fails(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_begin(4);
	step_write(0, 0, 512, 0);
	step_gather(0, 0, 0, 512);
	step_gather(1, 1, 0, 512);
	step_commit(0);
	step_submit(0);
	step_write(1, 4096, 512, 0);
	step_complete(0);
	step_finish(0);
	step_prep(2, 0, 0, 512);
	step_submit(2);
	step_finish(1);
	step_checkpoint();
	step_complete(2);
	step_write(1, 4096, 512, 0);
	step_finish(2);
	step_checkpoint();
	if (boot)
		return;
	step_write(1, 4096, 512, 0);
	step_prep(3, 0, 4096, 512);
	step_submit(3);
	step_write(1, 0, 512, 0);
}
