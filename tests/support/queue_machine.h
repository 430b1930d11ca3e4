/* SPDX-License-Identifier: MIT */
/*
 * A queue over a ring and disks in memory, and a batch to give to it.
 *
 * Flow: shared by the tests of the queue, above fake_ring.h; `setup` is their fixture.
 */
#ifndef TESTS_QUEUE_MACHINE_H
#define TESTS_QUEUE_MACHINE_H

#include "fake_ring.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

#define OPS_MAX 256

extern struct atomicio_op ops[OPS_MAX];
extern struct atomicio_queue *queue;
extern struct fake_policy policy;

void setup(void);

/* A handle on one of the disks, whose policy gives one answer. */
struct atomicio_file *open_with(uint32_t disk, uint32_t answer, uint32_t fallback);
void make_queue(uint32_t depth);
struct atomicio_queue_stats queue_stats(void);

/* Fill op `i`; put_all: `count` ops of 4096 bytes, over the files in turn. */
void put(uint32_t i, struct atomicio_file *file, uint64_t offset, uint64_t length);
void put_all(struct atomicio_file **files, uint32_t file_count, uint32_t count);

/* All ops of put_all() succeeded, and their bytes are where they belong. */
void check_all(uint32_t file_count, uint32_t count);

/* A result for fake_ring.result: a ring whose kernel knows no untorn write. */
int64_t ring_cannot(const struct io_uring_sqe *sqe, uint32_t number);

#endif /* TESTS_QUEUE_MACHINE_H */
