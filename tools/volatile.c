/* SPDX-License-Identifier: MIT */
/*
 * Filesystems and devices that do not outlive a crash of the machine.  See volatile.h.
 *
 * By the filesystem's magic number, by the mount option of overlayfs (since 5.10; as fsync=volatile
 * since 6.19), which lies at mount IDs of /proc, and by the number of a device that is made of
 * memory.  An unreadable option counts as absent.
 */
#define _GNU_SOURCE
#include "volatile.h"

#include <linux/magic.h>
#include <linux/major.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The id of the mount that this descriptor was opened on, -1: not known. */
static long mount_of(int fd)
{
	char path[48], line[256];
	long id = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (id < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, "mnt_id:", 7))
			id = strtol(line + 7, NULL, 10);
	fclose(file);
	return id;
}

/* Is this word in the list of options, separated by commas? */
static bool has_option(const char *options, const char *name)
{
	const size_t length = strlen(name);

	while (options) {
		if (!strncmp(options, name, length) &&
		    (options[length] == ',' || options[length] == '\n' || !options[length]))
			return true;
		options = strchr(options, ',');
		options += options ? 1 : 0;
	}
	return false;
}

/* The options of the superblock are the last field of a line of mountinfo, proc(5). */
static bool overlay_is_volatile(int fd)
{
	const long id = mount_of(fd);
	FILE *file = id < 0 ? NULL : fopen("/proc/self/mountinfo", "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return false;
	while (!found && getline(&line, &size, file) > 0) {
		const char *options = strrchr(line, ' ');

		found = strtol(line, NULL, 10) == id && options &&
			(has_option(options + 1, "volatile") ||
			 has_option(options + 1, "fsync=volatile"));
	}
	free(line);
	fclose(file);
	return found;
}

/* A RAM disk, or compressed memory: /sys knows its name. */
static bool device_is_memory(dev_t number)
{
	char path[64], name[256];
	ssize_t length;

	if (major(number) == RAMDISK_MAJOR)
		return true;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(number), minor(number));
	length = readlink(path, name, sizeof(name) - 1);
	if (length < 0)
		return false;
	name[length] = '\0';
	return strstr(name, "/block/zram") != NULL;
}

const char *volatile_why(int fd)
{
	struct statfs filesystem;
	struct stat status;

	if (fstat(fd, &status))
		return NULL;
	if (S_ISBLK(status.st_mode) ? device_is_memory(status.st_rdev)
				    : major(status.st_dev) && device_is_memory(status.st_dev))
		return "is on a device that is made of memory: nothing on it outlives the machine";
	if (S_ISBLK(status.st_mode) || fstatfs(fd, &filesystem))
		return NULL;
	switch ((unsigned)filesystem.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		return "is on a filesystem in memory: nothing on it outlives the machine";
	case OVERLAYFS_SUPER_MAGIC:
		return overlay_is_volatile(fd)
			       ? "is on an overlay that is mounted volatile: it syncs nothing"
			       : NULL;
	default:
		return NULL;
	}
}
