/* SPDX-License-Identifier: MIT */
/*
 * Goal: no frame is ever appended to the journal's file, whenever its descriptor gets O_APPEND.
 * Method: own_machine.h; nothing can be opened again, as without /proc.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>

#include "check_run.h"
#include "own_machine.h"

START_TEST(a_descriptor_that_appends_and_cannot_be_reopened_is_refused)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};
	const int before = fcntl(journal_fd, F_GETFL);

	end_process();
	own.open_error = -ENOENT; /* no /proc */
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before | O_APPEND), 0);
	own.own_writes = 0;
	ck_assert_int_eq(journal_create(&calls, journal_fd, &options, sizeof(options)),
			 -EOPNOTSUPP);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), -EOPNOTSUPP);
	ck_assert_uint_eq(own.own_writes, 0);
	/* Where it can be, O_APPEND does not matter. */
	own.open_error = 0;
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	open_files();
	ck_assert_int_eq(write_page(0, 1, 5), 0);
	ck_assert_int_eq(lseek(journal_fd, 0, SEEK_END), JOURNAL_RING_START + 8 * FRAME);
	end_process();
	/* Nor can it be set later, behind the back of an open journal. */
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before), 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before | O_APPEND), 0);
	open_files();
	ck_assert_int_eq(write_page(0, 1, 6), 0);
	ck_assert_int_eq(lseek(journal_fd, 0, SEEK_END), JOURNAL_RING_START + 8 * FRAME);
}
END_TEST

static int no_append_seen(int fd)
{
	const int status = sys_linux.getfl(fd);

	return status < 0 || !is_journal(fd) ? status : status & ~O_APPEND;
}

/* Between the writes, and between the look and the write. */
START_TEST(a_descriptor_that_is_made_to_append_later_takes_no_frame)
{
	const int before = fcntl(journal_fd, F_GETFL);

	end_process();
	own.open_error = -ENOENT; /* no /proc */
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	own.open_error = 0;
	open_files();
	ck_assert_int_eq(write_page(0, 1, 5), 0);
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before | O_APPEND), 0);
	own.own_writes = 0;
	ck_assert_int_eq(write_page(0, 1, 6), -EOPNOTSUPP);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EOPNOTSUPP);
	ck_assert_uint_eq(own.own_writes, 0);
	ck_assert(holds(0, 1, 5));
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	own.noappends = 0;
	calls.getfl = no_append_seen;
	(void)write_page(0, 1, 7);
	ck_assert_uint_gt(own.noappends, 0);
	calls.getfl = sys_linux.getfl;
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before), 0);
	ck_assert_int_eq(write_page(0, 1, 8), 0);
	ck_assert(holds(0, 1, 8));
}
END_TEST

/* 40 pages of file 0: three frames of a ring of eight. */
static int write_chain(int value)
{
	static struct atomicio_op ops[40];
	static uint8_t bytes[PAGE];

	memset(bytes, value, sizeof(bytes));
	for (uint32_t i = 0; i < 40; i++)
		ops[i] = (struct atomicio_op){
			.file = files[0], .buffer = bytes, .offset = i * PAGE, .length = PAGE};
	return atomicio_write_batch(NULL, ops, 40, ATOMICIO_ALL_OR_NONE);
}

/* With room, and with room only after a retirement; before the call, and in the call. */
START_TEST(a_chain_is_never_appended)
{
	const int before = fcntl(journal_fd, F_GETFL);

	end_process();
	own.open_error = -ENOENT;
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	own.open_error = 0;
	open_files();
	ck_assert_int_eq(write_page(0, 1, 5), 0);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before | O_APPEND), 0);
		own.own_writes = 0;
		ck_assert_int_eq(write_chain(6), -EOPNOTSUPP);
		ck_assert_uint_eq(own.own_writes, 0);
		ck_assert(holds(0, 1, 5));
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
		ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before), 0);
		ck_assert_int_eq(write_chain(5), 0);
	}
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before | O_APPEND), 0);
	calls.getfl = no_append_seen;
	own.own_writes = own.noappends = 0;
	(void)write_chain(7);
	ck_assert_uint_ge(own.own_writes, 3);
	ck_assert_uint_eq(own.noappends, own.own_writes);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_descriptor_that_appends_and_cannot_be_reopened_is_refused,
		a_descriptor_that_is_made_to_append_later_takes_no_frame,
		a_chain_is_never_appended,
	};

	return check_run("journal_append", tests, sizeof(tests) / sizeof(tests[0]), own_setup);
}
