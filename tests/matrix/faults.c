/* SPDX-License-Identifier: MIT */
/*
 * What is in the way (matrix.h).  Each fault is a row; a new one is a row and its functions.
 *
 * A fault that cannot be had here (a flag that this filesystem does not know, a server that is not
 * there) sets cell->applies to 0, and the cell is not counted.
 */
#define _GNU_SOURCE
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

static atomic_bool is_over;

static void not_here(bool fails)
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
	not_here(filler < 0 || !strcmp(matrix_environment, "tmpfs"));
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
		not_here(true);
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

	not_here(ioctl(fd, _IOR('X', 125, uint32_t), &how) < 0);
}

/* The descriptor. */
static void set_flag(int fd, int set, int clear)
{
	not_here(fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) | set) & ~clear) < 0);
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
		return not_here(true);
	flags |= set;
	not_here(ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0);
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

/* Others beside. */
static void *read_on(void *context)
{
	static __thread uint8_t page[LENGTH];
	const int fd = (int)(intptr_t)context;

	for (uint32_t i = 0; !atomic_load(&is_over); i++)
		if (pread(fd, page, LENGTH, (off_t)(i % PAGES * LENGTH)) < 0)
			break;
	return NULL;
}

static void readers(int fd)
{
	const int other = matrix_open(matrix_directory, "pages", 0);
	pthread_t threads[4];

	(void)fd;
	for (int i = 0; i < 4; i++)
		not_here(pthread_create(&threads[i], NULL, read_on, (void *)(intptr_t)other) != 0);
}

/* It writes what is there already, in page 7, which is the last one written: dirty, and the same.
 */
static void *map_on(void *context)
{
	volatile uint8_t *map = context;

	while (!atomic_load(&is_over)) {
		map[0] = map[0];
		usleep(100);
	}
	return NULL;
}

static void mapper(int fd)
{
	const int other = matrix_open(matrix_directory, "pages", 0);
	void *map = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, other, 5 * LENGTH);
	pthread_t thread;

	(void)fd;
	not_here(map == MAP_FAILED || pthread_create(&thread, NULL, map_on, map) != 0);
}

static void on_signal(int number)
{
	(void)number;
}

static void signals(int fd)
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
static void cancelled(int fd)
{
	pthread_t threads[6];

	(void)fd;
	for (uint32_t round = 0; round < 16; round++) {
		for (uintptr_t i = 0; i < 6; i++)
			if (pthread_create(&threads[i], NULL, write_and_be_cancelled, (void *)i))
				return not_here(true);
		usleep(100 + 60 * round);
		for (uint32_t i = 0; i < 6; i++)
			pthread_cancel(threads[i]);
		for (uint32_t i = 0; i < 6; i++)
			pthread_join(threads[i], NULL);
	}
}

static void forked(int fd)
{
	const pid_t pid = fork();

	if (pid == 0) {
		close(fd);
		_exit(0);
	}
	not_here(pid < 0 || waitpid(pid, NULL, 0) != pid);
}

/* Rights and limits. */
static void hide(const char *where)
{
	not_here(unshare(CLONE_NEWNS) < 0 ||
		 mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		 mount("none", where, "tmpfs", 0, NULL) < 0);
}
static void no_proc(void)
{
	hide("/proc");
}
static void no_sys(void)
{
	hide("/sys");
}
static void nobody(int fd)
{
	not_here(fchown(fd, 65534, 65534) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		 setresuid(65534, 65534, 65534) < 0);
}

static void limit(int what, rlim_t value)
{
	const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	signal(SIGXFSZ, SIG_IGN);
	not_here(setrlimit((__rlimit_resource_t)what, &limit) < 0);
}
static void limit_size(int fd)
{
	(void)fd;
	limit(RLIMIT_FSIZE, 2 * LENGTH + 4096);
}
static void limit_files(int fd)
{
	limit(RLIMIT_NOFILE, (rlim_t)fd + 1);
}
static void limit_locked(void)
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

	not_here(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		 prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0);
}
static void no_pwritev2(void)
{
	refuse(SYS_pwritev2, ENOSYS);
}
static void no_statx(void)
{
	refuse(SYS_statx, EPERM);
}
static void no_fdatasync(int fd)
{
	(void)fd;
	refuse(SYS_fdatasync, EPERM);
}
static void no_ring(void)
{
	refuse(SYS_io_uring_setup, EPERM);
}

/* The server's faults, from here on. */
static void serve(const char *fault)
{
	char answer[64];

	not_here(!matrix_ask(fault, answer, sizeof(answer)));
}
static void write_eio(int fd)
{
	(void)fd;
	serve("fault write EIO nth=3");
}
static void write_enospc(int fd)
{
	(void)fd;
	serve("fault write ENOSPC nth=2 times=2");
}
static void write_einval(int fd)
{
	(void)fd;
	serve("fault write EINVAL nth=2");
}
static void write_tear(int fd)
{
	(void)fd;
	serve("fault write tear nth=3");
}
static void write_slow(int fd)
{
	(void)fd;
	serve("fault write slow=20 times=4");
}
static void flush_eio(int fd)
{
	(void)fd;
	serve("fault flush EIO nth=2");
}
static void flush_eagain(int fd)
{
	(void)fd;
	serve("fault flush EAGAIN");
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
	{"readers", NULL, readers, NULL},
	{"mapper", NULL, mapper, NULL},
	{"signals", NULL, signals, NULL},
	{"cancelled", NULL, cancelled, NULL},
	{"forked", NULL, forked, NULL},
	{"no-proc", no_proc, NULL, NULL},
	{"no-sys", no_sys, NULL, NULL},
	{"nobody", NULL, nobody, NULL},
	{"fsize", NULL, limit_size, NULL},
	{"nofile", NULL, limit_files, NULL},
	{"memlock", limit_locked, NULL, NULL},
	{"no-pwritev2", no_pwritev2, NULL, NULL},
	{"no-statx", no_statx, NULL, NULL},
	{"no-fdatasync", NULL, no_fdatasync, NULL},
	{"no-ring", no_ring, NULL, NULL},
	{"write-eio", NULL, write_eio, NULL},
	{"write-enospc", NULL, write_enospc, NULL},
	{"write-einval", NULL, write_einval, NULL},
	{"write-tear", NULL, write_tear, NULL},
	{"write-slow", NULL, write_slow, NULL},
	{"flush-eio", NULL, flush_eio, NULL},
	{"flush-eagain", NULL, flush_eagain, NULL},
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
	atomic_store(&is_over, true);
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
