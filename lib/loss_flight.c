/* SPDX-License-Identifier: MIT */
/*
 * Syncs of the witness without anybody waiting.
 *
 * Flow: begun by the journal's retirement.  Ended by the retirement, or by any call of loss.c that
 * must know the result first (L9).  The kernel makes the fsync in a thread of its own (fs/aio.c:
 * aio_fsync, since 4.18), through the given description: the report is the witness's.
 *
 * Only for files with a witness, and nothing else to sync: where L5 wants the written descriptions
 * synced as well, loss_sync() does everything.
 */
#include "loss.h"

#include <assert.h>
#include <errno.h>

/* Longest wait in the kernel before another look. */
#define AWAIT_MS 100u

/* The lock is held for all below, but where said. */

static int launch(struct loss *loss)
{
	loss->flight.block = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_FDSYNC,
		.aio_fildes = (uint32_t)loss->witness,
	};
	return sys_flights_send(loss->flights, &loss->flight);
}

/* A landing: the second sync of L6 follows, or the end. */
static void note_landing(struct loss *loss)
{
	int error = (int)loss->flight.result;
	bool lost = error != 0;

	if (!error && loss->flight_again) {
		loss->flight_again = false;
		if (launch(loss) == 0)
			return;
		error = -EINTR; /* nothing is lost, and nothing is synced */
		lost = false;
	}
	/* The witness's report is unknown: L4. */
	if (error == SYS_FLIGHT_LOST)
		error = -EIO;
	loss->flown = loss_close_sync(loss, loss->flight_number, loss->flight_took, error, lost);
	atomic_store_explicit(&loss->flying, false, memory_order_release);
}

void loss_await_flight(struct loss *loss)
{
	while (atomic_load_explicit(&loss->flying, memory_order_relaxed)) {
		if (!loss_may_ask_witness(loss)) /* L8: the parent's */
			return;
		if (sys_flight_landed(&loss->flight))
			note_landing(loss);
		else
			(void)sys_flights_wait(loss->flights, AWAIT_MS);
	}
}

int loss_begin_sync(struct loss *loss, struct sys_flights *flights)
{
	bool takes;
	int error;

	if (loss->delegates || !loss_may_ask_witness(loss) || !sys_flights_may_send(flights))
		return -EOPNOTSUPP;
	if (pthread_mutex_trylock(&loss->lock))
		return -EBUSY;
	assert(!atomic_load(&loss->flying)); /* one at a time */
	if (loss->lost) {
		pthread_mutex_unlock(&loss->lock);
		return -ENOTRECOVERABLE;
	}
	loss->flights = flights;
	loss->flight_number = loss_open_sync(loss, &takes);
	loss->flight_took = takes;
	loss->flight_again = loss->lies_once;
	error = launch(loss);
	if (error == 0)
		atomic_store(&loss->flying, true);
	else
		(void)loss_close_sync(loss, loss->flight_number, takes, -EINTR, false);
	pthread_mutex_unlock(&loss->lock);
	return error == -EBUSY || error == -ENOTRECOVERABLE ? -EOPNOTSUPP : error;
}

/* No lock. */
bool loss_sync_ended(const struct loss *loss)
{
	return !atomic_load_explicit(&loss->flying, memory_order_acquire) ||
	       sys_flight_landed(&loss->flight);
}

int loss_end_sync(struct loss *loss)
{
	if (atomic_load_explicit(&loss->flying, memory_order_acquire)) {
		if (!sys_flight_landed(&loss->flight) || pthread_mutex_trylock(&loss->lock))
			return -EBUSY;
		if (atomic_load(&loss->flying) && sys_flight_landed(&loss->flight))
			note_landing(loss);
		pthread_mutex_unlock(&loss->lock);
	}
	return atomic_load_explicit(&loss->flying, memory_order_acquire) ? -EBUSY : loss->flown;
}
