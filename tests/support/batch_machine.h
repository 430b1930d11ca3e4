/* SPDX-License-Identifier: MIT */
/*
 * A queue with two files, and a batch over both, on the ring in memory.
 *
 * Flow: for the tests of rings that fail.  Each program has its own: include it once.
 */
#ifndef BATCH_MACHINE_H
#define BATCH_MACHINE_H

#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "fake_ring.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

#define OPS 16
#define FOREVER (1u << 30)

static struct atomicio_op ops[OPS];
static struct atomicio_queue *queue;
static struct atomicio_file *files[2];
static struct fake_policy policy;

static inline void setup(void)
{
	const struct atomicio_options options = {.policy = fake_decide, .policy_context = &policy};

	for (uint32_t i = 0; i < 2; i++)
		atomicio_close(files[i]); /* of an earlier round */
	fake_ring_reset();
	policy = (struct fake_policy){.answer = ATOMICIO_RETRY};
	for (uint32_t i = 0; i < 2; i++)
		files[i] = fake_ring_open(i, &options);
}

static inline void make_queue(uint32_t depth)
{
	ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, depth, &queue), 0);
}

static inline int run_batch(void)
{
	for (uint32_t i = 0; i < OPS; i++)
		ops[i] = (struct atomicio_op){.file = files[i % 2],
					      .buffer = fake_page(i + 1),
					      .offset = (uint64_t)(i / 2) * 4096,
					      .length = 4096,
					      .result = 12345};
	return atomicio_write_batch(queue, ops, OPS, 0);
}

static inline bool is_written(uint32_t i)
{
	return fake_disk_holds(i % 2, (uint64_t)(i / 2) * 4096, 4096, i + 1);
}

static inline void check_all_written(void)
{
	for (uint32_t i = 0; i < OPS; i++)
		ck_assert(ops[i].result == 0 && is_written(i));
	ck_assert_uint_eq(fake_stats(files[0]).writes_hardware, OPS / 2);
	ck_assert_uint_eq(fake_stats(files[1]).writes_hardware, OPS / 2);
	ck_assert_uint_eq(fake_ring.without_flag, 0);
}

static inline int32_t ring_error(void)
{
	struct atomicio_queue_stats stats;

	ck_assert_int_eq(atomicio_queue_get_stats(queue, &stats, sizeof(stats)), 0);
	return stats.ring_error;
}

static inline void check_closed(void)
{
	atomicio_queue_destroy(queue);
	for (uint32_t i = 0; i < 2; i++) {
		atomicio_close(files[i]);
		files[i] = NULL;
	}
	ck_assert_uint_eq(fake.allocated, 0);
	ck_assert_uint_eq(fake_ring.created, fake_ring.destroyed);
}

#endif /* BATCH_MACHINE_H */
