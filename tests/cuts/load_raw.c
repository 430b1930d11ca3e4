/* SPDX-License-Identifier: MIT */
/*
 * A raw loop device as a home of the load (load.h).
 *
 * Flow: load.c opens it in place of a file.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/crash/mounts.h"

int load_raw(const char *path)
{
	struct loop loop;
	const int error = loop_attach(&loop, path, 512);
	int fd;

	if (error)
		load_fail("loop device", error);
	fd = open(loop.device, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		load_fail(loop.device, errno);
	close(loop.fd);
	return fd;
}
