/* SPDX-License-Identifier: MIT */
/*
 * Pages that were left behind their writers, on the fake disk.
 *
 * Flow: for the tests of ATOMICIO_BEHIND.  Each program has its own: include it once.
 */
#ifndef BEHIND_MACHINE_H
#define BEHIND_MACHINE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>

#include "check_run.h"
#include "homes_machine.h"
#include "journal_internal.h"
#include "libatomicio/uring.h"
#include "write_entry.h"

static inline int put(uint32_t at, int value, uint32_t flags)
{
	memset(page, value, PAGE);
	return atomicio_write(file, page, PAGE, (uint64_t)at * PAGE, flags);
}

static inline bool is_home(uint32_t at, int value)
{
	return disk_holds((uint64_t)at * PAGE, PAGE, value);
}

#endif /* BEHIND_MACHINE_H */
