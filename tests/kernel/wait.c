/* SPDX-License-Identifier: MIT */
/*
 * Goal: where the kernel makes a call wait although the caller asked it not to, the manual says so,
 * and nothing is worse than the wait.
 *
 * Method: wait.sh mounts XFS; the filesystem is frozen, or a lease is held on the file, and a child
 * or a thread makes the call.
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <linux/fs.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#define NAME "wait"
#define RWF_NOWAIT_BIT 0x8
#define A_WHILE_US 300000

static int directory = -1;

static void set_frozen(bool frozen)
{
	if (directory < 0)
		directory = open(kernel_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(directory);
	MUST(ioctl(directory, frozen ? FIFREEZE : FITHAW, 0));
}

/* Does the call, made by a child on a frozen filesystem, wait until it is thawed? */
static bool waits(int (*call)(int fd, struct atomicio_file *file), int fd,
		  struct atomicio_file *file, int *status)
{
	bool waited;
	pid_t child;

	set_frozen(true);
	child = fork();
	if (child == 0)
		_exit(call(fd, file) == 0 ? 0 : 1);
	usleep(A_WHILE_US);
	waited = child > 0 && waitpid(child, status, WNOHANG) == 0;
	set_frozen(false);
	MUST(child);
	if (waited)
		MUST(waitpid(child, status, 0));
	return waited;
}

static int write_nowait(int fd, struct atomicio_file *file)
{
	(void)fd;
	/* The answer after the wait is another matter (A43). */
	(void)kernel_write(file, 2, 4 * KIB, 0, ATOMICIO_NOWAIT);
	return 0;
}

static int probe(int fd, struct atomicio_file *file)
{
	struct atomicio_caps caps;

	(void)file;
	return atomicio_probe(fd, &caps, sizeof(caps));
}

/* A60 */
static void a_write_that_would_not_wait_waits_for_a_thaw(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	int status = -1;

	CHECK(waits(write_nowait, fd, file, &status));
	CHECK_EQ(status, 0);
	atomicio_close(file);
	close(fd);
}

/* A60 */
static void a_probe_waits_for_a_thaw(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	int status = -1;

	CHECK(waits(probe, fd, NULL, &status));
	CHECK_EQ(status, 0);
	close(fd);
}

static int ring_write(struct io_uring *ring, int fd, const void *page)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int result;

	io_uring_prep_write(sqe, fd, page, 4 * KIB, 0);
	sqe->rw_flags = RWF_NOWAIT_BIT;
	if (io_uring_submit_and_wait(ring, 1) < 0 || io_uring_peek_cqe(ring, &cqe) != 0)
		return -ENODATA;
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return result;
}

/* A60 */
static void a_ring_write_that_would_not_wait_does_not(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	const uint8_t *page = kernel_memory(4 * KIB);
	struct io_uring ring;
	int thawed = 0, frozen;

	CHECK_EQ(io_uring_queue_init(4, &ring, 0), 0);
	/* XFS gives EAGAIN as well where the times of the file have to be changed: soon after a
	 * write they have not. */
	for (int i = 0; i < 100 && thawed != 4 * KIB; i++) {
		CHECK_EQ(pwrite(fd, page, 4 * KIB, 0), 4 * KIB);
		thawed = ring_write(&ring, fd, page);
	}
	set_frozen(true);
	frozen = ring_write(&ring, fd, page);
	set_frozen(false);
	CHECK_EQ(thawed, 4 * KIB);
	CHECK_EQ(frozen, -EAGAIN);
	io_uring_queue_exit(&ring);
	close(fd);
}

static volatile sig_atomic_t told;

static void on_lease(int number)
{
	(void)number;
	told = 1;
}

static void *give_up_later(void *context)
{
	usleep(A_WHILE_US);
	fcntl(*(const int *)context, F_SETLEASE, F_UNLCK);
	return NULL;
}

/* A61 */
static void an_open_of_our_own_breaks_a_lease_and_waits(void)
{
	const struct atomicio_options options = {.flags = ATOMICIO_OPEN_REOPEN_DIRECT};
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR);
	struct atomicio_file *file = NULL;
	struct timespec start, end;
	pthread_t thread;
	int error;

	signal(SIGIO, on_lease);
	MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK_EQ(pthread_create(&thread, NULL, give_up_later, &fd), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	error = atomicio_open(fd, &options, sizeof(options), &file);
	clock_gettime(CLOCK_MONOTONIC, &end);
	pthread_join(thread, NULL);
	CHECK_EQ(error, 0);
	CHECK(told);
	CHECK((end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000 >
	      A_WHILE_US / 2);
	atomicio_close(file);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(a_write_that_would_not_wait_waits_for_a_thaw),
		TEST(a_probe_waits_for_a_thaw),
		TEST(a_ring_write_that_would_not_wait_does_not),
		TEST(an_open_of_our_own_breaks_a_lease_and_waits),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
