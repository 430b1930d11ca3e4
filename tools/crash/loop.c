/* SPDX-License-Identifier: MIT */
/*
 * Loop devices (mounts.h).
 *
 * Flow: run.c attaches the disk and each cut.
 *
 * Without direct I/O the loop would read and write through the page cache of the served file, and
 * one slow range would stop the whole disk.  The command refuses.
 */
#define _GNU_SOURCE
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int configure(struct loop *loop, int backing, uint32_t sector)
{
	struct loop_config config = {.fd = (uint32_t)backing, .block_size = sector};
	struct loop_info64 info;
	const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	const int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	int error = -errno;

	if (control >= 0)
		close(control);
	if (number < 0)
		return error;
	snprintf(loop->device, sizeof(loop->device), "/dev/loop%d", number);
	loop->fd = open(loop->device, O_RDWR | O_CLOEXEC);
	if (loop->fd < 0)
		return -errno;
	/* Autoclear: if all else dies, the device goes with its filesystem. */
	config.info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR;
	if (ioctl(loop->fd, LOOP_CONFIGURE, &config) == 0) {
		if (ioctl(loop->fd, LOOP_GET_STATUS64, &info) == 0 &&
		    (info.lo_flags & LO_FLAGS_DIRECT_IO))
			return 0;
		errno = EOPNOTSUPP;
	}
	error = -errno;
	close(loop->fd);
	return error;
}

int loop_attach(struct loop *loop, const char *path, uint32_t sector)
{
	const int backing = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	int error = -EBUSY;

	if (backing < 0)
		return -errno;
	/* Other programs take loop devices, too: the free one may be gone. */
	for (int i = 0; i < 64 && error == -EBUSY; i++)
		error = configure(loop, backing, sector);
	close(backing);
	return error;
}

bool loop_is_gone(const char *device, const char *served)
{
	char path[96], backing[256] = "";
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", strrchr(device, '/') + 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, backing, sizeof(backing));
		close(fd);
	}
	/* The number may be somebody else's by now. */
	return length < (ssize_t)strlen(served) || strncmp(backing, served, strlen(served)) != 0;
}
