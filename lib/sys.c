/* SPDX-License-Identifier: MIT */
/*
 * The system calls of this machine's kernel: the table sys_linux.  See sys.h for the rules.
 */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>

#include "sys_blkid.h"
#include "sys_event.h"
#include "sys_list.h"
#include "sys_machine.h"
#include "sys_result.h"

/* Same number on every architecture; missing in Debian 12's headers. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* FS_IOC_GETFSUUID of Linux 6.9: `struct fsuuid2` of linux/fs.h, which older headers lack. */
struct sys_fs_uuid {
	uint8_t length;
	uint8_t uuid[16];
};
#define SYS_IOC_GETFSUUID _IOR(0x15, 0, struct sys_fs_uuid)

struct cachestat_range {
	uint64_t offset;
	uint64_t length;
};

/* Files beyond 2 GiB: on 32-bit machines the build defines _FILE_OFFSET_BITS=64. */
static_assert(sizeof(off_t) == sizeof(int64_t), "build with -D_FILE_OFFSET_BITS=64");

static int linux_open(const char *path, int flags)
{
	return SYS_RESULT(int, syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0));
}

static int linux_close(int fd)
{
	return SYS_RESULT(int, syscall(SYS_close, fd));
}

static int linux_statx(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	const int flags = path[0] ? 0 : AT_EMPTY_PATH;

	return SYS_RESULT(int, syscall(SYS_statx, fd, path, flags, mask, out));
}

/* By number: the C libraries do not agree on the request's type. */
static int linux_ioctl(int fd, unsigned long request, void *argument)
{
	return SYS_RESULT(int, syscall(SYS_ioctl, fd, request, argument));
}

/* What stat(2) has: the rest is zero. */
static int linux_fstat(int fd, struct sys_statx *out)
{
	struct stat stat;
	const int result = SYS_RESULT(int, fstat(fd, &stat));

	if (result < 0)
		return result;
	*out = (struct sys_statx){
		.mask = SYS_STATX_BASIC,
		.blksize = (uint32_t)stat.st_blksize,
		.nlink = (uint32_t)stat.st_nlink,
		.uid = stat.st_uid,
		.gid = stat.st_gid,
		.mode = (uint16_t)stat.st_mode,
		.ino = stat.st_ino,
		.size = (uint64_t)stat.st_size,
		.blocks = (uint64_t)stat.st_blocks,
		.atime = {.sec = stat.st_atim.tv_sec, .nsec = (uint32_t)stat.st_atim.tv_nsec},
		.ctime = {.sec = stat.st_ctim.tv_sec, .nsec = (uint32_t)stat.st_ctim.tv_nsec},
		.mtime = {.sec = stat.st_mtim.tv_sec, .nsec = (uint32_t)stat.st_mtim.tv_nsec},
		.rdev_major = major(stat.st_rdev),
		.rdev_minor = minor(stat.st_rdev),
		.dev_major = major(stat.st_dev),
		.dev_minor = minor(stat.st_dev),
	};
	return 0;
}

/* The kernel writes an int, whatever the type in the request's number says (fs/ioctl.c). */
static int linux_inode_flags(int fd, uint32_t *flags)
{
	int value = 0;
	const int result = linux_ioctl(fd, FS_IOC_GETFLAGS, &value);

	if (result == 0)
		*flags = (uint32_t)value;
	return result;
}

static int linux_set_inode_flags(int fd, uint32_t flags)
{
	int value = (int)flags;

	return linux_ioctl(fd, FS_IOC_SETFLAGS, &value);
}

static int linux_getfl(int fd)
{
	return SYS_RESULT(int, fcntl(fd, F_GETFL));
}

static int linux_lock(int fd)
{
	return SYS_RESULT(int, flock(fd, LOCK_EX | LOCK_NB));
}

static int linux_lock_shared(int fd)
{
	return SYS_RESULT(int, flock(fd, LOCK_SH | LOCK_NB));
}

static int linux_unlock(int fd)
{
	return SYS_RESULT(int, flock(fd, LOCK_UN));
}

static int linux_truncate(int fd, uint64_t size)
{
	return SYS_RESULT(int, ftruncate(fd, (off_t)size));
}

static ssize_t linux_read(int fd, void *buffer, size_t length)
{
	return SYS_RESULT(ssize_t, syscall(SYS_read, fd, buffer, length));
}

static ssize_t linux_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	return SYS_RESULT(ssize_t, pread(fd, buffer, length, (off_t)offset));
}

static ssize_t linux_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	return SYS_RESULT(ssize_t, pwrite(fd, buffer, length, (off_t)offset));
}

/*
 * The write.  The kernel takes the position in two halves and ignores the high half where a long
 * holds all of it (fs/read_write.c:pos_from_hilo, every version).
 */
static ssize_t linux_pwritev2(int fd, const struct iovec *vector, int count, uint64_t offset,
			      int flags)
{
	return SYS_RESULT(ssize_t, syscall(SYS_pwritev2, fd, vector, count, (unsigned long)offset,
					   (unsigned long)(offset >> 32), flags));
}

static int linux_fdatasync(int fd)
{
	return SYS_RESULT(int, syscall(SYS_fdatasync, fd));
}

static int linux_write_back(int fd, uint64_t offset, uint64_t length)
{
	return SYS_RESULT(int, sync_file_range(fd, (off_t)offset, (off_t)length,
					       SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
						       SYNC_FILE_RANGE_WAIT_AFTER));
}

static int linux_start_write_back(int fd, uint64_t offset, uint64_t length)
{
	return SYS_RESULT(int,
			  sync_file_range(fd, (off_t)offset, (off_t)length, SYNC_FILE_RANGE_WRITE));
}

static int linux_drop_cache(int fd, uint64_t offset, uint64_t length)
{
	/* posix_fadvise() returns its error and leaves errno alone. */
	return -posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_DONTNEED);
}

static int linux_cachestat(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out)
{
	const struct cachestat_range range = {.offset = offset, .length = length};

	return SYS_RESULT(int, syscall(SYS_cachestat, fd, &range, out, 0));
}

static int linux_device_size(int fd, uint64_t *size)
{
	return linux_ioctl(fd, BLKGETSIZE64, size);
}

static int linux_keep_blocks(int fd, uint64_t offset, uint64_t length)
{
	return SYS_RESULT(int,
			  fallocate64(fd, FALLOC_FL_KEEP_SIZE, (off64_t)offset, (off64_t)length));
}

static int linux_seals(int fd)
{
	return SYS_RESULT(int, fcntl(fd, F_GET_SEALS));
}

static int linux_seek(int fd, uint64_t offset)
{
	const off_t result = SYS_RESULT(off_t, lseek(fd, (off_t)offset, SEEK_SET));

	return result < 0 ? (int)result : 0;
}

static int linux_fs_magic(int fd, uint32_t *magic)
{
	struct statfs statfs;
	const int result = SYS_RESULT(int, fstatfs(fd, &statfs));

	if (result == 0)
		*magic = (uint32_t)statfs.f_type;
	return result;
}

static int linux_mount_flags(int fd, uint64_t *flags)
{
	struct statfs statfs;
	const int result = SYS_RESULT(int, fstatfs(fd, &statfs));

	if (result == 0)
		*flags = (uint64_t)statfs.f_flags;
	return result;
}

static int linux_fs_uuid(int fd, uint8_t uuid[16])
{
	struct sys_fs_uuid answer;
	const int result = linux_ioctl(fd, SYS_IOC_GETFSUUID, &answer);

	if (result < 0)
		return result;
	if (answer.length != sizeof(answer.uuid))
		return -ENODATA;
	memcpy(uuid, answer.uuid, sizeof(answer.uuid));
	return 0;
}

static ssize_t linux_readlink(const char *path, char *buffer, size_t size)
{
	return SYS_RESULT(ssize_t, readlink(path, buffer, size));
}

/* Weak: a static link takes the member with libblkid only for callers of sys_identify(). */
__typeof__(sys_blkid_identify) sys_blkid_identify __attribute__((weak));

const struct sys_calls sys_linux = {
	.open = linux_open,
	.close = linux_close,
	.statx = linux_statx,
	.fstat = linux_fstat,
	.inode_flags = linux_inode_flags,
	.set_inode_flags = linux_set_inode_flags,
	.getfl = linux_getfl,
	.lock = linux_lock,
	.lock_shared = linux_lock_shared,
	.unlock = linux_unlock,
	.truncate = linux_truncate,
	.read = linux_read,
	.pread = linux_pread,
	.pwrite = linux_pwrite,
	.pwritev2 = linux_pwritev2,
	.aio = &sys_aio_linux,
	.share = &sys_share_linux,
	.fdatasync = linux_fdatasync,
	.write_back = linux_write_back,
	.start_write_back = linux_start_write_back,
	.drop_cache = linux_drop_cache,
	.cachestat = linux_cachestat,
	.device_size = linux_device_size,
	.keep_blocks = linux_keep_blocks,
	.seals = linux_seals,
	.seek = linux_seek,
	.fs_magic = linux_fs_magic,
	.mount_flags = linux_mount_flags,
	.fs_uuid = linux_fs_uuid,
	.readlink = linux_readlink,
	.list = sys_list_names,
	.identify = sys_blkid_identify,
	.getpid = getpid,
	.release = sys_machine_release,
	.file_size_limit = sys_machine_file_size_limit,
	.populate = sys_machine_populate,
	.sleep_us = sys_machine_sleep_us,
	.signal = sys_event_signal,
	.random = sys_machine_random,
	.allocate = sys_machine_allocate,
	.release_memory = sys_machine_release_memory,
};
