/* SPDX-License-Identifier: MIT */
/*
 * Flights: requests of the kernel's AIO on their way, while the sender goes on with other work.
 *
 * Flow: between sys_aio.h and the senders: loss_flight.c sends a sync, journal_tail.c a header.  No
 * thread is made: a call that sends, polls or waits also receives the flights of other senders.
 *
 *	the sender's --sys_flights_send()--> in the air --_poll(), _wait(), _end()--> landed
 *
 * In the air the flight is in the list `air`.  Landed: `result` is set, and the memory is the
 * sender's again.
 *
 * SF1 a flight's memory and its buffer stay unchanged until the flight has landed.
 * SF2 each flight lands once, with a result, whatever happens to the context.  Where the kernel's
 *     result cannot be had any more, the flight lands after its end, with SYS_FLIGHT_LOST.
 * SF3 no thread waits in the kernel with the lock held, and only one thread waits in the kernel:
 *     no thread takes a completion for which another thread waits in the kernel.
 */
#ifndef LIBATOMICIO_SYS_FLIGHT_H
#define LIBATOMICIO_SYS_FLIGHT_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "sys_aio.h"

/* The flight has ended with an unknown result: done, failed, or never begun. */
#define SYS_FLIGHT_LOST (-ECANCELED)

struct sys_flight {
	struct iocb block;
	struct sys_flight *next; /* in the list of flights in the air */
	_Atomic bool landed;
	int64_t result; /* after landing: the call's result, or a negative errno */
};

struct sys_flights {
	const struct sys_calls *sys;
	uint32_t depth;
	int eventfd; /* signalled at each landing; -1: none.  Set before the first flight */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	aio_context_t context; /* 0: not made yet, or lost */
	bool refused;	       /* no AIO on this machine: not asked again */
	bool collecting;       /* a thread waits in the kernel for all flights */
	struct sys_flight *air;
	_Atomic uint32_t count; /* in the air */
};

/* No system call before the first flight is sent.  `clock` is of monotonic conditions. */
void sys_flights_begin(struct sys_flights *flights, const struct sys_calls *sys, uint32_t depth,
		       const pthread_condattr_t *clock);
/* Waits for all flights in the air. */
void sys_flights_end(struct sys_flights *flights);

/* May a flight be sent, or is AIO refused on this machine? */
bool sys_flights_may_send(const struct sys_flights *flights);

/*
 * Send a flight.  Its block is filled in, except aio_data and the eventfd.  Returns 0, or the error
 * by which the kernel refused the flight: nothing is done then.
 */
int sys_flights_send(struct sys_flights *flights, struct sys_flight *flight);

/* Send several flights, an array.  Returns the number of flights taken, from the first on. */
uint32_t sys_flights_send_many(struct sys_flights *flights, struct sys_flight *list,
			       uint32_t count);

/* Land all ended flights, without waiting.  Has a flight landed? */
bool sys_flights_poll(struct sys_flights *flights);

/* Wait until a flight has landed.  False: nothing is in the air, or the time is over. */
bool sys_flights_wait(struct sys_flights *flights, uint32_t milliseconds);

static inline bool sys_flight_landed(const struct sys_flight *flight)
{
	return atomic_load_explicit(&flight->landed, memory_order_acquire);
}

#endif /* LIBATOMICIO_SYS_FLIGHT_H */
