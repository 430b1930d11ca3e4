/* SPDX-License-Identifier: MIT */
/*
 * A system table whose every answer is a field of one struct.  See fake_sys.h.
 */
#define _GNU_SOURCE
#include "fake_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_OPEN_FD 200
#define OPEN_MAX 16

struct fake_system fake;

static const char *open_files[OPEN_MAX];

/* Count the call; its error (FS3), or `result`. */
int fake_answer(int result)
{
	return ++fake.calls == fake.fail_at ? fake.fail_error : result;
}

static int fake_open(const char *path, int flags)
{
	const char *content = fake_lookup(path, false);
	const int result = fake_answer(fake.open_result);

	(void)flags;
	if (result < 0)
		return result;
	if (!content)
		return -ENOENT;
	for (int i = 0; i < OPEN_MAX; i++)
		if (!open_files[i]) {
			open_files[i] = content;
			fake.opened++;
			return FIRST_OPEN_FD + i;
		}
	return -EMFILE;
}

/* As in Linux, the descriptor is gone whatever close says. */
static int fake_close(int fd)
{
	const int result = fake_answer(0);

	if (fd < FIRST_OPEN_FD || fd >= FIRST_OPEN_FD + OPEN_MAX || !open_files[fd - FIRST_OPEN_FD])
		return -EBADF;
	open_files[fd - FIRST_OPEN_FD] = NULL;
	fake.opened--;
	return result;
}

static int fake_statx(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	const int result = fake_answer(fake.statx_result);

	(void)fd;
	(void)path;
	fake.statx_mask = mask;
	if (result < 0)
		return result;
	*out = fake.statx;
	return 0;
}

static int fake_fstat(int fd, struct sys_statx *out)
{
	const int result = fake_answer(fake.fstat_result);

	(void)fd;
	if (result < 0)
		return result;
	*out = (struct sys_statx){
		.mask = SYS_STATX_BASIC,
		.blksize = fake.statx.blksize,
		.mode = fake.statx.mode,
		.ino = fake.statx.ino,
		.size = fake.statx.size,
		.blocks = fake.statx.blocks,
		.rdev_major = fake.statx.rdev_major,
		.rdev_minor = fake.statx.rdev_minor,
		.dev_major = fake.statx.dev_major,
		.dev_minor = fake.statx.dev_minor,
	};
	return 0;
}

static int fake_inode_flags(int fd, uint32_t *flags)
{
	const int result = fake_answer(fake.inode_flags_result);

	(void)fd;
	if (result == 0)
		*flags = fake.inode_flags;
	return result;
}

static int fake_getfl(int fd)
{
	(void)fd;
	return fake_answer(fake.getfl_result);
}

static int fake_lock(int fd)
{
	(void)fd;
	return fake_answer(fake.lock_result);
}

static int fake_lock_shared(int fd)
{
	(void)fd;
	return fake_answer(fake.lock_shared_result);
}

static int fake_unlock(int fd)
{
	(void)fd;
	return fake_answer(fake.unlock_result);
}

static int fake_truncate(int fd, uint64_t size)
{
	(void)fd;
	(void)size;
	return fake_answer(fake.truncate_result);
}

static int fake_drop_cache(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	return fake_answer(fake.drop_cache_result);
}

static ssize_t fake_read(int fd, void *buffer, size_t length)
{
	const int result = fake_answer(0);
	size_t size;

	if (result < 0)
		return result;
	if (fd < FIRST_OPEN_FD || fd >= FIRST_OPEN_FD + OPEN_MAX || !open_files[fd - FIRST_OPEN_FD])
		return -EBADF;
	size = strlen(open_files[fd - FIRST_OPEN_FD]);
	if (size > length)
		size = length;
	memcpy(buffer, open_files[fd - FIRST_OPEN_FD], size);
	return (ssize_t)size;
}

static ssize_t fake_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	const int result = fake_answer(0);

	if (result < 0)
		return result;
	return fake.pread ? fake.pread(fd, buffer, length, offset) : 0;
}

/* As a pwritev2 without flags. */
static ssize_t fake_pwrite(int fd, const void *buffer, size_t length, uint64_t offset)
{
	const struct iovec vector = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = length};
	const int result = fake_answer(fake.pwrite_result);

	fake.pwrite_calls++;
	if (result < 0)
		return result;
	return fake.pwritev2 ? fake.pwritev2(fd, &vector, 1, offset, 0) : (ssize_t)length;
}

static ssize_t fake_pwritev2(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	int result;

	if (count == 0) /* FS5 */
		return fake.pwritev2_refused;
	result = fake_answer(fake.pwritev2_refused);
	fake.pwritev2_calls++;
	fake.pwritev2_vector = vector[0];
	fake.pwritev2_count = count;
	fake.pwritev2_offset = offset;
	fake.pwritev2_flags = flags;
	if (result < 0)
		return result;
	return fake.pwritev2 ? fake.pwritev2(fd, vector, count, offset, flags)
			     : fake.pwritev2_result;
}

static int fake_fdatasync(int fd)
{
	(void)fd;
	return fake_answer(fake.fdatasync_result);
}

static int fake_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	return fake_answer(fake.write_back_result);
}

static int fake_start_write_back(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)offset;
	(void)length;
	return 0;
}

static int fake_cachestat(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out)
{
	const int result = fake_answer(fake.cachestat_result);

	(void)fd;
	(void)offset;
	(void)length;
	if (result == 0)
		*out = fake.cachestat;
	return result;
}

static int fake_device_size(int fd, uint64_t *size)
{
	const int result = fake_answer(fake.device_size_result);

	(void)fd;
	if (result == 0)
		*size = fake.device_size;
	return result;
}

/* Blocks on request: up to fake.blocks_end, if set, blocks exist. */
static int fake_keep_blocks(int fd, uint64_t offset, uint64_t length)
{
	(void)fd;
	fake.blocks_asked++;
	if (fake.blocks_result)
		return fake.blocks_result;
	return fake.blocks_end && offset + length > fake.blocks_end ? -ENOSPC : 0;
}

static int fake_seals(int fd)
{
	(void)fd;
	return fake.seals_result;
}

static int fake_seek(int fd, uint64_t offset)
{
	const int result = fake_answer(fake.seek_result);

	fake.seeks++;
	fake.caller_seeks += fd == FAKE_FD;
	return !result && fake.size_max && offset > fake.size_max ? -EINVAL : result;
}

static int fake_getpid(void)
{
	return fake.pid;
}

const struct sys_calls fake_sys = {
	.open = fake_open,
	.close = fake_close,
	.statx = fake_statx,
	.fstat = fake_fstat,
	.inode_flags = fake_inode_flags,
	.getfl = fake_getfl,
	.lock = fake_lock,
	.lock_shared = fake_lock_shared,
	.unlock = fake_unlock,
	.truncate = fake_truncate,
	.read = fake_read,
	.pread = fake_pread,
	.pwrite = fake_pwrite,
	.pwritev2 = fake_pwritev2,
	.fdatasync = fake_fdatasync,
	.write_back = fake_write_back,
	.start_write_back = fake_start_write_back,
	.drop_cache = fake_drop_cache,
	.cachestat = fake_cachestat,
	.device_size = fake_device_size,
	.keep_blocks = fake_keep_blocks,
	.seals = fake_seals,
	.seek = fake_seek,
	.fs_magic = fake_fs_magic,
	.mount_flags = fake_mount_flags,
	.fs_uuid = fake_fs_uuid,
	.readlink = fake_readlink,
	.list = fake_list,
	.identify = fake_identify,
	.getpid = fake_getpid,
	.release = fake_release,
	.file_size_limit = fake_file_size_limit,
	.populate = fake_populate,
	.sleep_us = fake_sleep_us,
	.random = fake_random,
	.allocate = fake_allocate,
	.release_memory = fake_release_memory,
};

void fake_reset(void)
{
	fake_tree_reset();
	memset(open_files, 0, sizeof(open_files));
	fake = (struct fake_system){
		.getfl_result = O_RDWR | O_DIRECT,
		.release = "6.18.0",
		.fs_magic = 0x58465342u,
		.pwritev2_result = -EINVAL,
		.file_size_limit = UINT64_MAX,
		.device_size = UINT64_C(1) << 30,
		.seals_result = -EINVAL,
		.fs_uuid = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
			    0xcc, 0xdd, 0xee, 0xff},
	};
	fake.statx = (struct sys_statx){
		.mask = SYS_STATX_BASIC | SYS_STATX_DIOALIGN | SYS_STATX_WRITE_ATOMIC,
		.attributes_mask = SYS_STATX_ATTR_WRITE_ATOMIC | SYS_STATX_ATTR_IMMUTABLE |
				   SYS_STATX_ATTR_APPEND | SYS_STATX_ATTR_DAX,
		.blksize = 4096,
		.mode = S_IFREG | 0644,
		.dev_major = 8,
		.dev_minor = 0,
		.dio_mem_align = 512,
		.dio_offset_align = 512,
	};
}

void fake_claim(uint32_t unit_min, uint32_t unit_max, uint32_t unit_max_opt)
{
	fake.statx.attributes |= SYS_STATX_ATTR_WRITE_ATOMIC;
	fake.statx.atomic_write_unit_min = unit_min;
	fake.statx.atomic_write_unit_max = unit_max;
	fake.statx.atomic_write_unit_max_opt = unit_max_opt;
	fake.statx.atomic_write_segments_max = 1;
}
