/* SPDX-License-Identifier: MIT */
/*
 * Fibers and the pthread calls that the library makes on them.
 *
 * Flow: see fiber.h.  A locked mutex is a flag in its own memory.  The library's mutexes live in
 * memory that the next run reuses: an abandoned mutex does no harm.
 */
#include "fiber.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <ucontext.h>

#define STACK_SIZE (256u << 10)

enum fiber_state { FREE, READY, WAITS_MUTEX, WAITS_COND, WAITS_OTHERS, ENDED };

struct fiber {
	ucontext_t context;
	enum fiber_state state;
	bool timed; /* its wait ends when nobody else can run */
	bool timed_out;
	const void *object;
	void (*body)(void *);
	void *argument;
};

static struct fiber fibers[FIBERS];
static uint8_t stacks[FIBERS][STACK_SIZE] __attribute__((aligned(64)));
static ucontext_t outside;
static uint32_t current, count, points;
static struct fiber_schedule plan;
static enum fiber_end end;

static bool can_run(const struct fiber *fiber)
{
	switch (fiber->state) {
	case READY:
		return true;
	case WAITS_MUTEX:
		return *(const int *)fiber->object == 0;
	case WAITS_OTHERS:
		for (uint32_t i = 1; i < count; i++)
			if (fibers[i].state != ENDED)
				return false;
		return true;
	default:
		return false;
	}
}

static bool run_next(void)
{
	const uint32_t from = current;

	for (uint32_t i = 1; i <= count; i++) {
		const uint32_t next = (from + i) % count;

		if (!can_run(&fibers[next]))
			continue;
		current = next;
		fibers[next].state = READY;
		if (next != from)
			swapcontext(&fibers[from].context, &fibers[next].context);
		return true;
	}
	return false;
}

/* Time passes: the first whose wait has an end goes on. */
static bool pass_time(void)
{
	for (uint32_t i = 0; i < count; i++) {
		if (fibers[i].state != WAITS_COND || !fibers[i].timed)
			continue;
		fibers[i].state = READY;
		fibers[i].timed_out = true;
		return true;
	}
	return false;
}

/* Run the next ready fiber; the current fiber comes back here in its turn. */
static void switch_away(void)
{
	while (!run_next()) {
		if (pass_time())
			continue;
		end = FIBER_DEADLOCK;
		setcontext(&outside);
	}
}

static void wait_for(enum fiber_state state, const void *object)
{
	fibers[current].state = state;
	fibers[current].object = object;
	switch_away();
}

static void trampoline(void)
{
	struct fiber *self = &fibers[current];

	self->body(self->argument);
	self->state = ENDED;
	if (self == &fibers[0]) {
		end = FIBER_DONE;
		setcontext(&outside);
	}
	switch_away();
}

void fiber_start(void (*body)(void *), void *argument)
{
	struct fiber *fiber = &fibers[count];

	assert(count < FIBERS);
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = stacks[count];
	fiber->context.uc_stack.ss_size = STACK_SIZE;
	fiber->context.uc_link = NULL;
	fiber->body = body;
	fiber->argument = argument;
	fiber->state = READY;
	fiber->timed = fiber->timed_out = false;
	makecontext(&fiber->context, trampoline, 0);
	count++;
}

enum fiber_end fiber_run(void (*main)(void *), void *argument,
			 const struct fiber_schedule *schedule)
{
	volatile bool left = false;

	count = 0;
	current = 0;
	points = 0;
	plan = schedule ? *schedule : (struct fiber_schedule){.count = 0};
	fiber_start(main, argument);
	getcontext(&outside);
	if (!left) {
		left = true;
		setcontext(&fibers[0].context);
	}
	return end;
}

void fiber_join_all(void)
{
	wait_for(WAITS_OTHERS, NULL);
	count = 1;
}

void fiber_point(void)
{
	if (count == 1)
		return;
	points++;
	for (uint32_t i = 0; i < plan.count; i++)
		if (plan.at[i] == points)
			switch_away();
}

void fiber_crash(void)
{
	end = FIBER_CRASHED;
	setcontext(&outside);
}

uint32_t fiber_self(void)
{
	return current;
}

uint32_t fiber_points(void)
{
	return points;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *cond);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
	(void)attributes;
	memset(mutex, 0, sizeof(*mutex));
	return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	assert(*(int *)mutex == 0);
	return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int *locked = (int *)mutex;

	while (*locked)
		wait_for(WAITS_MUTEX, mutex);
	*locked = 1;
	return 0;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	if (*(int *)mutex)
		return EBUSY;
	*(int *)mutex = 1;
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	assert(*(int *)mutex == 1);
	*(int *)mutex = 0;
	return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
	(void)cond;
	(void)attributes;
	return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *cond)
{
	(void)cond;
	return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	(void)__wrap_pthread_mutex_unlock(mutex);
	wait_for(WAITS_COND, cond);
	return __wrap_pthread_mutex_lock(mutex);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until)
{
	struct fiber *self = &fibers[current];

	(void)until;
	self->timed = true;
	self->timed_out = false;
	(void)__wrap_pthread_cond_wait(cond, mutex);
	self->timed = false;
	return self->timed_out ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
	for (uint32_t i = 0; i < count; i++)
		if (fibers[i].state == WAITS_COND && fibers[i].object == cond)
			fibers[i].state = READY;
	return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	return __wrap_pthread_cond_broadcast(cond);
}
