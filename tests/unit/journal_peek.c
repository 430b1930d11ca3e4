/* SPDX-License-Identifier: MIT */
/*
 * Goal: an application can ask for the contents of a journal, and nothing changes; and for the
 * length of a group before gathering the group.
 * Method: trouble_machine.h, own_machine.h's counts; answers are compared with what open and
 * writes find afterwards.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "check_run.h"
#include "own_machine.h"

static uint32_t reads, opens, others;

static ssize_t count_read(int fd, void *buffer, size_t length, uint64_t offset)
{
	reads++;
	return sys_linux.pread(fd, buffer, length, offset);
}

static int count_open(const char *path, int flags)
{
	opens++;
	return sys_linux.open(path, flags);
}

static int count_other(int fd)
{
	(void)fd;
	others++;
	return -EBADF;
}

/* 0 or 1, as it must be; reads are counted, and nothing but reads is made. */
static int peek(struct atomicio_journal_info *info)
{
	struct sys_calls looking = calls;
	int result;

	looking.pread = count_read;
	looking.open = count_open;
	looking.close = looking.lock = looking.lock_shared = looking.unlock = looking.fdatasync =
		count_other;
	reads = opens = others = own.own_writes = 0;
	result = journal_peek(&looking, journal_fd, info);
	ck_assert_uint_eq(opens + others + own.own_writes, 0);
	return result;
}

START_TEST(a_clean_journal_costs_two_reads)
{
	struct atomicio_journal_info seen;

	ck_assert_int_eq(write_page(0, 1, 5), 0);
	end_process();
	ck_assert_int_eq(peek(&seen), 0);
	ck_assert_uint_eq(reads, 2);
	ck_assert_uint_eq(seen.state, ATOMICIO_JOURNAL_READY);
	ck_assert_uint_eq(seen.live_frames, 0);
	ck_assert_uint_eq(seen.size, JOURNAL_RING_START + 8 * FRAME);
	ck_assert_int_eq(atomicio_journal_peek(journal_fd, NULL, 0), 0);
}
END_TEST

START_TEST(live_frames_are_seen_and_stay)
{
	struct atomicio_journal_info seen, opened;

	leave_page(7);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(peek(&seen), 1);
		ck_assert_uint_eq(seen.state, ATOMICIO_JOURNAL_UNCLEAN);
		ck_assert_uint_eq(seen.live_frames, 1);
	}
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	opened = info();
	ck_assert_uint_eq(seen.tail_sequence, opened.tail_sequence);
	ck_assert_uint_eq(seen.head_sequence, opened.head_sequence);
	ck_assert_uint_eq(seen.live_bytes, opened.live_bytes);
	ck_assert_int_eq(memcmp(seen.id, opened.id, sizeof(seen.id)), 0);
	/* The journal is open and locked: no obstacle here. */
	ck_assert_int_eq(peek(&seen), 1);
	restart();
	end_process();
	ck_assert_int_eq(peek(&seen), 0);
}
END_TEST

START_TEST(a_descriptor_for_reading_is_enough)
{
	struct atomicio_journal_info seen;
	char path[32];
	int fd;

	leave_page(7);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", journal_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(atomicio_journal_peek(fd, &seen, sizeof(seen)), 1);
	ck_assert_int_eq(close(fd), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(atomicio_journal_peek(fd, &seen, sizeof(seen)), -EBADF);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(what_is_no_journal_is_told_and_info_stays_untouched)
{
	struct atomicio_journal_info seen;
	uint8_t before[sizeof(seen)];
	uint8_t zero[2 * PAGE] = {0};
	const int empty = memfd_create("empty", MFD_CLOEXEC);

	memset(&seen, 0xa5, sizeof(seen));
	memcpy(before, &seen, sizeof(before));
	ck_assert_int_eq(atomicio_journal_peek(empty, &seen, sizeof(seen)), -ENODATA);
	ck_assert_int_eq(close(empty), 0);
	ck_assert_int_eq(atomicio_journal_peek(fds[0], &seen, sizeof(seen)), -ENODATA);
	ck_assert_int_eq(atomicio_journal_peek(journal_fd, &seen, 8), -EINVAL);
	ck_assert_int_eq(atomicio_journal_peek(-1, &seen, sizeof(seen)), -EBADF);
	end_process();
	zero[0] = 1;
	ck_assert_int_eq(pwrite(journal_fd, zero, 1, 4000), 1);
	ck_assert_int_eq(pwrite(journal_fd, zero, 1, PAGE + 4000), 1);
	ck_assert_int_eq(atomicio_journal_peek(journal_fd, &seen, sizeof(seen)), -EBADMSG);
	ck_assert_int_eq(memcmp(before, &seen, sizeof(before)), 0);
}
END_TEST

/* One group of `count` pages in runs; its length in the log area, or an error. */
static int64_t take(uint32_t count, uint32_t runs)
{
	static struct atomicio_op ops[64];
	static uint8_t bytes[PAGE];
	uint64_t before, checkpoints;
	int error;

	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	for (uint32_t i = 0; i < count; i++)
		ops[i] = (struct atomicio_op){.file = files[runs > 1 ? i % 2 : 0],
					      .buffer = bytes,
					      .offset = (uint64_t)i * PAGE,
					      .length = PAGE};
	before = info().bytes_written;
	checkpoints = info().checkpoints;
	error = atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
	/* A group that fills half of the log area is retired at once, with two headers. */
	before += (info().checkpoints - checkpoints) * JOURNAL_COPIES * JOURNAL_BLOCK;
	return error ? error : (int64_t)(info().bytes_written - before);
}

START_TEST(what_group_length_promises_is_what_a_group_takes)
{
	ck_assert_int_gt(take(1, 1), 0); /* headers are written before the first frame */
	for (uint32_t count = 1; count <= 64; count++)
		for (uint32_t runs = 1; runs <= count; runs += count > 1 ? count - 1 : 1) {
			const int64_t most = atomicio_group_length(journal, count, PAGE, runs);
			const int64_t taken = take(count, runs);

			/* The answer may be careful, but never promises what is refused. */
			if (most < 0)
				ck_assert_int_eq(most, -EMSGSIZE);
			else
				ck_assert_int_ge(taken, 0);
			if (most >= 0)
				ck_assert_int_le(taken, most);
			if (most >= 0 && most <= (int64_t)FRAME)
				ck_assert_int_eq(taken, most);
			if (taken == -EMSGSIZE)
				ck_assert_int_eq(most, -EMSGSIZE);
		}
	/* A group longer than a frame is accepted, too. */
	ck_assert_int_gt(atomicio_group_length(journal, 20, PAGE, 1), (int64_t)FRAME);
}
END_TEST

START_TEST(group_length_refuses_what_is_no_group)
{
	ck_assert_int_eq(atomicio_group_length(NULL, 1, PAGE, 1), -EINVAL);
	ck_assert_int_eq(atomicio_group_length(journal, 0, PAGE, 1), -EINVAL);
	ck_assert_int_eq(atomicio_group_length(journal, 1, 0, 1), -EINVAL);
	ck_assert_int_eq(atomicio_group_length(journal, 1, PAGE, 0), -EINVAL);
	ck_assert_int_eq(atomicio_group_length(journal, 1, PAGE, 2), -EINVAL);
	ck_assert_int_eq(atomicio_group_length(journal, UINT64_MAX, PAGE, 1), -EMSGSIZE);
	ck_assert_int_eq(atomicio_group_length(journal, 2, UINT64_MAX, 1), -EMSGSIZE);
	ck_assert_int_eq(atomicio_group_length(journal, 1, FRAME, 1), -EMSGSIZE);
	ck_assert_int_eq(atomicio_group_length(journal, 1u << 28, PAGE, 1u << 28), -EMSGSIZE);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_clean_journal_costs_two_reads,
		live_frames_are_seen_and_stay,
		a_descriptor_for_reading_is_enough,
		what_is_no_journal_is_told_and_info_stays_untouched,
		what_group_length_promises_is_what_a_group_takes,
		group_length_refuses_what_is_no_group,
	};

	return check_run("journal_peek", tests, sizeof(tests) / sizeof(tests[0]), own_setup);
}
