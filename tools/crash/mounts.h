/* SPDX-License-Identifier: MIT */
/*
 * Loop devices, mounts and processes, and what is left of them to undo.
 *
 * Flow: run.c makes them; undo.c takes them back, also for a run that died.
 *
 * Rules:
 * U1 What is made is remembered in memory that the watchdog shares, before it is made, so that a
 *    run that is killed at any moment leaves nothing that nobody knows.
 * U2 It goes in this order: the work, the filesystem, its loop device, FUSE.  What was mounted is
 *    known from here: mountpoint(1) does not know a filesystem that was shut down.
 * U3 If it does not go in time, FUSE is aborted first, which frees every process that waits for it.
 */
#ifndef CRASH_MOUNTS_H
#define CRASH_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UNDO_MAX 32u

enum undo_kind { UNDO_PROCESS, UNDO_FUSE, UNDO_LOOP, UNDO_MOUNT, UNDO_DIRECTORY };

struct undo {
	enum undo_kind kind;
	pid_t pid; /* of a process: the leader of its session */
	char path[256];
};

/* Shared by the runner and the watchdog. */
struct undo_stack {
	_Atomic uint32_t count;
	_Atomic int64_t deadline; /* of the step that runs, 0: none (server_now()) */
	struct undo list[UNDO_MAX];
};

struct undo_stack *undo_create(void);
void undo_push(struct undo_stack *stack, enum undo_kind kind, pid_t pid, const char *path);
void undo_pop(struct undo_stack *stack);

/* Undo the topmost in good order: 0, or a negative errno and it stays. */
int undo_one(struct undo_stack *stack);

/* U3: undo all, by force, and end all that this process has started. */
void undo_by_force(struct undo_stack *stack);

/*
 * A loop device that reads and writes `path` with direct I/O, or a negative errno.  It goes when
 * nobody has it open or mounted any more: mount it and close fd.
 */
struct loop {
	int fd;
	char device[32];
};

int loop_attach(struct loop *loop, const char *path, uint32_t sector);
/* Nothing in the directory `served` is its file any more. */
bool loop_is_gone(const char *device, const char *served);

#endif /* CRASH_MOUNTS_H */
