/* SPDX-License-Identifier: MIT */
/*
 * Applications with failing calls, and with threads that take turns.
 *
 * Flow: explore.c runs the first three also with each call failing in each way, and the last
 * two under every schedule.
 */
#include <stddef.h>

#include "fiber.h"
#include "scenarios.h"

/* With any failure no acknowledged page is lost and no older page comes back. */
void run_poison(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 1, ATOMICIO_PATH_KERNEL, 0);
	step_write(0, 0, 4096, 0);
	step_write(1, 0, 4096, ATOMICIO_DSYNC);
	step_write(0, 4096, 4096, 0);
	step_checkpoint();
	step_write(0, 0, 4096, 0);
	step_write(1, 0, 4096, ATOMICIO_DSYNC);
	step_close(1);
	if (step_close(0) == 0)
		step_foreign(1, 0, 4096, false, true);
	if (boot)
		return;
	step_restart();
	step_open(0, 1, J, 0);
	step_write(0, 0, 512, 0);
}

void run_poison_group(struct world *w, uint32_t boot)
{
	static const struct step_page pair[] = {
		{.handle = 0, .offset = 0, .length = 4096},
		{.handle = 1, .offset = 512, .length = 1536},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, OPEN_BUFFERED);
	step_group(PAGES(pair));
	step_write(0, 8192, 4096, 0);
	step_group(PAGES(pair));
	step_forget(2);
	if (boot)
		return;
	step_group(PAGES(pair));
	step_restart();
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_group(PAGES(pair));
	step_restart();
}

/* The error of a lost write-back is told once, and not always to the journal. */
void run_stolen(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, OPEN_BUFFERED);
	step_write(0, 0, 4096, 0);
	step_sync(0);
	step_write(0, 4096, 4096, 0);
	if (step_close(0) == 0)
		step_foreign(1, 8192, 4096, false, true);
	step_open(0, 2, J, 0);
	step_open(1, 2, ATOMICIO_PATH_AUTO, 0);
	step_open(2, 2, ATOMICIO_PATH_KERNEL, 0);
	step_write(1, 0, 4096, 0);
	step_write(0, 0, 4096, 0);
	step_sync(1);
	step_write(0, 8192, 4096, 0);
	step_write(2, 4096, 4096, boot ? 0 : ATOMICIO_DSYNC);
	step_write(0, 0, 4096, 0);
	step_sync(2);
	step_close(2);
	step_close(1);
	if (step_close(0) == 0)
		step_foreign(2, 12288, 4096, false, true);
}

/*
 * A file fails while its pages are live, some of them twice, and another file needs the log area:
 * the pages are carried (K7, C2), lap after lap.
 */
void run_carry(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_write(0, 0, 4096, 0);
	step_write(0, 0, 1536, 0);
	for (uint32_t i = 0; i < (boot ? 1u : 6u); i++)
		step_write(1, i % 2 * 4096, 512, 0);
	step_close(0);
	for (uint32_t i = 0; i < (boot ? 0u : 4u); i++)
		step_write(1, 8192, 512, 0);
	step_close(1);
	step_restart();
	step_open(0, 1, J, 0);
	step_write(0, 4096, 512, 0);
}

/*
 * New frames are written while half of the log area is retired: syncs and headers are on their way
 * from one write to the next, or until the log area is full.
 */
void run_steps(struct world *w, uint32_t boot)
{
	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, OPEN_BUFFERED);
	for (uint32_t i = 0; i < (boot ? 1u : 9u); i++)
		step_write(i % 2, i % 3 * 4096, 512, 0);
	if (boot == 0 && step_close(0) == 0)
		step_foreign(1, 0, 4096, false, true);
}

/* Pages go home behind their writers, some over others, and a group; then a reader needs them. */
void run_behind(struct world *w, uint32_t boot)
{
	static const struct step_page pages[] = {
		{.handle = 1, .offset = 4096, .length = 512},
		{.handle = 0, .offset = 1024, .length = 1536},
		{.handle = 0, .offset = 0, .length = 512},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_write(0, 0, 1536, ATOMICIO_BEHIND);
	step_write(1, 0, 512, ATOMICIO_BEHIND);
	step_group_with(PAGES(pages), ATOMICIO_BEHIND);
	if (boot)
		return;
	step_settle(1, 0, 512);
	step_write(0, 0, 512, ATOMICIO_BEHIND);
	step_checkpoint();
	step_write(1, 0, 512, ATOMICIO_BEHIND);
	step_sync(1);
	step_write(0, 4096, 512, ATOMICIO_BEHIND);
	if (step_close(0) == 0)
		step_foreign(1, 0, 8192, false, true);
}

/* Pages in no order, some of them neighbours, of direct files and a buffered file. */
void run_homes(struct world *w, uint32_t boot)
{
	static const struct step_page pages[] = {
		{.handle = 1, .offset = 4096, .length = 4096},
		{.handle = 0, .offset = 512, .length = 1536},
		{.handle = 2, .offset = 0, .length = 512},
		{.handle = 0, .offset = 0, .length = 512},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_open(2, 3, J, OPEN_BUFFERED);
	step_group(PAGES(pages));
	if (boot)
		return;
	step_checkpoint();
	step_group(LOOSE(pages));
	if (step_close(0) == 0)
		step_foreign(1, 0, 4096, false, true);
}

struct job {
	uint32_t handle;
	uint64_t offset;
	uint32_t length;
	uint32_t flags;
	uint32_t times;
};

static void write_job(void *argument)
{
	const struct job *job = argument;

	for (uint32_t i = 0; i < job->times; i++)
		step_write(job->handle, job->offset, job->length, job->flags);
	if (job->flags & ATOMICIO_BEHIND)
		step_settle(job->handle, 0, 0);
}

/* Three threads, two of them on one page, share frames, and their pages go home in order. */
void run_threads(struct world *w, uint32_t boot)
{
	static struct job jobs[] = {
		{.handle = 1, .offset = 0, .length = 512, .times = 1},
		{.handle = 0, .offset = 0, .length = 4096, .times = 1},
		{.handle = 0, .offset = 2048, .length = 4096, .times = 1},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	step_write(1, 8192, 4096, 0);
	if (boot)
		return;
	fiber_start(write_job, &jobs[1]);
	fiber_start(write_job, &jobs[2]);
	write_job(&jobs[0]);
	step_join();
	step_write(1, 0, 4096, 0);
	step_close(0);
	step_foreign(1, 0, 8192, false, true);
}

static void checkpoint_job(void *argument)
{
	(void)argument;
	step_checkpoint();
}

/* A checkpoint meets frames that are not home yet; the ring is full all the time. */
void run_threads_full(struct world *w, uint32_t boot)
{
	static struct job jobs[] = {
		{.handle = 0, .offset = 0, .length = 4096, .times = 2},
		{.handle = 1, .offset = 0, .length = 4096, .times = 2},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, OPEN_BUFFERED);
	if (boot)
		return;
	fiber_start(write_job, &jobs[1]);
	fiber_start(checkpoint_job, NULL);
	write_job(&jobs[0]);
	step_join();
	step_close(0);
	step_foreign(1, 0, 4096, false, true);
}

static void reader_job(void *argument)
{
	static uint8_t bytes[512];

	(void)argument;
	(void)atomicio_journal_read(world.journal, 101, bytes, sizeof(bytes), 0);
}

/* Two writers, and a third that holds the tail for a moment, while frames are retired. */
void run_steps_threads(struct world *w, uint32_t boot)
{
	static struct job jobs[] = {
		{.handle = 0, .offset = 0, .length = 512, .times = 2},
		{.handle = 1, .offset = 0, .length = 512, .times = 2},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, OPEN_BUFFERED);
	if (boot)
		return;
	fiber_start(write_job, &jobs[1]);
	fiber_start(reader_job, NULL);
	write_job(&jobs[0]);
	step_join();
}

static void group_job(void *argument)
{
	(void)argument;
	static const struct step_page pages[] = {
		{.handle = 1, .offset = 4096, .length = 512},
		{.handle = 0, .offset = 8192, .length = 512},
	};

	step_group(PAGES(pages));
}

/* Two writers of one page, whose pages go home behind them, and a checkpoint. */
void run_behind_threads(struct world *w, uint32_t boot)
{
	static struct job jobs[] = {
		{.handle = 0, .offset = 0, .length = 1024, .flags = ATOMICIO_BEHIND, .times = 1},
		{.handle = 0, .offset = 512, .length = 1024, .flags = ATOMICIO_BEHIND, .times = 2},
	};

	(void)w;
	step_open(0, 1, J, 0);
	if (boot)
		return;
	fiber_start(write_job, &jobs[1]);
	fiber_start(checkpoint_job, NULL);
	write_job(&jobs[0]);
	step_join();
}

/* Homes of two frames on their way together, some of one page, and a checkpoint between them. */
void run_homes_threads(struct world *w, uint32_t boot)
{
	static const struct step_page pages[] = {
		{.handle = 0, .offset = 0, .length = 512},
		{.handle = 1, .offset = 4096, .length = 512},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, 0);
	if (boot)
		return;
	fiber_start(group_job, NULL);
	fiber_start(checkpoint_job, NULL);
	step_group(PAGES(pages));
	step_join();
}
