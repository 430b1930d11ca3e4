/* SPDX-License-Identifier: MIT */
/*
 * A group that is longer than a frame, on the fake disk.
 *
 * Flow: for the tests of chains.  Each program has its own: include it once.
 */
#ifndef CHAIN_MACHINE_H
#define CHAIN_MACHINE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "check_run.h"
#include "trouble_machine.h"

#define LONG 40u /* pages of a chain of three frames */

static struct atomicio_op ops[64];

/* Both files in turns, or one. */
static inline int write_chain(uint32_t count, int file, int value)
{
	static uint8_t bytes[PAGE];

	memset(bytes, value, sizeof(bytes));
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t which = file < 0 ? i % 2 : (uint32_t)file;

		ops[i] = (struct atomicio_op){.file = files[which],
					      .buffer = bytes,
					      .offset = (file < 0 ? i / 2 : i) * PAGE,
					      .length = PAGE,
					      .result = 77};
	}
	return atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
}

#endif /* CHAIN_MACHINE_H */
