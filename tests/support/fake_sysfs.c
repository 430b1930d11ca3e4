/* SPDX-License-Identifier: MIT */
/*
 * A tree of files and symbolic links in memory.  See fake_sysfs.h.
 */
#include "fake_sysfs.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 256
#define LINKS_MAX 16

struct entry {
	char path[FAKE_PATH_MAX];
	char text[FAKE_PATH_MAX]; /* content, or where the link points */
	bool link;
};

static struct entry entries[ENTRIES_MAX];
static uint32_t entry_count;

void fake_tree_reset(void)
{
	entry_count = 0;
}

static struct entry *find(const char *path)
{
	for (uint32_t i = 0; i < entry_count; i++)
		if (strcmp(entries[i].path, path) == 0)
			return &entries[i];
	return NULL;
}

static void put(const char *path, const char *text, bool link)
{
	struct entry *entry = find(path);

	if (!entry) {
		if (entry_count == ENTRIES_MAX)
			abort();
		entry = &entries[entry_count++];
	}
	snprintf(entry->path, sizeof(entry->path), "%s", path);
	snprintf(entry->text, sizeof(entry->text), "%s", text);
	entry->link = link;
}

void fake_file(const char *path, const char *content)
{
	put(path, content, false);
}

void fake_link(const char *path, const char *target)
{
	put(path, target, true);
}

void fake_remove(const char *path)
{
	struct entry *entry = find(path);

	if (entry)
		*entry = entries[--entry_count];
}

/* Resolve a path, component by component; false for too many links or too long a path. */
static bool resolve(const char *path, bool keep_last, char *out)
{
	char rest[2 * FAKE_PATH_MAX];
	char next[2 * FAKE_PATH_MAX];
	int links = 0;

	snprintf(rest, sizeof(rest), "%s", path);
	out[0] = '\0';
	while (rest[0]) {
		const size_t skip = strspn(rest, "/");
		const size_t length = strcspn(rest + skip, "/");
		const char *tail = rest + skip + length;
		const size_t before = strlen(out);
		const struct entry *entry;

		if (length == 0)
			break;
		if (length == 2 && strncmp(rest + skip, "..", 2) == 0) {
			char *slash = strrchr(out, '/');

			if (slash)
				*slash = '\0';
		} else {
			if (before + length + 2 > FAKE_PATH_MAX)
				return false;
			snprintf(out + before, FAKE_PATH_MAX - before, "/%.*s", (int)length,
				 rest + skip);
		}
		entry = find(out);
		if (entry && entry->link && !(keep_last && !*tail)) {
			if (++links > LINKS_MAX)
				return false;
			snprintf(next, sizeof(next), "%s%s", entry->text, tail);
			out[entry->text[0] == '/' ? 0 : before] = '\0';
			memcpy(rest, next, sizeof(rest));
		} else {
			memmove(rest, tail, strlen(tail) + 1);
		}
	}
	return true;
}

const char *fake_lookup(const char *path, bool link)
{
	char real[FAKE_PATH_MAX];
	const struct entry *entry;

	if (!resolve(path, link, real))
		return NULL;
	entry = find(real);
	return entry && entry->link == link ? entry->text : NULL;
}

/* The name directly below `directory` that an entry has or lies under. */
static bool child(const struct entry *entry, const char *directory, char *name, size_t size)
{
	const size_t length = strlen(directory);

	if (strncmp(entry->path, directory, length) != 0 || entry->path[length] != '/')
		return false;
	snprintf(name, size, "%.*s", (int)strcspn(entry->path + length + 1, "/"),
		 entry->path + length + 1);
	return true;
}

bool fake_name(const char *directory, uint32_t n, char *name, size_t size)
{
	char real[FAKE_PATH_MAX];
	char other[FAKE_TEXT_MAX];

	if (!resolve(directory, false, real))
		return false;
	for (uint32_t i = 0; i < entry_count; i++) {
		bool seen = false;

		if (!child(&entries[i], real, name, size))
			continue;
		for (uint32_t j = 0; j < i && !seen; j++)
			seen = child(&entries[j], real, other, sizeof(other)) &&
			       strcmp(name, other) == 0;
		if (!seen && n-- == 0)
			return true;
	}
	return false;
}

static void put_number(const char *directory, const char *file, uint64_t value)
{
	char path[2 * FAKE_PATH_MAX];
	char text[FAKE_TEXT_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	snprintf(text, sizeof(text), "%" PRIu64 "\n", value);
	fake_file(path, text);
}

/* The two links by which a device is found; `directory` begins with "/sys/". */
void fake_link_device(const char *directory, const char *number)
{
	char path[2 * FAKE_PATH_MAX];
	char target[2 * FAKE_PATH_MAX];

	assert(strncmp(directory, "/sys/", 5) == 0);
	snprintf(path, sizeof(path), "/sys/dev/block/%s", number);
	snprintf(target, sizeof(target), "../../%s", directory + strlen("/sys/"));
	fake_link(path, target);
	snprintf(path, sizeof(path), "/sys/class/block/%s", strrchr(directory, '/') + 1);
	fake_link(path, target);
}

void fake_disk(const char *directory, const char *number, const struct fake_queue *queue)
{
	fake_link_device(directory, number);
	put_number(directory, "queue/atomic_write_unit_min_bytes", queue->unit_min);
	put_number(directory, "queue/atomic_write_unit_max_bytes", queue->unit_max);
	put_number(directory, "queue/atomic_write_max_bytes", queue->max);
	put_number(directory, "queue/atomic_write_boundary_bytes", queue->boundary);
	put_number(directory, "queue/logical_block_size", queue->logical);
	put_number(directory, "queue/physical_block_size", queue->physical);
}

void fake_partition(const char *directory, const char *number, uint64_t start_sector)
{
	fake_link_device(directory, number);
	put_number(directory, "start", start_sector);
}

void fake_slave(const char *directory, const char *slave)
{
	char path[2 * FAKE_PATH_MAX];
	char target[2 * FAKE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/slaves/%s", directory, strrchr(slave, '/') + 1);
	snprintf(target, sizeof(target), "%s", slave);
	fake_link(path, target);
}
