/* SPDX-License-Identifier: MIT */
/* The largest size that a file can have.  See sys_size.h. */
#include "sys_size.h"

#include <errno.h>

/* No filesystem of Linux has a smaller limit (MAX_NON_LFS): a smaller answer is not believed. */
#define SMALLEST ((uint64_t)INT32_MAX)

uint64_t sys_largest_size(const struct sys_calls *sys, int fd)
{
	uint64_t fits = SMALLEST, refused = INT64_MAX;

	if (sys->seek(fd, refused) != -EINVAL || sys->seek(fd, fits) != 0)
		return INT64_MAX;
	while (refused - fits > 1) { /* 63 times at most */
		const uint64_t middle = fits + (refused - fits) / 2;
		const int error = sys->seek(fd, middle);

		if (error && error != -EINVAL)
			return INT64_MAX;
		*(error ? &refused : &fits) = middle;
	}
	return fits;
}
