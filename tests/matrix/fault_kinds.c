/* SPDX-License-Identifier: MIT */
/*
 * Faults of others beside, of rights and limits, and of the server (matrix.h).
 *
 * Flow: faults.c has them in its table.
 */
#define _GNU_SOURCE
#include "faults.h"
#include "matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

atomic_bool fault_has_ended;

/* Others beside. */
static void *read_on(void *context)
{
	static __thread uint8_t page[LENGTH];
	const int fd = (int)(intptr_t)context;

	for (uint32_t i = 0; !atomic_load(&fault_has_ended); i++)
		if (pread(fd, page, LENGTH, (off_t)(i % PAGES * LENGTH)) < 0)
			break;
	return NULL;
}

void fault_readers(int fd)
{
	const int other = matrix_open(matrix_directory, "pages", 0);
	pthread_t threads[4];

	(void)fd;
	for (int i = 0; i < 4; i++)
		fault_not_here(
			pthread_create(&threads[i], NULL, read_on, (void *)(intptr_t)other) != 0);
}

/* It writes what is there already, in page 7, which is the last one written: dirty, and the same.
 */
static void *map_on(void *context)
{
	volatile uint8_t *map = context;

	while (!atomic_load(&fault_has_ended)) {
		const uint8_t same = map[0];

		map[0] = same;
		usleep(100);
	}
	return NULL;
}

void fault_mapper(int fd)
{
	const int other = matrix_open(matrix_directory, "pages", 0);
	void *map = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, other, 5 * LENGTH);
	pthread_t thread;

	(void)fd;
	fault_not_here(map == MAP_FAILED || pthread_create(&thread, NULL, map_on, map) != 0);
}

static void on_signal(int number)
{
	(void)number;
}

void fault_signals(int fd)
{
	const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: EINTR */
	const struct itimerval often = {.it_interval.tv_usec = 500, .it_value.tv_usec = 500};

	(void)fd;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void *write_and_be_cancelled(void *context)
{
	way_write((uint32_t)(uintptr_t)context, 1);
	return NULL;
}

/* Six writers at once, so that some wait for others; whoever dies must not keep the rest. */
void fault_cancelled(int fd)
{
	pthread_t threads[6];

	(void)fd;
	for (uint32_t round = 0; round < 16; round++) {
		for (uintptr_t i = 0; i < 6; i++)
			if (pthread_create(&threads[i], NULL, write_and_be_cancelled, (void *)i))
				return fault_not_here(true);
		usleep(100 + 60 * round);
		for (uint32_t i = 0; i < 6; i++)
			pthread_cancel(threads[i]);
		for (uint32_t i = 0; i < 6; i++)
			pthread_join(threads[i], NULL);
	}
}

void fault_forked(int fd)
{
	const pid_t pid = fork();

	if (pid == 0) {
		close(fd);
		_exit(0);
	}
	fault_not_here(pid < 0 || waitpid(pid, NULL, 0) != pid);
}

/* Rights and limits. */
static void hide(const char *where)
{
	fault_not_here(unshare(CLONE_NEWNS) < 0 ||
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		       mount("none", where, "tmpfs", 0, NULL) < 0);
}
void fault_no_proc(void)
{
	hide("/proc");
}
void fault_no_sys(void)
{
	hide("/sys");
}
void fault_nobody(int fd)
{
	fault_not_here(fchown(fd, 65534, 65534) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		       setresuid(65534, 65534, 65534) < 0);
}

static void limit(int what, rlim_t value)
{
	const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	signal(SIGXFSZ, SIG_IGN);
	fault_not_here(setrlimit((__rlimit_resource_t)what, &limit) < 0);
}
void fault_limit_size(int fd)
{
	(void)fd;
	limit(RLIMIT_FSIZE, 2 * LENGTH + 4096);
}
void fault_limit_files(int fd)
{
	limit(RLIMIT_NOFILE, (rlim_t)fd + 1);
}
void fault_limit_locked(void)
{
	limit(RLIMIT_MEMLOCK, 0);
}

static void refuse(uint32_t call, int error)
{
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = 4,
					   .filter = (struct sock_filter *)(uintptr_t)filter};

	fault_not_here(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0);
}
void fault_no_pwritev2(void)
{
	refuse(SYS_pwritev2, ENOSYS);
}
void fault_no_statx(void)
{
	refuse(SYS_statx, EPERM);
}
void fault_no_fdatasync(int fd)
{
	(void)fd;
	refuse(SYS_fdatasync, EPERM);
}
void fault_no_ring(void)
{
	refuse(SYS_io_uring_setup, EPERM);
}

/* The server's faults, from here on. */
static void serve(const char *fault)
{
	char answer[64];

	fault_not_here(!matrix_ask(fault, answer, sizeof(answer)));
}
void fault_write_eio(int fd)
{
	(void)fd;
	serve("fault write EIO nth=3");
}
void fault_write_enospc(int fd)
{
	(void)fd;
	serve("fault write ENOSPC nth=2 times=2");
}
void fault_write_einval(int fd)
{
	(void)fd;
	serve("fault write EINVAL nth=2");
}
void fault_write_tear(int fd)
{
	(void)fd;
	serve("fault write tear nth=3");
}
void fault_write_slow(int fd)
{
	(void)fd;
	serve("fault write slow=20 times=4");
}
void fault_flush_eio(int fd)
{
	(void)fd;
	serve("fault flush EIO nth=2");
}
void fault_flush_eagain(int fd)
{
	(void)fd;
	serve("fault flush EAGAIN");
}
