/* SPDX-License-Identifier: MIT */
/*
 * Make, read and free a queue, and answer a batch: ring first, durability after.
 *
 * Flow: write_batch.c calls in with what the journal did not take.
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

void write_queue_rest(struct atomicio_queue *queue, struct atomicio_op *ops, uint32_t count,
		      uint32_t flags)
{
	struct queue_batch batch = {.ops = ops, .count = count, .flags = flags};

	queue->file_count = 0;
	if (flags & ATOMICIO_DSYNC)
		write_queue_count_files(queue, ops, count);
	write_fly(queue, &batch);
	if (flags & ATOMICIO_DSYNC)
		write_queue_sync_files(queue, ops, count);
}
