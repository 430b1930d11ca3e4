/* SPDX-License-Identifier: MIT */
/*
 * Read sysfs: the disk below the device, its queue limits, and the layers in between.
 *
 * Flow: a step of a probe (probe.c); judged in probe_verdict.c.
 *
 * PS1 a file with anything but one decimal number and a newline counts as unreadable.
 * PS2 limits count as read (ATOMICIO_EVIDENCE_QUEUE) only if every limit was.
 * PS3 every walk is bounded: names in a directory, depth, and devices looked at in all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "probe_internal.h"

#define PATH_LENGTH 160
#define LINK_LENGTH 512
#define LAYERS_MAX 4   /* as LVM on LUKS on a partition of md on disks */
#define DEVICES_MAX 32 /* looked at below one device */
#define SECTOR 512u    /* unit of `start`, whatever the disk's block (block/partitions/core.c) */

struct attribute {
	const char *file; /* below queue/ */
	size_t member;	  /* of struct atomicio_caps, a uint32_t */
	bool capable;	  /* of interest only on a disk with untorn writes */
};

/* The first line alone of a disk without untorn writes is read: all its capable lines are zero. */
static const struct attribute attributes[] = {
	{"atomic_write_unit_max_bytes", offsetof(struct atomicio_caps, queue_unit_max), false},
	{"atomic_write_unit_min_bytes", offsetof(struct atomicio_caps, queue_unit_min), true},
	{"atomic_write_max_bytes", offsetof(struct atomicio_caps, queue_max), true},
	{"atomic_write_boundary_bytes", offsetof(struct atomicio_caps, queue_boundary), true},
	{"logical_block_size", offsetof(struct atomicio_caps, logical_block), false},
	{"physical_block_size", offsetof(struct atomicio_caps, physical_block), false},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read the one number in a file (PS1), at most `max`. */
static int read_number(const struct sys_calls *sys, const char *path, uint64_t max, uint64_t *out)
{
	char text[32];
	uint64_t value = 0;
	ssize_t length;
	int fd;

	fd = sys->open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	length = sys->read(fd, text, sizeof(text));
	sys->close(fd);
	if (length < 0)
		return (int)length;
	if (length < 2 || text[length - 1] != '\n')
		return -EINVAL;
	for (ssize_t i = 0; i < length - 1; i++) {
		const uint64_t digit = (uint64_t)(text[i] - '0');

		if (!is_digit(text[i]))
			return -EINVAL;
		if (value > (max - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	*out = value;
	return 0;
}

/*
 * Is `name`, in the directory of `parent`, a partition of `parent`?  By the kernel's rule of naming
 * (block/partitions/core.c:add_partition): the disk's name, a "p" if the name ends in a digit, and
 * the number.  A directory alone proves nothing: nvme0n1 lies in nvme0.
 */
static bool is_partition_name(const char *name, const char *parent, size_t parent_length)
{
	if (parent_length == 0 || strncmp(name, parent, parent_length) != 0)
		return false;
	name += parent_length;
	if (is_digit(parent[parent_length - 1]) && *name++ != 'p')
		return false;
	if (*name == '0' || *name == '\0')
		return false;
	while (is_digit(*name))
		name++;
	return *name == '\0';
}

/*
 * May the linked disk be a layer over others?  A layer has no parent device, and lies in
 * devices/virtual/block (drivers/base/core.c:get_device_parent(), 6.18).  Loop devices lie there
 * too, and never have slaves: no look is made for them.
 */
static bool is_virtual(const char *link)
{
	const char *directory = strstr(link, "/virtual/block/");

	return directory && strncmp(directory + strlen("/virtual/block/"), "loop", 4) != 0;
}

/* Names of device and disk from where /sys/dev/block/M:m points: ".../sda/sda1". */
static bool parse_link(struct probe *probe, const char *link)
{
	const char *name = strrchr(link, '/');
	const char *parent = name;
	size_t length;

	if (!name)
		return false;
	while (parent > link && parent[-1] != '/')
		parent--;
	length = (size_t)(name - parent);
	name++;
	if (!*name || strlen(name) >= sizeof(probe->device_name))
		return false;
	memcpy(probe->device_name, name, strlen(name) + 1);
	if (is_partition_name(name, parent, length)) {
		probe->caps.is_partition = 1;
		memcpy(probe->caps.disk_name, parent, length);
	} else {
		memcpy(probe->caps.disk_name, name, strlen(name) + 1);
	}
	return true;
}

static_assert(sizeof(((struct atomicio_caps *)0)->disk_name) >= SYS_NAME_MAX, "names fit");

static bool find_disk(struct probe *probe, const char *base)
{
	char link[LINK_LENGTH];
	const ssize_t length = probe->sys->readlink(base, link, sizeof(link));

	if (length <= 0 || (size_t)length >= sizeof(link))
		return false;
	link[length] = '\0';
	probe->may_have_slaves = is_virtual(link);
	return parse_link(probe, link);
}

/* Read all limits of the disk, and where the partition starts (PS2). */
static bool read_limits(struct probe *probe, const char *base)
{
	struct atomicio_caps *caps = &probe->caps;
	char path[PATH_LENGTH];
	uint64_t value;
	bool complete = true;

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		const struct attribute *attribute = &attributes[i];
		uint32_t limit;

		if (attribute->capable && caps->queue_unit_max == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s/queue/%s", base, caps->is_partition ? "/.." : "",
			 attribute->file);
		if (read_number(probe->sys, path, UINT32_MAX, &value) < 0) {
			complete = false;
			continue;
		}
		limit = (uint32_t)value;
		memcpy((uint8_t *)caps + attribute->member, &limit, sizeof(limit));
	}
	if (caps->is_partition) {
		snprintf(path, sizeof(path), "%s/start", base);
		if (read_number(probe->sys, path, UINT64_MAX / SECTOR, &value) < 0)
			complete = false;
		else
			caps->partition_offset = value * SECTOR;
	}
	return complete;
}

/* The kernel gives powers of two in order (block/blk-settings.c); else nothing is believed. */
static bool limits_are_sane(const struct atomicio_caps *caps)
{
	if (caps->queue_unit_max == 0)
		return true;
	return probe_is_power_of_two(caps->queue_unit_min) &&
	       probe_is_power_of_two(caps->queue_unit_max) &&
	       caps->queue_unit_min <= caps->queue_unit_max &&
	       (caps->queue_boundary == 0 || probe_is_power_of_two(caps->queue_boundary));
}

/*
 * Can any device below this one write untorn?  `base` is its directory in sysfs, `left` the number
 * of devices still to look at.  A layer has slaves, whatever its name: device-mapper, md, bcache
 * and DRBD link theirs (block/holder.c:bd_link_disk_holder(), 6.18), and the directory of a plain
 * disk is empty.  A partition's limits and slaves are its disk's.  Unreadable counts as no.
 */
/* NOLINTNEXTLINE(misc-no-recursion): `depth` counts down */
static bool lower_device_can(const struct sys_calls *sys, const char *base, int depth, int *left)
{
	struct sys_list slaves = {.count = 0};
	char path[PATH_LENGTH];
	char lower[PATH_LENGTH / 2];
	uint64_t unit_max;

	snprintf(path, sizeof(path), "%s/slaves", base);
	if (sys->list(path, &slaves) < 0)
		return false;
	for (uint32_t i = 0; i < slaves.count && (*left)-- > 0; i++) {
		static const char *const up[] = {"", "/.."};

		for (int j = 0; j < 2; j++) {
			int result;

			snprintf(lower, sizeof(lower), "/sys/class/block/%s%s", slaves.name[i],
				 up[j]);
			snprintf(path, sizeof(path), "%s/queue/atomic_write_unit_max_bytes", lower);
			unit_max = 0;
			result = read_number(sys, path, UINT32_MAX, &unit_max);
			if (result != -ENOENT)
				break;
		}
		if (unit_max > 0)
			return true;
		if (depth > 1 && lower_device_can(sys, lower, depth - 1, left))
			return true;
	}
	return false;
}

void probe_disk(struct probe *probe)
{
	struct atomicio_caps *caps = &probe->caps;
	int left = DEVICES_MAX;
	char base[64];
	char layer[sizeof(base) + 3];

	/* Major 0 is a filesystem without a device of its own: tmpfs, overlay, btrfs, nfs. */
	if (caps->device_major == 0)
		return;
	snprintf(base, sizeof(base), "/sys/dev/block/%u:%u", caps->device_major,
		 caps->device_minor);
	if (!find_disk(probe, base)) {
		probe->queue_failed = true;
		return;
	}
	caps->evidence |= ATOMICIO_EVIDENCE_DISK;
	if (!read_limits(probe, base) || !limits_are_sane(caps)) {
		probe->queue_failed = true;
		return;
	}
	caps->evidence |= ATOMICIO_EVIDENCE_QUEUE;
	if (caps->queue_unit_max == 0 && probe->may_have_slaves) {
		snprintf(layer, sizeof(layer), "%s%s", base, caps->is_partition ? "/.." : "");
		probe->layer_blocks = lower_device_can(probe->sys, layer, LAYERS_MAX, &left);
	}
}
