/* SPDX-License-Identifier: MIT */
/*
 * A library for LD_PRELOAD that makes writes and syncs fail, for faults.sh and full.sh.
 *
 * The file that ATOMICIO_FAIL names, if present, holds WHAT:SUFFIX, for the files whose names end
 * with SUFFIX.  WHAT are letters: w, a write says EIO and writes nothing; n, the same with ENOSPC;
 * a, a write writes and says EIO; o, a frame's write does as a once, and later ones as w; s, a sync
 * says EIO; k, the process is killed after a write of a database's header.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dlfcn.h>

#define HEADER 100

long syscall(long number, ...);

static long call(long number, const long *a)
{
	static long (*real)(long, ...);

	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Is `what` asked for, for the file of fd? */
static bool is_asked(long fd, char what)
{
	const char *control = getenv("ATOMICIO_FAIL");
	char words[128] = {0}, link[64], path[512] = {0};
	const int opened = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
	char *suffix;
	size_t length, tail;
	ssize_t count;

	if (opened < 0)
		return false;
	count = read(opened, words, sizeof(words) - 1);
	(void)close(opened);
	words[strcspn(words, "\n")] = 0;
	suffix = strchr(words, ':');
	if (count <= 0 || !suffix)
		return false;
	*suffix++ = 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%ld", fd);
	if (!strchr(words, what) || readlink(link, path, sizeof(path) - 1) < 0)
		return false;
	length = strlen(path);
	tail = strlen(suffix);
	return length >= tail && strcmp(path + length - tail, suffix) == 0;
}

static long broken(long number, const long *a, char what, size_t length)
{
	static bool was_once;
	const bool is_once =
		what == 'w' && (number == SYS_pwritev2 || was_once) && is_asked(a[0], 'o');
	long result;
	int error;

	if (what == 'w' && is_asked(a[0], 'n')) {
		errno = ENOSPC;
		return -1;
	}
	if (is_asked(a[0], what) || (is_once && was_once)) {
		errno = EIO;
		return -1;
	}
	result = call(number, a);
	error = errno;
	was_once |= is_once;
	if (is_once || (what == 'w' && is_asked(a[0], 'a'))) {
		errno = EIO;
		return -1;
	}
	if (length == HEADER && is_asked(a[0], 'k'))
		(void)kill(getpid(), SIGKILL);
	errno = error;
	return result;
}

/* Offsets have 64 bits: SQLite calls pwrite64(). */
ssize_t pwrite(int fd, const void *buffer, size_t length, off_t offset)
{
	const long a[6] = {fd, (long)buffer, (long)length, offset};

	return broken(SYS_pwrite64, a, 'w', length);
}

int fdatasync(int fd)
{
	const long a[6] = {fd};

	return (int)broken(SYS_fdatasync, a, 's', 0);
}

int fsync(int fd)
{
	const long a[6] = {fd};

	return (int)broken(SYS_fsync, a, 's', 0);
}

/* libatomicio's way to the kernel. */
long syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_pwritev2 || number == SYS_pwrite64)
		return broken(number, a, 'w', 0);
	if (number == SYS_fdatasync || number == SYS_fsync)
		return broken(number, a, 's', 0);
	return call(number, a);
}
