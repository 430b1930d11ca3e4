/* SPDX-License-Identifier: MIT */
/*
 * Pages of many threads in one step: one double write, as InnoDB's, or one frame of the floor.
 *
 * Flow: a thread with a page leads, with the pages of all threads that came meanwhile, or waits for
 * the leader before it.  See stage.h.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct iovec pages[THREADS_MAX + 1]; /* the frame's head first */
	uint64_t offsets[THREADS_MAX];
	uint32_t waiting;
	uint64_t gathering; /* the batch that takes pages */
	uint64_t finished;  /* batches before this one are durable */
	uint64_t log_at;
	bool busy;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

/* The pages of one batch, out of the hands of the threads. */
struct batch {
	struct iovec pages[THREADS_MAX + 1];
	uint64_t offsets[THREADS_MAX];
	uint32_t count;
};

typedef void write_batch(struct ways_writer *writer, struct batch *batch);

/* Copies and a flush, pages and a flush. */
static void write_double(struct ways_writer *writer, struct batch *batch)
{
	const enum ways_engine engine = writer->disk.has_aio ? WAYS_AIO : WAYS_CALLS;

	check(ways_disk_put_durable(&writer->disk, engine, writer->copy, batch->pages + 1,
				    batch->count, 0),
	      "the copies");
	check(ways_disk_put(&writer->disk, engine, writer->fd, batch->pages + 1, batch->offsets,
			    batch->count),
	      "the pages");
	if (fdatasync(writer->fd))
		err(1, "fdatasync");
}

/* The frame alone: each thread writes its own page, while the next frame is written. */
static void write_frame(struct ways_writer *writer, struct batch *batch)
{
	const struct ways_writer *first = &stage.workers[0].writer;
	const uint64_t length = first->frame_head + (uint64_t)batch->count * writer->size;

	if (shared.log_at + length > writer->log_size)
		shared.log_at = 0;
	batch->pages[0] = first->vector[0];
	batch->pages[0].iov_len = first->frame_head;
	check(ways_disk_put_durable(&writer->disk, WAYS_CALLS, writer->log, batch->pages,
				    batch->count + 1, shared.log_at),
	      "the frame");
	shared.log_at += length; /* the leader's alone */
}

/* With the lock held at start and end. */
static void lead(struct ways_writer *writer, write_batch *write)
{
	struct batch batch = {.count = shared.waiting};
	const uint64_t number = shared.gathering++;

	memcpy(batch.pages, shared.pages, sizeof(batch.pages));
	memcpy(batch.offsets, shared.offsets, sizeof(batch.offsets));
	shared.waiting = 0;
	shared.busy = true;
	pthread_mutex_unlock(&shared.lock);
	write(writer, &batch);
	pthread_mutex_lock(&shared.lock);
	shared.busy = false;
	shared.finished = number + 1;
	pthread_cond_broadcast(&shared.done);
}

/* One page: a thread leads if no thread leads now, and takes all gathered pages. */
static uint64_t share(struct stage_worker *worker, write_batch *write)
{
	struct ways_writer *writer = &worker->writer;
	const uint64_t offset = ways_any_offset(writer);
	uint64_t mine;

	pthread_mutex_lock(&shared.lock);
	mine = shared.gathering;
	shared.pages[shared.waiting + 1] = writer->vector[1];
	shared.offsets[shared.waiting++] = offset;
	while (shared.busy && shared.finished <= mine)
		pthread_cond_wait(&shared.done, &shared.lock);
	if (shared.finished <= mine)
		lead(writer, write);
	pthread_mutex_unlock(&shared.lock);
	return offset;
}

void stage_double_shared(struct stage_worker *worker)
{
	(void)share(worker, write_double);
}

void stage_floor_shared(struct stage_worker *worker)
{
	struct ways_writer *writer = &worker->writer;
	const uint64_t offset = share(worker, write_frame);

	check(ways_disk_put(&writer->disk, WAYS_CALLS, writer->fd, writer->vector + 1, &offset, 1),
	      "the page");
}
