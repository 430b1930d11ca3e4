/* SPDX-License-Identifier: MIT */
/*
 * The seam: every system call of the library, as one table.
 *
 * Flow: below everything else; probe, write and journal hold a pointer to a table and call through
 * it.  Production code uses sys_linux; tests pass a table of their own.
 *
 * Rules:
 * S1 an entry returns its result, or a negative errno.  Nothing outside sys.c sees errno, and sys.c
 *    leaves errno unchanged.
 * S2 pthread_cancel() cuts no entry: an entry is a raw syscall(), or runs below a public function
 *    with cancellation off (sys_cancel.h).
 * S3 no entry retries, and none interprets: the callers do.
 */
#ifndef LIBATOMICIO_SYS_H
#define LIBATOMICIO_SYS_H

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "sys_magic.h"

struct sys_aio_calls; /* sys_aio.h */
extern const struct sys_aio_calls sys_aio_linux;
struct sys_share_calls; /* sys_share.h */
extern const struct sys_share_calls sys_share_linux;

/* Constants that the headers of Debian 12 do not know; values from Linux 7.3 uapi. */
#define SYS_RWF_DSYNC 0x00000002
#define SYS_RWF_NOWAIT 0x00000008
#define SYS_RWF_NOAPPEND 0x00000020 /* since 6.9 */
#define SYS_RWF_ATOMIC 0x00000040   /* since 6.11 */

#define SYS_STATX_BASIC 0x000007ffU
#define SYS_STATX_LINKS_SIZE 0x00000204U   /* nlink and size, and no times */
#define SYS_STATX_DIOALIGN 0x00002000U	   /* since 6.1 */
#define SYS_STATX_WRITE_ATOMIC 0x00010000U /* since 6.11 */
#define SYS_STATX_STAND_IN 0x80000000U /* ours: by fstat; STATX__RESERVED is never the kernel's */
#define SYS_STATX_ATTR_IMMUTABLE 0x00000010U
#define SYS_STATX_ATTR_APPEND 0x00000020U
#define SYS_STATX_ATTR_DAX 0x00200000U
#define SYS_STATX_ATTR_WRITE_ATOMIC 0x00400000U

/* Flags of FS_IOC_GETFLAGS, values from uapi linux/fs.h and fs/ext4/ext4.h. */
#define SYS_INODE_SYNC 0x00000008U /* chattr +S */
#define SYS_INODE_IMMUTABLE 0x00000010U
#define SYS_INODE_APPEND 0x00000020U
#define SYS_INODE_JOURNAL_DATA 0x00004000U
#define SYS_INODE_INLINE_DATA 0x10000000U

#define SYS_MOUNT_SYNC 0x10u /* ST_SYNCHRONOUS of statfs: mount -o sync */

struct sys_statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t pad;
};

/* struct statx of Linux 7.3 (include/uapi/linux/stat.h), with a spare tail as there. */
struct sys_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t pad1;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct sys_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t mnt_id;
	uint32_t dio_mem_align;
	uint32_t dio_offset_align;
	uint64_t subvol;
	uint32_t atomic_write_unit_min;
	uint32_t atomic_write_unit_max;
	uint32_t atomic_write_segments_max;
	uint32_t dio_read_offset_align;
	uint32_t atomic_write_unit_max_opt;
	uint32_t spare2;
	uint64_t spare3[8];
};

static_assert(sizeof(struct sys_statx) == 256, "the kernel writes 256 bytes");
static_assert(offsetof(struct sys_statx, mnt_id) == 0x90, "statx layout");
static_assert(offsetof(struct sys_statx, dio_mem_align) == 0x98, "statx layout");
static_assert(offsetof(struct sys_statx, atomic_write_unit_min) == 0xa8, "statx layout");
static_assert(offsetof(struct sys_statx, atomic_write_unit_max_opt) == 0xb8, "statx layout");

/* libblkid's word about a block device. */
struct sys_identity {
	char type[16]; /* filesystem type, "" if none found */
	char uuid[40];
};

/* Results of cachestat(2), since 6.5: struct cachestat of uapi/linux/mman.h. */
struct sys_cachestat {
	uint64_t cache;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

/* Names of one directory, "." and ".." left out (sys_calls, list). */
#define SYS_LIST_MAX 16
#define SYS_NAME_MAX 32
struct sys_list {
	uint32_t count;
	char name[SYS_LIST_MAX][SYS_NAME_MAX];
};

struct sys_calls {
	/* Files. */
	int (*open)(const char *path, int flags);
	int (*close)(int fd);
	int (*statx)(int fd, const char *path, uint32_t mask, struct sys_statx *out);
	int (*fstat)(int fd, struct sys_statx *out);	/* mask and its fields, the rest zero */
	int (*inode_flags)(int fd, uint32_t *flags);	/* ioctl(FS_IOC_GETFLAGS) */
	int (*set_inode_flags)(int fd, uint32_t flags); /* ioctl(FS_IOC_SETFLAGS) */
	int (*getfl)(int fd);				/* fcntl(F_GETFL) */
	int (*lock)(int fd);				/* flock(LOCK_EX | LOCK_NB) */
	int (*lock_shared)(int fd);			/* flock(LOCK_SH | LOCK_NB) */
	int (*unlock)(int fd);				/* flock(LOCK_UN) */
	int (*truncate)(int fd, uint64_t size);
	ssize_t (*read)(int fd, void *buffer, size_t length);
	ssize_t (*pread)(int fd, void *buffer, size_t length, uint64_t offset);
	ssize_t (*pwrite)(int fd, const void *buffer, size_t length, uint64_t offset);
	ssize_t (*pwritev2)(int fd, const struct iovec *vector, int count, uint64_t offset,
			    int flags);
	const struct sys_aio_calls *aio;     /* NULL: none */
	const struct sys_share_calls *share; /* NULL: none */
	int (*fdatasync)(int fd);
	int (*write_back)(int fd, uint64_t offset, uint64_t length); /* sync_file_range, and wait */
	int (*start_write_back)(int fd, uint64_t offset, uint64_t length); /* without waiting */
	int (*drop_cache)(int fd, uint64_t offset, uint64_t length);	   /* POSIX_FADV_DONTNEED */
	int (*cachestat)(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out);
	int (*device_size)(int fd, uint64_t *size);		      /* ioctl(BLKGETSIZE64) */
	int (*keep_blocks)(int fd, uint64_t offset, uint64_t length); /* FALLOC_FL_KEEP_SIZE */
	int (*seals)(int fd);		      /* fcntl(F_GET_SEALS); -EINVAL: no memfd */
	int (*seek)(int fd, uint64_t offset); /* lseek(SEEK_SET), 0: the cursor is there now */

	/* The filesystem of a file, and more about files. */
	int (*fs_magic)(int fd, uint32_t *magic);    /* fstatfs, f_type */
	int (*mount_flags)(int fd, uint64_t *flags); /* fstatfs, f_flags */
	int (*fs_uuid)(int fd, uint8_t uuid[16]);    /* ioctl(FS_IOC_GETFSUUID), 6.9 */
	ssize_t (*readlink)(const char *path, char *buffer, size_t size);
	int (*list)(const char *path, struct sys_list *out);
	int (*identify)(const char *device, uint32_t major, uint32_t minor,
			struct sys_identity *out); /* libblkid: through sys_identify() */

	/* The process and the machine. */
	int (*getpid)(void);
	int (*release)(char *buffer, size_t size);	   /* uname, release */
	int (*file_size_limit)(uint64_t *limit);	   /* RLIMIT_FSIZE, UINT64_MAX: none */
	int (*populate)(const void *start, size_t length); /* MADV_POPULATE_READ, 5.14 */
	void (*sleep_us)(uint32_t microseconds);
	int (*signal)(int event);			  /* add 1 to an eventfd; NULL: none */
	int (*random)(void *buffer, size_t length);	  /* getrandom */
	void *(*allocate)(size_t alignment, size_t size); /* zeroed, NULL: no memory */
	void (*release_memory)(void *memory);
};

/* The real thing. */
extern const struct sys_calls sys_linux;

/*
 * The table's `identify`, called through this function beside the real one.  A static link thus
 * contains libblkid only where something probes.
 */
int sys_identify(const struct sys_calls *sys, const char *device, uint32_t major, uint32_t minor,
		 struct sys_identity *out);

/*
 * Does RWF_NOAPPEND, if the kernel knows the flag, reach the file written in the end?  Overlayfs
 * writes through a second description, opened with the flags of the first, and hands on only some
 * of a call's flags: with O_APPEND the bytes go to the end of the file, and the call reports
 * success (seen on 6.18; fs/backing-file.c:backing_file_write_iter).  FUSE, 9p and ecryptfs have a
 * second description too.  An unknown filesystem may have one.
 */
static inline bool sys_keeps_noappend(const struct sys_calls *sys, int fd)
{
	uint32_t magic;

	return sys->fs_magic(fd, &magic) == 0 && magic != SYS_MAGIC_OVERLAY &&
	       magic != SYS_MAGIC_FUSE && magic != SYS_MAGIC_9P && magic != SYS_MAGIC_ECRYPTFS;
}

/*
 * Is a write with RWF_DSYNC, or through an O_DSYNC description, durable when it returns?  On these
 * filesystems and on block devices the write ends in an fsync of the range or a FUA write
 * (fs/sync.c:generic_write_sync, iomap_dio_complete).  FUSE only passes the bit on to its server,
 * which may drop it (seen on 6.18: direct_io, 30 writes, no FSYNC).  9p and overlay depend on the
 * filesystem below, and an unknown filesystem may, too: an fdatasync has to follow.
 */
static inline bool sys_keeps_dsync(const struct sys_calls *sys, int fd)
{
	struct sys_statx stat;
	uint32_t magic;

	if (sys->statx(fd, "", SYS_STATX_BASIC, &stat) == 0 && (stat.mode & 0170000u) == 0060000u)
		return true; /* a block device: its node's filesystem does not matter */
	return sys->fs_magic(fd, &magic) == 0 &&
	       (magic == SYS_MAGIC_EXT4 || magic == SYS_MAGIC_XFS || magic == SYS_MAGIC_BTRFS);
}

/* Wait for a condition of the monotonic clock.  False: the time is over. */
static inline bool sys_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint32_t milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(milliseconds / 1000);
	until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT;
}

#endif /* LIBATOMICIO_SYS_H */
