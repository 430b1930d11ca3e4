/* SPDX-License-Identifier: MIT */
/*
 * Make, read and free a queue, and settle a batch: ring first, durability after.
 *
 * Flow: write_batch.c calls in with what the journal did not take.
 *
 * Durability of a batch: a file with one write gets RWF_DSYNC; one with more gets plain untorn
 * writes and a single fdatasync(2) when all are done, which costs one log force and one flush
 * instead of one each (on XFS over a loop device, 16 KiB: see tests/bench/queue.sh).  A batch
 * over more than QUEUE_FILES_MAX files uses RWF_DSYNC for the files beyond.
 */
#include "write_queue.h"

#include <errno.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"

static size_t aligned(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

int write_queue_create(const struct sys_calls *sys, const struct sys_ring_calls *calls,
		       uint32_t depth, struct atomicio_queue **queue)
{
	const size_t slots = aligned(sizeof(struct atomicio_queue));
	const size_t numbers = slots + aligned(depth * sizeof(struct queue_slot));
	const size_t ring = numbers + aligned(sizeof(uint32_t[3]) * depth);
	struct atomicio_queue *made;
	int error;

	if (!queue)
		return -EFAULT;
	if (depth == 0 || depth > QUEUE_DEPTH_MAX)
		return -EINVAL;
	made = sys->allocate(64, ring + calls->size);
	if (!made)
		return -ENOMEM;
	made->sys = sys;
	made->calls = calls;
	made->depth = made->free_count = depth;
	made->slots = (struct queue_slot *)((char *)made + slots);
	made->free = (uint32_t *)((char *)made + numbers);
	made->staged = made->free + depth;
	made->again = made->staged + depth;
	made->ring = (char *)made + ring;
	for (uint32_t i = 0; i < depth; i++)
		made->free[i] = depth - 1 - i;
	error = calls->create(made->ring, depth);
	if (error == -EMFILE || error == -ENFILE) {
		sys->release_memory(made);
		return error;
	}
	made->ring_error = error;
	*queue = made;
	return 0;
}

ATOMICIO_EXPORT int atomicio_queue_create(uint32_t depth, struct atomicio_queue **queue)
{
	SYS_NO_CANCEL;
	return write_queue_create(&sys_linux, &sys_ring_linux, depth, queue);
}

ATOMICIO_EXPORT void atomicio_queue_destroy(struct atomicio_queue *queue)
{
	SYS_NO_CANCEL;
	if (!queue)
		return;
	if (queue->ring_error == 0)
		queue->calls->destroy(queue->ring);
	queue->sys->release_memory(queue);
}

ATOMICIO_EXPORT int atomicio_queue_get_stats(const struct atomicio_queue *queue,
					     struct atomicio_queue_stats *stats, size_t stats_size)
{
	const struct queue_counters *counters;
	struct atomicio_queue_stats ours;
	const int error = abi_check(stats, stats_size, ABI_FIRST_QUEUE_STATS);

	if (error)
		return error;
	if (!queue)
		return -EINVAL;
	counters = &queue->counters;
	ours = (struct atomicio_queue_stats){
		.depth = queue->depth,
		.ring_error = atomic_load_explicit(&queue->ring_error, memory_order_relaxed),
		.batches = atomic_load_explicit(&counters->batches, memory_order_relaxed),
		.ops = atomic_load_explicit(&counters->ops, memory_order_relaxed),
		.submissions = atomic_load_explicit(&counters->submissions, memory_order_relaxed),
		.waits = atomic_load_explicit(&counters->waits, memory_order_relaxed),
		.syncs = atomic_load_explicit(&counters->syncs, memory_order_relaxed),
	};
	abi_write(stats, stats_size, &ours, sizeof(ours));
	return 0;
}

bool write_queue_enter(struct atomicio_queue *queue, uint32_t count)
{
	if (atomic_exchange_explicit(&queue->busy, 1, memory_order_acquire))
		return false;
	write_count(&queue->counters.batches, 1);
	write_count(&queue->counters.ops, count);
	return true;
}

void write_queue_leave(struct atomicio_queue *queue)
{
	atomic_store_explicit(&queue->busy, 0, memory_order_release);
}

/* The file's row, NULL if it has none. */
static struct queue_file *find(struct atomicio_queue *queue, const struct atomicio_file *file)
{
	if (queue->file_hint < queue->file_count && queue->files[queue->file_hint].file == file)
		return &queue->files[queue->file_hint];
	for (uint32_t i = 0; i < queue->file_count; i++) {
		if (queue->files[i].file != file)
			continue;
		queue->file_hint = i;
		return &queue->files[i];
	}
	return NULL;
}

bool write_queue_syncs(struct atomicio_queue *queue, const struct atomicio_file *file)
{
	const struct queue_file *row = find(queue, file);

	return row && row->writes > 1;
}

/* Which files have how many writes to make durable? */
static void count_files(struct atomicio_queue *queue, const struct atomicio_op *ops, uint32_t count)
{
	queue->file_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct queue_file *row;

		if (ops[i].result != WRITE_PENDING)
			continue;
		row = find(queue, ops[i].file);
		if (!row) {
			if (queue->file_count == QUEUE_FILES_MAX)
				continue;
			row = &queue->files[queue->file_count++];
			*row = (struct queue_file){.file = ops[i].file};
		}
		row->writes++;
	}
}

/* Make the unsynced durable, one call a file, and give each its result. */
static void sync_files(struct atomicio_queue *queue, struct atomicio_op *ops, uint32_t count)
{
	struct queue_file *row;

	for (uint32_t i = 0; i < count; i++) {
		row = ops[i].result > WRITE_PENDING ? find(queue, ops[i].file) : NULL;
		if (row)
			row->unsynced = true;
	}
	for (uint32_t i = 0; i < queue->file_count; i++) {
		if (!queue->files[i].unsynced)
			continue;
		queue->files[i].error = atomicio_sync(queue->files[i].file);
		write_count(&queue->counters.syncs, 1);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct atomicio_op *op = &ops[i];
		const struct write_request done = {
			.file = op->file,
			.length = op->length,
			.flags = ATOMICIO_DSYNC, /* so nothing waits for a flush (L7) */
			.path = (uint32_t)(op->result - WRITE_UNSYNCED(0)),
		};

		if (op->result <= WRITE_PENDING)
			continue;
		row = find(queue, op->file);
		op->result = row ? row->error : -EIO; /* only files with a row sync later */
		if (op->result)
			write_count(&op->file->counters.writes_failed, 1);
		else
			write_count_done(&done);
	}
}

void write_queue_rest(struct atomicio_queue *queue, struct atomicio_op *ops, uint32_t count,
		      uint32_t flags)
{
	struct queue_batch batch = {.ops = ops, .count = count, .flags = flags};

	queue->file_count = 0;
	if (flags & ATOMICIO_DSYNC)
		count_files(queue, ops, count);
	write_fly(queue, &batch);
	if (flags & ATOMICIO_DSYNC)
		sync_files(queue, ops, count);
}
