/* SPDX-License-Identifier: MIT */
/*
 * See queue_machine.h.
 */
#include "queue_machine.h"

#include <check.h>

struct atomicio_op ops[OPS_MAX];
struct atomicio_queue *queue;
struct fake_policy policy;

void setup(void)
{
	fake_ring_reset();
	policy = (struct fake_policy){.answer = ATOMICIO_FAIL};
	queue = NULL;
}

struct atomicio_file *open_with(uint32_t disk, uint32_t answer, uint32_t fallback)
{
	const struct atomicio_options options = {.policy = fake_decide,
						 .policy_context = &policy,
						 .fallback = fallback,
						 .bounce_max = 65536};

	policy.answer = answer;
	return fake_ring_open(disk, &options);
}

void make_queue(uint32_t depth)
{
	ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, depth, &queue), 0);
}

void put(uint32_t i, struct atomicio_file *file, uint64_t offset, uint64_t length)
{
	ops[i] = (struct atomicio_op){.file = file,
				      .buffer = fake_page(i + 1),
				      .offset = offset,
				      .length = length,
				      .result = 12345};
}

void put_all(struct atomicio_file **files, uint32_t file_count, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		put(i, files[i % file_count], (uint64_t)(i / file_count) * 4096, 4096);
}

void check_all(uint32_t file_count, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_int_eq(ops[i].result, 0);
		ck_assert(fake_disk_holds(i % file_count, (uint64_t)(i / file_count) * 4096, 4096,
					  i + 1));
	}
}

struct atomicio_queue_stats queue_stats(void)
{
	struct atomicio_queue_stats stats;

	ck_assert_int_eq(atomicio_queue_get_stats(queue, &stats, sizeof(stats)), 0);
	return stats;
}

int64_t ring_cannot(const struct io_uring_sqe *sqe, uint32_t number)
{
	(void)number;
	return sqe->rw_flags & SYS_RWF_ATOMIC ? -EOPNOTSUPP : (int64_t)sqe->len;
}
