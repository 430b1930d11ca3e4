/* SPDX-License-Identifier: MIT */
/* Record locks and mapped pages of this machine's kernel.  See sys_share.h. */
#define _GNU_SOURCE
#include "sys_share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys_result.h"

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

const struct sys_share_calls sys_share_linux = {
	.record_lock = linux_record_lock,
	.is_record_locked = linux_is_record_locked,
	.own_lock = linux_own_lock,
	.map = linux_map,
	.unmap = linux_unmap,
};

long sys_share_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}
