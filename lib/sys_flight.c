/* SPDX-License-Identifier: MIT */
/* AIO requests on their way.  See sys_flight.h. */
#include "sys_flight.h"

#include <string.h>

/* Completions fetched in one call. */
#define EVENTS_MAX 32u
/* Requests sent in one call. */
#define SEND_MAX 64u
/* Between two looks at a flight where the kernel refuses to wait. */
#define LOOK_AGAIN_US 10000u

void sys_flights_begin(struct sys_flights *flights, const struct sys_calls *sys, uint32_t depth,
		       const pthread_condattr_t *clock)
{
	memset(flights, 0, sizeof(*flights));
	flights->sys = sys;
	flights->depth = depth;
	flights->eventfd = -1;
	flights->refused = !sys->aio;
	pthread_mutex_init(&flights->lock, NULL); /* neither init can fail with these attributes */
	pthread_cond_init(&flights->changed, clock);
}

void sys_flights_end(struct sys_flights *flights)
{
	while (atomic_load(&flights->count))
		(void)sys_flights_wait(flights, SYS_AIO_FOREVER);
	if (flights->context)
		(void)flights->sys->aio->destroy(flights->context);
	pthread_cond_destroy(&flights->changed);
	pthread_mutex_destroy(&flights->lock);
}

bool sys_flights_may_send(const struct sys_flights *flights)
{
	return !flights->refused;
}

/* The lock is held for all below. */

static bool is_ready(struct sys_flights *flights)
{
	int error;

	if (flights->refused || flights->context)
		return !flights->refused;
	error = flights->sys->aio->setup(flights->depth, &flights->context);
	if (!error)
		return true;
	flights->context = 0;
	/* fs.aio-max-nr (EAGAIN) and memory may be free again next time. */
	flights->refused = error != -EAGAIN && error != -ENOMEM;
	return false;
}

static void take_out(struct sys_flights *flights, struct sys_flight *flight)
{
	struct sys_flight **at = &flights->air;

	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	atomic_fetch_sub(&flights->count, 1);
}

static void land(struct sys_flights *flights, struct sys_flight *flight, int64_t result)
{
	take_out(flights, flight);
	flight->result = result;
	/* From here on the flight's memory is the sender's. */
	atomic_store_explicit(&flight->landed, true, memory_order_release);
}

/*
 * The context has no completions any more: a filter was installed since, or the process is a child
 * after fork(2). io_destroy() waits for the requests on their way (SF2).
 */
static void lose_context(struct sys_flights *flights)
{
	const struct sys_calls *sys = flights->sys;
	int error;

	while ((error = sys->aio->destroy(flights->context)) && error != -EINVAL)
		sys->sleep_us(LOOK_AGAIN_US);
	flights->context = 0;
	flights->refused = true;
	while (flights->air)
		land(flights, flights->air, SYS_FLIGHT_LOST);
}

static bool receive(struct sys_flights *flights, const struct io_event *events, int count)
{
	if (count < 0 && count != -EINTR)
		lose_context(flights);
	for (int i = 0; i < count; i++)
		land(flights, (struct sys_flight *)(uintptr_t)events[i].data, events[i].res);
	if (count != 0 && count != -EINTR)
		pthread_cond_broadcast(&flights->changed);
	return count != 0 && count != -EINTR;
}

/* Before the call, because a flight may land at once.  The lock is held. */
static void take_off(struct sys_flights *flights, struct sys_flight *flight)
{
	flight->block.aio_data = (uintptr_t)flight;
	if (flights->eventfd >= 0) {
		flight->block.aio_flags = IOCB_FLAG_RESFD;
		flight->block.aio_resfd = (uint32_t)flights->eventfd;
	}
	atomic_store(&flight->landed, false);
	flight->next = flights->air;
	flights->air = flight;
	atomic_fetch_add(&flights->count, 1);
}

/* Send at most SEND_MAX flights.  Returns the number taken, or the error of the first. */
static int send_some(struct sys_flights *flights, struct sys_flight *list, uint32_t count)
{
	struct iocb *blocks[SEND_MAX];
	int result = -EOPNOTSUPP;
	aio_context_t context;

	pthread_mutex_lock(&flights->lock);
	if (is_ready(flights)) {
		for (uint32_t i = 0; i < count; i++) {
			blocks[i] = &list[i].block;
			take_off(flights, &list[i]);
		}
		context = flights->context;
		pthread_mutex_unlock(&flights->lock);
		result = flights->sys->aio->submit(context, count, blocks);
		pthread_mutex_lock(&flights->lock);
		for (uint32_t i = result > 0 ? (uint32_t)result : 0; i < count; i++)
			if (!sys_flight_landed(&list[i]))
				take_out(flights, &list[i]);
	}
	pthread_mutex_unlock(&flights->lock);
	return result;
}

/* Land the ended flights.  SF3: with a thread waiting in the kernel, that thread lands them. */
static bool look(struct sys_flights *flights)
{
	struct io_event events[EVENTS_MAX];

	return !flights->collecting && flights->context &&
	       receive(flights, events,
		       flights->sys->aio->reap(flights->context, 0, EVENTS_MAX, events, 0));
}

int sys_flights_send(struct sys_flights *flights, struct sys_flight *flight)
{
	int result;

	/* A sync without a result counts as failed: the way of results is tried before sending. */
	pthread_mutex_lock(&flights->lock);
	if (is_ready(flights))
		(void)look(flights);
	pthread_mutex_unlock(&flights->lock);
	result = send_some(flights, flight, 1);
	if (result == 1)
		return 0;
	return result < 0 ? result : -EAGAIN;
}

uint32_t sys_flights_send_many(struct sys_flights *flights, struct sys_flight *list, uint32_t count)
{
	uint32_t sent = 0;

	while (sent < count) {
		const uint32_t some = count - sent < SEND_MAX ? count - sent : SEND_MAX;
		const int result = send_some(flights, list + sent, some);

		if (result <= 0)
			break;
		sent += (uint32_t)result;
	}
	return sent;
}

bool sys_flights_poll(struct sys_flights *flights)
{
	bool landed;

	if (!atomic_load(&flights->count))
		return false;
	pthread_mutex_lock(&flights->lock);
	landed = flights->air && look(flights);
	pthread_mutex_unlock(&flights->lock);
	return landed;
}

static void wait_for_other(struct sys_flights *flights, uint32_t milliseconds)
{
	if (milliseconds == SYS_AIO_FOREVER)
		pthread_cond_wait(&flights->changed, &flights->lock);
	else
		(void)sys_wait(&flights->changed, &flights->lock, milliseconds);
}

bool sys_flights_wait(struct sys_flights *flights, uint32_t milliseconds)
{
	struct io_event events[EVENTS_MAX];
	const uint32_t before = atomic_load(&flights->count);
	bool landed = false;
	int result;

	pthread_mutex_lock(&flights->lock);
	if (!flights->air || !flights->context) {
		pthread_mutex_unlock(&flights->lock);
		return false;
	}
	if (flights->collecting) {
		wait_for_other(flights, milliseconds);
		landed = atomic_load(&flights->count) != before;
	} else {
		flights->collecting = true;
		pthread_mutex_unlock(&flights->lock);
		result = flights->sys->aio->reap(flights->context, 1, EVENTS_MAX, events,
						 milliseconds);
		pthread_mutex_lock(&flights->lock);
		flights->collecting = false;
		landed = receive(flights, events, result);
		/* Another thread has to go on waiting. */
		pthread_cond_broadcast(&flights->changed);
	}
	pthread_mutex_unlock(&flights->lock);
	return landed;
}
