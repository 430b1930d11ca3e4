/* SPDX-License-Identifier: MIT */
/*
 * The queue: a ring of the library's own, and the writes of a batch in flight.
 *
 * Flow: write_batch.c leaves all ops but the journal's to write_queue.c, which makes the ops
 * durable and answers them; write_flight.c moves the ops through the ring.
 *
 * Rules:
 * Q1 every op is answered once: a completion counts only for the submission that it names.
 * Q2 never more writes are in flight than the completion queue holds: no overflow.
 * Q3 a failed ring is not used again.  Writes that the kernel never took go through pwritev2(2).  A
 *    write taken and never answered is MEDIA, never a success, and poisons its handle: the kernel
 *    may still write the page, and could put the page over a newer page.
 * Q4 memory is taken at creation only.
 * Q5 a cancelled write was never started, and nothing of ours cancels: the kernel had no worker for
 *    the write, as when signals keep coming (io_uring/io-wq.c gives up after 3 attempts, seen on
 *    6.18).  The write then goes through pwritev2(2), which needs no worker.
 */
#ifndef LIBATOMICIO_WRITE_QUEUE_H
#define LIBATOMICIO_WRITE_QUEUE_H

#include "libatomicio/uring.h"
#include "sys_ring.h"
#include "write.h"

#define QUEUE_DEPTH_MAX 4096
#define QUEUE_FILES_MAX 64 /* files of one batch with an fdatasync to share */

enum queue_state {
	QUEUE_FREE,
	QUEUE_STAGED, /* in an entry not consumed by the kernel */
	QUEUE_FLYING, /* consumed, not completed */
	QUEUE_AGAIN,  /* waits for an entry */
};

/* One op on its way. */
struct queue_slot {
	struct write_request request;
	struct atomicio_op *op;
	enum queue_state state;
	uint32_t submission; /* number of the last, named by completions (Q1) */
};

/* A file of the batch, and the count of ops for one fdatasync. */
struct queue_file {
	struct atomicio_file *file;
	uint32_t writes;
	bool unsynced;
	int error; /* of the fdatasync */
};

struct queue_counters {
	_Atomic uint64_t batches, ops, submissions, waits, syncs;
};

struct atomicio_queue {
	const struct sys_calls *sys;
	const struct sys_ring_calls *calls;
	void *ring;
	_Atomic uint32_t busy;	    /* a thread is in a batch */
	_Atomic int32_t ring_error; /* 0: the ring works */
	uint32_t depth;
	uint32_t flying;
	uint32_t free_count, staged_count, again_count;
	uint32_t stalls; /* steps without any progress */
	struct queue_slot *slots;
	uint32_t *free, *staged, *again; /* slot numbers, `depth` of each */
	uint32_t file_count;
	uint32_t file_hint; /* row of the last file found */
	struct queue_file files[QUEUE_FILES_MAX];
	struct queue_counters counters;
};

/* The ops of a batch, and the progress. */
struct queue_batch {
	struct atomicio_op *ops;
	uint32_t count;
	uint32_t next;
	uint32_t flags;
};

/* write_queue.c */
int write_queue_create(const struct sys_calls *sys, const struct sys_ring_calls *calls,
		       uint32_t depth, struct atomicio_queue **queue);

/* write_queue_files.c: count the files with something to make durable, before the ring; ... */
void write_queue_count_files(struct atomicio_queue *queue, const struct atomicio_op *ops,
			     uint32_t count);
/* ... will one fdatasync make this file's writes durable? ... */
bool write_queue_syncs(struct atomicio_queue *queue, const struct atomicio_file *file);
/* ... and after: make the unsynced durable, one call a file, and give each op its result. */
void write_queue_sync_files(struct atomicio_queue *queue, struct atomicio_op *ops, uint32_t count);

/* write_flight.c: answer every pending op; a success not yet durable is UNSYNCED. */
void write_fly(struct atomicio_queue *queue, struct queue_batch *batch);

#endif /* LIBATOMICIO_WRITE_QUEUE_H */
