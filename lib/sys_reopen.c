/* SPDX-License-Identifier: MIT */
/* Another description of a file that is open.  See sys_reopen.h. */
#include "sys_reopen.h"

#include <errno.h>
#include <stdio.h>

#include "sys_refused.h"

bool sys_is_same(const struct sys_statx *a, const struct sys_statx *b)
{
	return a->ino == b->ino && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

int sys_reopen(const struct sys_calls *sys, int fd, int flags, const struct sys_statx *theirs)
{
	struct sys_statx asked, ours;
	char path[32];
	int error = 0, made;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	made = sys->open(path, flags);
	if (made < 0)
		return made;
	if (!theirs) {
		error = sys_stat(sys, fd, SYS_STATX_BASIC, &asked);
		theirs = &asked;
	}
	if (!error)
		error = sys_stat(sys, made, SYS_STATX_BASIC, &ours);
	if (!error && !sys_is_same(theirs, &ours))
		error = -ESTALE;
	if (!error)
		return made;
	sys->close(made);
	return error;
}
