/* SPDX-License-Identifier: MIT */
/*
 * Goal: a flush that the device failed, of which no description keeps a report, fails the next sync
 * where an acknowledged write waited for it, and costs nothing where none did (L7).
 * Method: struct loss over the fake disk, told of errors that the disk itself never had.
 */
#include <check.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <unistd.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "loss.h"
#include "write_machine.h"

static struct loss loss;
static _Atomic uint32_t poison;

static struct sys_calls calls;
static uint64_t mark;
static int (*in_sync)(void);
static pthread_t *another;
static struct atomicio_file *written;

static int watched_sync(int fd)
{
	const int error = in_sync ? in_sync() : 0;

	return error ? error : disk_calls->fdatasync(fd);
}

/* A durable write begins now. */
static int read_mark(void)
{
	mark = loss_mark(&loss);
	return 0;
}

static int interrupt(void)
{
	return -EINTR;
}

static void *ask(void *nothing)
{
	(void)loss_ask(&loss, -EIO, loss_mark(&loss), true);
	return nothing;
}

/* Another thread's write fails while the sync is under way, and has said so before that ends. */
static int let_another_ask(void)
{
	in_sync = NULL;
	ck_assert_int_eq(pthread_create(another, NULL, ask, NULL), 0);
	for (int i = 0; i < 2000 && !loss.unreported; i++)
		usleep(1000);
	return 0;
}

/* The whole of another thread's sync, and then the error. */
static ssize_t fail_beside_a_sync(int fd, const struct iovec *vector, int count, uint64_t offset,
				  int flags)
{
	if (count && flags & SYS_RWF_DSYNC) {
		ck_assert_int_eq(loss_sync(&written->loss, 0), 0);
		return -EIO;
	}
	return disk_calls->pwritev2(fd, vector, count, offset, flags);
}

static uint32_t fall_back(void *context, const struct atomicio_failure *failure)
{
	(void)context;
	return failure->allowed & ATOMICIO_FALLBACK;
}

static void setup(void)
{
	write_machine();
	calls = *disk_calls;
	calls.fdatasync = watched_sync;
	in_sync = NULL;
	poison = 0;
}

static void open_loss(void)
{
	ck_assert_int_eq(loss_open(&loss, &calls, FAKE_FD, FAKE_FD, 0, &poison), 0);
}

/* The device fails a flush: whoever asked for it is told, and no description remembers it. */
START_TEST(a_failed_flush_fails_the_next_sync_if_a_write_waited_for_it)
{
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EIO, loss_mark(&loss), true), 0);
	ck_assert_uint_eq(poison, 0);
	ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
	ck_assert_uint_eq(poison, 1);
	loss_close(&loss);
	setup();
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EREMOTEIO, loss_mark(&loss), false), 0);
	ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), -EREMOTEIO);
	loss_close(&loss);
}
END_TEST

START_TEST(a_failed_flush_costs_nothing_that_was_durable_and_a_refusal_is_none)
{
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_int_eq(loss_ask(&loss, -EIO, loss_mark(&loss), true), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EINVAL, loss_mark(&loss), true), 0);
	ck_assert_int_eq(loss_ask(&loss, -EAGAIN, loss_mark(&loss), false), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_uint_eq(poison, 0);
	loss_close(&loss);
}
END_TEST

/* Told to a write that began before or beside the sync, and asked only after it. */
START_TEST(a_failed_flush_that_is_asked_after_a_sync_beside_it_fails_the_next_sync)
{
	for (int may_wait = 0; may_wait < 2; may_wait++) {
		for (int beside = 0; beside < 2; beside++) {
			setup();
			open_loss();
			loss_note_unsynced(&loss);
			mark = loss_mark(&loss);
			in_sync = beside ? read_mark : NULL;
			ck_assert_int_eq(loss_sync(&loss, 0), 0);
			ck_assert_int_eq(loss_ask(&loss, -EIO, mark, may_wait), 0);
			ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
			ck_assert_uint_eq(poison, 1);
			loss_close(&loss);
		}
	}
}
END_TEST

START_TEST(a_write_after_the_sync_that_none_waits_for_costs_nothing)
{
	open_loss();
	for (int i = 0; i < 3; i++) {
		if (i < 2)
			loss_note_unsynced(&loss);
		ck_assert_int_eq(loss_sync(&loss, i ? LOSS_RETIRE : 0), 0);
		mark = loss_mark(&loss);
		ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), 0); /* takes nothing */
		ck_assert_int_eq(loss_ask(&loss, -EIO, mark, i & 1), 0);
		ck_assert_int_eq(loss_sync(&loss, 0), 0);
	}
	ck_assert_uint_eq(poison, 0);
	loss_close(&loss);
}
END_TEST

/* A sync that is cut short gives back what it took. */
START_TEST(a_sync_that_failed_leaves_those_that_wait)
{
	open_loss();
	loss_note_unsynced(&loss);
	loss.deputy = loss.witness; /* so that EINTR is no loss */
	in_sync = interrupt;
	ck_assert_int_eq(loss_sync(&loss, 0), -EINTR);
	in_sync = NULL;
	loss.deputy = -1;
	ck_assert_int_eq(loss_ask(&loss, -EIO, loss_mark(&loss), true), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
	loss_close(&loss);
}
END_TEST

START_TEST(a_sync_under_way_hears_of_a_failed_flush_from_who_waits_for_its_lock)
{
	pthread_t asker;

	open_loss();
	loss_note_unsynced(&loss);
	in_sync = let_another_ask;
	another = &asker;
	ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
	ck_assert_int_eq(pthread_join(asker, NULL), 0);
	ck_assert_uint_eq(poison, 1);
	loss_close(&loss);
}
END_TEST

/* One thread: the completion of a write in the caller's ring is read after a sync. */
START_TEST(a_failed_flush_of_a_guest_that_is_read_after_a_sync_fails_the_next)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};

	for (int hot = 0; hot < 2; hot++) {
		struct atomicio_request request = {0};
		struct io_uring_sqe entry;
		struct atomicio_file *file;

		write_machine();
		file = machine_open(&options);
		file->fast.unit_max *= (uint32_t)hot;
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
		ck_assert_int_eq(atomicio_sync(file), 0);
		/* A sync that came before the entry is no matter. */
		ck_assert_int_eq(atomicio_uring_prep(&request, file, &entry, page, PAGE, PAGE,
						     ATOMICIO_DSYNC),
				 0);
		ck_assert_int_eq(atomicio_uring_done(&request, -EIO), -EIO);
		ck_assert_int_eq(atomicio_sync(file), 0);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
		ck_assert_int_eq(atomicio_uring_prep(&request, file, &entry, page, PAGE, PAGE,
						     ATOMICIO_DSYNC),
				 0);
		ck_assert_int_eq(atomicio_sync(file), 0);
		ck_assert_int_eq(atomicio_uring_done(&request, -EIO), -EIO);
		ck_assert_int_eq(atomicio_sync(file), -EIO);
		atomicio_close(file);
	}
}
END_TEST

/* A write by call, beside the sync of another thread: from the kernel, a loop and a plain one. */
START_TEST(a_failed_flush_of_a_write_beside_a_sync_fails_the_next)
{
	for (int way = 0; way < 3; way++) {
		struct atomicio_options options = {.policy = atomicio_policy_strict,
						   .fallback =
							   way == 2 ? ATOMICIO_FALLBACK_PLAIN : 0};

		write_machine();
		calls = *disk_calls;
		calls.pwritev2 = fail_beside_a_sync;
		ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &written),
				 0);
		if (way == 2)
			written->options.policy = fall_back;
		written->fast.unit_max = way ? 0 : written->fast.unit_max;
		loss_note_unsynced(&written->loss);
		ck_assert_int_eq(atomicio_write(written, page, way == 2 ? PAGE + 512 : PAGE, 0,
						ATOMICIO_DSYNC),
				 -EIO);
		ck_assert_int_eq(atomicio_sync(written), -EIO);
		atomicio_close(written);
	}
}
END_TEST

/* An errno that both have: the same write without its flush tells them apart. */
START_TEST(a_refusal_is_told_from_a_failed_flush_by_the_same_write_without_it)
{
	const int errors[] = {-EINVAL, -EOPNOTSUPP};
	const struct atomicio_options options = {.policy = atomicio_policy_strict,
						 .bounce_max = PAGE};

	for (int i = 0; i < 8; i++) {
		const int error = errors[i % 2], script[] = {error, error};
		const bool refused = i / 2 % 2, bounced = i / 4;
		struct atomicio_file *file;

		write_machine();
		file = machine_open(&options);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
		disk.script = script;
		disk.script_left = refused ? 2 : 1;
		ck_assert_int_eq(atomicio_write(file, page + bounced, PAGE, PAGE, ATOMICIO_DSYNC),
				 error);
		ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_DSYNC, 0);
		ck_assert_int_eq(fake.pwritev2_flags & SYS_RWF_ATOMIC, SYS_RWF_ATOMIC);
		ck_assert_int_eq(atomicio_sync(file), refused ? 0 : error);
		ck_assert_int_eq(atomicio_sync(file), refused ? 0 : -ENOTRECOVERABLE);
		atomicio_close(file);
	}
}
END_TEST

START_TEST(no_write_is_repeated_where_that_proves_nothing)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};

	const int errors[] = {-EINVAL, -EAGAIN};

	/* Nothing waits for a flush; it would sync; nobody waits; in passing; ext4 needs looks. */
	for (int i = 0; i < 5; i++) {
		struct atomicio_file *file;

		write_machine();
		if (i == 4)
			fake.fs_magic = SYS_MAGIC_EXT4;
		file = machine_open(&options);
		if (i)
			ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
		if (i == 1)
			fake.inode_flags |= SYS_INODE_SYNC;
		fake.pwritev2_calls = 0;
		disk.script = &errors[i == 3];
		disk.script_left = 1;
		ck_assert_int_lt(atomicio_write(file, page, PAGE, PAGE,
						ATOMICIO_DSYNC | (i == 2 ? ATOMICIO_NOWAIT : 0)),
				 0);
		ck_assert_uint_eq(fake.pwritev2_calls, 1);
		ck_assert_int_eq(atomicio_sync(file), 0);
		atomicio_close(file);
	}
}
END_TEST

/* The repeat is as untorn as any other write, or the handle is poisoned. */
START_TEST(a_repeat_that_tears_is_broken)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};
	struct atomicio_file *file = machine_open(&options);

	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	DISK_SCRIPT(-EINVAL, 512);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC), -EIO);
	ck_assert(write_is_poisoned(file));
	atomicio_close(file);
}
END_TEST

START_TEST(every_write_that_is_not_durable_is_noted)
{
	struct atomicio_file *file = machine_open(&(struct atomicio_options){.policy = NULL});

	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(file->loss.unsynced, 0);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0);
	ck_assert_uint_eq(file->loss.unsynced, 1);
	ck_assert_int_eq(atomicio_sync(file), 0);
	ck_assert_uint_eq(file->loss.unsynced, 0);
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC), 0);
	ck_assert_int_eq(atomicio_sync(file), 0); /* none waited for its flush */
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), 0); /* at the second attempt */
	ck_assert_uint_eq(file->loss.unsynced, 1);
	DISK_SCRIPT(-EIO);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC), 0);
	ck_assert_int_eq(atomicio_sync(file), -EIO);
	atomicio_close(file);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_failed_flush_fails_the_next_sync_if_a_write_waited_for_it,
		a_failed_flush_costs_nothing_that_was_durable_and_a_refusal_is_none,
		a_failed_flush_that_is_asked_after_a_sync_beside_it_fails_the_next_sync,
		a_write_after_the_sync_that_none_waits_for_costs_nothing,
		a_sync_that_failed_leaves_those_that_wait,
		a_sync_under_way_hears_of_a_failed_flush_from_who_waits_for_its_lock,
		a_failed_flush_of_a_guest_that_is_read_after_a_sync_fails_the_next,
		a_failed_flush_of_a_write_beside_a_sync_fails_the_next,
		a_refusal_is_told_from_a_failed_flush_by_the_same_write_without_it,
		no_write_is_repeated_where_that_proves_nothing,
		a_repeat_that_tears_is_broken,
		every_write_that_is_not_durable_is_noted,
	};

	return check_run("loss_flush", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
