/* SPDX-License-Identifier: MIT */
/*
 * The faults (matrix.h).  Each fault is a row; a new fault is a row and its functions.
 *
 * A fault that is impossible in this environment (a flag unknown to the filesystem, no server) sets
 * cell->applies to 0, and the cell is not counted.
 */
#define _GNU_SOURCE
#include "faults.h"
#include "matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/time.h>
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

/* The raw disk itself, or the disk below the filesystem. */
static int raw_read_only(int is)
{
	const int fd = matrix_open(matrix_directory, "device", 0);
	const int result = fd < 0 ? -1 : ioctl(fd, BLKROSET, &is);

	close(fd);
	return result;
}

static int remount(unsigned long flags)
{
	if (!strcmp(matrix_environment, "raw"))
		return raw_read_only(flags != 0);
	return mount(NULL, matrix_directory, NULL, MS_REMOUNT | flags, NULL);
}

void fault_read_only(void)
{
	cell->may_read_only = true;
	fault_not_here(remount(MS_RDONLY) < 0);
}

void fault_writable(void)
{
	(void)remount(0);
}

/* As after an error of metadata: the filesystem is read-only, under writable descriptors.
 */
void fault_aborted(int fd)
{
	(void)fd;
	fault_not_here(strncmp(matrix_environment, "ext4", 4) != 0 ||
		       mount(NULL, matrix_directory, NULL, MS_REMOUNT, "abort") < 0);
}

#define ERRNOS "EPERM ENOSYS EACCES ENOMEM EINVAL"

static const struct fault_row {
	const char *name;
	void (*before)(void); /* the files are open, the handle is not */
	void (*after)(int fd);
	void (*undo)(void);
	const char *variants; /* one for each environment, in turn */
} faults[] = {
	{"none", NULL, NULL, NULL, NULL},
	{"full", NULL, fill_up, NULL, NULL},
	{"full-grow", NULL, fill_up, NULL, NULL},
	{"read-only", NULL, NULL, fault_writable, NULL},
	{"aborted", NULL, fault_aborted, NULL, NULL},
	{"frozen", NULL, freeze, thaw, NULL},
	{"shut-down", NULL, shut_down, NULL, NULL},
	{"append-set", NULL, fault_append_set, NULL, NULL},
	{"append-cleared", NULL, fault_append_cleared, NULL, NULL},
	{"direct-set", NULL, fault_direct_set, NULL, NULL},
	{"direct-cleared", NULL, fault_direct_cleared, NULL, NULL},
	{"dsync-set", NULL, fault_dsync_set, NULL, NULL},
	{"dsync-cleared", NULL, fault_dsync_cleared, NULL, NULL},
	{"inode-sync", NULL, fault_inode_sync, fault_inode_plain, NULL},
	{"inode-append", NULL, fault_inode_append, fault_inode_plain, NULL},
	{"inode-immutable", NULL, fault_inode_immutable, fault_inode_plain, NULL},
	{"inode-journal", NULL, fault_inode_journal, fault_inode_plain, NULL},
	{"readers", NULL, fault_readers, NULL, NULL},
	{"mapper", NULL, fault_mapper, NULL, NULL},
	{"signals", NULL, fault_signals, NULL, NULL},
	{"cancelled", NULL, fault_cancelled, NULL, NULL},
	{"forked", NULL, fault_forked, NULL, NULL},
	{"no-proc", fault_no_proc, NULL, NULL, NULL},
	{"no-sys", fault_no_sys, NULL, NULL, NULL},
	{"nobody", NULL, fault_nobody, NULL, NULL},
	{"fsize", NULL, fault_limit_size, NULL, "36864 0 16384"},
	{"nofile", NULL, fault_limit_files_later, NULL, "0 1 2"},
	{"nofile-open", fault_limit_files, NULL, NULL, "0 1 2 3"},
	{"memlock", fault_limit_locked, NULL, NULL, "0 4096 65536"},
	{"no-pwritev2", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-statx", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-fstat", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-statfs", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-openat", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-ioctl", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-fcntl", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-flock", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-fallocate", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-madvise", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-ring", fault_refused_call, NULL, NULL, ERRNOS},
	{"no-pwrite", NULL, fault_refused_later, NULL, ERRNOS},
	{"no-pread", NULL, fault_refused_later, NULL, ERRNOS},
	{"no-fdatasync", NULL, fault_refused_later, NULL, ERRNOS},
	{"no-fsync", NULL, fault_refused_later, NULL, ERRNOS},
	{"no-ring-enter", NULL, fault_refused_later, NULL, ERRNOS},
	{"write-eio", NULL, fault_write_eio, NULL, NULL},
	{"write-enospc", NULL, fault_write_enospc, NULL, NULL},
	{"write-einval", NULL, fault_write_einval, NULL, NULL},
	{"write-tear", NULL, fault_write_tear, NULL, NULL},
	{"write-slow", NULL, fault_write_slow, NULL, NULL},
	{"flush-eio", NULL, fault_flush_eio, NULL, NULL},
	{"flush-eagain", NULL, fault_flush_eagain, NULL, NULL},
	{"write-erofs", NULL, fault_write_erofs, NULL, NULL},
	{"write-eintr", NULL, fault_write_eintr, NULL, NULL},
	{"write-hang", NULL, fault_write_hang, NULL, NULL},
	{"flush-enospc", NULL, fault_flush_enospc, NULL, NULL},
	{"flush-einval", NULL, fault_flush_einval, NULL, NULL},
	{"flush-eintr", NULL, fault_flush_eintr, NULL, NULL},
	{"flush-slow", NULL, fault_flush_slow, NULL, NULL},
	{"flush-hang", NULL, fault_flush_hang, NULL, NULL},
	{"flush-drop", NULL, fault_flush_drop, NULL, NULL},
	{"back-eio", NULL, fault_back_eio, NULL, NULL},
	{"back-enospc", NULL, fault_back_enospc, NULL, NULL},
	{"back-einval", NULL, fault_back_einval, NULL, NULL},
};

static const struct fault_row *find_fault(const char *name)
{
	const size_t length = strcspn(name, ":");

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (length == strlen(faults[i].name) && !strncmp(name, faults[i].name, length))
			return &faults[i];
	return NULL;
}

bool fault_is_known(const char *name)
{
	return find_fault(name) != NULL;
}

void fault_print_all(void)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		printf("%s %s\n", faults[i].name, faults[i].variants ? faults[i].variants : "");
}

/* Flags to clear later.  O_DSYNC stays, and makes each write durable. */
int fault_open_flags(void)
{
	if (!strcmp(cell->fault, "append-cleared"))
		return O_APPEND;
	return !strcmp(cell->fault, "dsync-cleared") ? O_DSYNC : 0;
}

bool fault_has_lazy_pages(void)
{
	return !strncmp(cell->fault, "back-", 5);
}

uint32_t fault_write_flags(uint32_t first)
{
	const bool is_lazy = fault_has_lazy_pages() && first < 3;

	return is_lazy || fault_open_flags() & O_DSYNC ? 0 : ATOMICIO_DSYNC;
}

bool fault_makes_room(void)
{
	return !strcmp(cell->fault, "full-grow");
}

/* The pages are to be written behind the file's end, where there are no blocks. */
static void cut_short(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/pages", matrix_directory);
	cell->is_short = true;
	fault_not_here(!strcmp(matrix_environment, "raw") || truncate(path, 0) < 0);
}

void fault_early(void)
{
	if (!strcmp(cell->fault, "read-only"))
		fault_read_only();
	if (fault_makes_room())
		cut_short();
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

	char path[4096];

	(void)fd;
	if (fault_makes_room()) {
		snprintf(path, sizeof(path), "%s/filler", matrix_directory);
		(void)truncate(path, 0); /* a server of a directory may keep what is unlinked */
	}
	atomic_store(&fault_has_ended, true);
	setitimer(ITIMER_REAL, &never, NULL);
}

bool fault_fired(void)
{
	char answer[128];

	if (strncmp(cell->fault, "write-", 6) != 0 && strncmp(cell->fault, "back-", 5) != 0 &&
	    strncmp(cell->fault, "flush-", 6) != 0)
		return true;
	if (cell->has_fired)
		return true;
	return matrix_ask("fired", answer, sizeof(answer)) && strpbrk(answer, "123456789");
}

void fault_undo(void)
{
	char path[4096], answer[64];

	if (find_fault(cell->fault)->undo)
		find_fault(cell->fault)->undo();
	snprintf(path, sizeof(path), "%s/filler", matrix_directory);
	(void)truncate(path, 0);
	(void)unlink(path);
	(void)matrix_ask("release", answer, sizeof(answer));
	(void)matrix_ask("clear", answer, sizeof(answer));
}
