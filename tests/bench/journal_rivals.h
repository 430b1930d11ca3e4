/* SPDX-License-Identifier: MIT */
/*
 * The ways of writing durable pages that are compared here, each as well as it can be done by
 * hand.
 *
 * Flow: included by journal.c and sweep.c, and by nothing else.
 *
 * Each function makes one durable step: one page, or a batch of the worker's size.  What they
 * share: files whose blocks were written before, so that no write changes metadata; direct writes
 * from aligned memory; one vectored call where pages lie side by side; RWF_DSYNC where one
 * write has to be durable, one fdatasync() where many have to.
 */
#ifndef LIBATOMICIO_BENCH_JOURNAL_RIVALS_H
#define LIBATOMICIO_BENCH_JOURNAL_RIVALS_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "libatomicio/journal.h"

#define PAGE 16384
#define BATCH 64
#define BATCH_MAX 256
#define PAGES 4096 /* of each file: 64 MiB */
#define THREADS_MAX 16
#define LATENCIES_MAX 65536
#define SLICE_NS 60e6
#define PROGRESS_NS 5e9

/* A file of pages, as a descriptor and as the library's handle. */
struct home {
	int fd;
	struct atomicio_file *file;
};

struct worker;
typedef void step(struct worker *worker);

/* What one thread works with. */
struct worker {
	const struct home *home;
	uint32_t batch; /* pages a step, where a step is a batch */
	int copy;	/* descriptor of the area for first copies: BATCH_MAX pages a thread */
	uint64_t copy_offset;
	uint64_t random;
	uint8_t *memory;   /* BATCH_MAX pages, aligned */
	double *latencies; /* of the steps of one slice, up to LATENCIES_MAX; NULL: not kept */
	uint32_t steps;	   /* of one slice */
	double deadline;
	step *step;
	pthread_t thread;
	struct atomicio_op ops[BATCH_MAX];
	struct iovec vector[BATCH_MAX];
};

/* One of those that are compared. */
struct rival {
	const char *name;
	step *step;
	uint32_t home;
	uint32_t threads;
	double goal; /* the first rival is to be so many times faster; 0: no goal */
};

enum { DIRECT, BUFFERED, COW, HOMES };

static const char *const home_names[HOMES] = {"direct", "buffered", "copy-on-write"};

static struct {
	struct home homes[HOMES];
	struct atomicio_journal *journal;
	struct worker workers[THREADS_MAX];
} bench;

static inline void check(int error, const char *what)
{
	if (error) {
		errno = -error;
		err(1, "%s", what);
	}
}

static inline double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Long work says where it is: in place on a terminal, else a line each PROGRESS_NS. */
static inline void progress(const char *what, double done, double all)
{
	static double last;
	const double now = now_ns();

	if (isatty(2)) {
		if (done < all)
			fprintf(stderr, "\r\033[K%s: %.0f of %.0f", what, done, all);
		else
			fprintf(stderr, "\r\033[K");
	} else if (now - last > PROGRESS_NS) {
		fprintf(stderr, "%s: %.0f of %.0f\n", what, done, all);
		last = now;
	}
}

static inline int by_size(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Sorts the values. */
static inline double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Can this filesystem write a page untorn by itself? */
static inline bool has_cow(void)
{
	return atomicio_check(bench.homes[COW].file, bench.workers[0].memory, PAGE, 0) == 0;
}

/* Any page of the file. */
static inline uint64_t any_offset(struct worker *worker)
{
	worker->random = worker->random * 6364136223846793005u + 1442695040888963407u;
	return (worker->random >> 33) % PAGES * PAGE;
}

static inline void put(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	if (pwritev2(fd, vector, count, (off_t)offset, flags) != (ssize_t)count * PAGE)
		err(1, "pwritev2");
}

static inline void put_page(struct worker *worker, uint64_t offset, int flags)
{
	put(worker->home->fd, worker->vector, 1, offset, flags);
}

static inline void flush(int fd)
{
	if (fdatasync(fd))
		err(1, "fdatasync");
}

/* One page through the library: the handle says by which path. */
static inline void library_page(struct worker *worker)
{
	check(atomicio_write(worker->home->file, worker->memory, PAGE, any_offset(worker),
			     ATOMICIO_DSYNC),
	      "atomicio_write");
}

static inline void library_batch(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->batch; i++)
		worker->ops[i] = (struct atomicio_op){
			.file = worker->home->file,
			.buffer = worker->memory + (size_t)i * PAGE,
			.offset = any_offset(worker),
			.length = PAGE,
		};
	check(atomicio_write_batch(NULL, worker->ops, worker->batch, ATOMICIO_DSYNC),
	      "atomicio_write_batch");
}

/* The filesystem's copy on write, made durable at the least cost: by one flush for all. */
static inline void untorn_batch(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->batch; i++)
		check(atomicio_write(worker->home->file, worker->memory + (size_t)i * PAGE, PAGE,
				     any_offset(worker), 0),
		      "atomicio_write");
	check(atomicio_sync(worker->home->file), "atomicio_sync");
}

/* A durable copy, then the page: two flushes. */
static inline void double_page(struct worker *worker)
{
	put(worker->copy, worker->vector, 1, worker->copy_offset, RWF_DSYNC);
	put_page(worker, any_offset(worker), RWF_DSYNC);
}

static inline void double_page_by_page(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->batch; i++)
		double_page(worker);
}

static inline void unprotected_page(struct worker *worker)
{
	put_page(worker, any_offset(worker), RWF_DSYNC);
}

static inline void put_homes(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->batch; i++)
		put(worker->home->fd, &worker->vector[i], 1, any_offset(worker), 0);
	flush(worker->home->fd);
}

/* As InnoDB does: all copies and a flush, all pages and a flush. */
static inline void double_batch(struct worker *worker)
{
	put(worker->copy, worker->vector, (int)worker->batch, worker->copy_offset, RWF_DSYNC);
	put_homes(worker);
}

static inline void unprotected_batch(struct worker *worker)
{
	put_homes(worker);
}

static inline void *take_turn(void *argument)
{
	struct worker *worker = argument;
	double before = now_ns(), after;

	worker->steps = 0;
	do {
		worker->step(worker);
		after = now_ns();
		if (worker->latencies && worker->steps < LATENCIES_MAX)
			worker->latencies[worker->steps] = after - before;
		worker->steps++;
		before = after;
	} while (after < worker->deadline);
	return NULL;
}

/* The steps of a rival in one slice of time; *ns is how long it really was. */
static inline double take_slice(const struct rival *rival, double *ns)
{
	double steps = 0, start;

	for (uint32_t i = 0; i < rival->threads; i++) {
		bench.workers[i].home = &bench.homes[rival->home];
		bench.workers[i].step = rival->step;
	}
	/* What the one before has left to be flushed. */
	rival->step(&bench.workers[0]);
	start = now_ns();
	for (uint32_t i = 0; i < rival->threads; i++) {
		struct worker *worker = &bench.workers[i];

		worker->deadline = start + SLICE_NS;
		if (rival->threads == 1)
			take_turn(worker);
		else
			check(-pthread_create(&worker->thread, NULL, take_turn, worker),
			      "pthread_create");
	}
	for (uint32_t i = 0; i < rival->threads; i++) {
		if (rival->threads > 1)
			pthread_join(bench.workers[i].thread, NULL);
		steps += bench.workers[i].steps;
	}
	*ns = now_ns() - start;
	return steps;
}

/* A file in the working directory, of `size` bytes that are written. */
static inline int make_file(const char *name, uint64_t size, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0644);

	if (fd < 0)
		err(1, "%s", name);
	for (uint64_t offset = 0; offset < size; offset += BATCH_MAX * PAGE)
		put(fd, bench.workers[0].vector, BATCH_MAX, offset, 0);
	flush(fd);
	if (flags & O_DIRECT)
		return fd;
	close(fd);
	fd = open(name, O_RDWR | flags);
	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

static inline void make_workers(void)
{
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		struct worker *worker = &bench.workers[i];

		worker->memory = aligned_alloc(4096, BATCH_MAX * PAGE);
		if (!worker->memory)
			err(1, "memory");
		memset(worker->memory, 'a' + (int)i, BATCH_MAX * PAGE);
		worker->batch = BATCH;
		worker->random = i;
		worker->copy_offset = (uint64_t)i * BATCH_MAX * PAGE;
		for (uint32_t j = 0; j < BATCH_MAX; j++)
			worker->vector[j] = (struct iovec){worker->memory + (size_t)j * PAGE, PAGE};
	}
}

static inline void open_journal(bool create)
{
	const int fd = open("journal", O_RDWR | O_CREAT | (create ? O_TRUNC : 0), 0644);

	if (fd < 0)
		err(1, "journal");
	if (create)
		check(atomicio_journal_create(fd, NULL, 0), "atomicio_journal_create");
	check(atomicio_journal_open(fd, NULL, 0, &bench.journal), "atomicio_journal_open");
}

static inline void open_homes(void)
{
	for (uint32_t i = 0; i < HOMES; i++) {
		struct atomicio_options options = {
			.path = ATOMICIO_PATH_KERNEL,
			.fallback = ATOMICIO_FALLBACK_NONE,
		};

		if (i != COW)
			options = (struct atomicio_options){.journal = bench.journal,
							    .file_id = i + 1,
							    .path = ATOMICIO_PATH_JOURNAL};
		check(atomicio_open(bench.homes[i].fd, &options, sizeof(options),
				    &bench.homes[i].file),
		      "atomicio_open");
	}
}

static inline void close_all(void)
{
	for (uint32_t i = 0; i < HOMES; i++)
		check(atomicio_close(bench.homes[i].file), "atomicio_close");
	atomicio_journal_close(bench.journal);
}

static inline void set_up(void)
{
	int copy;

	make_workers();
	copy = make_file("copy", (uint64_t)THREADS_MAX * BATCH_MAX * PAGE, O_DIRECT);
	for (uint32_t i = 0; i < HOMES; i++)
		bench.homes[i].fd = make_file(home_names[i], (uint64_t)PAGES * PAGE,
					      i == BUFFERED ? 0 : O_DIRECT);
	for (uint32_t i = 0; i < THREADS_MAX; i++)
		bench.workers[i].copy = copy;
	open_journal(true);
	open_homes();
}

#endif /* LIBATOMICIO_BENCH_JOURNAL_RIVALS_H */
