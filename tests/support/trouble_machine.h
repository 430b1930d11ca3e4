/* SPDX-License-Identifier: MIT */
/*
 * Two files and a journal as memfds under the real calls, of which some are made to fail or to
 * hang for one file.
 *
 * Flow: included by the tests of what goes wrong at run time; each has a machine of its own.
 */
#ifndef TROUBLE_MACHINE_H
#define TROUBLE_MACHINE_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The faults of the calls on one file. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int file; /* index, -1: none */
	int write_error, sync_error;
	int interrupts; /* writes that say -EINTR first */
	bool hangs_write, hangs_sync;
	uint32_t hanging;
} trouble;

static inline bool is_troubled(int fd)
{
	struct stat stat;

	return trouble.file >= 0 && fstat(fd, &stat) == 0 && stat.st_ino == inodes[trouble.file];
}

static inline void hang(const bool *while_set)
{
	pthread_mutex_lock(&trouble.lock);
	trouble.hanging++;
	pthread_cond_broadcast(&trouble.changed);
	while (*while_set)
		pthread_cond_wait(&trouble.changed, &trouble.lock);
	trouble.hanging--;
	pthread_mutex_unlock(&trouble.lock);
}

static inline uint32_t hanging_now(void)
{
	uint32_t count;

	pthread_mutex_lock(&trouble.lock);
	count = trouble.hanging;
	pthread_mutex_unlock(&trouble.lock);
	return count;
}

static inline ssize_t troubled_write(int fd, const struct iovec *vector, int count, uint64_t offset,
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

static inline int troubled_sync(int fd)
{
	if (is_troubled(fd)) {
		if (trouble.hangs_sync)
			hang(&trouble.hangs_sync);
		if (trouble.sync_error)
			return trouble.sync_error;
	}
	return sys_linux.fdatasync(fd);
}

static inline void open_files(void)
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

static inline void setup(void)
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

static inline int write_page(int file, uint32_t at, int value)
{
	uint8_t bytes[PAGE];

	memset(bytes, value, sizeof(bytes));
	return atomicio_write(files[file], bytes, PAGE, (uint64_t)at * PAGE, 0);
}

/* Adjacent pages, in one frame. */
static inline int write_pages(int file, uint32_t at, uint32_t count, int value)
{
	static uint8_t bytes[FRAME];
	struct atomicio_op ops[FRAME / PAGE];

	ck_assert_uint_lt(count, FRAME / PAGE);
	memset(bytes, value, sizeof(bytes));
	for (uint32_t i = 0; i < count; i++)
		ops[i] = (struct atomicio_op){.file = files[file],
					      .buffer = bytes,
					      .length = PAGE,
					      .offset = (uint64_t)(at + i) * PAGE};
	return atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
}

static inline bool holds(int file, uint32_t at, int value)
{
	ck_assert_int_eq(pread(fds[file], page, PAGE, (off_t)at * PAGE), PAGE);
	for (uint32_t i = 0; i < PAGE; i++)
		if (page[i] != (uint8_t)value)
			return false;
	return true;
}

static inline bool frames_hold(int file, uint32_t at, int value)
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

static inline struct atomicio_journal_info info(void)
{
	struct atomicio_journal_info now;

	ck_assert_int_eq(atomicio_journal_get_info(journal, &now, sizeof(now)), 0);
	return now;
}

static inline int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id - 1 < 2 ? fds[file_id - 1] : -ENOENT;
}

static inline void end_process(void)
{
	for (int i = 0; i < 2; i++)
		if (files[i])
			(void)atomicio_close(files[i]);
	files[0] = files[1] = NULL;
	(void)atomicio_journal_close(journal);
	journal = NULL;
}

/* The trouble is over, and so is the process. */
static inline void restart(void)
{
	trouble.file = -1;
	end_process();
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	open_files();
}

#endif /* TROUBLE_MACHINE_H */
