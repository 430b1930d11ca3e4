/* SPDX-License-Identifier: MIT */
/*
 * Goal: throughput and latency of durable untorn pages over the size of a batch and over threads.
 * Method: at each point all ways take turns of a fraction of a second, for many rounds; a rate is
 * the median of the rounds, a percentile is over all steps; flushes and bytes are those that the
 * block device below has counted.  Of a rival that has several engines the fastest one is shown.
 *
 *	sweep BATCHES THREADS SECONDS DIRECTORY
 *		two lists of points, as 1,8,64; SECONDS for each; one JSON object a line
 *
 * Flow: tests/bench/sweep.sh mounts the filesystems and runs this on each.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage/stage.h"

#define SAMPLES_MAX (1u << 18)
#define ROUNDS_MAX 1000
#define RIVALS_MAX 6
#define CONTENDERS_MAX (RIVALS_MAX * WAYS_ENGINES)
#define SECTOR 512

static const struct rival by_batch[] = {
	{.name = "journal", .way = WAYS_JOURNAL, .shape = WAYS_PAGES, .fixed = true},
	{.name = "floor", .way = WAYS_FLOOR, .shape = WAYS_PAGES},
	{.name = "double write", .way = WAYS_DOUBLE, .shape = WAYS_PAGES},
	{.name = "copy on write", .way = WAYS_KERNEL, .shape = WAYS_PAGES, .home = COW},
	{.name = "unprotected", .way = WAYS_PLAIN, .shape = WAYS_PAGES},
	{.name = NULL},
};

static const struct rival by_threads[] = {
	{.name = "journal", .way = WAYS_JOURNAL},
	{.name = "floor",
	 .way = WAYS_FLOOR,
	 .step = stage_floor_shared,
	 .step_through = "shared frames"},
	{.name = "double write", .way = WAYS_DOUBLE},
	{.name = "double write", .step = stage_double_shared, .step_through = "shared AIO"},
	{.name = "copy on write", .way = WAYS_KERNEL, .home = COW},
	{.name = "unprotected", .way = WAYS_PLAIN},
	{.name = NULL},
};

/* The results of one contender at one point. */
struct measure {
	struct contender with;
	double rates[ROUNDS_MAX]; /* sorted at the end */
	double samples[SAMPLES_MAX];
	uint32_t count;
	double pages;
	double steps;
	uint64_t flushes;
	uint64_t sectors;
};

static struct measure measures[CONTENDERS_MAX];
static uint32_t measure_count;

static void keep_samples(struct measure *measure, uint32_t threads)
{
	for (uint32_t i = 0; i < threads; i++) {
		const struct stage_worker *worker = &stage.workers[i];

		for (uint32_t j = 0; j < worker->steps && j < LATENCIES_MAX; j++)
			if (measure->count < SAMPLES_MAX)
				measure->samples[measure->count++] = worker->latencies[j];
	}
}

static int by_size(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* A high percentile of too few steps is left out. */
static void print_percentiles(struct measure *measure)
{
	static const struct {
		const char *name;
		double part;
	} percentiles[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}};

	qsort(measure->samples, measure->count, sizeof(double), by_size);
	for (uint32_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
		const double part = percentiles[i].part;

		if (measure->count * (1 - part) >= 0.999 || i == 0)
			printf(", \"%s\": %.1f", percentiles[i].name,
			       measure->samples[(uint32_t)(part * (measure->count - 1))] / 1e3);
	}
}

static void print(const char *axis, uint32_t at, struct measure *measure, uint32_t rounds)
{
	printf("{\"by\": \"%s\", \"at\": %u, \"way\": \"%s\", \"through\": \"%s\", "
	       "\"pages_per_second\": %.1f, \"steps\": %.0f, \"rounds\": %u",
	       axis, at, measure->with.rival.name, stage_through(&measure->with),
	       median(measure->rates, rounds), measure->steps, rounds);
	print_percentiles(measure);
	if (measure->sectors)
		printf(", \"flushes_a_page\": %.5f, \"bytes_a_byte\": %.4f",
		       (double)measure->flushes / measure->pages,
		       (double)measure->sectors * SECTOR / PAGE / measure->pages);
	printf("}\n");
	fflush(stdout);
}

/* The fastest of each name. */
static void print_best(const char *axis, uint32_t at, uint32_t rounds)
{
	for (uint32_t i = 0; i < measure_count; i++) {
		struct measure *best = &measures[i];
		bool first = true;

		for (uint32_t j = 0; j < measure_count; j++) {
			if (strcmp(measures[j].with.rival.name, measures[i].with.rival.name) != 0)
				continue;
			first = first && j >= i;
			if (!best ||
			    median(measures[j].rates, rounds) > median(best->rates, rounds))
				best = &measures[j];
		}
		if (first)
			print(axis, at, best, rounds);
	}
}

static void take_slice(struct measure *measure, uint32_t round)
{
	const uint32_t step = stage_pages(&measure->with.rival);
	const uint32_t threads = measure->with.rival.threads;
	const struct stage_counters before = stage_counters();
	double ns, steps = stage_slice(&measure->with, &ns);
	const struct stage_counters after = stage_counters();

	/* A slice begins with one untimed step. */
	measure->pages += (steps + 1) * step;
	measure->steps += steps;
	measure->flushes += after.flushes - before.flushes;
	measure->sectors += after.sectors - before.sectors;
	measure->rates[round] = steps * step / ns * 1e9;
	keep_samples(measure, threads);
}

/* All ways at one point of the axis. */
static void sweep(const char *axis, const struct rival *rivals, uint32_t at, double seconds)
{
	const double start = now_ns();
	char name[64];
	uint32_t rounds = 0;

	memset(measures, 0, sizeof(measures));
	measure_count = 0;
	for (const struct rival *rival = rivals; rival->name; rival++) {
		struct contender contenders[WAYS_ENGINES];
		struct rival here = *rival;
		uint32_t count;

		here.threads = rivals == by_threads ? at : 1;
		here.pages = rivals == by_threads ? 1 : at;
		count = stage_contenders(&here, contenders);
		for (uint32_t i = 0; i < count; i++) {
			measures[measure_count++].with = contenders[i];
			/* A frame's head is measured, and no part of a slice. */
			stage_one_step(&contenders[i]);
		}
	}
	snprintf(name, sizeof(name), "%s of %u", axis, at);
	do {
		progress(name, (now_ns() - start) / 1e9, seconds);
		for (uint32_t i = 0; i < measure_count; i++)
			take_slice(&measures[i], rounds);
		rounds++;
	} while (now_ns() - start < seconds * 1e9 && rounds < ROUNDS_MAX);
	progress(name, seconds, seconds);
	print_best(axis, at, rounds);
}

/* A list of points, each from 1 to `most`. */
static void sweep_list(const char *axis, const struct rival *rivals, char *points, uint32_t most,
		       double seconds)
{
	for (char *point = strtok(points, ","); point; point = strtok(NULL, ",")) {
		const uint32_t at = (uint32_t)strtoul(point, NULL, 10);

		if (at < 1 || at > most)
			errx(2, "a point is a number from 1 to %u", most);
		sweep(axis, rivals, at, seconds);
	}
}

int main(int argc, char **argv)
{
	const double seconds = argc == 5 ? atof(argv[3]) : 0;

	if (argc != 5)
		errx(2, "usage: sweep BATCHES THREADS SECONDS DIRECTORY");
	if (chdir(argv[4]))
		err(1, "%s", argv[4]);
	stage_begin(seconds, STAGE_JOURNAL | STAGE_RIVALS);
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		stage.workers[i].latencies = calloc(LATENCIES_MAX, sizeof(double));
		if (!stage.workers[i].latencies)
			err(1, "memory");
	}
	sweep_list("batch", by_batch, argv[1], WAYS_PAGES_MAX, seconds);
	sweep_list("threads", by_threads, argv[2], THREADS_MAX, seconds);
	stage_end();
	return 0;
}
