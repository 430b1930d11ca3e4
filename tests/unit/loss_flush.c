/* SPDX-License-Identifier: MIT */
/*
 * Goal: a flush that the device failed, of which no description keeps a report, fails the next sync
 * where an acknowledged write waited for it, and costs nothing where none did (L7).
 * Method: struct loss over the fake disk, told of errors that the disk itself never had.
 */
#include <check.h>
#include <errno.h>

#include "check_run.h"
#include "loss.h"
#include "write_machine.h"

static struct loss loss;
static _Atomic uint32_t poison;

static void setup(void)
{
	write_machine();
	poison = 0;
}

static void open_loss(void)
{
	ck_assert_int_eq(loss_open(&loss, disk_calls, FAKE_FD, FAKE_FD, 0, &poison), 0);
}

/* The device fails a flush: whoever asked for it is told, and no description remembers it. */
START_TEST(a_failed_flush_fails_the_next_sync_if_a_write_waited_for_it)
{
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EIO, true), 0);
	ck_assert_uint_eq(poison, 0);
	ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
	ck_assert_uint_eq(poison, 1);
	loss_close(&loss);
	setup();
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EREMOTEIO, false), 0);
	ck_assert_int_eq(loss_sync(&loss, LOSS_RETIRE), -EREMOTEIO);
	loss_close(&loss);
}
END_TEST

START_TEST(a_failed_flush_costs_nothing_that_was_durable_and_a_refusal_is_none)
{
	open_loss();
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_int_eq(loss_ask(&loss, -EIO, true), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	loss_note_unsynced(&loss);
	ck_assert_int_eq(loss_ask(&loss, -EINVAL, true), 0);
	ck_assert_int_eq(loss_ask(&loss, -EAGAIN, false), 0);
	ck_assert_int_eq(loss_sync(&loss, 0), 0);
	ck_assert_uint_eq(poison, 0);
	loss_close(&loss);
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
		a_refusal_is_told_from_a_failed_flush_by_the_same_write_without_it,
		no_write_is_repeated_where_that_proves_nothing,
		a_repeat_that_tears_is_broken,
		every_write_that_is_not_durable_is_noted,
	};

	return check_run("loss_flush", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
