/* SPDX-License-Identifier: MIT */
/* Filesystem, process and machine.  See fake_machine.h. */
#define _GNU_SOURCE
#include "fake_machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fake_fs_magic(int fd, uint32_t *magic)
{
	const int result = fake_answer(fake.fs_magic_result);

	(void)fd;
	if (result == 0)
		*magic = fake.fs_magic;
	return result;
}

int fake_mount_flags(int fd, uint64_t *flags)
{
	const int result = fake_answer(fake.fs_magic_result);

	(void)fd;
	if (result == 0)
		*flags = fake.mount_flags;
	return result;
}

int fake_fs_uuid(int fd, uint8_t uuid[16])
{
	const int result = fake_answer(fake.fs_uuid_result);

	(void)fd;
	if (result == 0)
		memcpy(uuid, fake.fs_uuid, sizeof(fake.fs_uuid));
	return result;
}

ssize_t fake_readlink(const char *path, char *buffer, size_t size)
{
	const char *target = fake_lookup(path, true);
	const int result = fake_answer(0);
	size_t length;

	if (result < 0)
		return result;
	if (!target)
		return -ENOENT;
	length = strlen(target);
	if (length > size)
		length = size;
	memcpy(buffer, target, length);
	return (ssize_t)length;
}

int fake_list(const char *path, struct sys_list *out)
{
	const int result = fake_answer(0);

	fake.list_calls++;
	if (result < 0)
		return result;
	out->count = 0;
	while (out->count < SYS_LIST_MAX &&
	       fake_name(path, out->count, out->name[out->count], SYS_NAME_MAX))
		out->count++;
	return out->count ? 0 : -ENOENT;
}

int fake_identify(const char *device, uint32_t major, uint32_t minor, struct sys_identity *out)
{
	const int result = fake_answer(fake.identify_result);

	fake.identify_calls++;
	snprintf(fake.identify_device, sizeof(fake.identify_device), "%s", device);
	fake.identify_major = major;
	fake.identify_minor = minor;
	if (result == 0)
		*out = fake.identity;
	return result;
}

int fake_release(char *buffer, size_t size)
{
	const int result = fake_answer(fake.release ? 0 : -EFAULT);

	if (result == 0)
		snprintf(buffer, size, "%s", fake.release);
	return result;
}

int fake_file_size_limit(uint64_t *limit)
{
	const int result = fake_answer(fake.file_size_limit_result);

	if (result == 0)
		*limit = fake.file_size_limit;
	return result;
}

int fake_populate(const void *start, size_t length)
{
	const int result = fake_answer(length ? fake.populate_result : fake.populate_known);

	(void)start;
	return result;
}

void fake_sleep_us(uint32_t microseconds)
{
	(void)microseconds;
	fake.sleeps++;
}

int fake_random(void *buffer, size_t length)
{
	const int result = fake_answer(0);

	if (result == 0)
		memset(buffer, 0x5a, length);
	return result;
}

void *fake_allocate(size_t alignment, size_t size)
{
	const size_t rounded = (size + alignment - 1) & ~(alignment - 1);
	void *memory;

	if (fake_answer(0) < 0)
		return NULL;
	memory = aligned_alloc(alignment, rounded);
	if (memory) {
		memset(memory, 0, rounded);
		fake.allocated++;
	}
	return memory;
}

void fake_release_memory(void *memory)
{
	if (memory)
		fake.allocated--;
	free(memory);
}
