/* SPDX-License-Identifier: MIT */
/* Record locks and mapped pages of this machine's kernel.  See sys_share.h. */
#define _GNU_SOURCE
#include "sys_share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys_result.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static struct flock record(uint64_t at, enum sys_lock lock)
{
	static const short types[] = {F_UNLCK, F_RDLCK, F_WRLCK};

	return (struct flock){
		.l_type = types[lock], .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};
}

/* EACCES is EAGAIN under another name (POSIX). */
static int lock_by(int fd, int command, uint64_t at, enum sys_lock lock)
{
	struct flock one = record(at, lock);
	const int result = SYS_RESULT(int, fcntl(fd, command, &one));

	return result == -EACCES ? -EAGAIN : result;
}

static int linux_record_lock(int fd, uint64_t at, enum sys_lock lock, bool wait)
{
	return lock_by(fd, wait ? F_SETLKW : F_SETLK, at, lock);
}

static int linux_is_record_locked(int fd, uint64_t at)
{
	struct flock one = record(at, SYS_LOCK_WRITE);
	const int result = SYS_RESULT(int, fcntl(fd, F_GETLK, &one));

	return result < 0 ? result : one.l_type != F_UNLCK;
}

static int linux_own_lock(int fd, uint64_t at, enum sys_lock lock, bool wait)
{
	return lock_by(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, at, lock);
}

static int linux_map(int fd, uint64_t offset, size_t length, const void **mapped)
{
	const int saved = errno;
	void *page = mmap(NULL, length, PROT_READ, MAP_SHARED | MAP_LOCKED, fd, (off_t)offset);
	int error;

	if (page == MAP_FAILED) {
		error = -errno;
		errno = saved;
		/* RLIMIT_MEMLOCK (mm/mmap.c: mlock_future_ok, can_do_mlock). */
		return error == -EAGAIN || error == -EPERM ? -ENOMEM : error;
	}
	*mapped = page;
	return 0;
}

static void linux_unmap(const void *mapped, size_t length)
{
	(void)SYS_RESULT(int, munmap((void *)(uintptr_t)mapped, length));
}

/*
 * MADV_WIPEONFORK (4.14): a child finds zeros (kernel/fork.c: dup_mmap()).  Some emulators return 0
 * for every advice, so an unknown advice is tried first.
 */
static const uint32_t *linux_mark_process(void)
{
	const int saved = errno;
	uint32_t *mark = mmap(NULL, SYS_SHARE_MARK, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mark == MAP_FAILED) {
		mark = NULL;
	} else if (madvise(mark, SYS_SHARE_MARK, -1) == 0 ||
		   madvise(mark, SYS_SHARE_MARK, MADV_WIPEONFORK) != 0) {
		(void)munmap(mark, SYS_SHARE_MARK);
		mark = NULL;
	} else {
		*mark = 1;
	}
	errno = saved;
	return mark;
}

const struct sys_share_calls sys_share_linux = {
	.record_lock = linux_record_lock,
	.is_record_locked = linux_is_record_locked,
	.own_lock = linux_own_lock,
	.map = linux_map,
	.unmap = linux_unmap,
	.mark_process = linux_mark_process,
};

long sys_share_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}
