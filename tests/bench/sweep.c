/* SPDX-License-Identifier: MIT */
/*
 * Goal: throughput and latency of durable untorn pages over the size of a batch and over threads.
 * Method: at each point all ways take turns of a fraction of a second, for many rounds; a rate is
 * the median of the rounds, a percentile is over all steps; flushes and bytes are those that the
 * block device below has counted.
 *
 *	sweep batch|threads POINTS SECONDS DIRECTORY
 *		POINTS is a list, as 1,8,64; SECONDS for each; one JSON object a line
 *
 * Flow: tests/bench/sweep.sh mounts the filesystems and runs this on each.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "journal_rivals.h"

#define SAMPLES_MAX (1u << 20)
#define ROUNDS_MAX 1000
#define WAYS 5
#define SECTOR 512

static struct rival by_batch[WAYS] = {
	{"journal", library_batch, DIRECT, 1, 0},
	{"copy on write", untorn_batch, COW, 1, 0},
	{"double write, page by page", double_page_by_page, DIRECT, 1, 0},
	{"double write, batched", double_batch, DIRECT, 1, 0},
	{"unprotected", unprotected_batch, DIRECT, 1, 0},
};

/* Pages of many threads that go through one double write, as InnoDB's do. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct iovec pages[THREADS_MAX];
	uint64_t offsets[THREADS_MAX];
	uint32_t waiting;
	uint64_t gathering; /* the batch that takes pages */
	uint64_t finished;  /* batches before this one are durable */
	bool busy;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

/* Copies and a flush, pages and a flush; with the lock held at start and end. */
static void lead(const struct worker *worker)
{
	struct iovec pages[THREADS_MAX];
	uint64_t offsets[THREADS_MAX];
	const uint32_t count = shared.waiting;
	const uint64_t batch = shared.gathering++;

	memcpy(pages, shared.pages, sizeof(pages));
	memcpy(offsets, shared.offsets, sizeof(offsets));
	shared.waiting = 0;
	shared.busy = true;
	pthread_mutex_unlock(&shared.lock);
	put(worker->copy, pages, (int)count, 0, RWF_DSYNC);
	for (uint32_t i = 0; i < count; i++)
		put(worker->home->fd, &pages[i], 1, offsets[i], 0);
	flush(worker->home->fd);
	pthread_mutex_lock(&shared.lock);
	shared.busy = false;
	shared.finished = batch + 1;
	pthread_cond_broadcast(&shared.done);
}

/* One page: who finds nobody at work leads, with all pages that have gathered. */
static void double_shared(struct worker *worker)
{
	uint64_t mine;

	pthread_mutex_lock(&shared.lock);
	mine = shared.gathering;
	shared.pages[shared.waiting] = worker->vector[0];
	shared.offsets[shared.waiting++] = any_offset(worker);
	while (shared.busy && shared.finished <= mine)
		pthread_cond_wait(&shared.done, &shared.lock);
	if (shared.finished <= mine)
		lead(worker);
	pthread_mutex_unlock(&shared.lock);
}

static struct rival by_threads[WAYS] = {
	{"journal", library_page, DIRECT, 1, 0},
	{"copy on write", library_page, COW, 1, 0},
	{"double write, page by page", double_page, DIRECT, 1, 0},
	{"double write, batched", double_shared, DIRECT, 1, 0},
	{"unprotected", unprotected_page, DIRECT, 1, 0},
};

/* What one way has done at one point. */
struct measure {
	double rates[ROUNDS_MAX];
	double samples[SAMPLES_MAX];
	uint32_t count;
	double pages;
	double steps;
	uint64_t flushes;
	uint64_t sectors;
};

static struct measure measures[WAYS];
static char counters[64]; /* the device's file in sysfs */

static void find_counters(void)
{
	struct stat stat;

	if (fstat(bench.homes[DIRECT].fd, &stat))
		err(1, "fstat");
	snprintf(counters, sizeof(counters), "/sys/dev/block/%u:%u/stat", major(stat.st_dev),
		 minor(stat.st_dev));
}

/* Flushes and sectors written of the device, times one or minus one; not there: nothing. */
static void count_device(struct measure *measure, uint64_t sign)
{
	uint64_t fields[17] = {0};
	FILE *file = fopen(counters, "r");

	if (!file)
		return;
	for (uint32_t i = 0; i < 17; i++)
		if (fscanf(file, "%" SCNu64, &fields[i]) != 1)
			break;
	fclose(file);
	measure->sectors += sign * fields[6];
	measure->flushes += sign * fields[15];
}

static void keep_samples(struct measure *measure, uint32_t threads)
{
	for (uint32_t i = 0; i < threads; i++) {
		const struct worker *worker = &bench.workers[i];

		for (uint32_t j = 0; j < worker->steps && j < LATENCIES_MAX; j++)
			if (measure->count < SAMPLES_MAX)
				measure->samples[measure->count++] = worker->latencies[j];
	}
}

/* Of too few steps a high percentile says nothing: then it is left out. */
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

static void print(const char *axis, uint32_t at, const char *way, struct measure *measure,
		  uint32_t rounds)
{
	printf("{\"by\": \"%s\", \"at\": %u, \"way\": \"%s\", \"pages_per_second\": %.1f, "
	       "\"steps\": %.0f, \"rounds\": %u",
	       axis, at, way, median(measure->rates, rounds), measure->steps, rounds);
	print_percentiles(measure);
	if (measure->sectors)
		printf(", \"flushes_a_page\": %.5f, \"bytes_a_byte\": %.4f",
		       (double)measure->flushes / measure->pages,
		       (double)measure->sectors * SECTOR / PAGE / measure->pages);
	printf("}\n");
	fflush(stdout);
}

/* All ways at one point of the axis. */
static void sweep(const char *axis, const struct rival *ways, uint32_t at, double seconds)
{
	const double start = now_ns();
	const uint32_t batch = bench.workers[0].batch;
	const bool in_batches = ways == by_batch;
	char name[64];
	uint32_t rounds = 0;

	memset(measures, 0, sizeof(measures));
	snprintf(name, sizeof(name), "%s of %u", axis, at);
	do {
		progress(name, (now_ns() - start) / 1e9, seconds);
		for (uint32_t i = 0; i < WAYS; i++) {
			struct measure *measure = &measures[i];
			double steps, ns, pages;

			if (ways[i].home == COW && !has_cow())
				continue;
			count_device(measure, (uint64_t)-1);
			steps = take_slice(&ways[i], &ns);
			count_device(measure, 1);
			/* A slice begins with one step that is not timed. */
			pages = steps * (in_batches ? batch : 1);
			measure->pages += pages + (in_batches ? batch : 1);
			measure->steps += steps;
			measure->rates[rounds] = pages / ns * 1e9;
			keep_samples(measure, ways[i].threads);
		}
		rounds++;
	} while (now_ns() - start < seconds * 1e9 && rounds < ROUNDS_MAX);
	progress(name, seconds, seconds);
	for (uint32_t i = 0; i < WAYS; i++)
		if (measures[i].count)
			print(axis, at, ways[i].name, &measures[i], rounds);
}

int main(int argc, char **argv)
{
	const bool threads = argc == 5 && strcmp(argv[1], "threads") == 0;
	struct rival *ways = threads ? by_threads : by_batch;
	const uint32_t most = threads ? THREADS_MAX : BATCH_MAX;

	if (argc != 5 || (!threads && strcmp(argv[1], "batch") != 0))
		errx(2, "usage: sweep batch|threads POINTS SECONDS DIRECTORY");
	if (chdir(argv[4]))
		err(1, "%s", argv[4]);
	set_up();
	find_counters();
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		bench.workers[i].latencies = calloc(LATENCIES_MAX, sizeof(double));
		if (!bench.workers[i].latencies)
			err(1, "memory");
	}
	for (char *point = strtok(argv[2], ","); point; point = strtok(NULL, ",")) {
		const uint32_t at = (uint32_t)strtoul(point, NULL, 10);

		if (at < 1 || at > most)
			errx(2, "a point is a number from 1 to %u", most);
		for (uint32_t i = 0; i < WAYS; i++)
			ways[i].threads = threads ? at : 1;
		bench.workers[0].batch = at;
		sweep(argv[1], ways, at, atof(argv[3]));
	}
	close_all();
	return 0;
}
