/* SPDX-License-Identifier: MIT */
/*
 * Requests of the kernel's AIO that are on their way while their sender does something else.
 *
 * Flow: between sys_aio.h and who sends: loss_flight.c a sync, journal_tail.c a header.  No
 * thread is made: whoever sends, polls or waits also receives what others have sent.
 *
 * SF1 a flight's memory, and what it writes from, stay as they are until it has landed.
 * SF2 each flight lands once, with a result, whatever becomes of the context: where nobody can be
 *     asked any more, with SYS_FLIGHT_LOST, when it has ended.
 * SF3 nobody waits in the kernel with a lock held, and of those who wait only one is in the kernel,
 *     so that no completion is taken away from under another one's wait.
 */
#ifndef LIBATOMICIO_SYS_FLIGHT_H
#define LIBATOMICIO_SYS_FLIGHT_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "sys_aio.h"

/* It has ended, and nobody knows how: done, failed, or never begun. */
#define SYS_FLIGHT_LOST (-ECANCELED)

struct sys_flight {
	struct iocb block;
	struct sys_flight *next; /* of those in the air */
	_Atomic bool landed;
	int64_t result; /* once it has landed: of the call, or a negative errno */
};

struct sys_flights {
	const struct sys_calls *sys;
	uint32_t depth;
	int eventfd; /* told of each landing; -1: none.  Set before the first is sent */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	aio_context_t context; /* 0: not made yet, or lost */
	bool refused;	       /* there is no AIO here: not asked again */
	bool collecting;       /* a thread waits in the kernel for all */
	struct sys_flight *air;
	_Atomic uint32_t count; /* in the air */
};

/* No call is made before the first is sent.  `clock` is of monotonic conditions. */
void sys_flights_begin(struct sys_flights *flights, const struct sys_calls *sys, uint32_t depth,
		       const pthread_condattr_t *clock);
/* Waits for what is in the air. */
void sys_flights_end(struct sys_flights *flights);

/* Is there any sense in sending? */
bool sys_flights_may_send(const struct sys_flights *flights);

/*
 * Send a flight, whose block is filled in but for aio_data and the eventfd.  0, or why it was not
 * taken: nothing is done then.
 */
int sys_flights_send(struct sys_flights *flights, struct sys_flight *flight);

/* The same with several, that lie behind one another.  How many of the first were taken. */
uint32_t sys_flights_send_many(struct sys_flights *flights, struct sys_flight *list,
			       uint32_t count);

/* Let what has ended land; waits for nothing.  Has one landed? */
bool sys_flights_poll(struct sys_flights *flights);

/* Wait until one has landed, or the time is over; false: nothing is in the air, or it is over. */
bool sys_flights_wait(struct sys_flights *flights, uint32_t milliseconds);

static inline bool sys_flight_landed(const struct sys_flight *flight)
{
	return atomic_load_explicit(&flight->landed, memory_order_acquire);
}

#endif /* LIBATOMICIO_SYS_FLIGHT_H */
