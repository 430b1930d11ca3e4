/* SPDX-License-Identifier: MIT */
/*
 * Ask libblkid for the contents of a block device: filesystem type and UUID.
 *
 * Flow: an entry of the system table (sys.h); called by probe_blkid.c.
 *
 * The device is opened read-only, must be the one with the numbers given (a node in a container's
 * /dev may be another disk), and is closed again.  Partition tables are not probed: only a
 * filesystem matters.
 */
#define _GNU_SOURCE
#include "sys_blkid.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef ATOMICIO_NO_BLKID
#include <blkid/blkid.h>

static void copy_value(blkid_probe probe, const char *name, char *out, size_t size)
{
	const char *value;
	size_t length;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) != 0)
		return;
	length = strnlen(value, size - 1);
	memcpy(out, value, length);
	out[length] = '\0';
}

/* libblkid's answers: 0 found, 1 nothing found, -2 ambivalent, -1 error. */
static int identify(blkid_probe probe, int fd, dev_t number, struct sys_identity *out)
{
	int result;

	if (blkid_probe_set_device(probe, fd, 0, 0) != 0)
		return -EIO;
	if (blkid_probe_get_devno(probe) != number)
		return -ENODEV;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID);
	result = blkid_do_safeprobe(probe);
	if (result < 0)
		return result == -2 ? -ENOTUNIQ : -EIO;
	copy_value(probe, "TYPE", out->type, sizeof(out->type));
	copy_value(probe, "UUID", out->uuid, sizeof(out->uuid));
	return 0;
}

int sys_blkid_identify(const char *device, uint32_t major, uint32_t minor, struct sys_identity *out)
{
	const int saved = errno;
	struct sys_identity found = {.type = ""};
	blkid_probe probe;
	int fd, result;

	fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		result = -errno;
		errno = saved;
		return result;
	}
	probe = blkid_new_probe();
	result = probe ? identify(probe, fd, makedev(major, minor), &found) : -ENOMEM;
	if (probe)
		blkid_free_probe(probe);
	close(fd);
	if (result == 0)
		*out = found;
	errno = saved;
	return result;
}

#else /* Built without libblkid: the probe goes without this evidence, and says so. */

int sys_blkid_identify(const char *device, uint32_t major, uint32_t minor, struct sys_identity *out)
{
	(void)device;
	(void)major;
	(void)minor;
	(void)out;
	return -EOPNOTSUPP;
}
#endif

int sys_identify(const struct sys_calls *sys, const char *device, uint32_t major, uint32_t minor,
		 struct sys_identity *out)
{
	return sys->identify(device, major, minor, out);
}
