/* SPDX-License-Identifier: MIT */
/*
 * Goal: no thread dies inside the library, in any wait, and the caller's cancellation state stays
 * the same.
 * Method: threads with a pending cancellation call each public function on real files.  Threads
 * that wait for a slow disk in a write, a sync or a frame are cancelled, and others go on.  Every
 * call of the fake system checks that cancellation is off.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "write_machine.h"

static struct sys_calls calls;
static struct atomicio_file *file;
static struct atomicio_journal *journal;
static _Atomic int waiting; /* threads in a slow call */
static _Atomic bool thawed;

/* Check's own assertions are cancellation points: threads count what went wrong instead. */
static _Atomic int wrong;

static void demand(bool well)
{
	wrong += !well;
}

static bool cancellable(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	pthread_setcancelstate(state, NULL);
	return state == PTHREAD_CANCEL_ENABLE;
}

/* A disk that hangs, in a call that is a cancellation point. */
static void hang(void)
{
	waiting++;
	while (!thawed)
		usleep(1000);
}

static int slow_sync(int fd)
{
	hang();
	return disk_calls->fdatasync(fd);
}

static int slow_write_back(int fd, uint64_t offset, uint64_t length)
{
	hang();
	return disk_calls->write_back(fd, offset, length);
}

static ssize_t slow_frame(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	if (fd != FAKE_FD)
		hang();
	return disk_calls->pwritev2(fd, vector, count, offset, flags);
}

static void setup(void)
{
	write_machine();
	calls = *disk_calls;
	journal = NULL;
	waiting = 0;
	thawed = false;
	wrong = 0;
}

static void open_with(uint32_t path)
{
	const struct atomicio_options options = {
		.path = path, .journal = journal, .file_id = journal ? 1 : 0, .bounce_max = PAGE};

	ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &file), 0);
}

static void *sync_it(void *unused)
{
	(void)unused;
	demand(atomicio_sync(file) == 0);
	demand(cancellable());
	return file;
}

static void *write_it(void *offset)
{
	demand(atomicio_write(file, page, PAGE, (uintptr_t)offset, 0) == 0);
	demand(cancellable());
	return file;
}

/* Cancel one of two waiting threads; then both end, and a third thread finds all in order. */
static void cancel_one(void *(*first)(void *), void *(*second)(void *))
{
	pthread_t threads[2];
	void *result;

	ck_assert_int_eq(pthread_create(&threads[0], NULL, first, NULL), 0);
	while (!waiting)
		usleep(1000);
	ck_assert_int_eq(pthread_create(&threads[1], NULL, second, (void *)(uintptr_t)PAGE), 0);
	usleep(20000); /* the second waits for the first */
	pthread_cancel(threads[0]);
	pthread_cancel(threads[1]);
	usleep(20000);
	thawed = true;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_eq(result, file);
	}
	(void)sync_it(NULL);
	ck_assert_int_eq(wrong, 0);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 4 * PAGE, ATOMICIO_DSYNC), 0);
}

START_TEST(a_thread_that_is_cancelled_in_a_sync_stops_nobody)
{
	calls.fdatasync = slow_sync;
	open_with(ATOMICIO_PATH_KERNEL);
	cancel_one(sync_it, sync_it);
	atomicio_close(file);
}
END_TEST

START_TEST(a_thread_that_is_cancelled_in_a_write_back_stops_nobody)
{
	calls.write_back = slow_write_back;
	open_with(ATOMICIO_PATH_KERNEL);
	DISK_SCRIPT(-EAGAIN, -EAGAIN);
	cancel_one(write_it, sync_it);
	atomicio_close(file);
}
END_TEST

START_TEST(a_thread_that_is_cancelled_in_a_frame_stops_nobody)
{
	atomicio_journal_close(machine_journal());
	ck_assert_int_eq(journal_open(&calls, DISK_JOURNAL_FD, &journal), 0);
	open_with(ATOMICIO_PATH_JOURNAL);
	calls.pwritev2 = slow_frame;
	cancel_one(write_it, write_it);
	ck_assert_int_eq(atomicio_close(file), 0);
	atomicio_journal_close(journal);
}
END_TEST

static int seen_calls;

static ssize_t looking_write(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	seen_calls++;
	ck_assert(!cancellable());
	return disk_calls->pwritev2(fd, vector, count, offset, flags);
}

static uint32_t looking_policy(void *context, const struct atomicio_failure *failure)
{
	seen_calls++;
	ck_assert(!cancellable());
	return atomicio_policy_default(context, failure);
}

START_TEST(the_policy_and_every_slow_call_run_with_cancellation_off)
{
	const struct atomicio_options options = {.policy = looking_policy,
						 .fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_op op = {.buffer = page, .length = PAGE};

	ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &file), 0);
	calls.pwritev2 = looking_write;
	ck_assert_int_eq(atomicio_write(file, page, PAGE + 512, 0, 0), 0);
	op.file = file;
	ck_assert_int_eq(atomicio_write_batch(NULL, &op, 1, 0), 0);
	calls.pwritev2 = disk_calls->pwritev2;
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	ck_assert_int_eq(seen_calls, 4);
	ck_assert(cancellable());
	atomicio_close(file);
}
END_TEST

/* With a cancellation pending, each cancellation point in here would end the thread. */
static char path[64], journal_path[64];
static bool done;

static int resolve(void *context, uint64_t file_id)
{
	(void)file_id;
	return *(int *)context;
}

static void journal_steps(int fd, int log)
{
	const struct atomicio_journal_options how = {.size = 1u << 20};
	struct atomicio_options options = {.file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_journal_info info;
	struct atomicio_file *one;

	demand(atomicio_journal_create(log, &how, sizeof(how)) == 0);
	demand(atomicio_journal_open(log, NULL, 0, &options.journal) == 0);
	demand(atomicio_open(fd, &options, sizeof(options), &one) == 0);
	demand(atomicio_write(one, page, PAGE, 0, 0) == 0);
	demand(atomicio_journal_checkpoint(options.journal) == 0);
	demand(atomicio_journal_forget(options.journal, 1) == 0);
	demand(atomicio_journal_get_info(options.journal, &info, sizeof(info)) == 0);
	demand(atomicio_sync(one) == 0);
	demand(atomicio_close(one) == 0);
	demand(atomicio_journal_recover(options.journal, resolve, &fd, NULL, 0, NULL, 0) == 0);
	demand(atomicio_journal_close(options.journal) == 0);
}

static void *all_calls(void *unused)
{
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN,
						 .flags = ATOMICIO_OPEN_REOPEN_DIRECT};
	struct atomicio_op op = {.buffer = page, .length = PAGE};
	struct atomicio_queue *queue;
	struct atomicio_caps caps;
	int fd, log;

	(void)unused;
	fd = open(path, O_RDWR);
	log = open(journal_path, O_RDWR);
	demand(fd >= 0 && log >= 0);
	pthread_cancel(pthread_self());
	demand(atomicio_probe(fd, &caps, sizeof(caps)) == 0);
	demand(atomicio_open(fd, &options, sizeof(options), &op.file) == 0);
	demand(atomicio_write(op.file, page + 1, PAGE, 0, ATOMICIO_DSYNC) == 0);
	demand(atomicio_write_batch(NULL, &op, 1, ATOMICIO_DSYNC) == 0);
	demand(atomicio_queue_create(4, &queue) == 0);
	demand(atomicio_write_batch(queue, &op, 1, ATOMICIO_DSYNC) == 0);
	atomicio_queue_destroy(queue);
	demand(atomicio_sync(op.file) == 0);
	demand(atomicio_close(op.file) == 0);
	journal_steps(fd, log);
	done = true;
	pthread_testcancel();
	return NULL;
}

START_TEST(no_public_call_is_a_cancellation_point)
{
	pthread_t thread;
	void *result;
	int fds[2];

	snprintf(path, sizeof(path), "/tmp/atomicio-cancel.XXXXXX");
	snprintf(journal_path, sizeof(journal_path), "/tmp/atomicio-cancel.XXXXXX");
	fds[0] = mkstemp(path);
	fds[1] = mkstemp(journal_path);
	ck_assert(fds[0] >= 0 && fds[1] >= 0);
	ck_assert_int_eq(ftruncate(fds[0], DISK_BYTES), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, all_calls, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	unlink(path);
	unlink(journal_path);
	close(fds[0]);
	close(fds[1]);
	ck_assert(done);
	ck_assert_int_eq(wrong, 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_thread_that_is_cancelled_in_a_sync_stops_nobody,
		a_thread_that_is_cancelled_in_a_write_back_stops_nobody,
		a_thread_that_is_cancelled_in_a_frame_stops_nobody,
		the_policy_and_every_slow_call_run_with_cancellation_off,
		no_public_call_is_a_cancellation_point,
	};

	return check_run("cancel", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
