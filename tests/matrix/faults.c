/* SPDX-License-Identifier: MIT */
/*
 * What is in the way (matrix.h).  Each fault is a row; a new one is a row and its functions.
 *
 * A fault that cannot be had here (a flag that this filesystem does not know, a server that is not
 * there) sets cell->applies to 0, and the cell is not counted.
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

void fault_not_here(bool fails)
{
	if (fails)
		cell->applies = 0;
}

/* The directory: full, frozen, shut down. */
static void fill_up(int fd)
{
	const int filler = matrix_open(matrix_directory, "filler", O_CREAT);
	struct statvfs st;
	off_t at = 0;

	(void)fd;
	fault_not_here(filler < 0 || !strcmp(matrix_environment, "tmpfs"));
	/* Never the disk of the machine that runs the tests. */
	if (filler >= 0 && (fstatvfs(filler, &st) < 0 || st.f_blocks * st.f_frsize > 1 << 30))
		abort();
	for (off_t step = 64 << 20; filler >= 0 && step >= 4096;)
		if (fstatvfs(filler, &st) == 0 && fallocate(filler, 0, at, step) == 0)
			at += step;
		else
			step /= 2;
	if (filler >= 0)
		close(filler);
}

static void *thaw_later(void *context)
{
	const int directory = (int)(intptr_t)context;

	usleep(150000);
	(void)ioctl(directory, FITHAW, 0);
	return NULL;
}

static void freeze(int fd)
{
	const int directory = open(matrix_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pthread_t thread;

	(void)fd;
	if (ioctl(directory, FIFREEZE, 0) < 0)
		fault_not_here(true);
	else if (pthread_create(&thread, NULL, thaw_later, (void *)(intptr_t)directory))
		(void)ioctl(directory, FITHAW, 0);
}

static void thaw(void)
{
	const int directory = open(matrix_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)ioctl(directory, FITHAW, 0);
	close(directory);
}

static void shut_down(int fd)
{
	uint32_t how = 2; /* no log flush: fs/xfs/libxfs/xfs_fs.h, fs/ext4/ext4.h */

	fault_not_here(ioctl(fd, _IOR('X', 125, uint32_t), &how) < 0);
}

/* The descriptor. */
static void set_flag(int fd, int set, int clear)
{
	fault_not_here(fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) | set) & ~clear) < 0);
}
static void append_set(int fd)
{
	set_flag(fd, O_APPEND, 0);
}
static void direct_set(int fd)
{
	set_flag(fd, O_DIRECT, 0);
}
static void direct_cleared(int fd)
{
	set_flag(fd, 0, O_DIRECT);
}

/* The inode. */
static void change_inode(int set)
{
	const int fd = matrix_open(matrix_directory, "pages", 0);
	int flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return fault_not_here(true);
	flags |= set;
	fault_not_here(ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0);
	close(fd);
}
static void inode_sync(int fd)
{
	(void)fd;
	change_inode(FS_SYNC_FL);
}
static void inode_append(int fd)
{
	(void)fd;
	change_inode(FS_APPEND_FL);
}
static void inode_immutable(int fd)
{
	(void)fd;
	change_inode(FS_IMMUTABLE_FL);
}
static void inode_journal(int fd)
{
	(void)fd;
	change_inode(FS_JOURNAL_DATA_FL);
}
void fault_free_inode(const char *directory)
{
	const int fd = open(directory, O_RDONLY | O_DIRECTORY);
	const int pages = openat(fd, "pages", O_RDONLY);
	int flags;

	if (pages >= 0 && ioctl(pages, FS_IOC_GETFLAGS, &flags) == 0) {
		flags &= ~(FS_SYNC_FL | FS_APPEND_FL | FS_IMMUTABLE_FL | FS_JOURNAL_DATA_FL);
		(void)ioctl(pages, FS_IOC_SETFLAGS, &flags);
	}
	close(pages);
	close(fd);
}

static void inode_plain(void)
{
	fault_free_inode(matrix_directory);
}

static const struct fault_row {
	const char *name;
	void (*before)(void);
	void (*after)(int fd);
	void (*undo)(void);
} faults[] = {
	{"none", NULL, NULL, NULL},
	{"full", NULL, fill_up, NULL},
	{"frozen", NULL, freeze, thaw},
	{"shut-down", NULL, shut_down, NULL},
	{"append-set", NULL, append_set, NULL},
	{"direct-set", NULL, direct_set, NULL},
	{"direct-cleared", NULL, direct_cleared, NULL},
	{"inode-sync", NULL, inode_sync, inode_plain},
	{"inode-append", NULL, inode_append, inode_plain},
	{"inode-immutable", NULL, inode_immutable, inode_plain},
	{"inode-journal", NULL, inode_journal, inode_plain},
	{"readers", NULL, fault_readers, NULL},
	{"mapper", NULL, fault_mapper, NULL},
	{"signals", NULL, fault_signals, NULL},
	{"cancelled", NULL, fault_cancelled, NULL},
	{"forked", NULL, fault_forked, NULL},
	{"no-proc", fault_no_proc, NULL, NULL},
	{"no-sys", fault_no_sys, NULL, NULL},
	{"nobody", NULL, fault_nobody, NULL},
	{"fsize", NULL, fault_limit_size, NULL},
	{"nofile", NULL, fault_limit_files, NULL},
	{"memlock", fault_limit_locked, NULL, NULL},
	{"no-pwritev2", fault_no_pwritev2, NULL, NULL},
	{"no-statx", fault_no_statx, NULL, NULL},
	{"no-fdatasync", NULL, fault_no_fdatasync, NULL},
	{"no-ring", fault_no_ring, NULL, NULL},
	{"write-eio", NULL, fault_write_eio, NULL},
	{"write-enospc", NULL, fault_write_enospc, NULL},
	{"write-einval", NULL, fault_write_einval, NULL},
	{"write-tear", NULL, fault_write_tear, NULL},
	{"write-slow", NULL, fault_write_slow, NULL},
	{"flush-eio", NULL, fault_flush_eio, NULL},
	{"flush-eagain", NULL, fault_flush_eagain, NULL},
};

static const struct fault_row *find_fault(const char *name)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (!strcmp(name, faults[i].name))
			return &faults[i];
	return NULL;
}

bool fault_is_known(const char *name)
{
	return find_fault(name) != NULL;
}

void fault_before_open(void)
{
	if (find_fault(cell->fault)->before)
		find_fault(cell->fault)->before();
}

void fault_after_open(int fd)
{
	if (find_fault(cell->fault)->after)
		find_fault(cell->fault)->after(fd);
}

void fault_is_over(int fd)
{
	const struct itimerval never = {.it_value.tv_usec = 0};

	(void)fd;
	atomic_store(&fault_has_ended, true);
	setitimer(ITIMER_REAL, &never, NULL);
}

bool fault_fired(void)
{
	char answer[128];

	if (strncmp(cell->fault, "write-", 6) != 0 && strncmp(cell->fault, "flush-", 6) != 0)
		return true;
	return matrix_ask("fired", answer, sizeof(answer)) && strpbrk(answer, "123456789");
}

void fault_undo(void)
{
	char path[4096], answer[64];

	if (find_fault(cell->fault)->undo)
		find_fault(cell->fault)->undo();
	snprintf(path, sizeof(path), "%s/filler", matrix_directory);
	(void)unlink(path);
	(void)matrix_ask("clear", answer, sizeof(answer));
}
