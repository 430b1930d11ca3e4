/* SPDX-License-Identifier: MIT */
/*
 * The kernel's AIO, as a part of the system table: several direct writes at once, and syncs without
 * a waiter.
 *
 * Flow: below journal_aio.c and sys_flight.c; sys.h has the rules.
 *
 * AIO, and not io_uring, because of killed processes.  exit_mm() waits until each AIO write has
 * ended (fs/aio.c:exit_aio), and only then are the process's locks dropped.  Writes of a ring go on
 * after the locks are gone: a successor recovers, writes and syncs, and then the dead process's
 * pages land on top (seen on 6.18, 512 of 512 pages).
 */
#ifndef LIBATOMICIO_SYS_AIO_H
#define LIBATOMICIO_SYS_AIO_H

#include <stdint.h>

#include <linux/aio_abi.h>

#include "sys.h"

struct sys_aio_calls {
	int (*setup)(uint32_t depth, aio_context_t *context); /* io_setup */
	/* io_destroy: waits for the writes on their way, and for an RCU grace period (35 ms). */
	int (*destroy)(aio_context_t context);
	/* io_submit: the number of requests taken, or the error of the first. */
	int (*submit)(aio_context_t context, uint32_t count, struct iocb **list);
	/* io_getevents: waits for `least` events, but no longer than `milliseconds`. */
	int (*reap)(aio_context_t context, uint32_t least, uint32_t most, struct io_event *events,
		    uint32_t milliseconds);
};

#define SYS_AIO_FOREVER UINT32_MAX

#endif /* LIBATOMICIO_SYS_AIO_H */
