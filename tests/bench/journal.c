/* SPDX-License-Identifier: MIT */
/*
 * Goal: the cost of a durable untorn page through the journal, against every rival way.
 * Method: all contenders of a comparison take turns of a fraction of a second in one run, for many
 * rounds: other work of the machine hits all of them.  A ratio is the median of the rounds' ratios,
 * with the rival's best engine.  The rounds are spread over several layouts, each with new files in
 * a new directory: the same write takes up to a quarter longer in one place of a disk than in
 * another.
 *
 *	journal [--seconds S] [--layouts N] [--json] [--only WORD] DIRECTORY
 *		compare, S seconds per comparison, only names with WORD
 *	journal --count page|PAGES N DIRECTORY
 *		N steps of one page, or of batches, through the journal, for strace to count; prints
 *		the counts of the device below: flushes, bytes, and the frames
 *
 * Flow: tests/bench/journal.sh mounts the filesystems and runs this program on each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_rows.h"

#define ROUNDS_MAX 400
#define CONTENDERS_MAX (RIVALS_MAX * WAYS_ENGINES)
#define LAYOUTS_MAX 16
#define SECTOR 512

static struct {
	double seconds;
	uint32_t layouts;
	const char *only;
} run = {.seconds = 8, .layouts = 1, .only = ""};

/* The time of one contender in each round: ns per page. */
struct series {
	struct contender contender;
	double times[ROUNDS_MAX];
};

/* One comparison, over all layouts. */
struct race {
	struct series series[CONTENDERS_MAX];
	uint32_t series_count, rounds;
};

static struct race races[COMPARISONS];

static double median_time(const struct series *of, uint32_t rounds)
{
	static double times[ROUNDS_MAX];

	memcpy(times, of->times, rounds * sizeof(times[0]));
	return median(times, rounds);
}

/* The rival's fastest engine (ST3); NULL: not measured. */
static const struct series *best_of(const struct race *race, const char *name)
{
	const struct series *best = NULL;

	for (uint32_t i = 0; i < race->series_count; i++) {
		const struct series *one = &race->series[i];

		if (!strcmp(one->contender.rival.name, name) &&
		    (!best || median_time(one, race->rounds) < median_time(best, race->rounds)))
			best = one;
	}
	return best;
}

static void report_rival(const struct race *race, const char *what, const struct rival *rival,
			 bool first)
{
	const struct series *ours = &race->series[0], *theirs = best_of(race, rival->name);
	const uint32_t rounds = race->rounds;
	double ratios[ROUNDS_MAX];
	char more[128];

	if (!theirs)
		return;
	if (theirs->contender.rival.way == WAYS_BARE) /* measured for the bound */
		return;
	for (uint32_t i = 0; i < rounds; i++)
		ratios[i] = theirs->times[i] / ours->times[i];
	snprintf(more, sizeof(more), "\"rate\": %.1f, \"through\": \"%s\", \"rounds\": %" PRIu32,
		 1e9 / median_time(theirs, rounds), stage_through(&theirs->contender), rounds);
	if (first || !stage.json)
		stage_report(&(struct stage_result){.what = what,
						    .way = rival->name,
						    .figure = 1e9 / median_time(theirs, rounds),
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
static void report_bound(const struct race *race, const char *what)
{
	const struct series *plain = best_of(race, "unprotected"), *bare;
	double bounds[ROUNDS_MAX];

	bare = best_of(race, "unprotected, not flushed");
	if (!plain || !bare)
		return;
	for (uint32_t i = 0; i < race->rounds; i++)
		bounds[i] = plain->times[i] / (plain->times[i] + bare->times[i]);
	stage_report(&(struct stage_result){.what = what,
					    .way = "unprotected, the bound",
					    .figure = median(bounds, race->rounds),
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

static void list_contenders(struct race *race, const struct comparison *comparison)
{
	race->series_count = 0;
	for (uint32_t i = 0; i < RIVALS_MAX && comparison->rivals[i].name; i++) {
		struct contender contenders[WAYS_ENGINES];
		const uint32_t count = stage_contenders(&comparison->rivals[i], contenders);

		for (uint32_t j = 0; j < count; j++)
			race->series[race->series_count++].contender = contenders[j];
	}
}

/* The rounds of one layout: as many as its part of the time allows, and one at least. */
static void compare(struct race *race, const struct comparison *comparison)
{
	uint32_t order[CONTENDERS_MAX];
	const double start = now_ns(), seconds = run.seconds / run.layouts;

	list_contenders(race, comparison);
	do {
		progress(comparison->name, (now_ns() - start) / 1e9, seconds);
		shuffle(order, race->series_count);
		for (uint32_t i = 0; i < race->series_count; i++) {
			struct series *at = &race->series[order[i]];
			double ns, steps = stage_slice(&at->contender, &ns);

			at->times[race->rounds] = ns / steps / stage_pages(&at->contender.rival);
		}
		race->rounds++;
	} while (now_ns() < start + seconds * 1e9 && race->rounds < ROUNDS_MAX);
	progress(comparison->name, seconds, seconds);
}

static void report(const struct race *race, const struct comparison *comparison)
{
	for (uint32_t i = 0; i < RIVALS_MAX && comparison->rivals[i].name; i++)
		report_rival(race, comparison->name, &comparison->rivals[i], i == 0);
	report_bound(race, comparison->name);
}

static void report_count(const char *what, const char *of, double figure, const char *unit,
			 double goal)
{
	char name[128];

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

/* The files of one layout lie in a directory of their own, which the filesystem puts elsewhere. */
static void use_layout(uint32_t index, uint64_t counted)
{
	char name[32];

	snprintf(name, sizeof(name), "layout.%" PRIu32, index);
	if ((mkdir(name, 0700) && errno != EEXIST) || chdir(name))
		err(1, "%s", name);
	stage_begin(run.seconds, STAGE_JOURNAL | STAGE_RIVALS);
	if (counted) {
		count(1, counted / 2, 2.25); /* a frame of a page is larger, and slower */
		count(BATCH, counted, 2.02);
		count(128, counted, 0);
		count(256, counted, 0);
	}
	for (uint32_t i = 0; i < COMPARISONS; i++)
		if (strstr(comparisons[i].name, run.only))
			compare(&races[i], &comparisons[i]);
	stage_end();
	stage_remove_files();
	if (chdir(".."))
		err(1, "..");
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
		else if (!strcmp(argv[at], "--layouts") && at + 1 < argc)
			run.layouts = (uint32_t)atoi(argv[++at]);
		else if (!strcmp(argv[at], "--only") && at + 1 < argc)
			run.only = argv[++at];
		else if (!strcmp(argv[at], "--count") && at + 1 < argc)
			counted = strtoull(argv[++at], NULL, 10);
	}
	if (at + 1 != argc || run.layouts < 1 || run.layouts > LAYOUTS_MAX)
		errx(2, "usage: journal [--seconds S] [--layouts N] [--json] [--only WORD] "
			"[--count PAGES] DIRECTORY");
	if (chdir(argv[at]))
		err(1, "%s", argv[at]);
	for (uint32_t i = 0; i < run.layouts; i++)
		use_layout(i, i == 0 ? counted : 0);
	for (uint32_t i = 0; i < COMPARISONS; i++)
		if (strstr(comparisons[i].name, run.only))
			report(&races[i], &comparisons[i]);
	return 0;
}
