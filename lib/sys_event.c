/* SPDX-License-Identifier: MIT */
/* Wake a poller of an eventfd.  See sys_event.h. */
#define _GNU_SOURCE
#include "sys_event.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys_result.h"

int sys_event_signal(int event)
{
	const uint64_t one = 1;
	const int result = SYS_RESULT(int, syscall(SYS_write, event, &one, sizeof(one)));

	return result < 0 ? result : 0;
}
