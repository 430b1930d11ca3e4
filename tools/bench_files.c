/* SPDX-License-Identifier: MIT */
/*
 * The files that bench writes to: without a name, written once before, gone when closed.
 *
 * Flow: called by bench.c for each mode; ways.c writes through these files and handles.
 *
 * Blocks written before need no change of metadata when written again: the bench measures the
 * page's own cost.  The noise in them is nothing that a disk could compress.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "target.h"

/* Of a home file, for the copies on write that are not yet given back. */
#define SLACK BENCH_HOME_SIZE

uint64_t bench_space(const struct bench *bench)
{
	return (uint64_t)BENCH_WAYS * BENCH_HOME_SIZE + SLACK + BENCH_FILE_MAX +
	       (uint64_t)BENCH_BATCH * bench->size;
}

static void make_noise(struct bench_files *files, size_t length)
{
	for (size_t i = 0; i + sizeof(files->writer.random) <= length;
	     i += sizeof(files->writer.random)) {
		files->writer.random ^= files->writer.random << 13;
		files->writer.random ^= files->writer.random >> 7;
		files->writer.random ^= files->writer.random << 17;
		memcpy(files->writer.memory + i, &files->writer.random,
		       sizeof(files->writer.random));
	}
}

static int fill(const struct bench_files *files, int fd, uint64_t size)
{
	const uint64_t noise = (uint64_t)BENCH_BATCH * files->bench->size;
	uint64_t offset = 0;

	while (offset < size) {
		const size_t piece = noise < BENCH_FILL ? (size_t)noise : BENCH_FILL;
		const ssize_t done = pwrite(fd, files->writer.memory, piece, (off_t)offset);

		if (done < 0)
			return -errno;
		if ((size_t)done != piece)
			return -ENOSPC;
		offset += piece;
	}
	return fdatasync(fd) ? -errno : 0;
}

/* A fresh file of `size` bytes that are written; the descriptor, or a negative errno. */
static int make_file(const struct bench_files *files, uint64_t size, bool direct)
{
	int flags, error;
	const int fd = target_temporary(files->bench->directory, &flags);

	if (fd < 0)
		return fd;
	error = fill(files, fd, size);
	if (!error && !direct && flags & O_DIRECT && fcntl(fd, F_SETFL, flags & ~O_DIRECT))
		error = -errno;
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int make_journal(struct bench_files *files)
{
	const struct atomicio_journal_options options = {.size = BENCH_FILE_MAX};
	int flags, error;

	files->journal_fd = target_temporary(files->bench->directory, &flags);
	if (files->journal_fd < 0)
		return files->journal_fd;
	error = atomicio_journal_create(files->journal_fd, &options, sizeof(options));
	if (error)
		return error;
	return atomicio_journal_open(files->journal_fd, NULL, 0, &files->journal);
}

int bench_step(struct bench_files *files, enum ways_shape shape, enum ways_way way,
	       enum ways_engine engine)
{
	files->writer.fd = files->fds[way];
	files->writer.file = way == WAYS_KERNEL ? files->kernel : files->journaled;
	return ways_step(&files->writer, way, engine, shape);
}

/* Take one step of each shape through a handle of its own, and look which path it took. */
static int find_auto(struct bench_files *files, struct bench_mode *mode)
{
	const struct atomicio_options options = {.journal = files->journal, .file_id = 1};
	struct ways_writer *writer = &files->writer;

	for (uint32_t shape = 0; shape < WAYS_SHAPES; shape++) {
		struct atomicio_stats stats = {0};
		int closed, error = atomicio_open(files->fds[WAYS_JOURNAL], &options,
						  sizeof(options), &writer->file);

		if (error)
			return error;
		error = ways_step(writer, WAYS_JOURNAL, WAYS_CALLS, (enum ways_shape)shape);
		if (!error)
			error = atomicio_file_get_stats(writer->file, &stats, sizeof(stats));
		closed = atomicio_close(writer->file);
		if (error || closed)
			return error ? error : closed;
		mode->by_auto[shape] = stats.writes_journal ? WAYS_JOURNAL : WAYS_KERNEL;
	}
	return 0;
}

/* The handles, and what the kernel path cannot do here. */
static int open_handles(struct bench_files *files, struct bench_mode *mode)
{
	const struct atomicio_options kernel = {.path = ATOMICIO_PATH_KERNEL,
						.fallback = ATOMICIO_FALLBACK_NONE};
	const struct atomicio_options journaled = {
		.path = ATOMICIO_PATH_JOURNAL, .journal = files->journal, .file_id = 1};
	int error = find_auto(files, mode);

	if (!error)
		error = atomicio_open(files->fds[WAYS_JOURNAL], &journaled, sizeof(journaled),
				      &files->journaled);
	if (!error)
		error = atomicio_open(files->fds[WAYS_KERNEL], &kernel, sizeof(kernel),
				      &files->kernel);
	if (error)
		return error;
	mode->why_not = atomicio_check(files->kernel, files->writer.memory, files->bench->size, 0);
	return atomicio_queue_create(BENCH_BATCH, &files->writer.queue);
}

int bench_files_make(const struct bench *bench, struct bench_mode *mode, struct bench_files *files)
{
	const size_t noise = (size_t)BENCH_BATCH * bench->size;
	int error;

	*files = (struct bench_files){.bench = bench, .journal_fd = -1};
	files->writer = (struct ways_writer){.size = bench->size,
					     .pages = BENCH_BATCH,
					     .span = BENCH_HOME_SIZE,
					     .copy = -1,
					     .random = UINT64_C(0x9E3779B97F4A7C15)};
	for (uint32_t i = 0; i < BENCH_WAYS; i++)
		files->fds[i] = -1;
	files->writer.memory =
		aligned_alloc(BENCH_SIZE_MAX, noise < BENCH_SIZE_MAX ? BENCH_SIZE_MAX : noise);
	if (!files->writer.memory)
		return -ENOMEM;
	make_noise(files, noise);
	error = ways_begin(&files->writer);
	if (error)
		return error;
	for (uint32_t i = 0; i < BENCH_WAYS; i++) {
		files->fds[i] = make_file(files, BENCH_HOME_SIZE, mode->direct);
		if (files->fds[i] < 0)
			return files->fds[i];
	}
	files->writer.copy = make_file(files, noise, mode->direct);
	if (files->writer.copy < 0)
		return files->writer.copy;
	error = make_journal(files);
	return error ? error : open_handles(files, mode);
}

/* An error of the close is of no interest: the files go. */
void bench_files_drop(struct bench_files *files)
{
	(void)atomicio_close(files->kernel);
	(void)atomicio_close(files->journaled);
	atomicio_journal_close(files->journal);
	if (files->writer.queue)
		atomicio_queue_destroy(files->writer.queue);
	for (uint32_t i = 0; i < BENCH_WAYS; i++)
		if (files->fds[i] >= 0)
			close(files->fds[i]);
	if (files->writer.copy >= 0)
		close(files->writer.copy);
	if (files->journal_fd >= 0)
		close(files->journal_fd);
	ways_end(&files->writer);
	free(files->writer.memory);
}
