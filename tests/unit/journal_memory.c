/* SPDX-License-Identifier: MIT */
/*
 * Goal: a batch of 256 pages of 16 KiB is one frame by default, small rings get frames that leave
 * room for others, and who says how little memory frames may take gets no more, and all pages.
 * Method: a journal and a home as memfds, under the real calls.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_run.h"
#include "journal_internal.h"
#include "write.h"

#define KIB 1024u
#define MIB (1024u * KIB)
#define PAGE (16u * KIB)
#define COUNT 256u

static uint8_t bytes[COUNT * PAGE] __attribute__((aligned(4096)));
static uint8_t found[COUNT * PAGE];
static int journal_fd, fd;
static struct atomicio_journal *journal;
static struct atomicio_file *file;

static struct atomicio_journal_info info(void)
{
	struct atomicio_journal_info now;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &now, sizeof(now)), 0);
	return now;
}

static void start(uint64_t size, uint64_t memory)
{
	const struct atomicio_journal_options layout = {.size = size};
	const struct atomicio_journal_open_options how = {.memory = memory};
	struct atomicio_options options = {.file_id = 1, .path = ATOMICIO_PATH_JOURNAL};

	journal_fd = memfd_create("journal", MFD_CLOEXEC);
	fd = memfd_create("home", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, 2 * sizeof(bytes)), 0);
	ck_assert_int_eq(atomicio_journal_create(journal_fd, &layout, sizeof(layout)), 0);
	ck_assert_int_eq(atomicio_journal_open(journal_fd, &how, sizeof(how), &journal), 0);
	options.journal = journal;
	ck_assert_int_eq(atomicio_open(fd, &options, sizeof(options), &file), 0);
}

static void stop(void)
{
	ck_assert_int_eq(atomicio_close(file), 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
	close(fd);
	close(journal_fd);
}

static int write_pages(uint32_t count, uint32_t length, int value, uint32_t flags)
{
	static struct atomicio_op ops[COUNT];

	memset(bytes, value, sizeof(bytes));
	for (uint32_t i = 0; i < count; i++)
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = bytes + (size_t)i * length,
					      .length = length,
					      .offset = (uint64_t)i * 2 * length};
	return atomicio_write_batch(NULL, ops, count, flags);
}

static void hold(uint32_t count, uint32_t length)
{
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_int_eq(pread(fd, found, length, (off_t)i * 2 * length), length);
		ck_assert(!memcmp(found, bytes, length));
	}
}

START_TEST(the_default_frame_holds_256_pages_of_16_kib)
{
	struct atomicio_journal_info before;

	start(0, 0);
	ck_assert_int_eq(write_pages(1, PAGE, 1, 0), 0);
	before = info();
	ck_assert_int_eq(write_pages(COUNT, PAGE, 2, 0), 0);
	hold(COUNT, PAGE);
	ck_assert_uint_eq(info().frames - before.frames, 1);
	ck_assert_uint_eq(info().flushes - before.flushes, 1);
	stop();
}
END_TEST

START_TEST(a_small_ring_has_frames_that_leave_room)
{
	static const struct {
		uint32_t ring, frame_max;
	} sizes[] = {{1 * MIB, 512 * KIB}, {4 * MIB, 2 * MIB},	{16 * MIB, 2 * MIB},
		     {24 * MIB, 3 * MIB},  {32 * MIB, 4 * MIB}, {64 * MIB, 4 * MIB + 32 * KIB}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		start(JOURNAL_RING_START + sizes[i].ring, 0);
		ck_assert_uint_eq(info().frame_max, sizes[i].frame_max);
		stop();
	}
}
END_TEST

START_TEST(sizes_that_are_no_whole_blocks_are_rounded_up)
{
	static const struct {
		uint64_t size;
		uint32_t frame_max, frame_taken;
	} wishes[] = {{1 * MIB + 1, 10000, 12288},
		      {1 * MIB + 4095, 8191, 8192},
		      /* Half of the log area is the limit, and stays so. */
		      {JOURNAL_RING_START + 20 * KIB, 10 * KIB, 8 * KIB}};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		const struct atomicio_journal_options layout = {.size = wishes[i].size,
								.frame_max = wishes[i].frame_max};

		journal_fd = memfd_create("journal", MFD_CLOEXEC);
		ck_assert_int_eq(atomicio_journal_create(journal_fd, &layout, sizeof(layout)), 0);
		ck_assert_int_eq(atomicio_journal_open(journal_fd, NULL, 0, &journal), 0);
		ck_assert_uint_eq(info().size, (wishes[i].size + 4095) / 4096 * 4096);
		ck_assert_uint_eq(info().frame_max, wishes[i].frame_taken);
		ck_assert_int_eq(atomicio_journal_close(journal), 0);
		close(journal_fd);
	}
}
END_TEST

START_TEST(info_says_what_was_taken)
{
	uint64_t whole;

	start(0, 0);
	whole = info().memory;
	ck_assert_uint_ge(whole, 2 * info().frame_max);
	ck_assert_uint_le(whole, 2 * info().frame_max + 512 * KIB);
	stop();
	start(0, 256 * KIB);
	ck_assert_uint_ge(info().memory, 256 * KIB);
	ck_assert_uint_le(info().memory, 512 * KIB);
	ck_assert_uint_eq(info().frame_max, 4 * MIB + 32 * KIB);
	stop();
	start(0, 1ull << 40);
	ck_assert_uint_eq(info().memory, whole);
	stop();
}
END_TEST

START_TEST(little_memory_takes_more_frames)
{
	start(0, 256 * KIB);
	/* In 128 KiB: a frame of one page, but not eight. */
	ck_assert_int_eq(write_pages(COUNT, PAGE, 3, 0), 0);
	hold(COUNT, PAGE);
	ck_assert_uint_ge(info().frames, COUNT / 7);
	ck_assert_uint_eq(info().pages, COUNT);
	stop();
}
END_TEST

START_TEST(what_must_be_one_frame_is_one_all_the_same)
{
	start(0, 16 * KIB);
	ck_assert_int_eq(write_pages(8, 4096, 4, ATOMICIO_ALL_OR_NONE), 0);
	hold(8, 4096);
	ck_assert_int_eq(write_pages(COUNT, PAGE, 5, ATOMICIO_ALL_OR_NONE), 0);
	hold(COUNT, PAGE);
	memset(bytes, 6, sizeof(bytes));
	ck_assert_int_eq(atomicio_write(file, bytes, 2 * MIB, 0, 0), 0);
	ck_assert_int_eq(pread(fd, found, 2 * MIB, 0), 2 * MIB);
	ck_assert(!memcmp(found, bytes, 2 * MIB));
	ck_assert_uint_eq(info().frames, 3);
	stop();
}
END_TEST

START_TEST(less_than_two_frames_can_be_is_refused)
{
	const struct atomicio_journal_open_options how = {.memory = 16 * KIB - 1};
	struct atomicio_journal *other = NULL;

	start(0, 16 * KIB);
	ck_assert_int_eq(atomicio_journal_open(journal_fd, &how, sizeof(how), &other), -EINVAL);
	ck_assert_ptr_null(other);
	stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_default_frame_holds_256_pages_of_16_kib,
		a_small_ring_has_frames_that_leave_room,
		sizes_that_are_no_whole_blocks_are_rounded_up,
		info_says_what_was_taken,
		little_memory_takes_more_frames,
		what_must_be_one_frame_is_one_all_the_same,
		less_than_two_frames_can_be_is_refused,
	};

	return check_run("journal_memory", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
