/* SPDX-License-Identifier: MIT */
/*
 * The ways of writing pages that bench compares, each as well as it can be done.
 *
 * Flow: bench_measure.c takes steps; bench_auto() lets the library say which way AUTO is.
 *
 * The shapes: one durable page a call; 64 pages in one durable call; 64 pages, one a call, and
 * one sync at their end.  By hand, one RWF_DSYNC makes a page durable, and one fdatasync(2) many.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

uint32_t bench_step_pages(enum bench_shape shape)
{
	return shape == BENCH_PAGE ? 1 : BENCH_BATCH;
}

/* Any page of the index'th part of the file: pages of a batch do not overlap. */
static uint64_t any_offset(struct bench_files *files, uint32_t index, uint32_t parts)
{
	const uint32_t pages = BENCH_HOME_SIZE / files->bench->size / parts;

	files->random =
		files->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((uint64_t)index * pages + (files->random >> 33) % pages) * files->bench->size;
}

static int put(int fd, const struct iovec *vector, uint32_t count, uint64_t offset, int flags)
{
	const ssize_t done = pwritev2(fd, vector, (int)count, (off_t)offset, flags);

	if (done < 0)
		return -errno;
	return (uint64_t)done == count * vector->iov_len ? 0 : -EIO;
}

static int flush(int fd)
{
	return fdatasync(fd) ? -errno : 0;
}

/* Through the library: its own batch, or one by one and a sync. */
static int step_library(struct bench_files *files, enum bench_shape shape,
			struct atomicio_file *file)
{
	const uint32_t size = files->bench->size;
	int error = 0;

	if (shape == BENCH_PAGE)
		return atomicio_write(file, files->memory, size, any_offset(files, 0, 1),
				      ATOMICIO_DSYNC);
	for (uint32_t i = 0; i < BENCH_BATCH; i++)
		files->ops[i] = (struct atomicio_op){
			.file = file,
			.buffer = files->vector[i].iov_base,
			.offset = any_offset(files, i, BENCH_BATCH),
			.length = size,
		};
	if (shape == BENCH_PAGES)
		return atomicio_write_batch(files->queue, files->ops, BENCH_BATCH, ATOMICIO_DSYNC);
	for (uint32_t i = 0; i < BENCH_BATCH && !error; i++)
		error = atomicio_write(file, files->ops[i].buffer, size, files->ops[i].offset, 0);
	return error ? error : atomicio_sync(file);
}

static int put_homes(struct bench_files *files, int fd)
{
	int error = 0;

	for (uint32_t i = 0; i < BENCH_BATCH && !error; i++)
		error = put(fd, &files->vector[i], 1, any_offset(files, i, BENCH_BATCH), 0);
	return error ? error : flush(fd);
}

/*
 * A durable copy first, then the page.  Of a batch all copies share a flush, as InnoDB does it;
 * of pages that come one by one each copy has its own.
 */
static int step_double(struct bench_files *files, enum bench_shape shape)
{
	const int fd = files->fds[BENCH_DOUBLE];
	int error;

	if (shape == BENCH_PAGES) {
		error = put(files->copy, files->vector, BENCH_BATCH, 0, RWF_DSYNC);
		return error ? error : put_homes(files, fd);
	}
	for (uint32_t i = 0; i < bench_step_pages(shape); i++) {
		const struct iovec *page = &files->vector[i];
		const uint64_t offset = any_offset(files, i, bench_step_pages(shape));

		error = put(files->copy, page, 1, (uint64_t)i * page->iov_len, RWF_DSYNC);
		if (!error)
			error = put(fd, page, 1, offset, shape == BENCH_PAGE ? RWF_DSYNC : 0);
		if (error)
			return error;
	}
	return shape == BENCH_PAGE ? 0 : flush(fd);
}

static int step_plain(struct bench_files *files, enum bench_shape shape)
{
	const int fd = files->fds[BENCH_PLAIN];

	if (shape == BENCH_PAGE)
		return put(fd, files->vector, 1, any_offset(files, 0, 1), RWF_DSYNC);
	return put_homes(files, fd);
}

int bench_step(struct bench_files *files, enum bench_shape shape, enum bench_way way)
{
	switch (way) {
	case BENCH_KERNEL:
		return step_library(files, shape, files->kernel);
	case BENCH_JOURNAL:
		return step_library(files, shape, files->journaled);
	case BENCH_DOUBLE:
		return step_double(files, shape);
	default:
		return step_plain(files, shape);
	}
}

/* Take one step of each shape through a handle of its own, and see where it went. */
int bench_auto(struct bench_files *files, struct bench_mode *mode)
{
	const struct atomicio_options options = {.journal = files->journal, .file_id = 1};

	for (uint32_t shape = 0; shape < BENCH_SHAPES; shape++) {
		struct atomicio_stats stats = {0};
		struct atomicio_file *file;
		int error =
			atomicio_open(files->fds[BENCH_JOURNAL], &options, sizeof(options), &file);
		int closed;

		if (error)
			return error;
		error = step_library(files, (enum bench_shape)shape, file);
		if (!error)
			error = atomicio_file_get_stats(file, &stats, sizeof(stats));
		closed = atomicio_close(file);
		if (error || closed)
			return error ? error : closed;
		mode->by_auto[shape] = stats.writes_journal ? BENCH_JOURNAL : BENCH_KERNEL;
	}
	return 0;
}
