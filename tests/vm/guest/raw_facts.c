/* SPDX-License-Identifier: MIT */
/*
 * The kernel's answers about a file, without a write: statx, queue limits, confirming calls.
 *
 * Flow: from raw.c.
 */
#define _GNU_SOURCE
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define STATX_BYTES 256
#define STATX_WANTED 0x000127ffU /* basic, DIOALIGN, WRITE_ATOMIC */

/* By offset: no header needs the fields (include/uapi/linux/stat.h, 7.3). */
static uint32_t field32(const unsigned char *statx, size_t offset)
{
	uint32_t value;

	memcpy(&value, statx + offset, sizeof(value));
	return value;
}

static uint64_t field64(const unsigned char *statx, size_t offset)
{
	uint64_t value;

	memcpy(&value, statx + offset, sizeof(value));
	return value;
}

/* known: the mask bit; can: the attribute; the rest as the kernel wrote it. */
int raw_statx_command(int argc, char **argv)
{
	unsigned char statx_bytes[STATX_BYTES] = {0};

	if (argc != 3)
		return 2;
	if (syscall(SYS_statx, AT_FDCWD, argv[2], 0, STATX_WANTED, statx_bytes) != 0) {
		printf("error=%s\n", strerrorname_np(errno));
		return 1;
	}
	printf("known=%d can=%d claimable=%d min=%u max=%u opt=%u segments=%u dio=%d dio_mem=%u "
	       "dio_offset=%u\n",
	       (field32(statx_bytes, 0) & 0x10000) != 0,
	       (field64(statx_bytes, 0x08) & 0x400000) != 0,
	       (field64(statx_bytes, 0x38) & 0x400000) != 0, field32(statx_bytes, 0xa8),
	       field32(statx_bytes, 0xac), field32(statx_bytes, 0xb8), field32(statx_bytes, 0xb0),
	       (field32(statx_bytes, 0) & 0x2000) != 0, field32(statx_bytes, 0x98),
	       field32(statx_bytes, 0x9c));
	return 0;
}

/* A limit of the request queue of device major:minor, -1: no such file. */
static long long queue_value(unsigned major, unsigned minor, const char *name)
{
	static const char *const places[] = {"queue", "../queue"};
	char path[128];
	long long value = -1;

	for (size_t i = 0; i < 2 && value < 0; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major, minor, places[i],
			 name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%lld", &value) != 1)
			value = -2;
		fclose(file);
	}
	return value;
}

int raw_queue_command(int argc, char **argv)
{
	static const char *const names[] = {
		"atomic_write_unit_min_bytes", "atomic_write_unit_max_bytes",
		"atomic_write_max_bytes",      "atomic_write_boundary_bytes",
		"logical_block_size",	       "physical_block_size",
		"max_hw_sectors_kb",	       "fua",
	};
	static const char *const keys[] = {"unit_min", "unit_max", "max",    "boundary",
					   "logical",  "physical", "max_kb", "fua"};
	struct stat status;
	dev_t device;

	if (argc != 3)
		return 2;
	if (stat(argv[2], &status) != 0) {
		printf("error=%s\n", strerrorname_np(errno));
		return 1;
	}
	device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		printf("%s%s=%lld", i ? " " : "", keys[i],
		       queue_value(major(device), minor(device), names[i]));
	putchar('\n');
	return 0;
}

static int zero_length_uring(int fd)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int result = io_uring_queue_init(2, &ring, 0);

	if (result)
		return result;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, NULL, 0, 0);
	sqe->rw_flags = RAW_RWF_ATOMIC;
	result = io_uring_submit(&ring);
	if (result > 0 && io_uring_wait_cqe(&ring, &cqe) == 0)
		result = cqe->res;
	io_uring_queue_exit(&ring);
	return result;
}

/* Calls that tell whether an open file can, and cannot write anything. */
int raw_confirm_command(int argc, char **argv)
{
	struct iovec three = {NULL, 3};
	struct iovec zero = {NULL, 0};
	char odd[32], none[32], ring[32];
	int64_t result;
	int fd;

	if (argc < 3)
		return 2;
	fd = open(argv[2], O_RDWR | (argc > 3 ? 0 : O_DIRECT));
	if (fd < 0) {
		printf("error=%s\n", strerrorname_np(errno));
		return 1;
	}
	result = pwritev2(fd, &three, 1, 0, RAW_RWF_ATOMIC);
	raw_result_name(result < 0 ? -errno : result, odd, sizeof(odd));
	result = pwritev2(fd, &zero, 1, 0, RAW_RWF_ATOMIC);
	raw_result_name(result < 0 ? -errno : result, none, sizeof(none));
	raw_result_name(zero_length_uring(fd), ring, sizeof(ring));
	printf("three=%s zero=%s uring_zero=%s\n", odd, none, ring);
	close(fd);
	return 0;
}
