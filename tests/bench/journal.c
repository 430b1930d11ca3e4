/* SPDX-License-Identifier: MIT */
/*
 * Goal: the cost of a durable untorn page through the journal, against every rival way.
 * Method: all contenders of a comparison take turns of a fraction of a second in one run, for many
 * rounds: other work of the machine hits all of them.  A ratio is the median of the rounds' ratios,
 * with the rival's best engine.
 *
 *	journal [--seconds S] [--json] [--only WORD] DIRECTORY
 *		compare, S seconds per comparison, only names with WORD
 *	journal --count page|PAGES N DIRECTORY
 *		N steps of one page, or of batches, through the journal, for strace to count; prints
 *		the counts of the device below: flushes, bytes, and the frames
 *
 * Flow: tests/bench/journal.sh mounts the filesystems and runs this program on each.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage/stage.h"

#define ROUNDS_MAX 400
#define RIVALS_MAX 7
#define CONTENDERS_MAX (RIVALS_MAX * WAYS_ENGINES)
#define THREADS 8
#define SECTOR 512

/* All others are compared with the first rival. */
struct comparison {
	const char *name;
	struct rival rivals[RIVALS_MAX];
};

#define PAGE_OF(title, kind, place, wanted)                                                        \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGE, .home = place,              \
		.goal = wanted                                                                     \
	}
#define BATCH_OF(count, title, kind, place, wanted)                                                \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGES, .home = place,             \
		.pages = count, .goal = wanted                                                     \
	}
#define JOURNAL_OF(count, title, place, by, wanted)                                                \
	{                                                                                          \
		.name = title, .way = WAYS_JOURNAL, .shape = WAYS_PAGES, .home = place,            \
		.pages = count, .goal = wanted, .engine = by, .fixed = true                        \
	}
#define HUGE_OF(title, kind)                                                                       \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGES, .home = DIRECT,            \
		.pages = BATCH, .huge = true                                                       \
	}
/* The floor, whose pages are on their way while the next frame is written: needs AIO. */
#define FLOOR_BEHIND_OF(count)                                                                     \
	{                                                                                          \
		.name = "floor", .way = WAYS_FLOOR, .shape = WAYS_PAGES, .home = DIRECT,           \
		.pages = count, .goal = 0.95, .engine = WAYS_AIO, .fixed = true, .behind = true    \
	}
#define THREADS_OF(count, title, kind, wanted)                                                     \
	{                                                                                          \
		.name = title, .way = WAYS_##kind, .shape = WAYS_PAGE, .home = DIRECT,             \
		.threads = count, .goal = wanted                                                   \
	}

static const struct comparison comparisons[] = {
	{"journal, page, direct",
	 {PAGE_OF("journal", JOURNAL, DIRECT, 0), PAGE_OF("floor", FLOOR, DIRECT, 0.95),
	  PAGE_OF("double write", DOUBLE, DIRECT, 1.0), PAGE_OF("unprotected", PLAIN, DIRECT, 0.7),
	  PAGE_OF("unprotected, not flushed", BARE, DIRECT, 0),
	  PAGE_OF("copy on write", KERNEL, COW, 1.0)}},
	{"journal, page, direct, BEHIND",
	 {{.name = "journal", .way = WAYS_JOURNAL, .behind = true},
	  FLOOR_BEHIND_OF(1),
	  PAGE_OF("unprotected", PLAIN, DIRECT, 0.95)}},
	{"journal, page, buffered",
	 {PAGE_OF("journal", JOURNAL, BUFFERED, 0), PAGE_OF("double write", DOUBLE, BUFFERED, 1.0),
	  PAGE_OF("unprotected", PLAIN, BUFFERED, 0.9),
	  PAGE_OF("copy on write, direct", KERNEL, COW, 1.0)}},
	{"journal, batch of 64, direct",
	 {JOURNAL_OF(BATCH, "journal", DIRECT, WAYS_CALLS, 0),
	  JOURNAL_OF(BATCH, "the same with a queue", DIRECT, WAYS_RING, 0.97),
	  BATCH_OF(BATCH, "floor", FLOOR, DIRECT, 0.95),
	  BATCH_OF(BATCH, "double write", DOUBLE, DIRECT, 1.05),
	  BATCH_OF(BATCH, "unprotected", PLAIN, DIRECT, 0),
	  BATCH_OF(BATCH, "unprotected, not flushed", BARE, DIRECT, 0),
	  BATCH_OF(BATCH, "copy on write", KERNEL, COW, 1.0)}},
	{"journal, batch of 64, direct, from huge pages",
	 {HUGE_OF("journal", JOURNAL), HUGE_OF("floor", FLOOR), HUGE_OF("double write", DOUBLE),
	  HUGE_OF("unprotected", PLAIN)}},
	{"journal, batch of 64, direct, BEHIND",
	 {{.name = "journal",
	   .way = WAYS_JOURNAL,
	   .shape = WAYS_PAGES,
	   .pages = BATCH,
	   .behind = true},
	  FLOOR_BEHIND_OF(BATCH),
	  BATCH_OF(BATCH, "unprotected", PLAIN, DIRECT, 0.85)}},
	{"journal, batch of 64, buffered",
	 {JOURNAL_OF(BATCH, "journal", BUFFERED, WAYS_CALLS, 0),
	  BATCH_OF(BATCH, "double write", DOUBLE, BUFFERED, 1.0),
	  BATCH_OF(BATCH, "unprotected", PLAIN, BUFFERED, 1.0)}},
	{"journal, batch of 128, direct",
	 {JOURNAL_OF(128, "journal", DIRECT, WAYS_CALLS, 0),
	  JOURNAL_OF(BATCH, "batch of 64", DIRECT, WAYS_CALLS, 1.0)}},
	{"journal, batch of 256, direct",
	 {JOURNAL_OF(256, "journal", DIRECT, WAYS_CALLS, 0),
	  JOURNAL_OF(BATCH, "batch of 64", DIRECT, WAYS_CALLS, 1.0)}},
	{"journal, batch of 128, buffered",
	 {JOURNAL_OF(128, "journal", BUFFERED, WAYS_CALLS, 0),
	  JOURNAL_OF(BATCH, "batch of 64", BUFFERED, WAYS_CALLS, 1.0)}},
	{"journal, batch of 256, buffered",
	 {JOURNAL_OF(256, "journal", BUFFERED, WAYS_CALLS, 0),
	  JOURNAL_OF(BATCH, "batch of 64", BUFFERED, WAYS_CALLS, 1.0)}},
	{"journal, 8 threads, page, direct",
	 {THREADS_OF(THREADS, "journal", JOURNAL, 0),
	  {.name = "floor",
	   .way = WAYS_FLOOR,
	   .threads = THREADS,
	   .goal = 0.95,
	   .step = stage_floor_shared,
	   .step_through = "shared frames"},
	  THREADS_OF(THREADS, "unprotected, 8 threads", PLAIN, 0.85),
	  THREADS_OF(1, "journal, 1 thread", JOURNAL, 3.0)}},
};
#define COMPARISONS (sizeof(comparisons) / sizeof(comparisons[0]))

static struct {
	double seconds;
	const char *only;
} run = {.seconds = 8, .only = ""};

/* The time of one contender in each round: ns per page. */
struct series {
	struct contender contender;
	double times[ROUNDS_MAX];
};

static struct series series[CONTENDERS_MAX];
static uint32_t series_count, rounds;

static double median_time(const struct series *of)
{
	static double times[ROUNDS_MAX];

	memcpy(times, of->times, rounds * sizeof(times[0]));
	return median(times, rounds);
}

/* The rival's fastest engine (ST3); NULL: not measured. */
static const struct series *best_of(const char *name)
{
	const struct series *best = NULL;

	for (uint32_t i = 0; i < series_count; i++)
		if (!strcmp(series[i].contender.rival.name, name) &&
		    (!best || median_time(&series[i]) < median_time(best)))
			best = &series[i];
	return best;
}

static void report_rival(const char *what, const struct rival *rival, bool first)
{
	const struct series *ours = &series[0], *theirs = best_of(rival->name);
	double ratios[ROUNDS_MAX];
	char more[128];

	if (!theirs)
		return;
	if (theirs->contender.rival.way == WAYS_BARE) /* measured for the bound */
		return;
	for (uint32_t i = 0; i < rounds; i++)
		ratios[i] = theirs->times[i] / ours->times[i];
	snprintf(more, sizeof(more), "\"rate\": %.1f, \"through\": \"%s\", \"rounds\": %" PRIu32,
		 1e9 / median_time(theirs), stage_through(&theirs->contender), rounds);
	if (first || !stage.json)
		stage_report(&(struct stage_result){.what = what,
						    .way = rival->name,
						    .figure = 1e9 / median_time(theirs),
						    .unit = "pages/s",
						    .more = more});
	if (!first)
		stage_report(&(struct stage_result){.what = what,
						    .way = rival->name,
						    .figure = median(ratios, rounds),
						    .unit = "x",
						    .goal = rival->goal,
						    .more = more});
}

/*
 * One flush and two transfers against one flush and one transfer: the best that a journal can
 * reach, without overlap.  T is the time of unprotected writes, t without their flush: T / (T + t).
 */
static void report_bound(const char *what)
{
	const struct series *plain = best_of("unprotected"), *bare;
	double bounds[ROUNDS_MAX];

	bare = best_of("unprotected, not flushed");
	if (!plain || !bare)
		return;
	for (uint32_t i = 0; i < rounds; i++)
		bounds[i] = plain->times[i] / (plain->times[i] + bare->times[i]);
	stage_report(&(struct stage_result){.what = what,
					    .way = "unprotected, the bound",
					    .figure = median(bounds, rounds),
					    .unit = "x"});
}

/*
 * Another order each round.  A disk has a memory: the bytes of one contender are flushed, or paid
 * for with the disk's limit of bytes per second, in the time of the next contender.  In a fixed
 * circle the next one would always be the same.
 */
static void shuffle(uint32_t *order, uint32_t count)
{
	static uint64_t random = 1;

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		const uint32_t last = order[i - 1];
		uint32_t other;

		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		other = (uint32_t)((random >> 33) % i);
		order[i - 1] = order[other];
		order[other] = last;
	}
}

static void compare(const struct comparison *comparison)
{
	uint32_t order[CONTENDERS_MAX];
	const double start = now_ns(), end = start + run.seconds * 1e9;

	series_count = 0;
	for (uint32_t i = 0; i < RIVALS_MAX && comparison->rivals[i].name; i++) {
		struct contender contenders[WAYS_ENGINES];
		const uint32_t count = stage_contenders(&comparison->rivals[i], contenders);

		for (uint32_t j = 0; j < count; j++)
			series[series_count++].contender = contenders[j];
	}
	rounds = 0;
	do {
		progress(comparison->name, (now_ns() - start) / 1e9, run.seconds);
		shuffle(order, series_count);
		for (uint32_t i = 0; i < series_count; i++) {
			struct series *at = &series[order[i]];
			double ns, steps = stage_slice(&at->contender, &ns);

			at->times[rounds] = ns / steps / stage_pages(&at->contender.rival);
		}
		rounds++;
	} while (now_ns() < end && rounds < ROUNDS_MAX);
	progress(comparison->name, run.seconds, run.seconds);
	for (uint32_t i = 0; i < RIVALS_MAX && comparison->rivals[i].name; i++)
		report_rival(comparison->name, &comparison->rivals[i], i == 0);
	report_bound(comparison->name);
}

static void report_count(const char *what, const char *of, double figure, const char *unit,
			 double goal)
{
	char name[96];

	snprintf(name, sizeof(name), "%s: %s", what, of);
	stage_report(&(struct stage_result){
		.what = name, .figure = figure, .unit = unit, .goal = goal, .less = true});
}

/* Nobody else may use the device.  Bytes have two digits: the rest is the filesystem's. */
static void count(uint32_t batch, uint64_t pages, double bytes_goal)
{
	const struct contender contender = {.rival = {.name = "steps",
						      .way = WAYS_JOURNAL,
						      .shape = batch == 1 ? WAYS_PAGE : WAYS_PAGES,
						      .home = DIRECT,
						      .pages = batch}};
	struct stage_counters before, after;
	uint64_t frames;
	char what[64];
	double bytes;

	stage_one_step(&contender); /* the rest to be flushed */
	frames = stage_info().frames;
	before = stage_counters();
	for (uint64_t i = 0; i < pages / batch; i++)
		stage_one_step(&contender);
	after = stage_counters();
	frames = stage_info().frames - frames;
	pages = pages / batch * batch;
	bytes = (double)((after.sectors - before.sectors) * SECTOR) / (double)(pages * PAGE);
	snprintf(what, sizeof(what), batch == 1 ? "journal, page" : "journal, batch of %" PRIu32,
		 batch);
	report_count(what, "frames", (double)frames * batch / (double)pages, "frames", 1);
	report_count(what, "flushes a page, counted by the device",
		     (double)(after.flushes - before.flushes) / (double)pages, "flushes", 0);
	report_count(what, "bytes written a byte, counted by the device",
		     (double)(uint64_t)(bytes * 100 + 0.5) / 100, "bytes", bytes_goal);
}

int main(int argc, char **argv)
{
	uint64_t counted = 0;
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--json"))
			stage.json = true;
		else if (!strcmp(argv[at], "--seconds") && at + 1 < argc)
			run.seconds = atof(argv[++at]);
		else if (!strcmp(argv[at], "--only") && at + 1 < argc)
			run.only = argv[++at];
		else if (!strcmp(argv[at], "--count") && at + 1 < argc)
			counted = strtoull(argv[++at], NULL, 10);
	}
	if (at + 1 != argc)
		errx(2, "usage: journal [--seconds S] [--json] [--only WORD] [--count PAGES] "
			"DIRECTORY");
	if (chdir(argv[at]))
		err(1, "%s", argv[at]);
	stage_begin(run.seconds, STAGE_JOURNAL | STAGE_RIVALS);
	if (counted) {
		count(1, counted / 2, 2.25); /* a frame of a page is larger, and slower */
		count(BATCH, counted, 2.02);
		count(128, counted, 0);
		count(256, counted, 0);
	}
	for (uint32_t i = 0; i < COMPARISONS; i++)
		if (strstr(comparisons[i].name, run.only))
			compare(&comparisons[i]);
	stage_end();
	return 0;
}
