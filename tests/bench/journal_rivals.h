/* SPDX-License-Identifier: MIT */
/*
 * The ways of writing durable pages that tests/bench/journal.c compares, each as well as it can
 * be done by hand.
 *
 * Flow: included by journal.c, and by nothing else.
 *
 * Each function makes one durable step: one page, or a batch of BATCH pages.  What they share:
 * files whose blocks were written before, so that no write changes metadata; direct writes
 * from aligned memory; one vectored call where pages lie side by side; RWF_DSYNC where one
 * write has to be durable, one fdatasync() where many have to.
 */
#ifndef LIBATOMICIO_BENCH_JOURNAL_RIVALS_H
#define LIBATOMICIO_BENCH_JOURNAL_RIVALS_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libatomicio/journal.h"

#define PAGE 16384
#define BATCH 64
#define PAGES 4096 /* of each file: 64 MiB */
#define THREADS 8

/* A file of pages, as a descriptor and as the library's handle. */
struct home {
	int fd;
	struct atomicio_file *file;
};

/* What one thread works with. */
struct worker {
	const struct home *home;
	int copy; /* descriptor of the area for first copies: BATCH pages a thread */
	uint64_t copy_offset;
	uint64_t random;
	uint8_t *memory; /* BATCH pages, aligned */
	struct atomicio_op ops[BATCH];
	struct iovec vector[BATCH];
};

typedef void step(struct worker *worker);

enum { DIRECT, BUFFERED, COW, HOMES };

static const char *const home_names[HOMES] = {"direct", "buffered", "copy-on-write"};

static struct {
	struct home homes[HOMES];
	struct atomicio_journal *journal;
	struct worker workers[THREADS];
} bench;

static void check(int error, const char *what)
{
	if (error) {
		errno = -error;
		err(1, "%s", what);
	}
}

/* Any page of the file. */
static uint64_t any_offset(struct worker *worker)
{
	worker->random = worker->random * 6364136223846793005u + 1442695040888963407u;
	return (worker->random >> 33) % PAGES * PAGE;
}

static void put(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	if (pwritev2(fd, vector, count, (off_t)offset, flags) != (ssize_t)count * PAGE)
		err(1, "pwritev2");
}

static void put_page(struct worker *worker, uint64_t offset, int flags)
{
	put(worker->home->fd, worker->vector, 1, offset, flags);
}

static void flush(int fd)
{
	if (fdatasync(fd))
		err(1, "fdatasync");
}

/* One page through the library: the handle says by which path. */
static void library_page(struct worker *worker)
{
	check(atomicio_write(worker->home->file, worker->memory, PAGE, any_offset(worker),
			     ATOMICIO_DSYNC),
	      "atomicio_write");
}

static void library_batch(struct worker *worker)
{
	for (uint32_t i = 0; i < BATCH; i++)
		worker->ops[i] = (struct atomicio_op){
			.file = worker->home->file,
			.buffer = worker->memory + (size_t)i * PAGE,
			.offset = any_offset(worker),
			.length = PAGE,
		};
	check(atomicio_write_batch(NULL, worker->ops, BATCH, ATOMICIO_DSYNC),
	      "atomicio_write_batch");
}

/* A durable copy, then the page: two flushes. */
static void double_page(struct worker *worker)
{
	put(worker->copy, worker->vector, 1, worker->copy_offset, RWF_DSYNC);
	put_page(worker, any_offset(worker), RWF_DSYNC);
}

static void double_page_by_page(struct worker *worker)
{
	for (uint32_t i = 0; i < BATCH; i++)
		double_page(worker);
}

static void unprotected_page(struct worker *worker)
{
	put_page(worker, any_offset(worker), RWF_DSYNC);
}

static void put_homes(struct worker *worker)
{
	for (uint32_t i = 0; i < BATCH; i++)
		put(worker->home->fd, &worker->vector[i], 1, any_offset(worker), 0);
	flush(worker->home->fd);
}

/* As InnoDB does: all copies and a flush, all pages and a flush. */
static void double_batch(struct worker *worker)
{
	put(worker->copy, worker->vector, BATCH, worker->copy_offset, RWF_DSYNC);
	put_homes(worker);
}

static void unprotected_batch(struct worker *worker)
{
	put_homes(worker);
}

/* A file in the working directory, of `size` bytes that are written. */
static int make_file(const char *name, uint64_t size, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0644);

	if (fd < 0)
		err(1, "%s", name);
	for (uint64_t offset = 0; offset < size; offset += BATCH * PAGE)
		put(fd, bench.workers[0].vector, BATCH, offset, 0);
	flush(fd);
	if (flags & O_DIRECT)
		return fd;
	close(fd);
	fd = open(name, O_RDWR | flags);
	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

static void make_workers(void)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		struct worker *worker = &bench.workers[i];

		worker->memory = aligned_alloc(4096, BATCH * PAGE);
		if (!worker->memory)
			err(1, "memory");
		memset(worker->memory, 'a' + (int)i, BATCH * PAGE);
		worker->random = i;
		worker->copy_offset = (uint64_t)i * BATCH * PAGE;
		for (uint32_t j = 0; j < BATCH; j++)
			worker->vector[j] = (struct iovec){worker->memory + (size_t)j * PAGE, PAGE};
	}
}

static void open_journal(bool create)
{
	const int fd = open("journal", O_RDWR | O_CREAT | (create ? O_TRUNC : 0), 0644);

	if (fd < 0)
		err(1, "journal");
	if (create)
		check(atomicio_journal_create(fd, NULL, 0), "atomicio_journal_create");
	check(atomicio_journal_open(fd, &bench.journal), "atomicio_journal_open");
}

static void open_homes(void)
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

static void set_up(void)
{
	int copy;

	make_workers();
	copy = make_file("copy", (uint64_t)THREADS * BATCH * PAGE, O_DIRECT);
	for (uint32_t i = 0; i < HOMES; i++)
		bench.homes[i].fd = make_file(home_names[i], (uint64_t)PAGES * PAGE,
					      i == BUFFERED ? 0 : O_DIRECT);
	for (uint32_t i = 0; i < THREADS; i++)
		bench.workers[i].copy = copy;
	open_journal(true);
	open_homes();
}

#endif /* LIBATOMICIO_BENCH_JOURNAL_RIVALS_H */
