/* SPDX-License-Identifier: MIT */
/*
 * A scripted policy, and a kernel that is busy.
 *
 * Flow: for the tests of what a policy may decide.  Each program has its own: include it once.
 */
#ifndef POLICY_MACHINE_H
#define POLICY_MACHINE_H

#include <check.h>
#include <errno.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

#define RETRY ATOMICIO_RETRY
#define FALLBACK ATOMICIO_FALLBACK
#define FAIL ATOMICIO_FAIL

static struct policy_script script;

static inline struct atomicio_options scripted(uint32_t fallback, uint32_t retries_max)
{
	return (struct atomicio_options){.policy = policy_scripted,
					 .policy_context = &script,
					 .fallback = fallback,
					 .retries_max = retries_max};
}

static inline void answer(uint32_t first, uint32_t then)
{
	memset(&script, 0, sizeof(script));
	script.answers[0] = first;
	script.answers[1] = then;
	script.answer_count = 2;
}

/* A kernel that always fails, a policy that never gives up. */
static inline ssize_t always_busy(int fd, const struct iovec *vector, int count, uint64_t offset,
				  int flags)
{
	(void)fd;
	(void)vector;
	(void)count;
	(void)offset;
	(void)flags;
	return -EAGAIN;
}

#endif /* POLICY_MACHINE_H */
