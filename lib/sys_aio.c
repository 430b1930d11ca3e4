/* SPDX-License-Identifier: MIT */
/* The AIO of this machine's kernel.  See sys_aio.h. */
#define _GNU_SOURCE
#include "sys_aio.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Machines younger than a 64-bit time_t have no io_getevents, and get no AIO. */
#ifdef SYS_io_getevents
#define HAS_AIO 1
#else
#define HAS_AIO 0
#define SYS_io_getevents 0
#endif

/* Raw calls give -1 and errno, which is left unchanged (S1 of sys.h). */
static int result_of(long result, int saved)
{
	const int error = errno;

	errno = saved;
	return result < 0 ? -error : (int)result;
}

static int linux_setup(uint32_t depth, aio_context_t *context)
{
	const int saved = errno;

	*context = 0; /* else the kernel says EINVAL */
	return HAS_AIO ? result_of(syscall(SYS_io_setup, depth, context), saved) : -ENOSYS;
}

static int linux_destroy(aio_context_t context)
{
	const int saved = errno;

	return result_of(syscall(SYS_io_destroy, context), saved);
}

static int linux_submit(aio_context_t context, uint32_t count, struct iocb **list)
{
	const int saved = errno;

	return result_of(syscall(SYS_io_submit, context, (long)count, list), saved);
}

static int linux_reap(aio_context_t context, uint32_t least, uint32_t most, struct io_event *events)
{
	const int saved = errno;

	return result_of(syscall(SYS_io_getevents, context, (long)least, (long)most, events, NULL),
			 saved);
}

const struct sys_aio_calls sys_aio_linux = {
	.setup = linux_setup,
	.destroy = linux_destroy,
	.submit = linux_submit,
	.reap = linux_reap,
};
