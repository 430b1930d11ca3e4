/* SPDX-License-Identifier: MIT */
/*
 * System calls that a filter refuses, each with several errnos, and limits of several values
 * (matrix.h).  The part of the fault's name behind ':' names the call or limit.
 *
 * Flow: faults.c has them in its table.
 */
#define _GNU_SOURCE
#include "faults.h"
#include "matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *variant(void)
{
	const char *colon = strchr(cell->fault, ':');

	return colon ? colon + 1 : "";
}

static int errno_of(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {{"EPERM", EPERM},
		     {"ENOSYS", ENOSYS},
		     {"EACCES", EACCES},
		     {"ENOMEM", ENOMEM},
		     {"EINVAL", EINVAL}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i].name))
			return names[i].error;
	return 0;
}

static void refuse(uint32_t call, uint32_t error)
{
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = 4,
					   .filter = (struct sock_filter *)(uintptr_t)filter};

	fault_not_here(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0);
}

void fault_refused_call(void)
{
	static const struct {
		const char *name;
		uint32_t call, other;
	} calls[] = {
		{"no-pwritev2:", SYS_pwritev2, 0},
		{"no-pwrite:", SYS_pwrite64, 0},
		{"no-pread:", SYS_pread64, 0},
		{"no-statx:", SYS_statx, 0},
		{"no-fstat:", SYS_newfstatat, SYS_fstat},
		{"no-statfs:", SYS_fstatfs, 0},
		{"no-fdatasync:", SYS_fdatasync, 0},
		{"no-fsync:", SYS_fsync, 0},
		{"no-openat:", SYS_openat, 0},
		{"no-ioctl:", SYS_ioctl, 0},
		{"no-fcntl:", SYS_fcntl, 0},
		{"no-flock:", SYS_flock, 0},
		{"no-fallocate:", SYS_fallocate, 0},
		{"no-madvise:", SYS_madvise, 0},
		{"no-ring:", SYS_io_uring_setup, 0},
		{"no-ring-enter:", SYS_io_uring_enter, 0},
	};
	const int error = errno_of(variant());

	for (size_t i = 0; error && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strncmp(cell->fault, calls[i].name, strlen(calls[i].name))) {
			refuse(calls[i].call, (uint32_t)error);
			if (calls[i].other)
				refuse(calls[i].other, (uint32_t)error);
			return;
		}
	fault_not_here(true);
}

void fault_refused_later(int fd)
{
	(void)fd;
	fault_refused_call();
}

static void limit(int what, rlim_t value)
{
	const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	signal(SIGXFSZ, SIG_IGN);
	fault_not_here(setrlimit((__rlimit_resource_t)what, &limit) < 0);
}

static rlim_t value(void)
{
	return (rlim_t)strtoul(variant(), NULL, 10);
}

void fault_limit_size(int fd)
{
	(void)fd;
	limit(RLIMIT_FSIZE, value());
}

/* The limit leaves room for this many descriptors. */
void fault_limit_files(void)
{
	const int next = open("/", O_RDONLY | O_CLOEXEC);

	close(next);
	fault_not_here(next < 0);
	limit(RLIMIT_NOFILE, (rlim_t)next + value());
}

void fault_limit_files_later(int fd)
{
	(void)fd;
	fault_limit_files();
}

void fault_limit_locked(void)
{
	limit(RLIMIT_MEMLOCK, value());
}
