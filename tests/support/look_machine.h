/* SPDX-License-Identifier: MIT */
/*
 * A file of ext4, looked at with each write, on the fake disk.
 *
 * Flow: for the tests of looks.  Each program has its own: include it once.
 */
#ifndef LOOK_MACHINE_H
#define LOOK_MACHINE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <liburing.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "write_machine.h"

#define FAR (8 * PAGE)
#define SETTLED 640 /* blocks of 512 bytes: all of DISK_BYTES */

static struct policy_script script;
static struct atomicio_journal *journal;

static inline void ext4(void)
{
	write_machine();
	disk_is_ext4(SETTLED);
	policy_fails(&script);
	journal = NULL;
}

static inline struct atomicio_file *open_file(void)
{
	const struct atomicio_options options = {.policy = policy_scripted,
						 .policy_context = &script,
						 .path = ATOMICIO_PATH_KERNEL,
						 .journal = journal,
						 .file_id = journal ? 1 : 0};

	return machine_open(&options);
}

static inline int write_page(struct atomicio_file *file, uint32_t flags)
{
	return atomicio_write(file, page, PAGE, FAR, flags);
}

static inline void saw(uint32_t kind, int error, uint64_t reasons, uint32_t on_disk)
{
	policy_saw(&script, kind, error, reasons);
	ck_assert_uint_eq(script.seen[0].on_disk, on_disk);
	script.seen_count = 0;
}

#endif /* LOOK_MACHINE_H */
