/* SPDX-License-Identifier: MIT */
/*
 * Couriers: many runs on their way at the same time.
 *
 * Flow: a ticket of several pages takes a courier (with the lock), writes its runs through the
 * courier (without the lock), and gives the courier back.  Where no courier is free, and where AIO
 * is refused, runs are written one by one, which is only slower.
 *
 * A context is made by the first runs that need one, not at open: a writer of single pages never
 * has a context. io_destroy(2) and exit(2) wait for an RCU grace period for each context.
 */
#include "journal_aio.h"

#include <errno.h>

#include "sys_refused.h"

/* Completions fetched in one call. */
#define EVENTS_MAX 64u
/* Between two looks at requests where the kernel refuses to wait. */
#define LOOK_AGAIN_US 10000u

int journal_make_couriers(struct atomicio_journal *journal)
{
	const uint32_t pages = journal->frame_room / JOURNAL_BLOCK;
	const uint32_t depth = pages < JOURNAL_AIO_DEPTH ? pages : JOURNAL_AIO_DEPTH;
	const size_t each = depth * (sizeof(struct iocb) + sizeof(struct iocb *));
	const size_t size = JOURNAL_COURIERS * (sizeof(struct journal_courier) + each);
	struct journal_courier *couriers;

	couriers = journal->sys->allocate(_Alignof(struct iocb), size);
	if (!couriers)
		return -ENOMEM;
	for (uint32_t i = 0; i < JOURNAL_COURIERS; i++) {
		struct journal_courier *courier = &couriers[i];

		courier->depth = depth;
		courier->refused = !journal->sys->aio;
		courier->blocks = (struct iocb *)(couriers + JOURNAL_COURIERS) + (size_t)i * depth;
		courier->list = (struct iocb **)((struct iocb *)(couriers + JOURNAL_COURIERS) +
						 (size_t)JOURNAL_COURIERS * depth) +
				(size_t)i * depth;
	}
	journal->memory += size;
	journal->couriers = couriers;
	return 0;
}

void journal_end_couriers(struct atomicio_journal *journal)
{
	for (uint32_t i = 0; journal->couriers && i < JOURNAL_COURIERS; i++)
		if (journal->couriers[i].context)
			(void)journal->sys->aio->destroy(journal->couriers[i].context);
	if (journal->couriers)
		journal->sys->release_memory(journal->couriers);
}

struct journal_courier *journal_take_courier(struct atomicio_journal *journal)
{
	for (uint32_t i = 0; i < JOURNAL_COURIERS; i++) {
		struct journal_courier *courier = &journal->couriers[i];

		if (courier->busy || courier->refused)
			continue;
		courier->busy = true;
		return courier;
	}
	return NULL;
}

void journal_give_courier(struct journal_courier *courier)
{
	if (courier)
		courier->busy = false;
}

void journal_write_run(const struct sys_calls *sys, struct journal_run *run)
{
	uint64_t offset = run->offset;

	run->state = JOURNAL_RUN_DONE;
	run->error = journal_write_vector(sys, run->fd, run->rwf, run->vector, run->count, offset);
	if (run->error != -EINVAL || run->count == 1)
		return;
	/* A filesystem that accepts each part, but not all parts at once. */
	run->error = 0;
	for (uint32_t i = 0; i < run->count && !run->error; i++) {
		const struct iovec *part = &run->vector[i];

		run->error = journal_write_all(sys, run->fd, run->rwf, part->iov_base,
					       part->iov_len, offset);
		offset += part->iov_len;
	}
}

/* Take a completion: the run is written, has failed, or is left for a call (O6). */
static void answer(const struct sys_calls *sys, struct journal_run *run, int64_t result)
{
	run->state = JOURNAL_RUN_DONE;
	run->error = 0;
	if (result == (int64_t)run->length)
		return;
	if (run->into)
		run->state = JOURNAL_RUN_TODO;
	else if (result > 0)
		run->error = journal_write_rest(sys, run->fd, run->rwf, run->vector, run->count,
						run->offset, (uint64_t)result);
	else if (result == -EAGAIN || result == -EINTR || result == -EINVAL)
		run->state = JOURNAL_RUN_TODO;
	else
		run->error = result < 0 ? (int)result : -EIO;
}

void journal_end_run(const struct sys_calls *sys, struct journal_run *run, int64_t result)
{
	if (result == SYS_FLIGHT_LOST)
		run->state = JOURNAL_RUN_TODO;
	else
		answer(sys, run, result);
	if (run->state == JOURNAL_RUN_TODO)
		journal_write_run(sys, run);
}

/* Is there a context, and more than one direct run? */
static bool is_ready(const struct sys_calls *sys, struct journal_courier *courier,
		     const struct journal_run *runs, uint32_t count)
{
	uint32_t direct = 0;
	int error;

	for (uint32_t i = 0; i < count && direct < 2; i++)
		direct += runs[i].direct;
	if (!courier || courier->refused || direct < 2)
		return false;
	if (courier->context)
		return true;
	error = sys->aio->setup(courier->depth, &courier->context);
	if (!error)
		return true;
	courier->context = 0;
	/* fs.aio-max-nr (EAGAIN) and memory may be free again next time. */
	courier->refused = error != -EAGAIN && error != -ENOMEM;
	return false;
}

void journal_fill_block(struct iocb *block, struct journal_run *run)
{
	if (run->into) {
		*block = (struct iocb){
			.aio_data = (uintptr_t)run,
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)run->fd,
			.aio_buf = (uintptr_t)run->into,
			.aio_nbytes = run->length,
			.aio_offset = (int64_t)run->offset,
		};
		return;
	}
	*block = (struct iocb){
		.aio_data = (uintptr_t)run,
		.aio_lio_opcode = IOCB_CMD_PWRITEV,
		.aio_fildes = (uint32_t)run->fd,
		.aio_rw_flags = run->rwf,
		.aio_buf = (uintptr_t)run->vector,
		.aio_nbytes = run->count,
		.aio_offset = (int64_t)run->offset,
	};
}

/* Send the next direct runs.  Returns the number sent; refused runs are left to do. */
static uint32_t send(const struct sys_calls *sys, struct journal_courier *courier,
		     struct journal_run *runs, uint32_t count, uint32_t *at)
{
	uint32_t filled = 0, sent = 0;

	for (; *at < count && filled < courier->depth; (*at)++) {
		if (!runs[*at].direct)
			continue;
		journal_fill_block(&courier->blocks[filled], &runs[*at]);
		courier->list[filled] = &courier->blocks[filled];
		filled++;
	}
	while (sent < filled) {
		const int result =
			sys->aio->submit(courier->context, filled - sent, courier->list + sent);

		if (result <= 0) {
			*at = count; /* O6: the rest by call */
			break;
		}
		for (int i = 0; i < result; i++, sent++)
			((struct journal_run *)(uintptr_t)courier->blocks[sent].aio_data)->state =
				JOURNAL_RUN_FLYING;
	}
	return sent;
}

/*
 * Completions cannot be fetched any more: a filter was installed since. io_destroy() waits for the
 * requests on their way, but does not return their results: all of them are written again.
 */
static void lose_context(const struct sys_calls *sys, struct journal_courier *courier,
			 struct journal_run *runs, uint32_t count)
{
	int error;

	/* O5: without this wait the kernel could use the buffers later. */
	while ((error = sys->aio->destroy(courier->context)) && error != -EINVAL)
		sys->sleep_us(LOOK_AGAIN_US);
	courier->context = 0;
	courier->refused = true;
	for (uint32_t i = 0; i < count; i++)
		if (runs[i].state == JOURNAL_RUN_FLYING)
			runs[i].state = JOURNAL_RUN_TODO;
}

/* O5: wait for all sent runs. */
static void collect(const struct sys_calls *sys, struct journal_courier *courier,
		    struct journal_run *runs, uint32_t count, uint32_t sent)
{
	struct io_event events[EVENTS_MAX];

	while (sent) {
		const uint32_t least = sent < EVENTS_MAX ? sent : EVENTS_MAX;
		const int result = sys->aio->reap(courier->context, least, EVENTS_MAX, events,
						  SYS_AIO_FOREVER);

		if (result == -EINTR)
			continue;
		if (result <= 0) {
			lose_context(sys, courier, runs, count);
			return;
		}
		for (int i = 0; i < result; i++)
			answer(sys, (struct journal_run *)(uintptr_t)events[i].data, events[i].res);
		sent -= (uint32_t)result;
	}
}

static void write_cached(const struct sys_calls *sys, struct journal_run *runs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!runs[i].direct && runs[i].state == JOURNAL_RUN_TODO)
			journal_write_run(sys, &runs[i]);
}

/* All direct runs that AIO takes; cached ones are written meanwhile. */
static void fly(const struct sys_calls *sys, struct journal_courier *courier,
		struct journal_run *runs, uint32_t count)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < count; i++)
		runs[i].state = JOURNAL_RUN_TODO;
	while (at < count && is_ready(sys, courier, runs, count)) {
		const uint32_t sent = send(sys, courier, runs, count, &at);

		write_cached(sys, runs, count);
		collect(sys, courier, runs, count, sent);
	}
}

void journal_write_runs(const struct sys_calls *sys, struct journal_courier *courier,
			struct journal_run *runs, uint32_t count)
{
	fly(sys, courier, runs, count);
	for (uint32_t i = 0; i < count; i++)
		if (runs[i].state == JOURNAL_RUN_TODO)
			journal_write_run(sys, &runs[i]);
}

void journal_read_runs(const struct sys_calls *sys, struct journal_courier *courier,
		       struct journal_run *runs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		assert(runs[i].direct && runs[i].into);
	fly(sys, courier, runs, count);
}
