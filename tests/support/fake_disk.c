/* SPDX-License-Identifier: MIT */
/*
 * Two files in memory below the fake system table.  See fake_disk.h.
 */
#define _GNU_SOURCE
#include "fake_disk_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fake_aio.h"
#include "probe_machine.h"

#define INODE 10
#define DISK_MAGIC_EXT4 0xef53u

struct fake_disk disk;

static int opened_as[DISK_FD_MAX]; /* file + 1 of a descriptor that disk_open() gave */

static int file_of(int fd)
{
	if (fd == FAKE_FD)
		return 0;
	if (fd == DISK_JOURNAL_FD)
		return 1;
	return fd >= 0 && fd < DISK_FD_MAX ? opened_as[fd] - 1 : -1;
}

static int disk_open(const char *path, int flags)
{
	const int result = fake_sys.open(path, flags);
	int fd;

	if (sscanf(path, "/proc/self/fd/%d", &fd) == 1) {
		disk.open_flags = flags;
		if (result >= 0) {
			opened_as[result] = file_of(fd) + 1;
			disk_opened_now(result);
		}
	}
	return result;
}

static int disk_statx(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	const int result = fake_sys.statx(fd, path, mask, out);
	const int file = file_of(fd);

	if (result < 0)
		return result;
	if (file < 0)
		return -EBADF;
	out->ino = file == 0 && fd != FAKE_FD ? disk.own_inode : INODE + (uint64_t)file;
	out->size = disk.size[file];
	if (file == 1)
		out->mode = S_IFREG | 0644;
	return 0;
}

static int disk_fstat(int fd, struct sys_statx *out)
{
	const int result = fake_sys.fstat(fd, out);
	const int file = file_of(fd);

	if (result < 0)
		return result;
	if (file < 0)
		return -EBADF;
	out->ino = INODE + (uint64_t)file;
	out->size = disk.size[file];
	if (file == 1)
		out->mode = S_IFREG | 0644;
	return 0;
}

/* A direct write to ext4 (FD5): does it go through the cache? */
static bool is_spoiled(void)
{
	fake.inode_flags |= disk.spoil;
	disk.spoil = 0;
	fake.statx.blocks += 8;
	if (!(fake.inode_flags & (SYS_INODE_INLINE_DATA | SYS_INODE_JOURNAL_DATA)))
		return false;
	disk.cached = 1;
	disk.dirty = true;
	if (!disk.converts_late)
		fake.inode_flags &= ~SYS_INODE_INLINE_DATA;
	return true;
}

/* The next line of the script for a write of this length. */
static ssize_t next_scripted(size_t length)
{
	int next;

	if (disk.script_left == 0)
		return (ssize_t)length;
	next = *disk.script++;
	disk.script_left--;
	return next ? next : (ssize_t)length;
}

static void copy_in(int file, const void *data, size_t length, uint64_t offset)
{
	if (offset > DISK_BYTES || length > DISK_BYTES - offset)
		abort();
	memcpy(disk.bytes[file] + offset, data, length);
	if (offset + length > disk.size[file])
		disk.size[file] = offset + length;
}

static bool syncs(int flags)
{
	return flags & SYS_RWF_DSYNC || fake.getfl_result & O_DSYNC ||
	       fake.inode_flags & SYS_INODE_SYNC || fake.mount_flags & SYS_MOUNT_SYNC;
}

/* A write of the file: result and effect (FD2, FD3, FD5). */
static ssize_t make(int fd, const struct iovec *vector, uint64_t offset, int flags)
{
	const bool atomic = flags & SYS_RWF_ATOMIC;
	ssize_t result = next_scripted(vector->iov_len);
	bool buffered = false;

	disk.write_fd = fd;
	if (result < 0 && !disk.fail_late)
		return result;
	if (atomic && result > 0 && (fake.statx.mode & S_IFMT) == S_IFBLK) {
		const int refused = disk_enter_device(flags, &buffered);

		if (refused)
			return refused;
	}
	if (atomic && result > 0 && fake.fs_magic == DISK_MAGIC_EXT4)
		buffered = is_spoiled();
	if (disk.readers && atomic && result > 0) {
		if (disk.readers != DISK_FOREVER)
			disk.readers--;
		disk.cached = 1;
	}
	if (!atomic && disk.piece_max && result > (ssize_t)disk.piece_max)
		result = (ssize_t)disk.piece_max;
	if ((fake.getfl_result & O_APPEND) && !(flags & SYS_RWF_NOAPPEND)) {
		disk.moved++;
		return result;
	}
	if (!atomic)
		disk.plain++;
	else if (buffered)
		disk.tearable++;
	else
		disk.untorn++;
	copy_in(0, vector->iov_base, result < 0 ? vector->iov_len : (size_t)result, offset);
	if (result > 0 && syncs(flags) && disk_would_report(fd))
		return disk_tell(fd);
	return result;
}

static ssize_t disk_write(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	static uint8_t bytes[DISK_BYTES];
	const int file = file_of(fd);
	struct iovec whole = *vector;

	if (file < 0)
		return -EBADF;
	if (vector->iov_base == NULL)
		return flags & SYS_RWF_NOWAIT && disk.no_nowait ? -EOPNOTSUPP : -EINVAL;
	if (count > 1) {
		disk.vectored++;
		whole = (struct iovec){.iov_base = bytes};
	}
	for (int i = 0; i < count && count > 1; i++) {
		if (vector[i].iov_len > DISK_BYTES - whole.iov_len)
			abort();
		memcpy(bytes + whole.iov_len, vector[i].iov_base, vector[i].iov_len);
		whole.iov_len += vector[i].iov_len;
	}
	if (file == 0)
		return make(fd, &whole, offset, flags);
	copy_in(1, whole.iov_base, whole.iov_len, offset);
	return (ssize_t)whole.iov_len;
}

static ssize_t disk_pwritev2(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	const ssize_t result = fake_sys.pwritev2(fd, vector, count, offset, flags);

	if (disk.fail_late && fake.fail_at && fake.calls == fake.fail_at && vector->iov_base)
		(void)disk_write(fd, vector, count, offset, flags); /* FD2 */
	return result;
}

static ssize_t disk_read(int fd, void *buffer, size_t length, uint64_t offset)
{
	const int file = file_of(fd);

	if (file < 0)
		return -EBADF;
	if (offset >= disk.size[file])
		return 0;
	if (length > disk.size[file] - offset)
		length = (size_t)(disk.size[file] - offset);
	memcpy(buffer, disk.bytes[file] + offset, length);
	return (ssize_t)length;
}

static int disk_truncate(int fd, uint64_t size)
{
	const int result = fake_sys.truncate(fd, size);
	const int file = file_of(fd);

	if (result == 0 && file >= 0)
		disk.size[file] = size;
	return result;
}

static int disk_fdatasync(int fd)
{
	const int result = fake_sys.fdatasync(fd);

	disk.syncs++;
	disk.sync_fd = fd;
	return result || file_of(fd) ? result : disk_tell(fd);
}

static void disk_sleep_us(uint32_t microseconds)
{
	disk.slept_us += microseconds;
	fake_sys.sleep_us(microseconds);
}

/* The rest is fake_sys's, put in by disk_reset(): its entries are not known before. */
static struct sys_calls calls;
const struct sys_calls *const disk_calls = &calls;

void disk_reset(void)
{
	fake_reset();
	memset(opened_as, 0, sizeof(opened_as));
	disk_forget_losses();
	memset(disk.bytes[1], 0, disk.size[1]);
	memset((uint8_t *)&disk + sizeof(disk.bytes), 0, sizeof(disk) - sizeof(disk.bytes));
	memset(disk.bytes[0], DISK_OLD, sizeof(disk.bytes[0]));
	disk.size[0] = DISK_BYTES;
	disk.own_inode = INODE;
	disk.drops_needed = 1;
	fake.pwritev2 = disk_write;
	fake.pread = disk_read;
	fake.device_size = DISK_BYTES;
	fake_file("/proc/self/fd/100", "");
	fake_file("/proc/self/fd/101", "");
	machine_xfs(&queue_64k);
	fake_claim(4096, 262144, 65536);
	fake_aio_reset();
	calls = fake_sys;
	calls.aio = &fake_aio_calls;
	calls.open = disk_open;
	calls.statx = disk_statx;
	calls.fstat = disk_fstat;
	calls.pwritev2 = disk_pwritev2;
	calls.truncate = disk_truncate;
	calls.fdatasync = disk_fdatasync;
	calls.write_back = disk_write_back;
	calls.start_write_back = disk_start_write_back;
	calls.drop_cache = disk_drop_cache;
	calls.cachestat = disk_cachestat;
	calls.sleep_us = disk_sleep_us;
}

void disk_is_device(void)
{
	machine_block_device(NULL);
	fake_claim(512, 65536, 0);
}

void disk_is_ext4(uint64_t blocks)
{
	machine_ext4(&queue_64k);
	fake_claim(4096, 65536, 0);
	fake.fs_magic = DISK_MAGIC_EXT4;
	fake.statx.blocks = blocks;
}

bool disk_holds(uint64_t offset, uint64_t length, int value)
{
	const uint8_t *bytes = disk.bytes[0] + offset;

	/* The first is it, and each equals the next. */
	return length == 0 ||
	       (bytes[0] == (uint8_t)value && memcmp(bytes, bytes + 1, length - 1) == 0);
}
