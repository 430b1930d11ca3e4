/* SPDX-License-Identifier: MIT */
/*
 * A journal and files whose AUTO writes go through it, on the fake disk.
 *
 * Flow: for the tests of writes and batches that the journal takes.  Each program has its own:
 * include it once.
 */
#ifndef AUTO_MACHINE_H
#define AUTO_MACHINE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "write_machine.h"

#define ODD (PAGE + 512) /* not for hardware: AUTO chooses the journal */

static struct sys_calls calls;
static struct atomicio_journal *journal;

static inline void setup(void)
{
	write_machine();
	journal = machine_journal();
	atomicio_journal_close(journal);
	calls = *disk_calls;
	ck_assert_int_eq(journal_open(&calls, DISK_JOURNAL_FD, &journal), 0);
}

/*
 * The call that writes the first frame: limits are asked once for the pages, for the ring, for two
 * headers, which are written, and for it.
 */
#define FIRST_FRAME 8u

static inline struct atomicio_file *open_auto(uint32_t fallback)
{
	const struct atomicio_options options = {.policy = atomicio_policy_default,
						 .journal = journal,
						 .file_id = 1,
						 .fallback = fallback};
	struct atomicio_file *file = NULL;

	ck_assert_int_eq(write_open(&calls, FAKE_FD, &options, sizeof(options), &file), 0);
	fake.calls = 0;
	return file;
}

/* Crash here, and start again. */
static inline void restart(void)
{
	atomicio_journal_close(journal);
	fake.fail_at = 0;
	machine_recover();
}

#endif /* AUTO_MACHINE_H */
