/* SPDX-License-Identifier: MIT */
/*
 * Goal: how long a durable page of many threads can take, and for how long nobody gets anywhere,
 * when the journal's log comes round many times.
 * Method: 8 threads write single durable pages into one buffered file, through the journal until
 * its log of 64 MiB came round WRAPS times, then as many pages unprotected; RUNS times.  A gap is
 * the time between two completions of any threads.
 *
 *	latency WRAPS RUNS [--json] DIRECTORY
 *
 * Flow: tests/bench/latency.sh mounts ext4 and runs this on it.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage/stage.h"

#define THREADS 8
#define RUNS_MAX 99
#define SAMPLES_MAX (1u << 20) /* of a thread and a run */
#define LOOK_EVERY 64	       /* steps between two looks at how far the log is */

enum { JOURNAL, PLAIN, RIVALS };

static struct {
	uint32_t index;
	uint64_t wraps, pages; /* when to stop: by the log, or by pages */
	uint64_t bytes_before;
	bool journaled;
	atomic_bool over;
	_Atomic uint64_t done, last_ns, gap_ns;
	float *samples[THREADS];
	uint32_t counts[THREADS];
} run;

static double percentiles[RIVALS][RUNS_MAX], gaps[RIVALS][RUNS_MAX];

/* Completions of all threads, and the longest time without one. */
static void complete(double now)
{
	const uint64_t at = (uint64_t)now, last = atomic_exchange(&run.last_ns, at);
	uint64_t longest = atomic_load(&run.gap_ns);

	/* Two threads at the same time may pass each other without a gap. */
	while (at > last && at - last > longest &&
	       !atomic_compare_exchange_weak(&run.gap_ns, &longest, at - last))
		;
}

static bool is_over(void)
{
	if (run.journaled)
		return stage_info().bytes_written - run.bytes_before >= run.wraps * LOG_SIZE;
	return atomic_load(&run.done) >= run.pages;
}

static void *write_pages(void *argument)
{
	struct stage_worker *worker = argument;
	const uint32_t index = (uint32_t)(worker - stage.workers);
	const enum ways_way way = run.journaled ? WAYS_JOURNAL : WAYS_PLAIN;
	double before = now_ns();

	while (!atomic_load(&run.over)) {
		double after;

		check(ways_step(&worker->writer, way, WAYS_CALLS, WAYS_PAGE), "a page");
		after = now_ns();
		complete(after);
		if (run.counts[index] < SAMPLES_MAX)
			run.samples[index][run.counts[index]++] = (float)(after - before);
		before = after;
		if (atomic_fetch_add(&run.done, 1) % LOOK_EVERY == 0 && is_over())
			atomic_store(&run.over, true);
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	const float left = *(const float *)a, right = *(const float *)b;

	return (left > right) - (left < right);
}

/* The 99.9th percentile of all threads' pages, in microseconds. */
static double percentile(void)
{
	uint64_t all = 0, at = 0;
	float *samples;
	double value;

	for (uint32_t i = 0; i < THREADS; i++)
		all += run.counts[i];
	samples = calloc(all, sizeof(*samples));
	if (!samples)
		err(1, "memory");
	for (uint32_t i = 0; i < THREADS; i++) {
		memcpy(samples + at, run.samples[i], run.counts[i] * sizeof(*samples));
		at += run.counts[i];
	}
	qsort(samples, all, sizeof(*samples), by_size);
	value = samples[(uint64_t)((double)(all - 1) * 0.999)] / 1e3;
	free(samples);
	return value;
}

/* One run of one rival; returns the number of pages. */
static uint64_t take_run(bool journaled, uint64_t wraps, uint64_t pages, uint32_t index)
{
	const uint32_t rival = journaled ? JOURNAL : PLAIN;

	run.journaled = journaled;
	run.wraps = wraps;
	run.pages = pages;
	run.bytes_before = stage_info().bytes_written;
	atomic_store(&run.over, false);
	atomic_store(&run.done, 0);
	atomic_store(&run.gap_ns, 0);
	atomic_store(&run.last_ns, (uint64_t)now_ns());
	for (uint32_t i = 0; i < THREADS; i++) {
		struct stage_worker *worker = &stage.workers[i];

		run.counts[i] = 0;
		worker->writer.fd = stage.fds[BUFFERED];
		worker->writer.file = stage.files[BUFFERED];
		check(-pthread_create(&worker->thread, NULL, write_pages, worker),
		      "pthread_create");
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(stage.workers[i].thread, NULL);
	percentiles[rival][index] = percentile();
	gaps[rival][index] = (double)atomic_load(&run.gap_ns) / 1e3;
	return atomic_load(&run.done);
}

static void report(const char *what, double (*values)[RUNS_MAX], uint32_t runs)
{
	const double journal = median(values[JOURNAL], runs), plain = median(values[PLAIN], runs);
	char more[96];

	snprintf(more, sizeof(more), "\"us\": %.1f, \"us_of_the_other\": %.1f", journal, plain);
	stage_report(&(struct stage_result){
		.what = what, .way = "journal", .figure = journal, .unit = "us"});
	stage_report(&(struct stage_result){
		.what = what, .way = "unprotected alone", .figure = plain, .unit = "us"});
	stage_report(&(struct stage_result){.what = what,
					    .way = "unprotected",
					    .figure = journal / plain,
					    .unit = "x",
					    .goal = 2,
					    .less = true,
					    .more = more});
}

int main(int argc, char **argv)
{
	const uint64_t wraps = argc > 3 ? strtoull(argv[1], NULL, 10) : 0;
	const int runs = argc > 3 ? atoi(argv[2]) : 0;

	stage.json = argc == 5 && !strcmp(argv[3], "--json");
	if (argc != (stage.json ? 5 : 4) || wraps < 1 || runs < 1 || runs > RUNS_MAX)
		errx(2, "usage: latency WRAPS RUNS [--json] DIRECTORY");
	if (chdir(argv[argc - 1]))
		err(1, "%s", argv[argc - 1]);
	stage_begin(1, STAGE_JOURNAL);
	for (uint32_t i = 0; i < THREADS; i++) {
		run.samples[i] = calloc(SAMPLES_MAX, sizeof(float));
		if (!run.samples[i])
			err(1, "memory");
	}
	for (uint32_t i = 0; i < (uint32_t)runs; i++) {
		progress("runs", i, runs);
		take_run(false, 0, take_run(true, wraps, 0, i), i);
	}
	progress("runs", runs, runs);
	report("journal, 8 threads, page, buffered: p99.9", percentiles, (uint32_t)runs);
	report("journal, 8 threads, page, buffered: longest gap", gaps, (uint32_t)runs);
	for (uint32_t i = 0; i < THREADS; i++)
		free(run.samples[i]);
	stage_end();
	return 0;
}
