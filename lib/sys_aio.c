/* SPDX-License-Identifier: MIT */
/* The AIO of this machine's kernel.  See sys_aio.h. */
#define _GNU_SOURCE
#include "sys_aio.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asm/posix_types.h>

#include "sys_result.h"

/* Machines younger than the 64-bit time_t have no io_getevents, and get no AIO. */
#ifdef SYS_io_getevents
#define HAS_AIO 1
#else
#define HAS_AIO 0
#define SYS_io_getevents 0
#endif

static int linux_setup(uint32_t depth, aio_context_t *context)
{
	*context = 0; /* else the kernel says EINVAL */
	return HAS_AIO ? SYS_RESULT(int, syscall(SYS_io_setup, depth, context)) : -ENOSYS;
}

static int linux_destroy(aio_context_t context)
{
	return SYS_RESULT(int, syscall(SYS_io_destroy, context));
}

static int linux_submit(aio_context_t context, uint32_t count, struct iocb **list)
{
	return SYS_RESULT(int, syscall(SYS_io_submit, context, (long)count, list));
}

static int linux_reap(aio_context_t context, uint32_t least, uint32_t most, struct io_event *events,
		      uint32_t milliseconds)
{
	/* The call's own timespec on every machine, independent of the C library's. */
	const struct {
		__kernel_long_t seconds, nanoseconds;
	} limit = {(__kernel_long_t)(milliseconds / 1000),
		   (__kernel_long_t)(milliseconds % 1000) * 1000000};

	return SYS_RESULT(int, syscall(SYS_io_getevents, context, (long)least, (long)most, events,
				       milliseconds == SYS_AIO_FOREVER ? NULL : &limit));
}

const struct sys_aio_calls sys_aio_linux = {
	.setup = linux_setup,
	.destroy = linux_destroy,
	.submit = linux_submit,
	.reap = linux_reap,
};
