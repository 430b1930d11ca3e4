/* SPDX-License-Identifier: MIT */
/* Read a directory.  See sys_list.h. */
#define _GNU_SOURCE
#include "sys_list.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

int sys_list_names(const char *path, struct sys_list *out)
{
	const int saved = errno;
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int result;

	if (!directory) {
		result = -errno;
		errno = saved;
		return result;
	}
	out->count = 0;
	while (out->count < SYS_LIST_MAX && (entry = readdir(directory))) {
		const size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || length >= SYS_NAME_MAX)
			continue;
		memcpy(out->name[out->count++], entry->d_name, length + 1);
	}
	closedir(directory);
	errno = saved;
	return 0;
}
