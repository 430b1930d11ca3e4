/* SPDX-License-Identifier: MIT */
/*
 * The kernel's AIO over the fake disk.
 *
 * Flow: a part of disk_calls; each call, and each write made, counts and may fail as any other
 * (F3).
 *
 * A1 a write is made when it is reaped or its context destroyed, with the bytes of the memory at
 *    that moment; the last submitted write is made first.
 * A2 a write fails, or is cut short, as a call would be (fake_disk.h).  A sync, too.
 * A3 a slow request has not ended for that many looks, or waits with a limit.
 * A4 the spoil'th read gets spoil_result or, if that is 0, a wrong byte at its end.
 */
#ifndef FAKE_AIO_H
#define FAKE_AIO_H

#include "sys_aio.h"

#define FAKE_AIO_NEVER UINT32_MAX

struct fake_aio {
	int setup_result;		      /* every time */
	uint32_t most;			      /* submit takes no more at once; 0: all */
	int submit_once, reap_once;	      /* the next time */
	int reap_result;		      /* every time, 0: what is asked for */
	int destroy_result, destroy_failures; /* so often */
	uint32_t slow;			      /* A3 */
	uint32_t spoil;			      /* A4; 0: none */
	int spoil_result;

	uint32_t contexts, in_air; /* now */
	uint32_t setups, submits, reaps, made, read, syncs;
	uint32_t air_max; /* most that were in the air together */
};

extern struct fake_aio fake_aio;
extern const struct sys_aio_calls fake_aio_calls;

void fake_aio_reset(void);

#endif /* FAKE_AIO_H */
