/* SPDX-License-Identifier: MIT */
/*
 * Goal: a completion has the meaning of the same result of pwritev2(2): same kind, same answers
 * allowed, same number of attempts, same result, same bytes on the disk.
 * Method: every errno of the table, some errnos outside the table, and wrong counts come back from
 * a write by call, from a guest's entry and from a queue's entry, under each answer of a policy.
 * The failures seen by the policy are compared.  Then every call of a batch fails in turn.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "fake_ring.h"
#include "libatomicio/uring.h"
#include "write_queue.h"

#define LENGTH 4096
#define SEEN_MAX 64

/* The outcome of one way of writing. */
struct trace {
	int error;
	uint32_t seen;
	struct atomicio_failure failures[SEEN_MAX];
	struct atomicio_stats stats;
	uint32_t attempts;
	bool new_bytes;
};

typedef int write_way(struct atomicio_file *file, uint32_t flags);

static int64_t injected;
static uint32_t injected_times; /* attempts with the error, then all is well */
static uint32_t answer;
static struct trace *now;

static int64_t inject(const struct io_uring_sqe *sqe, uint32_t number)
{
	now->attempts++;
	(void)number;
	if (sqe->rw_flags & SYS_RWF_ATOMIC && now->attempts <= injected_times)
		return injected;
	return sqe->len;
}

static uint32_t record(void *context, const struct atomicio_failure *failure)
{
	(void)context;
	ck_assert_uint_lt(now->seen, SEEN_MAX);
	now->failures[now->seen++] = *failure;
	return answer;
}

static int by_call(struct atomicio_file *file, uint32_t flags)
{
	return atomicio_write(file, fake_page(1), LENGTH, 8192, flags);
}

static int by_guest(struct atomicio_file *file, uint32_t flags)
{
	struct atomicio_request request = {{0}};
	struct io_uring_sqe entry;
	int error;

	do {
		memset(&entry, 0, sizeof(entry));
		error = atomicio_uring_prep(&request, file, &entry, fake_page(1), LENGTH, 8192,
					    flags);
		if (error)
			return error;
		if (entry.opcode == IORING_OP_NOP)
			return atomicio_uring_done(&request, 0);
		ck_assert(entry.rw_flags & SYS_RWF_ATOMIC);
		error = (int)inject(&entry, 0);
		if (error == LENGTH)
			fake_disk_write(0, 8192, LENGTH, 1);
		error = atomicio_uring_done(&request, error);
	} while (error == ATOMICIO_AGAIN_SQE);
	return error;
}

static int by_queue(struct atomicio_file *file, uint32_t flags)
{
	struct atomicio_op op = {
		.file = file, .buffer = fake_page(1), .offset = 8192, .length = LENGTH};
	struct atomicio_queue *queue;
	int error;

	ck_assert_int_eq(write_queue_create(&fake_ring_sys, &fake_ring_calls, 4, &queue), 0);
	error = atomicio_write_batch(queue, &op, 1, flags);
	ck_assert_int_eq(op.result, error);
	atomicio_queue_destroy(queue);
	return error;
}

static void run(write_way *way, uint32_t fallback, uint32_t flags, struct trace *trace)
{
	const struct atomicio_options options = {
		.policy = record, .fallback = fallback, .retries_max = 5};
	struct atomicio_file *file;

	fake_ring_reset();
	memset(trace, 0, sizeof(*trace));
	now = trace;
	file = fake_ring_open(0, &options);
	fake_ring.result = inject;
	trace->error = way(file, flags);
	trace->stats = fake_stats(file);
	trace->new_bytes = fake_disk_holds(0, 8192, LENGTH, 1);
	ck_assert(trace->new_bytes || fake_disk_holds(0, 8192, LENGTH, 0));
	atomicio_close(file);
	ck_assert_uint_eq(fake.allocated, 0);
}

static void compare(const struct trace *a, const struct trace *b)
{
	ck_assert_int_eq(a->error, b->error);
	ck_assert_uint_eq(a->seen, b->seen);
	ck_assert_uint_eq(a->attempts, b->attempts);
	ck_assert_int_eq(a->new_bytes, b->new_bytes);
	ck_assert_mem_eq(a->failures, b->failures, a->seen * sizeof(a->failures[0]));
	ck_assert_mem_eq(&a->stats, &b->stats, sizeof(a->stats));
}

static void compare_all(int64_t result)
{
	static struct trace call, guest, queue;
	const uint32_t all_flags[] = {0, ATOMICIO_DSYNC, ATOMICIO_NOWAIT};
	const uint32_t times[] = {1, 2, UINT32_MAX};

	injected = result;
	for (answer = ATOMICIO_RETRY; answer <= ATOMICIO_FAIL; answer <<= 1)
		for (uint32_t fallback = ATOMICIO_FALLBACK_NONE;
		     fallback <= ATOMICIO_FALLBACK_PLAIN; fallback += 2)
			for (size_t i = 0; i < 9; i++) {
				injected_times = times[i % 3];
				run(by_call, fallback, all_flags[i / 3], &call);
				run(by_guest, fallback, all_flags[i / 3], &guest);
				ck_assert_uint_ge(call.seen, 1);
				compare(&call, &guest);
				/* The queue links nothing: see uring_queue.c, cancelled ops. */
				if (result == -ECANCELED)
					continue;
				run(by_queue, fallback, all_flags[i / 3], &queue);
				compare(&call, &queue);
			}
}

START_TEST(every_errno_means_what_it_means_to_a_call)
{
	/* The errors of the table, of block/blk-core.c, and some impossible errors. */
	const int errors[] = {
		EOPNOTSUPP, ENOSYS,    ENOTBLK,	  EINVAL,      EAGAIN, EINTR,	ENOSPC,
		EDQUOT,	    EFBIG,     EBADF,	  ECANCELED,   EIO,    ENODATA, ENOMEM,
		EILSEQ,	    ETIMEDOUT, EREMOTEIO, ENOLINK,     EBADE,  ENODEV,	EROFS,
		EFAULT,	    EPERM,     EUCLEAN,	  ENOPROTOOPT, 4095,
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		compare_all(-errors[i]);
}
END_TEST

START_TEST(every_count_that_is_not_the_length_is_broken)
{
	const int32_t counts[] = {0,	      1,	  511,	      512,	2048,
				  LENGTH - 1, LENGTH + 1, 2 * LENGTH, INT32_MAX};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		static struct trace guest;

		compare_all(counts[i]);
		answer = ATOMICIO_RETRY;
		run(by_guest, ATOMICIO_FALLBACK_PLAIN, 0, &guest);
		ck_assert_int_eq(guest.error, -EIO);
		ck_assert_uint_eq(guest.failures[0].kind, ATOMICIO_KIND_BROKEN);
		ck_assert_uint_eq(guest.attempts, 1);
	}
}
END_TEST

/* A batch of all sorts: two files, DSYNC, a shape for the fallback, a buffer to bounce. */
static void batch_with_failure_at(uint32_t call, int error, uint32_t *calls)
{
	const struct atomicio_options options = {
		.fallback = ATOMICIO_FALLBACK_PLAIN, .bounce_max = 16384, .retries_max = 2};
	struct atomicio_file *files[2];
	struct atomicio_op ops[8];
	struct atomicio_queue *queue = NULL;
	int first;

	fake_ring_reset();
	for (uint32_t i = 0; i < 2; i++)
		files[i] = fake_ring_open(i, &options);
	for (uint32_t i = 0; i < 8; i++)
		ops[i] = (struct atomicio_op){.file = files[i % 2],
					      .buffer = (const char *)fake_page(i + 1) +
							(i == 3 ? 4 : 0),
					      .offset = (uint64_t)i * 4096,
					      .length = i == 2 ? 2048 : 4096,
					      .result = 12345};
	/* The file size limit is looked at before each write, so that there is something to fail.
	 */
	files[0]->limited = true;
	files[0]->fast.unit_max = 0;
	fake.file_size_limit = FAKE_DISK_SIZE;
	fake.calls = 0;
	fake.fail_at = call;
	fake.fail_error = error;
	first = write_queue_create(&fake_ring_sys, &fake_ring_calls, 4, &queue);
	if (first) {
		ck_assert_int_eq(first, -ENOMEM);
		ck_assert_ptr_null(queue);
	} else {
		first = atomicio_write_batch(queue, ops, 8, ATOMICIO_DSYNC);
		for (uint32_t i = 0; i < 8; i++) {
			const uint8_t *bytes = &fake_disk_bytes[i % 2][ops[i].offset];

			ck_assert_int_le(ops[i].result, 0);
			ck_assert(!memcmp(bytes, ops[i].result ? fake_page(0) : ops[i].buffer,
					  ops[i].length));
		}
	}
	*calls = fake.calls;
	fake.fail_at = 0;
	atomicio_queue_destroy(queue);
	for (uint32_t i = 0; i < 2; i++)
		atomicio_close(files[i]);
	ck_assert_uint_eq(fake.allocated, 0);
	ck_assert_uint_eq(fake_ring.created, fake_ring.destroyed);
}

START_TEST(every_call_of_a_batch_may_fail)
{
	const int errors[] = {-ENOMEM, -EIO, -EPERM};
	uint32_t calls, total;

	for (size_t i = 0; i < 3; i++) {
		batch_with_failure_at(0, errors[i], &total);
		ck_assert_uint_ge(total, 5);
		for (uint32_t call = 1; call <= total; call++)
			batch_with_failure_at(call, errors[i], &calls);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_errno_means_what_it_means_to_a_call,
		every_count_that_is_not_the_length_is_broken,
		every_call_of_a_batch_may_fail,
	};

	return check_run("fault_uring", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
