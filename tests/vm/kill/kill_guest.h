/* SPDX-License-Identifier: MIT */
/*
 * The guest's parts: the channel to the judge, the targets on a disk, and the writers.
 *
 * Flow: kill_guest.c is the guest's first program.  Each disk has a thread, which goes through
 * kill_files.c (make, recover, check) and ends in kill_writer.c.
 */
#ifndef TESTS_VM_KILL_GUEST_H
#define TESTS_VM_KILL_GUEST_H

#include "kill.h"

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>

struct kill_files {
	const struct kill_target *target;
	uint64_t life;
	int fds[2];
	struct atomicio_file *files[2];
	int journal_fd;
	struct atomicio_journal *journal;
};

extern struct kill_command kill_command;

/* Send a record; returns when the judge has it (M1). */
void kill_tell(const struct kill_record *record);
/* Tell the judge that `what` failed, and stop this thread for good. */
_Noreturn void kill_wrong(const struct kill_target *target, const char *what, int error);
void *kill_memory(void);

/* Where a page is: in which file, and the offset. */
uint64_t kill_place(const struct kill_target *target, uint32_t page, uint32_t *file);
void kill_make(const struct kill_target *target, uint64_t life, const char *directory);
/* Open, recover, check; tells what was found. */
void kill_open(struct kill_files *files, const char *directory);

/* Start the lanes; they never end. */
void kill_write(struct kill_files *files);

#endif /* TESTS_VM_KILL_GUEST_H */
