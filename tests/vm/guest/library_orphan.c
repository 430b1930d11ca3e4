/* SPDX-License-Identifier: MIT */
/*
 * Writes that land after the end of their process.
 *
 * Flow: from library.c: `library orphan PATH SIZE COUNT PROCS MILLISECONDS [lock]`.
 *
 * Rules:
 * LO1 a child joins the control group whose cgroup.procs is PROCS, where writes are slow, opens
 *     the file with a POSIX record lock on all of it, puts COUNT writes into a ring and is killed.
 * LO2 the successor takes the record lock and LOCK_EX as soon as possible, writes the same pages at
 *     full speed, syncs, and waits MILLISECONDS.  `landed` are the pages that are then the child's;
 *     `record` and `flock` are the milliseconds until each lock was taken.
 * LO3 with `lock` the child's handle has ATOMICIO_OPEN_LOCK; `refused` is the error of another open
 *     with the flag while the successor has LOCK_EX.
 */
#define _GNU_SOURCE
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 512U
#define WAIT_MAX_MS 60000

static const char *path;
static uint64_t size;
static uint32_t count, open_flags;
static struct atomicio_request requests[COUNT_MAX];

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int record_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_SETLK, &lock);
}

/* A byte in the pipe: everything is on its way. */
static int write_slowly(const char *procs, int ready)
{
	const struct atomicio_options options = {.flags = open_flags};
	const int fd = open(path, O_RDWR | O_DIRECT), group = open(procs, O_WRONLY);
	struct atomicio_file *file;
	struct io_uring ring;
	char *pages;

	if (fd < 0 || group < 0 || write(group, "0", 1) != 1 || record_lock(fd) != 0 ||
	    posix_memalign((void **)&pages, RAW_PAGE, size * count) ||
	    io_uring_queue_init(COUNT_MAX, &ring, 0) != 0 ||
	    atomicio_open(fd, &options, sizeof(options), &file) != 0)
		return 1;
	raw_fill(pages, size * count, 1);
	for (uint32_t i = 0; i < count; i++)
		if (atomicio_uring_prep(&requests[i], file, io_uring_get_sqe(&ring),
					pages + i * size, size, i * size, 0) != 0)
			return 1;
	if (io_uring_submit(&ring) != (int)count || write(ready, "", 1) != 1)
		return 1;
	pause();
	return 1;
}

static int kill_writer(const char *procs)
{
	int ready[2];
	char byte;
	pid_t child;

	if (pipe(ready) != 0)
		return -errno;
	child = fork();
	if (child == 0) {
		close(ready[0]);
		_exit(write_slowly(procs, ready[1]));
	}
	close(ready[1]);
	if (child < 0 || read(ready[0], &byte, 1) != 1)
		return -ECHILD;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

/* Milliseconds until a lock is had. */
static int64_t wait_for(int fd, int (*lock)(int fd))
{
	const int64_t start = now_ms();

	while (lock(fd) != 0 && now_ms() - start < WAIT_MAX_MS)
		usleep(5000);
	return now_ms() - start;
}

static int lock_alone(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB);
}

static int refused_open(void)
{
	const struct atomicio_options options = {.flags = ATOMICIO_OPEN_LOCK};
	const int fd = open(path, O_RDWR | O_DIRECT);
	struct atomicio_file *file = NULL;
	const int error = atomicio_open(fd, &options, sizeof(options), &file);

	atomicio_close(file);
	close(fd);
	return error;
}

/* The pages that are the dead process's. */
static uint32_t landed(int fd, char *pages, char *wanted)
{
	uint32_t result = 0;

	raw_fill(wanted, size * count, 1);
	if (pread(fd, pages, size * count, 0) != (ssize_t)(size * count))
		return UINT32_MAX;
	for (uint32_t i = 0; i < count; i++)
		result += memcmp(pages + i * size, wanted + i * size, size) == 0;
	return result;
}

int library_orphan_command(int argc, char **argv)
{
	char *pages, *wanted, name[32];
	int64_t record, alone;
	int fd, error, refused;

	if (argc < 7)
		return 2;
	path = argv[2];
	size = strtoull(argv[3], NULL, 0);
	count = (uint32_t)strtoul(argv[4], NULL, 0);
	open_flags = argc > 7 && strcmp(argv[7], "lock") == 0 ? ATOMICIO_OPEN_LOCK : 0;
	if (!count || count > COUNT_MAX ||
	    posix_memalign((void **)&pages, RAW_PAGE, size * count) ||
	    posix_memalign((void **)&wanted, RAW_PAGE, size * count))
		return 2;
	error = kill_writer(argv[5]);
	fd = open(path, O_RDWR | O_DIRECT);
	if (error || fd < 0) {
		printf("error=%s\n", strerrorname_np(error ? -error : errno));
		return 1;
	}
	record = wait_for(fd, record_lock);
	alone = wait_for(fd, lock_alone);
	refused = refused_open();
	raw_fill(pages, size * count, 2);
	if (pwrite(fd, pages, size * count, 0) != (ssize_t)(size * count) || fsync(fd) != 0)
		return 1;
	usleep((useconds_t)strtoul(argv[6], NULL, 0) * 1000);
	printf("landed=%u record=%lld flock=%lld refused=%s\n", landed(fd, pages, wanted),
	       (long long)record, (long long)alone, raw_result_name(refused, name, sizeof(name)));
	close(fd);
	return 0;
}
