/* SPDX-License-Identifier: MIT */
/*
 * Threads and slices: a contender writes for a part of a second.
 *
 * Flow: see stage.h.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdint.h>

#include "stage.h"

#define HEAD_TRIES 3

static void take_step(struct stage_worker *worker)
{
	const struct rival *rival = &worker->with.rival;

	if (rival->step)
		rival->step(worker);
	else
		check(ways_step(&worker->writer, rival->way, worker->with.engine, rival->shape),
		      rival->name);
}

static void prepare(struct stage_worker *worker, const struct contender *contender)
{
	const struct rival *rival = &contender->rival;

	worker->with = *contender;
	worker->writer.fd = stage.fds[rival->home];
	worker->writer.file = stage.files[rival->home];
	worker->writer.behind = rival->behind && rival->way == WAYS_FLOOR;
	worker->writer.flags = rival->behind ? ATOMICIO_BEHIND : 0;
	if (rival->shape != WAYS_PAGE)
		worker->writer.pages = rival->pages;
	ways_use_memory(&worker->writer, rival->huge ? stage.huge : worker->memory);
}

/*
 * The bytes of a journal's frame before its pages: the least of some steps, because a step that
 * retires frames writes headers too.
 */
static void find_frame_head(struct stage_worker *worker, const struct contender *contender)
{
	const struct rival journal = {.name = "a frame",
				      .way = WAYS_JOURNAL,
				      .shape = contender->rival.shape,
				      .home = contender->rival.home,
				      .pages = contender->rival.pages};
	const uint64_t pages = stage_pages(&journal);
	uint64_t least = UINT64_MAX;

	if (stage.head_known_for == pages)
		return;
	stage.head_known_for = pages;
	for (uint32_t i = 0; i < HEAD_TRIES; i++) {
		const uint64_t before = stage_info().bytes_written;
		uint64_t bytes;

		prepare(worker, &(struct contender){.rival = journal});
		take_step(worker);
		bytes = stage_info().bytes_written - before;
		if (bytes > pages * PAGE && bytes - pages * PAGE < least)
			least = bytes - pages * PAGE;
	}
	if (least > WAYS_HEAD_MAX || least % 512)
		errx(1, "the journal writes %" PRIu64 " bytes before %" PRIu64 " pages", least,
		     pages);
	worker->writer.frame_head = (uint32_t)least;
}

void stage_one_step(const struct contender *contender)
{
	if (contender->rival.way == WAYS_FLOOR)
		find_frame_head(&stage.workers[0], contender);
	prepare(&stage.workers[0], contender);
	take_step(&stage.workers[0]);
}

static void *take_turn(void *argument)
{
	struct stage_worker *worker = argument;
	double before = now_ns(), after;

	worker->steps = 0;
	do {
		take_step(worker);
		after = now_ns();
		if (worker->latencies && worker->steps < LATENCIES_MAX)
			worker->latencies[worker->steps] = after - before;
		worker->steps++;
		before = after;
	} while (after < worker->deadline);
	return NULL;
}

double stage_slice(const struct contender *contender, double *ns)
{
	const uint32_t threads = contender->rival.threads ? contender->rival.threads : 1;
	double steps = 0, start;

	if (contender->rival.way == WAYS_FLOOR)
		find_frame_head(&stage.workers[0], contender);
	for (uint32_t i = 0; i < threads; i++)
		prepare(&stage.workers[i], contender);
	/* Flush the leftovers of the contender before. */
	take_step(&stage.workers[0]);
	start = now_ns();
	for (uint32_t i = 0; i < threads; i++) {
		struct stage_worker *worker = &stage.workers[i];

		worker->deadline = start + stage.slice_ns;
		if (threads == 1)
			take_turn(worker);
		else
			check(-pthread_create(&worker->thread, NULL, take_turn, worker),
			      "pthread_create");
	}
	for (uint32_t i = 0; i < threads; i++) {
		if (threads > 1)
			pthread_join(stage.workers[i].thread, NULL);
		steps += stage.workers[i].steps;
	}
	/* The contender waits for its own requests on their way. */
	if (contender->rival.way == WAYS_FLOOR)
		check(ways_settle(&stage.workers[0].writer), "ways_settle");
	else if (contender->rival.behind)
		check(atomicio_settle(stage.files[contender->rival.home], 0, FILE_SIZE),
		      "atomicio_settle");
	*ns = now_ns() - start;
	return steps;
}
