/* SPDX-License-Identifier: MIT */
/*
 * Take turns, and time them.
 *
 * Flow: called by bench.c for each mode; a shape after the other, in each shape the ways take
 * turns of a slice each (B2), and the cost of a flush is measured in between.
 *
 * The run is bounded: no round starts after a shape's time is over, and in a round each way takes
 * one step at least and no more than its slice allows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES_MAX 65536u
#define SLICE_MAX_NS 200e6
#define SLICE_MIN_NS 10e6
#define ROUNDS_WANTED 12
#define FLUSHES_A_ROUND 3u

/* One way's times in one shape. */
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
	struct series series[BENCH_WAYS];
	double flushes_us[BENCH_SHAPES * BENCH_ROUNDS_MAX * FLUSHES_A_ROUND];
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

static bool is_there(const struct bench_mode *mode, uint32_t way)
{
	return way != BENCH_KERNEL || mode->why_not == 0;
}

/* Keep a sample; when there is no more room, in place of one that any chance picks. */
static void keep_sample(struct series *series, struct bench_files *files, double us)
{
	uint64_t at = series->sample_count;

	if (at < SAMPLES_MAX) {
		series->sample_count++;
	} else {
		files->random = files->random * UINT64_C(6364136223846793005) + 1;
		at = (files->random >> 33) % (uint64_t)(series->steps + 1);
	}
	if (at < SAMPLES_MAX)
		series->samples_us[at] = (float)us;
}

/* One slice of one way. */
static int take_slice(struct measurement *it, enum bench_shape shape, enum bench_way way)
{
	struct series *series = &it->series[way];
	const uint32_t pages = bench_step_pages(shape);
	double start, before, now, steps = 0;
	/* What the way before has left to be flushed is not this one's. */
	int error = bench_step(it->files, shape, way);

	start = now = now_ns();
	do {
		if (error)
			return error;
		before = now;
		error = bench_step(it->files, shape, way);
		now = now_ns();
		keep_sample(series, it->files, (now - before) / 1e3);
		steps++;
		series->steps++;
	} while (now < start + it->slice_ns);
	series->ns += now - start;
	series->rates[it->rounds] = steps * pages * 1e9 / (now - start);
	return error;
}

/* What it costs to make one written block durable: write it, and time the flush alone. */
static int take_flushes(struct measurement *it)
{
	const int fd = it->files->fds[BENCH_PLAIN];

	for (uint32_t i = 0; i < FLUSHES_A_ROUND; i++) {
		double start;

		if (pwrite(fd, it->files->memory, BENCH_SIZE_MIN, 0) != BENCH_SIZE_MIN)
			return errno ? -errno : -EIO;
		start = now_ns();
		if (fdatasync(fd))
			return -errno;
		it->flushes_us[it->flush_count++] = (now_ns() - start) / 1e3;
	}
	return 0;
}

/* A line on the terminal, if there is one: how many of all seconds are over. */
static void progress(const struct measurement *it, enum bench_shape shape)
{
	static const char *const names[BENCH_SHAPES] = {"pages", "batches", "pages and a sync"};

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kbench: %s, %s: %.0f s",
			it->mode->direct ? "direct" : "buffered", names[shape],
			(now_ns() - it->started) / 1e9);
}

static void conclude(struct measurement *it, struct bench_result *results, uint32_t pages)
{
	static double ratios[BENCH_ROUNDS_MAX];
	const double *plain = it->series[BENCH_PLAIN].rates;
	const double *journal = it->series[BENCH_JOURNAL].rates;

	for (uint32_t way = 0; way < BENCH_WAYS; way++) {
		const struct series *series = &it->series[way];

		if (!is_there(it->mode, way))
			continue;
		for (uint32_t i = 0; i < it->rounds; i++)
			ratios[i] = series->rates[i] / plain[i];
		results[way].to_plain = median(ratios, it->rounds);
		for (uint32_t i = 0; i < it->rounds; i++)
			ratios[i] = series->rates[i] / journal[i];
		results[way].to_journal = median(ratios, it->rounds);
	}
	for (uint32_t way = 0; way < BENCH_WAYS; way++) {
		struct series *series = &it->series[way];
		struct bench_result *result = &results[way];
		const uint32_t count = series->sample_count;

		if (!is_there(it->mode, way))
			continue;
		qsort(series->samples_us, count, sizeof(series->samples_us[0]), by_sample);
		result->rounds = it->rounds;
		result->pages_per_second = median(series->rates, it->rounds);
		result->overall = series->steps * pages * 1e9 / series->ns;
		result->p50_us = series->samples_us[count / 2];
		result->p99_us = series->samples_us[(uint64_t)count * 99 / 100];
	}
}

static void forget(struct series *series)
{
	series->sample_count = 0;
	series->steps = 0;
	series->ns = 0;
}

static int measure_shape(struct measurement *it, enum bench_shape shape, double seconds)
{
	const double end = now_ns() + seconds * 1e9;
	int error = 0;

	it->slice_ns = seconds * 1e9 / (BENCH_WAYS * ROUNDS_WANTED);
	it->slice_ns = it->slice_ns > SLICE_MAX_NS ? SLICE_MAX_NS : it->slice_ns;
	it->slice_ns = it->slice_ns < SLICE_MIN_NS ? SLICE_MIN_NS : it->slice_ns;
	it->rounds = 0;
	for (uint32_t way = 0; way < BENCH_WAYS; way++)
		forget(&it->series[way]);
	do {
		progress(it, shape);
		/* Each way is first as often as any other. */
		for (uint32_t i = 0; i < BENCH_WAYS && !error; i++) {
			const uint32_t way = (i + it->rounds) % BENCH_WAYS;

			if (is_there(it->mode, way))
				error = take_slice(it, shape, (enum bench_way)way);
		}
		if (!error)
			error = take_flushes(it);
		it->rounds++;
	} while (!error && now_ns() < end && it->rounds < BENCH_ROUNDS_MAX);
	if (!error)
		conclude(it, it->mode->results[shape], bench_step_pages(shape));
	return error;
}

int bench_measure(struct bench *bench, struct bench_mode *mode, struct bench_files *files)
{
	const double seconds = (double)bench->seconds / (bench->mode_count * BENCH_SHAPES);
	struct measurement *it = calloc(1, sizeof(*it));
	int error = 0;

	if (!it)
		return -ENOMEM;
	it->bench = bench;
	it->mode = mode;
	it->files = files;
	it->started = now_ns();
	for (uint32_t shape = 0; shape < BENCH_SHAPES && !error; shape++)
		error = measure_shape(it, (enum bench_shape)shape, seconds);
	if (!error && bench->flushes == 0) {
		bench->flush_us = median(it->flushes_us, it->flush_count);
		bench->flushes = it->flush_count;
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	free(it);
	return error;
}
