/* SPDX-License-Identifier: MIT */
/*
 * The applications of the crash suite.
 *
 * Flow: explore.c runs each scenario again and again, with another end each time.  Journals have
 * the smallest size: log areas wrap and headers are rewritten all the time.  Files are small, too:
 * writes meet.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "journal_internal.h"
#include "scenarios.h"

static void single(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_write(0, 0, 4096, 0);
	step_write(0, boot ? 0 : 4096, 4096, 0);
	step_write(0, 0, 4096, 0);
	step_close(0);
	step_open(0, 1, J, 0);
	step_write(0, 8192, 512, 0);
}

static void wrap(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, OPEN_BUFFERED);
	for (uint32_t i = 0; i < (boot ? 3u : 8u); i++)
		step_write(i % 2, i % 3 * 4096, 4096, 0);
	step_checkpoint();
	step_write(0, 0, 4096, 0);
}

/* Frames of 8 and 12 KiB in a ring of 28: most laps leave a gap at the end. */
static void wrap_odd(struct world *w, uint32_t boot)
{
	static const struct step_page pair[] = {
		{.handle = 0, .offset = 0, .length = 4096},
		{.handle = 1, .offset = 0, .length = 1536},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	for (uint32_t i = 0; i < (boot ? 2u : 4u); i++) {
		step_group(PAGES(pair));
		step_write(i % 2, 4096, 4096, 0);
		step_write(0, 8192 + i % 2 * 512, 512, 0);
	}
}

/* The hardware's writes, plain writes of the kernel path, and the journal's, over one range. */
static void mixed(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, ATOMICIO_PATH_AUTO, 0);
	step_open(1, 1, J, 0);
	step_open(2, 1, ATOMICIO_PATH_KERNEL, 0);
	step_write(0, 4096, 4096, 0);
	step_write(1, 0, 4096, 0);
	step_write(0, 0, 4096, ATOMICIO_DSYNC);
	step_write(2, 0, 4096, ATOMICIO_DSYNC);
	step_write(0, 0, 4096, ATOMICIO_DSYNC);
	if (boot)
		return;
	step_write(1, 4096, 4096, 0);
	step_write(0, 8192, 4096, ATOMICIO_DSYNC);
	step_write(2, 4096, 4096, 0);
	step_sync(0);
	step_write(0, 0, 1536, 0);
	step_write(2, 0, 8192, ATOMICIO_DSYNC);
	step_write(1, 4096, 4096, 0);
	step_write(0, 0, 8192, ATOMICIO_DSYNC); /* longer than any frame */
}

/* A file is closed and written by others; forgotten, emptied and used anew. */
static void reuse(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_write(0, 0, 4096, 0);
	step_write(1, 0, 4096, 0);
	if (step_close(0) == 0)
		step_foreign(1, 0, 8192, false, true);
	step_open(0, 1, J, OPEN_BUFFERED);
	step_write(0, 8192, 4096, 0);
	step_write(1, 4096, 512, 0);
	if (step_forget(1) == 0)
		step_foreign(1, 0, 16384, true, true);
	step_write(0, 0, 1536, 0);
	if (boot == 0 && step_close(1) == 0)
		step_foreign(2, 0, 4096, false, false);
}

/* The group of the crash is tried again, with one equal and one different page. */
static void retry(struct world *w, uint32_t boot)
{
	const struct step_page first[] = {
		{.handle = 0, .offset = 0, .length = 4096, .tag = 1000},
		{.handle = 1, .offset = 0, .length = 4096, .tag = 1001},
	};
	const struct step_page second[] = {
		{.handle = 0, .offset = 0, .length = 4096, .tag = 1000},
		{.handle = 1, .offset = 4096, .length = 4096, .tag = 1002},
	};

	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	/* With a live frame before, recovery handles the torn frame, else open. */
	if (boot == 0 && w->scenario->live_before)
		step_write(0, 12288, 512, 0);
	if (boot == 0)
		step_group(PAGES(first));
	else
		step_group(PAGES(second));
}

/* A journal is laid out over a finished one, whose files others have written. */
static void recreate(struct world *w, uint32_t boot)
{
	const struct atomicio_journal_options options = {
		.size = w->scenario->journal_size,
		.frame_max = w->scenario->frame_max,
		.flags = ATOMICIO_JOURNAL_OVERWRITE,
	};

	step_open(0, 1, J, 0);
	step_write(0, 0, 4096, 0);
	step_write(0, 4096, 4096, 0);
	step_checkpoint();
	step_write(0, 8192, 4096, 0);
	if (boot || step_close(0))
		return;
	step_foreign(1, 0, 16384, false, true);
	atomicio_journal_close(w->journal);
	w->oracle.journal_made = false;
	if (journal_create(&disk_sys, DISK_FD(0), &options, sizeof(options)))
		world_problem("create gives an error");
	w->oracle.journal_made = true;
	if (journal_open(&disk_sys, DISK_FD(0), &w->journal))
		world_problem("the new journal does not open");
	step_open(0, 1, J, 0);
	step_write(0, 0, 512, 0);
}

static void large(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_write(0, 0, 16384, 0);
	step_write(1, 0, 8192, 0);
	if (boot)
		return;
	step_write(0, 512, 1536, 0);
	step_write(0, 0, 16384, 0);
}

#define RUN_SCENARIO(called, function, text, ring, frame, ...)                                     \
	static const struct scenario scenario_##called = {.name = #called,                         \
							  .about = text,                           \
							  .journal_size = RING(ring),              \
							  .frame_max = frame,                      \
							  .run = function,                         \
							  __VA_ARGS__}
#define SCENARIO(function, ...) RUN_SCENARIO(function, function, __VA_ARGS__)

SCENARIO(single, "one page at a time", 16384, 8192, .fates_first = 4000, .fates_second = 300,
	 .descend = 6);
RUN_SCENARIO(group, run_group, "groups over three files", 32768, 16384, .fates_first = 3000,
	     .fates_second = 100, .descend = 4);
RUN_SCENARIO(chain, run_chain, "groups longer than a frame", 65536, 8192, .fates_first = 1500,
	     .fates_second = 60, .descend = 2);
SCENARIO(wrap, "a ring of two frames", 16384, 8192, .fates_first = 3000, .fates_second = 150,
	 .descend = 4);
SCENARIO(wrap_odd, "a ring with gaps at its end", 28672, 12288, .fates_first = 2000,
	 .fates_second = 60, .descend = 2);
SCENARIO(mixed, "hardware and journal over one range", 16384, 8192, .fates_first = 3000,
	 .fates_second = 150, .descend = 4);
SCENARIO(reuse, "files closed, forgotten, and written by others", 16384, 8192, .fates_first = 3000,
	 .fates_second = 150, .descend = 4);
SCENARIO(retry, "a torn group tried again", 24576, 12288, .fates_first = 400, .fates_second = 100,
	 .descend = 100);
static const struct scenario scenario_retry_live = {
	.name = "retry_live",
	.about = "a torn group behind a live one tried again",
	.journal_size = RING(32768),
	.frame_max = 12288,
	.run = retry,
	.fates_first = 200,
	.fates_second = 100,
	.descend = 200,
	.live_before = true,
};
RUN_SCENARIO(poison, run_poison, "calls that fail", 16384, 8192, .fates_first = 100,
	     .fates_second = 10, .descend = 1, .faults = true);
RUN_SCENARIO(poison_group, run_poison_group, "calls that fail in groups", 24576, 12288,
	     .fates_first = 100, .fates_second = 8, .descend = 1, .faults = true);
RUN_SCENARIO(stolen, run_stolen, "write-backs that fail", 16384, 8192, .fates_first = 100,
	     .fates_second = 10, .descend = 1, .faults = true);
RUN_SCENARIO(carry, run_carry, "a file that fails alone", 49152, 8192, .fates_first = 12,
	     .fates_second = 8, .descend = 1, .faults = true);
RUN_SCENARIO(steps, run_steps, "frames while others are retired", 65536, 8192, .fates_first = 12,
	     .fates_second = 8, .descend = 1, .faults = true, .slow = true);
RUN_SCENARIO(steps_threads, run_steps_threads, "threads while frames are retired", 32768, 8192,
	     .fates_first = 8, .fates_second = 8, .descend = 1, .threads = true, .slow = true);
RUN_SCENARIO(behind, run_behind, "pages that go home behind their writers", 49152, 16384,
	     .fates_first = 16, .fates_second = 8, .descend = 1, .faults = true, .homes = true,
	     .slow = true);
RUN_SCENARIO(behind_threads, run_behind_threads, "threads whose pages go home behind them", 49152,
	     8192, .fates_first = 8, .fates_second = 8, .descend = 1, .threads = true,
	     .slow = true);
RUN_SCENARIO(homes, run_homes, "groups whose pages go home together", 49152, 24576,
	     .fates_first = 24, .fates_second = 8, .descend = 1, .faults = true, .homes = true);
RUN_SCENARIO(homes_threads, run_homes_threads, "threads whose pages go home together", 49152, 16384,
	     .fates_first = 8, .fates_second = 8, .descend = 1, .threads = true);
RUN_SCENARIO(threads, run_threads, "three threads", 32768, 16384, .fates_first = 100,
	     .fates_second = 8, .descend = 1, .threads = true);
RUN_SCENARIO(threads_full, run_threads_full, "threads and a full ring", 16384, 8192,
	     .fates_first = 100, .fates_second = 8, .descend = 1, .threads = true);
RUN_SCENARIO(ring, run_ring, "pages in the caller's ring", 49152, 8192, .fates_first = 400,
	     .fates_second = 30, .descend = 2);
RUN_SCENARIO(ring_gather, run_ring_gather, "frames in the caller's ring", 65536, 16384,
	     .fates_first = 300, .fates_second = 20, .descend = 2);
RUN_SCENARIO(ring_wrap, run_ring_wrap, "a full log area, and the caller's ring", 32768, 8192,
	     .fates_first = 300, .fates_second = 30, .descend = 2);
RUN_SCENARIO(ring_fails, run_ring_fails, "entries that fail", 49152, 12288, .fates_first = 30,
	     .fates_second = 8, .descend = 1, .faults = true);
SCENARIO(recreate, "a new journal over an old one", 16384, 8192, .fates_first = 3000,
	 .fates_second = 100, .descend = 2);
SCENARIO(large, "pages of 16 KiB", 40960, 20480, .fates_first = 3000, .fates_second = 150,
	 .descend = 3);
RUN_SCENARIO(batch, run_batch, "batches that are not groups", 40960, 20480, .fates_first = 3000,
	     .fates_second = 150, .descend = 3);
RUN_SCENARIO(batch_mixed, run_batch_mixed, "batches that two paths share", 24576, 12288,
	     .fates_first = 60, .fates_second = 8, .descend = 1, .faults = true);
RUN_SCENARIO(rot, run_rot, "a damaged frame", 65536, 8192, .fates_first = 400, .fates_second = 50,
	     .descend = 2);
RUN_SCENARIO(partial, run_partial, "a recovery of one file of two", 49152, 8192, .fates_first = 300,
	     .fates_second = 40, .descend = 8, .partial = true);
RUN_SCENARIO(swapped, run_partial, "another file in the place of one", 49152, 8192,
	     .fates_first = 100, .fates_second = 16, .descend = 8, .partial = true,
	     .swapped = true);
RUN_SCENARIO(forged, run_forged, "a page that holds a frame", 40960, 20480, .fates_first = 400,
	     .fates_second = 16, .descend = 1);
RUN_SCENARIO(damage, run_damage, "a damaged header", 24576, 8192, .fates_first = 200,
	     .fates_second = 16, .descend = 8, .damage = true);
RUN_SCENARIO(lying, run_lying, "a page cache that hides what was lost", 49152, 8192,
	     .fates_first = 16, .fates_second = 8, .descend = 1, .faults = true,
	     .cache_lies = true);
RUN_SCENARIO(full, run_full, "a disk without room", 24576, 8192, .fates_first = 200,
	     .fates_second = 16, .descend = 4, .full = true);
RUN_SCENARIO(served, single, "files of a server that drops RWF_DSYNC", 24576, 8192,
	     .fates_first = 800, .fates_second = 32, .descend = 2, .server = true);
RUN_SCENARIO(turns, run_turns, "processes that take turns", 65536, 12288, .fates_first = 12,
	     .fates_second = 8, .descend = 1, .kills = true);
RUN_SCENARIO(turns_full, run_turns_full, "processes and a full ring", 24576, 12288,
	     .fates_first = 12, .fates_second = 8, .descend = 1, .kills = true);
static const struct scenario scenario_buffered = {
	.name = "buffered",
	.about = "a journal in the page cache",
	.journal_size = RING(16384),
	.frame_max = 8192,
	.run = single,
	.fates_first = 2000,
	.fates_second = 150,
	.descend = 4,
	.buffered_journal = true,
};

const struct scenario *const scenarios[] = {
	&scenario_single,
	&scenario_group,
	&scenario_wrap,
	&scenario_wrap_odd,
	&scenario_mixed,
	&scenario_reuse,
	&scenario_retry,
	&scenario_poison,
	&scenario_poison_group,
	&scenario_stolen,
	&scenario_threads,
	&scenario_threads_full,
	&scenario_recreate,
	&scenario_large,
	&scenario_batch,
	&scenario_rot,
	&scenario_buffered,
	&scenario_retry_live,
	&scenario_batch_mixed,
	&scenario_carry,
	&scenario_chain,
	&scenario_homes,
	&scenario_homes_threads,
	&scenario_steps,
	&scenario_steps_threads,
	&scenario_partial,
	&scenario_ring,
	&scenario_ring_gather,
	&scenario_ring_wrap,
	&scenario_ring_fails,
	&scenario_turns,
	&scenario_turns_full,
	&scenario_behind,
	&scenario_behind_threads,
	&scenario_swapped,
	&scenario_forged,
	&scenario_damage,
	&scenario_lying,
	&scenario_full,
	&scenario_served,
	NULL,
};
