/* SPDX-License-Identifier: MIT */
/*
 * A system table over a journal in memory, whose home writes are only looked at.
 *
 * Flow: the fuzz target of recovery and the seed maker open journals over it.
 */
#ifndef FUZZ_MEMORY_SYS_H
#define FUZZ_MEMORY_SYS_H

#include <stdint.h>

#include "sys.h"

#define MEMORY_JOURNAL_FD 3
#define MEMORY_HOME_FD 4 /* and above: of id n, 4 + n % 4 */
#define MEMORY_SIZE (256u << 10)

struct memory {
	uint8_t journal[MEMORY_SIZE];
	uint64_t size;
	/* Told of every write to a home, and of every write to the journal before it is made. */
	void (*home_write)(int fd, const void *data, uint64_t length, uint64_t offset);
	void (*journal_write)(const void *data, uint64_t length, uint64_t offset);
	int64_t blocks; /* of memory that were taken and not given back */
};

extern struct memory memory;
extern const struct sys_calls memory_sys;

#endif /* FUZZ_MEMORY_SYS_H */
