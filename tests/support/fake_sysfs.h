/* SPDX-License-Identifier: MIT */
/*
 * A tree of files and symbolic links in memory, looked up as a kernel would.
 *
 * Flow: used by fake_sys.c below the entries open, read, readlink and list; filled by tests.
 *
 * Links are followed before "..", as in a real tree: "/sys/dev/block/8:1/../queue" leads to
 * the directory of the disk and not to "/sys/dev/block/queue".
 */
#ifndef FAKE_SYSFS_H
#define FAKE_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_PATH_MAX 512
#define FAKE_TEXT_MAX 64

/* Forget all of it. */
void fake_tree_reset(void);

/* Put a file with this content; a second file at the same path replaces the first. */
void fake_file(const char *path, const char *content);
void fake_remove(const char *path);

/* Put a symbolic link; the target is relative to the link's directory or absolute. */
void fake_link(const char *path, const char *target);

/* Where a path leads: its content, or NULL; `link` wants the last component unfollowed. */
const char *fake_lookup(const char *path, bool link);

/* The n-th name below a directory, each name once; false behind the last. */
bool fake_name(const char *directory, uint32_t n, char *name, size_t size);

/*
 * Whole devices in one call.  `directory` is where the device lives, "/sys/devices/..."; it
 * gets an entry in /sys/dev/block and in /sys/class/block.
 */
struct fake_queue {
	uint32_t unit_min, unit_max, max, boundary;
	uint32_t logical, physical;
};
void fake_disk(const char *directory, const char *number, const struct fake_queue *queue);
void fake_partition(const char *directory, const char *number, uint64_t start_sector);
void fake_link_device(const char *directory, const char *number); /* the entries alone */
void fake_slave(const char *directory, const char *slave);

#endif /* FAKE_SYSFS_H */
