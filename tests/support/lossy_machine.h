/* SPDX-License-Identifier: MIT */
/*
 * A file and a journal on the fake disk, which loses a page.
 *
 * Flow: for the tests of losses reported to a write.  Each program has its own: include it once.
 */
#ifndef LOSSY_MACHINE_H
#define LOSSY_MACHINE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

static struct sys_calls calls;
static struct atomicio_journal *journal;
static struct atomicio_file *file;
static bool loss_at_dsync; /* a page is lost with the next durable untorn write */
static void (*in_call)(void);

static inline ssize_t lossy_write(int fd, const struct iovec *vector, int count, uint64_t offset,
				  int flags)
{
	if (in_call && !(flags & SYS_RWF_ATOMIC))
		in_call();
	if (loss_at_dsync && flags & SYS_RWF_ATOMIC && flags & SYS_RWF_DSYNC) {
		loss_at_dsync = false;
		disk_lose(-EIO);
	}
	return disk_calls->pwritev2(fd, vector, count, offset, flags);
}

static inline void setup(void)
{
	write_machine();
	calls = *disk_calls;
	calls.pwritev2 = lossy_write;
	journal = NULL;
	loss_at_dsync = false;
	in_call = NULL;
}

static inline void open_file(uint32_t path, uint32_t fallback)
{
	const struct atomicio_options options = {.policy = atomicio_policy_default,
						 .path = path,
						 .fallback = fallback,
						 .journal = journal,
						 .file_id = journal ? 1 : 0};

	ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &file), 0);
}

static inline void poison(void)
{
	write_poison(file);
}

#endif /* LOSSY_MACHINE_H */
