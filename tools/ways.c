/* SPDX-License-Identifier: MIT */
/*
 * The step of each way: pages, order, and flushes.
 *
 * Flow: the benches choose a way, an engine and a shape and time ways_step(); the pages go to the
 * kernel by ways_disk.c, or through the library.
 *
 * Flushes of a step by hand: one RWF_DSYNC makes a frame, all first copies or a single page
 * durable, one fdatasync(2) all pages of a batch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ways.h"

#define HEAD_ALIGN 4096u

int ways_begin(struct ways_writer *writer)
{
	void *head;

	writer->vector[0].iov_base = NULL;
	if (posix_memalign(&head, HEAD_ALIGN, WAYS_HEAD_MAX))
		return -ENOMEM;
	memset(head, 'h', WAYS_HEAD_MAX);
	writer->vector[0] = (struct iovec){.iov_base = head, .iov_len = writer->frame_head};
	ways_use_memory(writer, writer->memory);
	ways_disk_begin(&writer->disk);
	return 0;
}

void ways_use_memory(struct ways_writer *writer, unsigned char *memory)
{
	writer->memory = memory;
	for (uint32_t i = 0; i < writer->pages; i++)
		writer->vector[i + 1] = (struct iovec){
			.iov_base = memory + (size_t)i * writer->size, .iov_len = writer->size};
}

void ways_end(struct ways_writer *writer)
{
	ways_disk_end(&writer->disk);
	free(writer->vector[0].iov_base);
	writer->vector[0].iov_base = NULL;
}

uint32_t ways_step_pages(const struct ways_writer *writer, enum ways_shape shape)
{
	return shape == WAYS_PAGE ? 1 : writer->pages;
}

bool ways_has_engine(const struct ways_writer *writer, enum ways_way way, enum ways_engine engine,
		     enum ways_shape shape)
{
	if (engine == WAYS_CALLS)
		return true;
	if (shape == WAYS_PAGE)
		return false;
	if (way == WAYS_KERNEL || way == WAYS_JOURNAL)
		return engine == WAYS_RING && writer->queue && shape == WAYS_PAGES;
	return engine == WAYS_AIO ? writer->disk.has_aio : writer->disk.ring != NULL;
}

const char *ways_engine_name(enum ways_way way, enum ways_engine engine)
{
	static const char *const names[WAYS_ENGINES] = {"calls", "AIO", "ring"};

	if (engine == WAYS_RING && (way == WAYS_KERNEL || way == WAYS_JOURNAL))
		return "queue";
	return names[engine];
}

static uint64_t draw(struct ways_writer *writer)
{
	writer->random =
		writer->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return writer->random >> 33;
}

/* Any page of the index'th part of the file. */
static uint64_t any_of(struct ways_writer *writer, uint32_t index, uint32_t parts)
{
	const uint64_t pages = writer->span / writer->size / parts;

	return (index * pages + draw(writer) % pages) * writer->size;
}

uint64_t ways_any_offset(struct ways_writer *writer)
{
	return any_of(writer, 0, 1);
}

/* One page of each part: sorted, and without overlaps. */
static void scatter(struct ways_writer *writer, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		writer->offsets[i] = any_of(writer, i, count);
}

/* The pages in the random order of an engine. */
static void make_ops(struct ways_writer *writer, uint32_t count)
{
	scatter(writer, count);
	for (uint32_t i = count; i > 1; i--) {
		const uint32_t other = (uint32_t)(draw(writer) % i);
		const uint64_t offset = writer->offsets[i - 1];

		writer->offsets[i - 1] = writer->offsets[other];
		writer->offsets[other] = offset;
	}
	for (uint32_t i = 0; i < count; i++)
		writer->ops[i] = (struct atomicio_op){
			.file = writer->file,
			.buffer = writer->memory + (size_t)i * writer->size,
			.offset = writer->offsets[i],
			.length = writer->size,
		};
}

static int step_library(struct ways_writer *writer, enum ways_engine engine, enum ways_shape shape)
{
	const uint32_t flags = ATOMICIO_DSYNC | writer->flags;
	int error = 0;

	if (shape == WAYS_PAGE)
		return atomicio_write(writer->file, writer->memory, writer->size,
				      ways_any_offset(writer), flags);
	make_ops(writer, writer->pages);
	if (shape == WAYS_PAGES && engine == WAYS_RING)
		return atomicio_write_batch(writer->queue, writer->ops, writer->pages, flags);
	if (shape == WAYS_PAGES)
		return atomicio_write_batch(NULL, writer->ops, writer->pages, flags);
	for (uint32_t i = 0; i < writer->pages && !error; i++)
		error = atomicio_write(writer->file, writer->ops[i].buffer, writer->size,
				       writer->ops[i].offset, writer->flags);
	return error ? error : atomicio_sync(writer->file);
}

/* The kernel path without a queue: an untorn call for each page, and one flush for all. */
static int step_kernel(struct ways_writer *writer, enum ways_engine engine, enum ways_shape shape)
{
	if (shape == WAYS_PAGES && engine == WAYS_CALLS)
		shape = WAYS_PAGES_SYNC;
	return step_library(writer, engine, shape);
}

/* A frame of the floor: where the last one ended, or at the start again. */
static int put_frame(struct ways_writer *writer, enum ways_engine engine, uint32_t count)
{
	const uint64_t length = writer->frame_head + (uint64_t)count * writer->size;
	const uint64_t at = writer->log_at + length > writer->log_size ? 0 : writer->log_at;

	writer->log_at = at + length;
	writer->vector[0].iov_len = writer->frame_head;
	return ways_disk_put_durable(&writer->disk, engine, writer->log, writer->vector, count + 1,
				     at);
}

/* The part before the pages: a copy, a frame, or nothing. */
static int put_first(struct ways_writer *writer, enum ways_way way, enum ways_engine engine,
		     uint32_t count)
{
	if (way == WAYS_DOUBLE)
		return ways_disk_put_durable(&writer->disk, engine, writer->copy,
					     writer->vector + 1, count, writer->copy_offset);
	return way == WAYS_FLOOR ? put_frame(writer, engine, count) : 0;
}

int ways_settle(struct ways_writer *writer)
{
	return ways_disk_wait(&writer->disk);
}

/*
 * The frame is durable, and the pages of the previous step were in flight meanwhile: wait for them,
 * then send these.
 */
static int leave_behind(struct ways_writer *writer, uint32_t count)
{
	const int error = ways_settle(writer);

	if (error)
		return error;
	scatter(writer, count);
	return ways_disk_start(&writer->disk, writer->fd, writer->vector + 1, writer->offsets,
			       count);
}

static int step_by_hand(struct ways_writer *writer, enum ways_way way, enum ways_engine engine,
			enum ways_shape shape)
{
	const uint32_t count = ways_step_pages(writer, shape);
	const bool durable = way == WAYS_DOUBLE || way == WAYS_PLAIN;
	int error = put_first(writer, way, engine, count);

	if (error)
		return error;
	if (writer->behind)
		return leave_behind(writer, count);
	scatter(writer, count);
	if (count == 1 && durable)
		return ways_disk_put_durable(&writer->disk, engine, writer->fd, writer->vector + 1,
					     1, writer->offsets[0]);
	error = ways_disk_put(&writer->disk, engine, writer->fd, writer->vector + 1,
			      writer->offsets, count);
	if (!error && durable && fdatasync(writer->fd))
		error = -errno;
	return error;
}

int ways_step(struct ways_writer *writer, enum ways_way way, enum ways_engine engine,
	      enum ways_shape shape)
{
	switch (way) {
	case WAYS_KERNEL:
		return step_kernel(writer, engine, shape);
	case WAYS_JOURNAL:
		return step_library(writer, engine, shape);
	default:
		return step_by_hand(writer, way, engine, shape);
	}
}
