/* SPDX-License-Identifier: MIT */
/*
 * Move the ops of a batch through the ring: fill, enter, reap, until all are answered.
 *
 *	pending -> STAGED -> FLYING -> answered
 *	             ^          |
 *	             +- AGAIN <-+	the policy said RETRY, or a raw device is in doubt
 *
 * Flow: below write_queue.c.  Ops that need more than one kernel write (bounce buffers, fallbacks,
 * and every op without a ring) run here through write_until_done(), synchronously.  The rules are
 * in write_queue.h.
 */
#include "write_queue.h"

#include <errno.h>

#include "write_entry.h"
#include "trace.h"

/* Steps without progress before the ring counts as dead, and the pause between them. */
#define STALLS_MAX 1000
#define STALL_US 1000

/* How often a dead ring is looked at for completions still to come. */
#define GRACE_STEPS 200
#define GRACE_US 5000

#define REAP_AT_ONCE 64

static bool has_ring(const struct atomicio_queue *queue)
{
	return atomic_load_explicit(&queue->ring_error, memory_order_relaxed) == 0;
}

static uint32_t number_of(const struct atomicio_queue *queue, const struct queue_slot *slot)
{
	return (uint32_t)(slot - queue->slots);
}

static void answer(struct atomicio_queue *queue, struct queue_slot *slot, int error)
{
	const struct write_request *request = &slot->request;

	if (error) {
		slot->op->result = error;
	} else if (request->mode & WRITE_SYNC_LATER && request->path != ATOMICIO_PATH_JOURNAL) {
		slot->op->result = WRITE_UNSYNCED(request->path);
		loss_note_unsynced(&request->file->loss);
	} else {
		write_count_done(request);
		slot->op->result = 0;
	}
	slot->state = QUEUE_FREE;
	queue->free[queue->free_count++] = number_of(queue, slot);
}

static void again(struct atomicio_queue *queue, struct queue_slot *slot)
{
	slot->state = QUEUE_AGAIN;
	queue->again[queue->again_count++] = number_of(queue, slot);
}

/* Put a request that is ready into an entry.  False: no entry is free. */
static bool push(struct atomicio_queue *queue, struct queue_slot *slot)
{
	const struct write_request *request = &slot->request;
	struct io_uring_sqe *sqe = queue->calls->next(queue->ring);

	if (!sqe)
		return false;
	TRACE_SUBMIT(request->file->fd, request->offset, request->length, request->flags);
	write_entry_fill(sqe, IORING_OP_WRITE, request->file->fd, request->buffer,
			 (uint32_t)request->length, request->offset, write_entry_rwf(request));
	slot->submission++;
	sqe->user_data = (uint64_t)slot->submission << 32 | number_of(queue, slot);
	slot->state = QUEUE_STAGED;
	queue->staged[queue->staged_count++] = number_of(queue, slot);
	return true;
}

/* One kernel write from the op's own buffer? */
static bool flies(const struct atomicio_queue *queue, const struct write_request *request)
{
	const uintptr_t mask = request->file->limits.memory_align - 1;

	return has_ring(queue) && request->path == ATOMICIO_PATH_KERNEL &&
	       ((uintptr_t)request->buffer & mask) == 0;
}

/* Stage or answer an op.  False: no entry is free, and the op waits as AGAIN. */
static bool stage(struct atomicio_queue *queue, struct queue_slot *slot)
{
	struct write_request *request = &slot->request;
	struct write_outcome outcome;

	while (flies(queue, request)) {
		if (write_is_poisoned(request->file)) {
			write_count(&request->file->counters.writes_failed, 1);
			answer(queue, slot, write_poisoned_error(request));
			return true;
		}
		if (write_entry_ready(request, &outcome)) {
			if (push(queue, slot))
				return true;
			again(queue, slot);
			return false;
		}
		if (write_decide(request, &outcome) == WRITE_GIVE_UP) {
			answer(queue, slot, outcome.error);
			return true;
		}
	}
	answer(queue, slot, write_until_done(request));
	return true;
}

/* Give the batch's next op a slot. */
static struct queue_slot *take_slot(struct atomicio_queue *queue, struct atomicio_op *op,
				    uint32_t flags)
{
	struct queue_slot *slot = &queue->slots[queue->free[--queue->free_count]];
	struct write_request *request = &slot->request;

	slot->op = op;
	*request = (struct write_request){
		.file = op->file,
		.buffer = op->buffer,
		.length = op->length,
		.offset = op->offset,
		.flags = flags,
	};
	if (flags & ATOMICIO_DSYNC && write_queue_syncs(queue, op->file)) {
		request->flags &= ~ATOMICIO_DSYNC;
		request->mode = WRITE_SYNC_LATER;
	}
	request->path = write_route(request);
	return slot;
}

/* Fill the ring.  Returns true if an op found no place. */
static bool fill(struct atomicio_queue *queue, struct queue_batch *batch)
{
	while (queue->again_count)
		if (!stage(queue, &queue->slots[queue->again[--queue->again_count]]))
			return true;
	for (; batch->next < batch->count; batch->next++) {
		struct atomicio_op *op = &batch->ops[batch->next];

		if (op->result != WRITE_PENDING)
			continue;
		if (op->length > SIZE_MAX ||
		    write_misuse(op->buffer, op->length, op->offset, batch->flags, WRITE_FLAGS)) {
			op->result = -EINVAL;
			write_count(&op->file->counters.writes_failed, 1);
			continue;
		}
		if (!queue->free_count)
			return true;
		if (!stage(queue, take_slot(queue, op, batch->flags))) {
			batch->next++; /* the op has a slot */
			return true;
		}
	}
	return queue->again_count != 0;
}

static void complete(struct atomicio_queue *queue, const struct sys_completion *done)
{
	const uint32_t number = (uint32_t)done->user_data;
	struct queue_slot *slot = &queue->slots[number];
	struct write_outcome outcome;

	/* Q1: not an awaited completion. */
	if (number >= queue->depth || slot->state != QUEUE_FLYING ||
	    slot->submission != done->user_data >> 32)
		return;
	queue->flying--;
	if (done->result == -ECANCELED) { /* Q5 */
		answer(queue, slot, write_until_done(&slot->request));
		return;
	}
	if (!write_entry_result(&slot->request, done->result, &outcome))
		again(queue, slot);
	else if (!outcome.kind)
		answer(queue, slot, 0);
	else if (write_decide(&slot->request, &outcome) == WRITE_GIVE_UP)
		answer(queue, slot, outcome.error);
	else
		again(queue, slot);
}

static uint32_t reap(struct atomicio_queue *queue)
{
	struct sys_completion done[REAP_AT_ONCE];
	uint32_t total = 0, count;

	do {
		count = queue->calls->reap(queue->ring, done, REAP_AT_ONCE);
		for (uint32_t i = 0; i < count; i++)
			complete(queue, &done[i]);
		total += count;
	} while (count == REAP_AT_ONCE && total < 2 * queue->depth);
	return total;
}

/*
 * Staged entries that the kernel has consumed are under way, even after a failed call.  Else their
 * completions would be ignored (Q1), and awaited without end.  Returns the number of entries.
 */
static uint32_t launch(struct atomicio_queue *queue)
{
	const uint32_t left = queue->calls->left(queue->ring);
	const uint32_t count = left < queue->staged_count ? queue->staged_count - left : 0;

	for (uint32_t i = 0; i < count; i++)
		queue->slots[queue->staged[i]].state = QUEUE_FLYING;
	queue->staged_count -= count;
	for (uint32_t i = 0; count && i < queue->staged_count; i++)
		queue->staged[i] = queue->staged[i + count];
	queue->flying += count;
	write_count(&queue->counters.submissions, count);
	return count;
}

/* Q3: the op's completion is lost.  The policy receives the failure, but has no choice. */
static void fail_unanswered(struct atomicio_queue *queue, struct queue_slot *slot)
{
	struct write_outcome outcome;

	write_fail(&outcome, ATOMICIO_KIND_MEDIA, -EIO, 0);
	outcome.allowed = ATOMICIO_FAIL;
	(void)write_decide(&slot->request, &outcome);
	write_poison(slot->request.file);
	answer(queue, slot, outcome.error);
}

/* Q3: the ring failed.  Entries not consumed will go through pwritev2(2). */
static void ring_failed(struct atomicio_queue *queue, int error)
{
	atomic_store_explicit(&queue->ring_error, error, memory_order_relaxed);
	for (uint32_t i = 0; i < queue->staged_count; i++)
		again(queue, &queue->slots[queue->staged[i]]);
	queue->staged_count = 0;
	for (int i = 0; i < GRACE_STEPS && queue->flying; i++) {
		if (reap(queue) == 0)
			queue->sys->sleep_us(GRACE_US);
	}
	for (uint32_t i = 0; i < queue->depth && queue->flying; i++) {
		if (queue->slots[i].state != QUEUE_FLYING)
			continue;
		queue->flying--;
		fail_unanswered(queue, &queue->slots[i]);
	}
	queue->calls->destroy(queue->ring);
}

/*
 * Submit the staged entries, wait, and take the completions.  EINTR is a signal: wait on.  EAGAIN
 * and EBUSY: the kernel has no memory, or completions to deliver first.  Both errors pass, or end
 * the ring after STALLS_MAX steps like any other error (Q3).
 */
static void step(struct atomicio_queue *queue, bool more)
{
	const uint32_t out = queue->staged_count + queue->flying;
	const uint32_t wait = more && out ? 1 : out;
	const int result = queue->calls->enter(queue->ring, wait);
	const uint32_t launched = launch(queue);

	write_count(&queue->counters.waits, 1);
	if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
		ring_failed(queue, result);
		return;
	}
	if (reap(queue) || launched || result == -EINTR) {
		queue->stalls = 0;
		return;
	}
	if (++queue->stalls > STALLS_MAX) {
		ring_failed(queue, result < 0 ? result : -ETIME);
		return;
	}
	queue->sys->sleep_us(STALL_US);
}

void write_fly(struct atomicio_queue *queue, struct queue_batch *batch)
{
	queue->stalls = 0;
	for (;;) {
		const bool more = fill(queue, batch);

		if (!more && queue->staged_count + queue->flying == 0)
			break;
		if (has_ring(queue))
			step(queue, more);
	}
	assert(queue->free_count == queue->depth && queue->again_count == 0);
}
