/* SPDX-License-Identifier: MIT */
/*
 * Goal: the trouble of one file stays that file's: a home write or a sync that fails or hangs,
 * a seal, a limit, a flag set later; nothing committed is lost by it (J1 to J10, K6, K7, K10).
 * Method: two files and a journal as memfds under the real calls, of which some are made to fail
 * or to hang for one file; then the next start: open, recover, and look.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_run.h"
#include "journal_internal.h"
#include "write.h"

#define PAGE 4096u
#define FRAME (16u * PAGE)
#define FILE_SIZE (64u * PAGE)

static struct sys_calls calls;
static int journal_fd, fds[2];
static ino_t inodes[2];
static struct atomicio_journal *journal;
static struct atomicio_file *files[2];
static uint8_t page[PAGE] __attribute__((aligned(4096)));

/* What happens to the calls on one file. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int file; /* index, -1: none */
	int write_error, sync_error;
	int interrupts; /* so many writes say -EINTR first */
	bool hangs_write, hangs_sync;
	uint32_t hanging;
} trouble;

static bool is_troubled(int fd)
{
	struct stat stat;

	return trouble.file >= 0 && fstat(fd, &stat) == 0 && stat.st_ino == inodes[trouble.file];
}

static void hang(const bool *while_set)
{
	pthread_mutex_lock(&trouble.lock);
	trouble.hanging++;
	pthread_cond_broadcast(&trouble.changed);
	while (*while_set)
		pthread_cond_wait(&trouble.changed, &trouble.lock);
	trouble.hanging--;
	pthread_mutex_unlock(&trouble.lock);
}

static ssize_t troubled_write(int fd, const struct iovec *vector, int count, uint64_t offset,
			      int flags)
{
	if (count && is_troubled(fd)) {
		if (trouble.hangs_write)
			hang(&trouble.hangs_write);
		if (trouble.interrupts && trouble.interrupts--)
			return -EINTR;
		if (trouble.write_error)
			return trouble.write_error;
	}
	return sys_linux.pwritev2(fd, vector, count, offset, flags);
}

static int troubled_sync(int fd)
{
	if (is_troubled(fd)) {
		if (trouble.hangs_sync)
			hang(&trouble.hangs_sync);
		if (trouble.sync_error)
			return trouble.sync_error;
	}
	return sys_linux.fdatasync(fd);
}

static void open_files(void)
{
	for (int i = 0; i < 2; i++) {
		const struct atomicio_options options = {.policy = atomicio_policy_strict,
							 .journal = journal,
							 .file_id = (uint64_t)i + 1,
							 .path = ATOMICIO_PATH_JOURNAL};

		ck_assert_int_eq(write_open(&calls, fds[i], &options, sizeof(options), &files[i]),
				 0);
	}
}

static void setup(void)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME};
	struct stat stat;

	memset(&trouble, 0, sizeof(trouble));
	pthread_mutex_init(&trouble.lock, NULL);
	pthread_cond_init(&trouble.changed, NULL);
	trouble.file = -1;
	calls = sys_linux;
	calls.pwritev2 = troubled_write;
	calls.fdatasync = troubled_sync;
	journal_fd = memfd_create("journal", MFD_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		fds[i] = memfd_create("home", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		ck_assert_int_eq(ftruncate(fds[i], FILE_SIZE), 0);
		ck_assert_int_eq(fstat(fds[i], &stat), 0);
		inodes[i] = stat.st_ino;
	}
	ck_assert_int_eq(journal_create(&calls, journal_fd, &options, sizeof(options)), 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	open_files();
}

static int write_page(int file, uint32_t at, int value)
{
	uint8_t bytes[PAGE];

	memset(bytes, value, sizeof(bytes));
	return atomicio_write(files[file], bytes, PAGE, (uint64_t)at * PAGE, 0);
}

static bool holds(int file, uint32_t at, int value)
{
	ck_assert_int_eq(pread(fds[file], page, PAGE, (off_t)at * PAGE), PAGE);
	for (uint32_t i = 0; i < PAGE; i++)
		if (page[i] != (uint8_t)value)
			return false;
	return true;
}

static bool frames_hold(int file, uint32_t at, int value)
{
	memset(page, 0xee, PAGE);
	ck_assert_int_ge(
		atomicio_journal_read(journal, (uint64_t)file + 1, page, PAGE, (uint64_t)at * PAGE),
		0);
	for (uint32_t i = 0; i < PAGE; i++)
		if (page[i] != (uint8_t)value)
			return false;
	return true;
}

static struct atomicio_journal_info info(void)
{
	struct atomicio_journal_info now;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &now, sizeof(now)), 0);
	return now;
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id - 1 < 2 ? fds[file_id - 1] : -ENOENT;
}

/* The trouble is over, and so is the process. */
static void restart(void)
{
	trouble.file = -1;
	for (int i = 0; i < 2; i++)
		if (files[i])
			(void)atomicio_close(files[i]);
	(void)atomicio_journal_close(journal);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	open_files();
}

START_TEST(a_home_write_that_fails_fails_its_file_alone)
{
	static const int errors[] = {EIO, ENOSPC, EFBIG, EPERM, EINVAL, EFAULT, EROFS};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const int value = (int)i + 1;

		trouble.file = 0;
		trouble.write_error = -errors[i];
		/* E1: its frame is durable. */
		ck_assert_int_eq(write_page(0, 3, value), 0);
		ck_assert(frames_hold(0, 3, value));
		ck_assert_int_eq(write_page(0, 3, 77), -ENOTRECOVERABLE);
		ck_assert_uint_eq(atomicio_check(files[0], page, PAGE, 0),
				  ATOMICIO_REASON_HOME_FAILED);
		ck_assert_int_eq(atomicio_sync(files[0]), -ENOTRECOVERABLE);
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
		ck_assert_uint_ge(info().files_failed, 1);
		/* More than a lap of the other. */
		for (uint32_t lap = 0; lap < 100; lap++)
			ck_assert_int_eq(write_page(1, lap % 8, value), 0);
		ck_assert_int_eq(atomicio_sync(files[1]), 0);
		ck_assert(frames_hold(0, 3, value));
		ck_assert_uint_gt(info().pages_carried, 0);
		ck_assert_int_eq(atomicio_close(files[0]), -ENOTRECOVERABLE);
		ck_assert_int_eq(atomicio_close(files[1]), 0);
		files[0] = files[1] = NULL;
		restart();
		ck_assert(holds(0, 3, value));
		ck_assert(holds(1, 3, value));
	}
}
END_TEST

START_TEST(a_sync_that_fails_fails_its_file_alone)
{
	ck_assert_int_eq(write_page(0, 1, 11), 0);
	ck_assert_int_eq(write_page(0, 1, 12), 0);
	ck_assert_int_eq(write_page(1, 1, 13), 0);
	trouble.file = 0;
	trouble.sync_error = -EIO;
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EIO);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -ENOTRECOVERABLE);
	ck_assert_int_eq(write_page(0, 1, 14), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_journal_forget(journal, 1), -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_journal_forget(journal, 2), 0);
	for (uint32_t lap = 0; lap < 100; lap++)
		ck_assert_int_eq(write_page(1, lap % 8, 15), 0);
	/* The page that was not synced is lost from the file. */
	memset(page, 0, PAGE);
	ck_assert_int_eq(pwrite(fds[0], page, PAGE, PAGE), PAGE);
	ck_assert(frames_hold(0, 1, 12));
	restart();
	ck_assert(holds(0, 1, 12));
}
END_TEST

START_TEST(a_file_that_failed_is_not_attached_again_before_recovery)
{
	const struct atomicio_options options = {
		.journal = journal, .file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_file *again;

	trouble.file = 0;
	trouble.write_error = -EIO;
	ck_assert_int_eq(write_page(0, 1, 1), 0);
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &again),
			 -ENOTRECOVERABLE);
	ck_assert_int_eq(atomicio_close(files[0]), -ENOTRECOVERABLE);
	files[0] = NULL;
	trouble.file = -1;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &again),
			 -ENOTRECOVERABLE);
	restart();
	ck_assert(holds(0, 1, 1));
	ck_assert_int_eq(write_page(0, 1, 2), 0);
}
END_TEST

static void *write_troubled(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)write_page(0, 5, 55);
}

static void *sync_troubled(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)atomicio_journal_checkpoint(journal);
}

static void await_hang(void)
{
	pthread_mutex_lock(&trouble.lock);
	while (!trouble.hanging)
		pthread_cond_wait(&trouble.changed, &trouble.lock);
	pthread_mutex_unlock(&trouble.lock);
}

static void end_hang(void)
{
	pthread_mutex_lock(&trouble.lock);
	trouble.hangs_write = trouble.hangs_sync = false;
	pthread_cond_broadcast(&trouble.changed);
	pthread_mutex_unlock(&trouble.lock);
}

/* Laps of the other file while one hangs, and questions. */
static void go_on_meanwhile(void)
{
	await_hang();
	for (uint32_t lap = 0; lap < 200; lap++) {
		ck_assert_int_eq(write_page(1, lap % 8, (int)lap), 0);
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	}
	ck_assert_int_eq(atomicio_sync(files[1]), 0);
}

START_TEST(a_home_write_that_hangs_stops_no_writer_of_another_file)
{
	pthread_t thread;
	void *result;

	trouble.file = 0;
	trouble.hangs_write = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, write_troubled, NULL), 0);
	go_on_meanwhile();
	ck_assert_uint_gt(info().pages_carried, 0);
	end_hang();
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	ck_assert(holds(0, 5, 55));
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_eq(info().live_frames, 0);
}
END_TEST

START_TEST(a_sync_that_hangs_stops_no_writer_of_another_file)
{
	pthread_t thread;
	void *result;

	ck_assert_int_eq(write_page(0, 5, 54), 0);
	ck_assert_int_eq(write_page(0, 5, 55), 0);
	trouble.file = 0;
	trouble.hangs_sync = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, sync_troubled, NULL), 0);
	go_on_meanwhile();
	/* Of two frames of one page the newer alone is carried. */
	ck_assert_uint_gt(info().pages_carried, 0);
	end_hang();
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	restart();
	ck_assert(holds(0, 5, 55));
}
END_TEST

START_TEST(a_call_that_a_signal_cut_short_is_made_again)
{
	trouble.file = 0;
	trouble.interrupts = 5;
	ck_assert_int_eq(write_page(0, 2, 22), 0);
	ck_assert_int_eq(trouble.interrupts, 0);
	ck_assert(holds(0, 2, 22));
	ck_assert_int_eq(write_page(0, 2, 23), 0);
	ck_assert_uint_eq(info().files_failed, 0);
}
END_TEST

START_TEST(a_sealed_file_is_refused_before_the_frame)
{
	const uint64_t frames = info().frames;

	ck_assert_int_eq(write_page(0, 64, 1), 0); /* it grows */
	ck_assert_int_eq(fcntl(fds[0], F_ADD_SEALS, F_SEAL_GROW), 0);
	ck_assert_int_eq(write_page(0, 65, 1), -EPERM);
	ck_assert_int_eq(write_page(0, 64, 2), 0);
	ck_assert_int_eq(fcntl(fds[0], F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	ck_assert_int_eq(write_page(0, 64, 3), -EPERM);
	ck_assert(holds(0, 64, 2));
	ck_assert_uint_eq(info().frames, frames + 2);
	ck_assert_uint_eq(info().files_failed, 0);
	ck_assert_int_eq(write_page(1, 1, 4), 0);
}
END_TEST

START_TEST(a_page_far_behind_the_end_takes_no_blocks_for_the_gap)
{
	struct stat stat;

	ck_assert_int_eq(write_page(0, 1u << 16, 1), 0);
	ck_assert_int_eq(fstat(fds[0], &stat), 0);
	ck_assert_int_ge(stat.st_size, (off_t)PAGE << 16);
	ck_assert_int_lt(stat.st_blocks * 512, 8 << 20);
}
END_TEST

START_TEST(a_limit_on_the_file_size_ends_no_process_and_poisons_nothing)
{
	struct rlimit before, now;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(write_page(0, 0, 1), 0);
	/* Below the ring's next frame, and above the page; SIGXFSZ would end the test. */
	now = before;
	now.rlim_cur = JOURNAL_RING_START + PAGE;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	ck_assert_int_eq(write_page(0, 0, 2), -EFBIG);
	ck_assert_int_eq(write_page(0, 63, 2), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
	ck_assert(holds(0, 0, 1));
	ck_assert_int_eq(write_page(0, 0, 3), 0);
	ck_assert(holds(0, 0, 3));
}
END_TEST

START_TEST(no_flag_set_later_moves_or_refuses_a_home_write)
{
	const int before = fcntl(fds[0], F_GETFL);

	files[0]->home.rwf = 0; /* as where RWF_NOAPPEND is not kept */
	ck_assert(files[0]->home.own_fd);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, before | O_APPEND), 0);
	ck_assert_int_eq(write_page(0, 2, 9), 0);
	ck_assert(holds(0, 2, 9));
	ck_assert_int_eq(lseek(fds[0], 0, SEEK_END), FILE_SIZE);
	/* Without a description of our own the flag is seen: nothing is written to a wrong place.
	 */
	files[0]->home.checks_flags = true;
	close(files[0]->home.fd);
	files[0]->home.own_fd = false;
	files[0]->home.fd = fds[0];
	ck_assert_int_eq(write_page(0, 2, 10), 0);
	ck_assert(frames_hold(0, 2, 10));
	ck_assert_int_eq(lseek(fds[0], 0, SEEK_END), FILE_SIZE);
	ck_assert_int_eq(write_page(0, 2, 11), -ENOTRECOVERABLE);
	ck_assert_int_eq(write_page(1, 2, 11), 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, before), 0);
	restart();
	ck_assert(holds(0, 2, 10));
}
END_TEST

START_TEST(overlapping_ops_keep_their_order_in_a_batch_and_are_refused_in_a_group)
{
	static uint8_t bytes[4][2 * PAGE];
	struct atomicio_op ops[4];

	for (uint32_t i = 0; i < 4; i++) {
		memset(bytes[i], (int)i + 1, sizeof(bytes[i]));
		ops[i] = (struct atomicio_op){.file = files[0],
					      .buffer = bytes[i],
					      .offset = i * PAGE,
					      .length = 2 * PAGE};
	}
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 4, ATOMICIO_ALL_OR_NONE), -EINVAL);
	ck_assert(holds(0, 0, 0));
	ck_assert_int_eq(atomicio_write_batch(NULL, ops, 4, 0), 0);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert(holds(0, i, (int)i + 1));
	ck_assert(holds(0, 4, 4));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_home_write_that_fails_fails_its_file_alone,
		a_sync_that_fails_fails_its_file_alone,
		a_file_that_failed_is_not_attached_again_before_recovery,
		a_home_write_that_hangs_stops_no_writer_of_another_file,
		a_sync_that_hangs_stops_no_writer_of_another_file,
		a_call_that_a_signal_cut_short_is_made_again,
		a_sealed_file_is_refused_before_the_frame,
		a_page_far_behind_the_end_takes_no_blocks_for_the_gap,
		a_limit_on_the_file_size_ends_no_process_and_poisons_nothing,
		no_flag_set_later_moves_or_refuses_a_home_write,
		overlapping_ops_keep_their_order_in_a_batch_and_are_refused_in_a_group,
	};

	return check_run("journal_trouble", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
