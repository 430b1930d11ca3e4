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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
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

/*
 * The fault dirties page 5 and changes nothing: the byte is the same in both pages, old and new.
 * If the page is dirtied while a direct write of it is on its way, the next sync fails (A65 of
 * atomicio-kernel.7): where writes are direct, a cell says "any".
 */
static void *map_on(void *context)
{
	volatile uint8_t *byte = (volatile uint8_t *)context + BYTE_OF_BOTH;

	while (!atomic_load(&fault_has_ended)) {
		const uint8_t same = *byte;

		*byte = same;
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

/* Six writers at once: some wait for others; a dying writer must not stop the rest. */
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
void fault_write_erofs(int fd)
{
	(void)fd;
	serve("fault write EROFS nth=2 times=0");
}
void fault_write_eintr(int fd)
{
	(void)fd;
	serve("fault write EINTR nth=2 times=2");
}
void fault_flush_enospc(int fd)
{
	(void)fd;
	serve("fault flush ENOSPC nth=2");
}
void fault_flush_einval(int fd)
{
	(void)fd;
	serve("fault flush EINVAL times=2");
}
void fault_flush_eintr(int fd)
{
	(void)fd;
	serve("fault flush EINTR nth=2 times=2");
}
void fault_flush_slow(int fd)
{
	(void)fd;
	serve("fault flush slow=50 times=4");
}

/* A cut of a disk that drops its flushes shows nothing. */
void fault_flush_drop(int fd)
{
	(void)fd;
	fault_not_here(strncmp(matrix_environment, "fuse-", 5) != 0);
	serve("fault flush drop times=0");
}

static pthread_t releaser;
static atomic_bool releases, released_last;

/* Again and again: the request that hangs may come late. */
static void *release_later(void *context)
{
	char answer[64];

	(void)context;
	while (!atomic_load(&released_last)) {
		usleep(200000);
		(void)matrix_ask("release", answer, sizeof(answer));
	}
	return NULL;
}

void fault_join(void)
{
	char answer[128];

	if (!atomic_load(&releases))
		return;
	atomic_store(&released_last, true);
	pthread_join(releaser, NULL);
	/* A write-back of the last close must not hang: nobody is left who would release it. */
	cell->has_fired = fault_fired();
	(void)matrix_ask("clear", answer, sizeof(answer));
	(void)matrix_ask("release", answer, sizeof(answer));
}

static void serve_until_released(const char *fault)
{
	serve(fault);
	atomic_store(&releases, pthread_create(&releaser, NULL, release_later, NULL) == 0);
	fault_not_here(!atomic_load(&releases));
}
void fault_write_hang(int fd)
{
	(void)fd;
	serve_until_released("fault write hang nth=2");
}
void fault_flush_hang(int fd)
{
	(void)fd;
	serve_until_released("fault flush hang");
}

/* The first write is of a page that was written without DSYNC, unless the journal's comes first. */
void fault_back_eio(int fd)
{
	(void)fd;
	serve("fault write EIO");
}
void fault_back_enospc(int fd)
{
	(void)fd;
	serve("fault write ENOSPC");
}
void fault_back_einval(int fd)
{
	(void)fd;
	serve("fault write EINVAL");
}
