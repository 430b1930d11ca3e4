/* SPDX-License-Identifier: MIT */
/*
 * Goal: a chain waits for its turn like any other ticket, and no ticket overtakes the chain on the
 * same pages for ever.
 * Method: threads on the fake disk: one page is held on its way home while a chain and others
 * wait.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "chain_machine.h"
#include "check_run.h"
#include "trouble_machine.h"

static void *chain_thread(void *value)
{
	return (void *)(intptr_t)write_chain(LONG, 0, *(int *)value);
}

static void *page_thread(void *at)
{
	return (void *)(intptr_t)write_page(0, *(uint32_t *)at, 70 + (int)*(uint32_t *)at);
}

static uint32_t in_line(void)
{
	uint32_t count = 0;

	pthread_mutex_lock(&journal->lock);
	for (const struct journal_ticket *at = journal->waiting; at; at = at->next)
		count++;
	pthread_mutex_unlock(&journal->lock);
	return count;
}

static void await_line(uint32_t count)
{
	for (int i = 0; i < 1000 && in_line() != count; i++)
		usleep(5000);
	ck_assert_uint_eq(in_line(), count);
}

START_TEST(nobody_overtakes_a_chain_on_its_own_pages)
{
	pthread_t hung, chain, later, other;
	uint32_t at[] = {3, 7, 60};
	int value = 42;
	void *result;

	ck_assert_int_eq(write_page(0, 0, 1), 0);
	trouble.file = 0;
	trouble.hangs_write = true;
	pthread_create(&hung, NULL, page_thread, &at[0]);
	pthread_mutex_lock(&trouble.lock);
	while (!trouble.hanging)
		pthread_cond_wait(&trouble.changed, &trouble.lock);
	pthread_mutex_unlock(&trouble.lock);
	/* The chain waits for page 3, and keeps page 7, which is free. */
	pthread_create(&chain, NULL, chain_thread, &value);
	await_line(1);
	pthread_create(&later, NULL, page_thread, &at[1]);
	await_line(2);
	/* Others go on. */
	ck_assert_int_eq(write_page(1, 7, 9), 0);
	pthread_create(&other, NULL, page_thread, &at[2]);
	pthread_mutex_lock(&trouble.lock);
	while (trouble.hanging < 2)
		pthread_cond_wait(&trouble.changed, &trouble.lock);
	pthread_mutex_unlock(&trouble.lock);
	await_line(2);
	pthread_mutex_lock(&trouble.lock);
	trouble.hangs_write = false;
	pthread_cond_broadcast(&trouble.changed);
	pthread_mutex_unlock(&trouble.lock);
	pthread_join(hung, &result);
	ck_assert_ptr_null(result);
	pthread_join(chain, &result);
	ck_assert_ptr_null(result);
	pthread_join(later, &result);
	ck_assert_ptr_null(result);
	pthread_join(other, &result);
	ck_assert_ptr_null(result);
	ck_assert(holds(0, 3, 42));
	ck_assert(holds(0, 7, 77));
	ck_assert(holds(0, 60, 130));
}
END_TEST

static _Atomic bool stop;

static void *busy_thread(void *file)
{
	for (int i = 0; !stop; i++)
		if (write_page(*(int *)file, 50 + (uint32_t)i % 8, i))
			return (void *)1;
	return NULL;
}

START_TEST(chains_and_pages_of_many_threads_all_have_their_turn)
{
	int which[] = {0, 1, 0, 1};
	pthread_t threads[4];
	void *result;

	stop = false;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, busy_thread, &which[i]);
	for (int i = 1; i <= 50; i++) {
		ck_assert_int_eq(write_chain(LONG, 0, i), 0);
		ck_assert(holds(0, LONG - 1, i));
	}
	stop = true;
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		ck_assert_ptr_null(result);
	}
	ck_assert_uint_eq(info().files_failed, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		nobody_overtakes_a_chain_on_its_own_pages,
		chains_and_pages_of_many_threads_all_have_their_turn,
	};

	return check_run("journal_chain_line", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
