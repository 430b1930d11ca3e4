/* SPDX-License-Identifier: MIT */
/*
 * A journal and two files in a directory, shared by real processes: the test's own, and children
 * that open everything anew, do one thing, and end or are killed.
 *
 * Flow: included by the tests of turns; each has a machine of its own.
 */
#ifndef TURNS_MACHINE_H
#define TURNS_MACHINE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal_share.h"
#include "libatomicio/turns.h"
#include "write.h"

#define PAGE 4096u
#define FRAME (16u * PAGE)
#define RING (8u * FRAME)
#define FILE_SIZE (64u * PAGE)
#define NEVER UINT32_MAX
/* Where the page lies: behind the journal. */
#define PLACE                                                                                      \
	((JOURNAL_RING_START + RING + JOURNAL_SHARED_ALIGN - 1) / JOURNAL_SHARED_ALIGN *           \
	 JOURNAL_SHARED_ALIGN)

static struct sys_calls calls;
static char directory[64];
static pid_t maker; /* the test's process, which removes the directory */
static int journal_fd, fds[2];
static struct atomicio_journal *journal;
static struct atomicio_file *files[2];
static uint32_t writes, dies_at; /* writes of this process; the number of the killing write */
static bool dies_half;		 /* after the first half of it */
static int write_error, sync_error;
static ino_t error_inode; /* whose writes, or syncs, give that error */
static uint32_t syncs[2];

static inline bool is_file(int fd, ino_t inode)
{
	struct stat stat;

	return inode && fstat(fd, &stat) == 0 && stat.st_ino == inode;
}

static inline ino_t inode_of(int fd)
{
	struct stat stat;

	ck_assert_int_eq(fstat(fd, &stat), 0);
	return stat.st_ino;
}

static inline ssize_t dying_write(int fd, const struct iovec *vector, int count, uint64_t offset,
				  int flags)
{
	ssize_t result;

	if (!count || flags & SYS_RWF_ATOMIC) /* the probe's */
		return sys_linux.pwritev2(fd, vector, count, offset, flags);
	if (write_error && is_file(fd, error_inode))
		return write_error;
	if (writes++ == dies_at) {
		if (dies_half)
			(void)sys_linux.pwritev2(
				fd,
				&(struct iovec){vector->iov_base, vector->iov_len / 2 / 512 * 512},
				1, offset, flags);
		(void)kill(getpid(), SIGKILL);
	}
	result = sys_linux.pwritev2(fd, vector, count, offset, flags);
	writes -= result == -ENOSYS; /* qemu-user: another call follows, and counts */
	return result;
}

/* The shared page is written by pwrite: a point to die, too, before and after the call. */
static inline ssize_t dying_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	ssize_t result;

	if (writes++ == dies_at && !dies_half)
		(void)kill(getpid(), SIGKILL);
	result = sys_linux.pwrite(fd, buffer, length, offset);
	if (writes - 1 == dies_at)
		(void)kill(getpid(), SIGKILL);
	return result;
}

static inline int counted_sync(int fd)
{
	for (int i = 0; i < 2; i++)
		syncs[i] += is_file(fd, inode_of(fds[i]));
	if (sync_error && is_file(fd, error_inode))
		return sync_error;
	return sys_linux.fdatasync(fd);
}

static inline int open_in(const char *name, int flags)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline int open_journal(void)
{
	const struct atomicio_journal_open_options options = {.flags =
								      ATOMICIO_JOURNAL_OPEN_SHARED};

	return journal_open_with(&calls, journal_fd, &options, &journal);
}

static inline void open_file(int file)
{
	const struct atomicio_options options = {
		.journal = journal, .file_id = (uint64_t)file + 1, .path = ATOMICIO_PATH_JOURNAL};

	ck_assert_int_eq(write_open(&calls, fds[file], &options, sizeof(options), &files[file]), 0);
}

/* Everything anew, as a process that has just started. */
static inline void start(void)
{
	writes = 0;
	journal_fd = open_in("journal", 0);
	fds[0] = open_in("a", 0);
	fds[1] = open_in("b", 0);
	ck_assert_int_eq(open_journal(), 0);
	open_file(0);
	open_file(1);
}

static inline int close_all(void)
{
	int error;

	for (int i = 0; i < 2; i++)
		if (files[i])
			(void)atomicio_close(files[i]);
	files[0] = files[1] = NULL;
	error = journal ? atomicio_journal_close(journal) : 0;
	journal = NULL;
	return error;
}

static inline void remove_directory(void)
{
	char path[96];

	if (getpid() != maker)
		return;
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory,
			 (const char *[]){"journal", "a", "b", "copy"}[i]);
		(void)unlink(path);
	}
	(void)rmdir(directory);
}

static inline void setup(void)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + RING,
							 .frame_max = FRAME};

	calls = sys_linux;
	calls.pwritev2 = dying_write;
	calls.pwrite = dying_pwrite;
	calls.fdatasync = counted_sync;
	calls.aio = NULL; /* each home write is a call of its own, and a point to die */
	dies_at = NEVER;
	dies_half = false;
	write_error = sync_error = 0;
	error_inode = 0;
	snprintf(directory, sizeof(directory), "%s/turnsXXXXXX",
		 getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 40 ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	maker = getpid();
	(void)atexit(remove_directory);
	for (int i = 0; i < 2; i++) {
		fds[i] = open_in(i ? "b" : "a", O_CREAT);
		ck_assert_int_eq(ftruncate(fds[i], FILE_SIZE), 0);
	}
	journal_fd = open_in("journal", O_CREAT);
	ck_assert_int_eq(journal_create(&calls, journal_fd, &options, sizeof(options)), 0);
	close(fds[0]);
	close(fds[1]);
	close(journal_fd);
	start();
}

static inline int begin(void)
{
	return atomicio_journal_turn_begin(journal, 0);
}

static inline int end(void)
{
	return atomicio_journal_turn_end(journal);
}

static inline int write_page(int file, uint32_t at, int value)
{
	uint8_t bytes[PAGE];

	memset(bytes, value, sizeof(bytes));
	return atomicio_write(files[file], bytes, PAGE, (uint64_t)at * PAGE, 0);
}

/* Pages 0 and 3 of both files, all or none. */
static inline int write_group(int value)
{
	static uint8_t bytes[PAGE];
	struct atomicio_op ops[4];

	memset(bytes, value, sizeof(bytes));
	for (uint32_t i = 0; i < 4; i++)
		ops[i] = (struct atomicio_op){.file = files[i % 2],
					      .buffer = bytes,
					      .offset = i / 2 * 3 * PAGE,
					      .length = PAGE};
	return atomicio_write_batch(NULL, ops, 4, ATOMICIO_ALL_OR_NONE);
}

/* All of a page, or -1. */
static inline int value_of(int file, uint32_t at)
{
	uint8_t bytes[PAGE];

	ck_assert_int_eq(pread(fds[file], bytes, PAGE, (off_t)at * PAGE), PAGE);
	for (uint32_t i = 1; i < PAGE; i++)
		if (bytes[i] != bytes[0])
			return -1;
	return bytes[0];
}

static inline int group_value(void)
{
	const int value = value_of(0, 0);

	return value_of(0, 3) == value && value_of(1, 0) == value && value_of(1, 3) == value ? value
											     : -1;
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

static inline int recover(void)
{
	return atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0);
}

/* A whole turn, of one group. */
static inline int write_in_turn(int value)
{
	int result = begin();

	if (result == 1)
		result = recover();
	if (!result)
		result = write_group(value);
	return result ? result : end();
}

/* Another process has nothing of ours, and runs `body`.  Its pid. */
static inline pid_t spawn(void (*body)(int), int argument)
{
	const pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	/* As after exec: every descriptor is closed, and nothing is written or unlocked. */
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC)
			close(fd);
	journal = NULL;
	files[0] = files[1] = NULL;
	dies_at = NEVER;
	body(argument);
	_exit(0);
}

/* 0: a good end; the number of a killing signal; or -1. */
static inline int reap(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	return WEXITSTATUS(status) ? -1 : 0;
}

static inline int run(void (*body)(int), int argument)
{
	return reap(spawn(body, argument));
}

#endif /* TURNS_MACHINE_H */
