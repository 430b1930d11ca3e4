/* SPDX-License-Identifier: MIT */
/*
 * Goal: a child after fork(2) never syncs the parent's witness, which is the same description with
 * one cursor: the child cannot use up the report.  The child has the strict reading (L8).
 * Method: struct loss over the fake disk, which reports a lost page once per description, while the
 * fake system's pid changes.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "loss.h"
#include "sys_magic.h"
#include "write_machine.h"

#define PARENT 7
#define CHILD 8

static struct loss loss;
static _Atomic uint32_t poison;

static void open_in_parent(uint32_t magic)
{
	write_machine();
	poison = 0;
	fake.fs_magic = magic;
	fake.pid = PARENT;
	ck_assert_int_eq(loss_open(&loss, disk_calls, FAKE_FD, FAKE_FD, 0, &poison), 0);
	ck_assert(loss_has_witness(&loss));
}

/* What a child may call; afterwards the memory is the parent's again, which the child has not. */
static void call_in_child(int way)
{
	struct loss parents;
	int result;

	memcpy(&parents, &loss, sizeof(loss));
	fake.pid = CHILD;
	switch (way) {
	case 0:
		result = loss_sync(&loss, 0);
		break;
	case 1:
		result = loss_sync(&loss, LOSS_RETIRE);
		break;
	case 2:
		result = loss_ask(&loss, -EIO, loss_mark(&loss), true);
		break;
	default:
		result = loss_write_back(&loss, 0, PAGE);
		break;
	}
	ck_assert_int_le(result, 0);
	fake.pid = PARENT;
	memcpy(&loss, &parents, sizeof(loss));
	poison = 0;
}

START_TEST(a_child_cannot_use_up_the_report_of_the_parents_witness)
{
	const uint32_t magics[] = {SYS_MAGIC_XFS, SYS_MAGIC_FUSE, SYS_MAGIC_OVERLAY};

	for (int i = 0; i < 12; i++) {
		open_in_parent(magics[i % 3]);
		disk_lose(-EIO);
		call_in_child(i / 3);
		ck_assert(disk_would_report(loss.witness));
		ck_assert_int_eq(loss_sync(&loss, 0), -EIO);
		ck_assert_uint_eq(poison, 1);
		loss_close(&loss);
		machine_is_clean();
	}
}
END_TEST

START_TEST(in_a_child_every_error_fails_the_next_sync)
{
	for (int error = 1; error < 134; error++) {
		for (int may_wait = 0; may_wait < 2; may_wait++) {
			open_in_parent(SYS_MAGIC_XFS);
			fake.pid = CHILD;
			ck_assert(!loss_may_be_flush(&loss, -error, loss_mark(&loss)));
			ck_assert_int_eq(loss_ask(&loss, -error, loss_mark(&loss), may_wait), 0);
			ck_assert_int_eq(loss_sync(&loss, 0), -error);
			ck_assert_int_eq(loss_sync(&loss, 0), -ENOTRECOVERABLE);
			loss_close(&loss);
			machine_is_clean();
		}
	}
}
END_TEST

/* The written description reports the loss. */
START_TEST(a_child_hears_of_a_lost_page_as_without_a_witness)
{
	open_in_parent(SYS_MAGIC_FUSE);
	fake.pid = CHILD;
	disk_lose(-EINTR);
	ck_assert_int_eq(loss_sync(&loss, 0), -EINTR);
	ck_assert_uint_eq(poison, 1);
	ck_assert(disk_would_report(loss.deputy));
	loss_close(&loss);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_child_cannot_use_up_the_report_of_the_parents_witness,
		in_a_child_every_error_fails_the_next_sync,
		a_child_hears_of_a_lost_page_as_without_a_witness,
	};

	return check_run("loss_fork", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
