/* SPDX-License-Identifier: MIT */
/*
 * Take turns, and time them.
 *
 * Flow: called by bench.c for each mode; a shape after the other, in each shape the ways take turns
 * of a slice each (B2), and the cost of a flush is measured in between.  A way with several engines
 * takes a slice of each; the best engine's figure counts (Y1).
 *
 * The run is bounded: no round starts after a shape's time is over, and in a round each way takes
 * one step at least and no more than its slice allows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES_MAX 65536u
#define SLICE_MAX_NS 200e6
#define SLICE_MIN_NS 10e6
#define ROUNDS_WANTED 12
#define FLUSHES_A_ROUND 3u
#define SERIES (BENCH_WAYS * WAYS_ENGINES)

/* The times of one way through one engine, in one shape. */
struct series {
	double rates[BENCH_ROUNDS_MAX]; /* pages a second, of each round */
	double steps, ns;
	uint32_t sample_count;
	float samples_us[SAMPLES_MAX];
};

struct measurement {
	struct bench *bench;
	struct bench_mode *mode;
	struct bench_files *files;
	double started, slice_ns;
	uint32_t rounds;
	struct series series[BENCH_WAYS][WAYS_ENGINES];
	double flushes_us[WAYS_SHAPES * BENCH_ROUNDS_MAX * FLUSHES_A_ROUND];
	uint32_t flush_count;
};

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static int by_sample(const void *a, const void *b)
{
	const float left = *(const float *)a, right = *(const float *)b;

	return (left > right) - (left < right);
}

static double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static bool is_there(const struct measurement *it, enum ways_shape shape, uint32_t way,
		     uint32_t engine)
{
	return (way != WAYS_KERNEL || it->mode->why_not == 0) &&
	       ways_has_engine(&it->files->writer, (enum ways_way)way, (enum ways_engine)engine,
			       shape);
}

/* Keep a sample; without room, the new time replaces a random earlier time. */
static void keep_sample(struct series *series, struct bench_files *files, double us)
{
	uint64_t at = series->sample_count;

	if (at < SAMPLES_MAX) {
		series->sample_count++;
	} else {
		files->writer.random = files->writer.random * UINT64_C(6364136223846793005) + 1;
		at = (files->writer.random >> 33) % (uint64_t)(series->steps + 1);
	}
	if (at < SAMPLES_MAX)
		series->samples_us[at] = (float)us;
}

/* One slice of one way. */
static int take_slice(struct measurement *it, enum ways_shape shape, enum ways_way way,
		      enum ways_engine engine)
{
	struct series *series = &it->series[way][engine];
	const uint32_t pages = ways_step_pages(&it->files->writer, shape);
	double start, before, now, steps = 0;
	/* Flush the rest of the previous way first. */
	int error = bench_step(it->files, shape, way, engine);

	start = now = now_ns();
	do {
		if (error)
			return error;
		before = now;
		error = bench_step(it->files, shape, way, engine);
		now = now_ns();
		keep_sample(series, it->files, (now - before) / 1e3);
		steps++;
		series->steps++;
	} while (now < start + it->slice_ns);
	series->ns += now - start;
	series->rates[it->rounds] = steps * pages * 1e9 / (now - start);
	return error;
}

/* The cost of making a written block durable: write a block, and time the flush alone. */
static int take_flushes(struct measurement *it)
{
	const int fd = it->files->fds[WAYS_PLAIN];

	for (uint32_t i = 0; i < FLUSHES_A_ROUND; i++) {
		double start;

		if (pwrite(fd, it->files->writer.memory, BENCH_SIZE_MIN, 0) != BENCH_SIZE_MIN)
			return errno ? -errno : -EIO;
		start = now_ns();
		if (fdatasync(fd))
			return -errno;
		it->flushes_us[it->flush_count++] = (now_ns() - start) / 1e3;
	}
	return 0;
}

/* A line on the terminal, if any: how many of all seconds are over. */
static void progress(const struct measurement *it, enum ways_shape shape)
{
	static const char *const names[WAYS_SHAPES] = {"pages", "batches", "pages and a sync"};

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kbench: %s, %s: %.0f s",
			it->mode->direct ? "direct" : "buffered", names[shape],
			(now_ns() - it->started) / 1e9);
}

/* The engine with the best median is the way's (Y1). */
static enum ways_engine best_engine(const struct measurement *it, enum ways_shape shape,
				    enum ways_way way, double *rate)
{
	static double rates[BENCH_ROUNDS_MAX];
	enum ways_engine best = WAYS_CALLS;

	*rate = 0;
	for (uint32_t engine = 0; engine < WAYS_ENGINES; engine++) {
		double here;

		if (!is_there(it, shape, way, engine))
			continue;
		memcpy(rates, it->series[way][engine].rates, it->rounds * sizeof(rates[0]));
		here = median(rates, it->rounds);
		if (here > *rate) {
			*rate = here;
			best = (enum ways_engine)engine;
		}
	}
	return best;
}

static double median_ratio(const struct series *series, const struct series *other, uint32_t rounds)
{
	static double ratios[BENCH_ROUNDS_MAX];

	for (uint32_t i = 0; i < rounds; i++)
		ratios[i] = series->rates[i] / other->rates[i];
	return median(ratios, rounds);
}

static void conclude(struct measurement *it, enum ways_shape shape)
{
	const uint32_t pages = ways_step_pages(&it->files->writer, shape);
	struct series *best[BENCH_WAYS] = {NULL};

	for (uint32_t way = 0; way < BENCH_WAYS; way++) {
		struct bench_result *result = &it->mode->results[shape][way];

		if (!is_there(it, shape, way, WAYS_CALLS))
			continue;
		result->engine =
			best_engine(it, shape, (enum ways_way)way, &result->pages_per_second);
		best[way] = &it->series[way][result->engine];
	}
	for (uint32_t way = 0; way < BENCH_WAYS; way++) {
		struct bench_result *result = &it->mode->results[shape][way];
		struct series *series = best[way];

		if (!series)
			continue;
		qsort(series->samples_us, series->sample_count, sizeof(series->samples_us[0]),
		      by_sample);
		result->rounds = it->rounds;
		result->to_plain = median_ratio(series, best[WAYS_PLAIN], it->rounds);
		result->to_journal = median_ratio(series, best[WAYS_JOURNAL], it->rounds);
		result->overall = series->steps * pages * 1e9 / series->ns;
		result->p50_us = series->samples_us[series->sample_count / 2];
		result->p99_us = series->samples_us[(uint64_t)series->sample_count * 99 / 100];
	}
}

static void forget(struct series *series)
{
	series->sample_count = 0;
	series->steps = 0;
	series->ns = 0;
}

/* One slice of each way through each of its engines; each is first as often as any other. */
static int take_round(struct measurement *it, enum ways_shape shape)
{
	int error = 0;

	for (uint32_t i = 0; i < SERIES && !error; i++) {
		const uint32_t at = (i + it->rounds) % SERIES;
		const uint32_t way = at / WAYS_ENGINES, engine = at % WAYS_ENGINES;

		if (is_there(it, shape, way, engine))
			error = take_slice(it, shape, (enum ways_way)way, (enum ways_engine)engine);
	}
	return error ? error : take_flushes(it);
}

static int measure_shape(struct measurement *it, enum ways_shape shape, double seconds)
{
	const double end = now_ns() + seconds * 1e9;
	uint32_t count = 0;
	int error = 0;

	for (uint32_t i = 0; i < SERIES; i++) {
		const uint32_t way = i / WAYS_ENGINES, engine = i % WAYS_ENGINES;

		count += is_there(it, shape, way, engine);
		forget(&it->series[way][engine]);
	}
	it->slice_ns = seconds * 1e9 / (count * ROUNDS_WANTED);
	it->slice_ns = it->slice_ns > SLICE_MAX_NS ? SLICE_MAX_NS : it->slice_ns;
	it->slice_ns = it->slice_ns < SLICE_MIN_NS ? SLICE_MIN_NS : it->slice_ns;
	it->rounds = 0;
	do {
		progress(it, shape);
		error = take_round(it, shape);
		it->rounds++;
	} while (!error && now_ns() < end && it->rounds < BENCH_ROUNDS_MAX);
	if (!error)
		conclude(it, shape);
	return error;
}

int bench_measure(struct bench *bench, struct bench_mode *mode, struct bench_files *files)
{
	const double seconds = (double)bench->seconds / (bench->mode_count * WAYS_SHAPES);
	struct measurement *it = calloc(1, sizeof(*it));
	int error = 0;

	if (!it)
		return -ENOMEM;
	it->bench = bench;
	it->mode = mode;
	it->files = files;
	it->started = now_ns();
	for (uint32_t shape = 0; shape < WAYS_SHAPES && !error; shape++)
		error = measure_shape(it, (enum ways_shape)shape, seconds);
	if (!error && bench->flushes == 0) {
		bench->flush_us = median(it->flushes_us, it->flush_count);
		bench->flushes = it->flush_count;
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	free(it);
	return error;
}
