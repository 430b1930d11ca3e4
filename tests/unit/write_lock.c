/* SPDX-License-Identifier: MIT */
/*
 * Goal: with ATOMICIO_OPEN_LOCK every description that is written through has a shared flock, which
 * ends with the description and is never given up before, and without it none is touched.
 * Method: the fake system notes which descriptors were locked and unlocked.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

static struct sys_calls calls;
static int locked[4];
static uint32_t locks, unlocks;
static int refuse_lock; /* the n-th */

static int note_lock(int fd)
{
	locked[locks++] = fd;
	return (int)locks == refuse_lock ? -EWOULDBLOCK : 0;
}

static int note_unlock(int fd)
{
	(void)fd;
	unlocks++;
	return 0;
}

static void machine(void)
{
	write_machine();
	calls = *disk_calls;
	calls.lock_shared = note_lock;
	calls.unlock = note_unlock;
	locks = unlocks = 0;
	refuse_lock = 0;
}

static int try_lock(uint32_t flags, struct atomicio_file **file)
{
	const struct atomicio_options options = {.flags = flags};

	return write_open(&calls, FAKE_FD, &options, sizeof(options), file);
}

START_TEST(a_lock_is_on_what_is_written_through_and_outlives_the_handle)
{
	struct atomicio_file *file;

	ck_assert_int_eq(try_lock(ATOMICIO_OPEN_LOCK, &file), 0);
	ck_assert_uint_eq(locks, 1);
	ck_assert_int_eq(locked[0], FAKE_FD);
	ck_assert_uint_eq(unlocks, 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	ck_assert_uint_eq(unlocks, 0);
}
END_TEST

/* A description has one flock, without a count: no close and no failed open unlocks. */
START_TEST(no_second_handle_gives_up_the_lock_of_the_first)
{
	struct atomicio_file *first, *second = NULL;

	fake.getfl_result = O_RDWR;
	ck_assert_int_eq(try_lock(ATOMICIO_OPEN_LOCK, &first), 0);
	ck_assert_int_eq(try_lock(ATOMICIO_OPEN_LOCK, &second), 0);
	ck_assert_int_eq(atomicio_close(second), 0);
	refuse_lock = (int)locks + 2;
	ck_assert_int_eq(try_lock(ATOMICIO_OPEN_LOCK | ATOMICIO_OPEN_REOPEN_DIRECT, &second),
			 -EBUSY);
	ck_assert_uint_eq(locks, 4);
	ck_assert_uint_eq(unlocks, 0);
	ck_assert_int_eq(atomicio_close(first), 0);
	ck_assert_uint_eq(unlocks, 0);
	machine_is_clean();
}
END_TEST

START_TEST(a_description_of_our_own_has_its_own_lock)
{
	struct atomicio_file *file;

	fake.getfl_result = O_RDWR;
	ck_assert_int_eq(try_lock(ATOMICIO_OPEN_LOCK | ATOMICIO_OPEN_REOPEN_DIRECT, &file), 0);
	ck_assert_uint_eq(locks, 2);
	ck_assert_int_eq(locked[0], FAKE_FD);
	ck_assert_int_eq(locked[1], file->fd);
	ck_assert_int_ne(file->fd, FAKE_FD);
	ck_assert_int_eq(atomicio_close(file), 0);
	/* The close of our own gives up its lock: an unlock could not wait for what is on its way.
	 */
	ck_assert_uint_eq(unlocks, 0);
	machine_is_clean();
}
END_TEST

START_TEST(a_lock_of_somebody_else_is_busy_and_leaves_no_handle)
{
	for (int i = 1; i <= 2; i++) {
		struct atomicio_file *file = NULL;

		machine();
		fake.getfl_result = O_RDWR;
		refuse_lock = i;
		ck_assert_int_eq(try_lock(ATOMICIO_OPEN_LOCK | ATOMICIO_OPEN_REOPEN_DIRECT, &file),
				 -EBUSY);
		ck_assert_ptr_null(file);
		ck_assert_uint_eq(unlocks, 0);
		machine_is_clean();
	}
}
END_TEST

START_TEST(without_the_flag_nobodys_lock_is_touched)
{
	struct atomicio_file *file;

	fake.getfl_result = O_RDWR;
	ck_assert_int_eq(try_lock(ATOMICIO_OPEN_REOPEN_DIRECT, &file), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	ck_assert_uint_eq(locks + unlocks, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_lock_is_on_what_is_written_through_and_outlives_the_handle,
		no_second_handle_gives_up_the_lock_of_the_first,
		a_description_of_our_own_has_its_own_lock,
		a_lock_of_somebody_else_is_busy_and_leaves_no_handle,
		without_the_flag_nobodys_lock_is_touched,
	};

	return check_run("write_lock", tests, sizeof(tests) / sizeof(tests[0]), machine);
}
