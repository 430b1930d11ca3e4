/* SPDX-License-Identifier: MIT */
/*
 * The files that bench writes to: without a name, written once before, gone when closed.
 *
 * Flow: called by bench.c for each mode; bench_ways.c writes through what is made here.
 *
 * Blocks that were written before need no change of metadata when they are written again, so what
 * is measured is the page's own cost.  The noise in them is nothing that a disk could compress.
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
	for (size_t i = 0; i + sizeof(files->random) <= length; i += sizeof(files->random)) {
		files->random ^= files->random << 13;
		files->random ^= files->random >> 7;
		files->random ^= files->random << 17;
		memcpy(files->memory + i, &files->random, sizeof(files->random));
	}
}

static int fill(const struct bench_files *files, int fd, uint64_t size)
{
	const uint64_t noise = (uint64_t)BENCH_BATCH * files->bench->size;
	uint64_t offset = 0;

	while (offset < size) {
		const size_t piece = noise < BENCH_FILL ? (size_t)noise : BENCH_FILL;
		const ssize_t done = pwrite(fd, files->memory, piece, (off_t)offset);

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
	return atomicio_journal_open(files->journal_fd, &files->journal);
}

/* The handles, and what the kernel path cannot do here. */
static int open_handles(struct bench_files *files, struct bench_mode *mode)
{
	const struct atomicio_options kernel = {.path = ATOMICIO_PATH_KERNEL,
						.fallback = ATOMICIO_FALLBACK_NONE};
	const struct atomicio_options journaled = {
		.path = ATOMICIO_PATH_JOURNAL, .journal = files->journal, .file_id = 1};
	int error = bench_auto(files, mode);

	if (!error)
		error = atomicio_open(files->fds[BENCH_JOURNAL], &journaled, sizeof(journaled),
				      &files->journaled);
	if (!error)
		error = atomicio_open(files->fds[BENCH_KERNEL], &kernel, sizeof(kernel),
				      &files->kernel);
	if (error)
		return error;
	mode->why_not = atomicio_check(files->kernel, files->memory, files->bench->size, 0);
	return atomicio_queue_create(BENCH_BATCH, &files->queue);
}

int bench_files_make(const struct bench *bench, struct bench_mode *mode, struct bench_files *files)
{
	const size_t noise = (size_t)BENCH_BATCH * bench->size;
	int error;

	*files = (struct bench_files){.bench = bench,
				      .copy = -1,
				      .journal_fd = -1,
				      .random = UINT64_C(0x9E3779B97F4A7C15)};
	for (uint32_t i = 0; i < BENCH_WAYS; i++)
		files->fds[i] = -1;
	files->memory =
		aligned_alloc(BENCH_SIZE_MAX, noise < BENCH_SIZE_MAX ? BENCH_SIZE_MAX : noise);
	if (!files->memory)
		return -ENOMEM;
	make_noise(files, noise);
	for (uint32_t i = 0; i < BENCH_BATCH; i++)
		files->vector[i] =
			(struct iovec){.iov_base = files->memory + (size_t)i * bench->size,
				       .iov_len = bench->size};
	for (uint32_t i = 0; i < BENCH_WAYS; i++) {
		files->fds[i] = make_file(files, BENCH_HOME_SIZE, mode->direct);
		if (files->fds[i] < 0)
			return files->fds[i];
	}
	files->copy = make_file(files, noise, mode->direct);
	if (files->copy < 0)
		return files->copy;
	error = make_journal(files);
	return error ? error : open_handles(files, mode);
}

/* An error of the close is of no interest: the files go. */
void bench_files_drop(struct bench_files *files)
{
	(void)atomicio_close(files->kernel);
	(void)atomicio_close(files->journaled);
	atomicio_journal_close(files->journal);
	if (files->queue)
		atomicio_queue_destroy(files->queue);
	for (uint32_t i = 0; i < BENCH_WAYS; i++)
		if (files->fds[i] >= 0)
			close(files->fds[i]);
	if (files->copy >= 0)
		close(files->copy);
	if (files->journal_fd >= 0)
		close(files->journal_fd);
	free(files->memory);
}
