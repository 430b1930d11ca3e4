/* SPDX-License-Identifier: MIT */
/* Tell who polls an eventfd.  See sys_event.h. */
#define _GNU_SOURCE
#include "sys_event.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_event_signal(int event)
{
	const int saved = errno;
	const uint64_t one = 1;
	const long result = syscall(SYS_write, event, &one, sizeof(one));
	const int error = errno;

	errno = saved;
	return result < 0 ? -error : 0;
}
