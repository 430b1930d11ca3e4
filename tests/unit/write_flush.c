/* SPDX-License-Identifier: MIT */
/*
 * Goal: of writes by call and by io_uring, L7 counts every write that waits for the flush; a write
 * is repeated only if the repeat proves something; and a page torn by a repeat is broken.
 * Method: handles over the fake disk, whose flush fails, or which refuses the flag.
 */
#include <check.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <unistd.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "loss.h"
#include "write_machine.h"

static struct sys_calls calls;
static struct atomicio_file *written;

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

/* An errno of refusal and flush: the same write without its flush tells them apart. */
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
		a_failed_flush_of_a_guest_that_is_read_after_a_sync_fails_the_next,
		a_failed_flush_of_a_write_beside_a_sync_fails_the_next,
		a_refusal_is_told_from_a_failed_flush_by_the_same_write_without_it,
		no_write_is_repeated_where_that_proves_nothing,
		a_repeat_that_tears_is_broken,
		every_write_that_is_not_durable_is_noted,
	};

	return check_run("write_flush", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
