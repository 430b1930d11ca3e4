/* SPDX-License-Identifier: MIT */
/*
 * Loop devices, mounts and processes, and the list of things to undo.
 *
 * Flow: run.c makes them; undo.c undoes them, also for a run that died.
 *
 * Rules:
 * U1 Each thing is noted in memory shared with the watchdog before it is made: a run killed at any
 *    moment leaves nothing unknown.
 * U2 Things are undone in this order: the work, the filesystem, its loop device, FUSE.  The list of
 *    mounts comes from: mountpoint(1) does not know a filesystem that was shut down.
 * U3 After a timeout FUSE is aborted first, which frees every waiting process.
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

/* Undo the topmost in good order: 0, or a negative errno: the thing stays. */
int undo_one(struct undo_stack *stack);

/* U3: undo all, by force, and end all processes started by this process. */
void undo_by_force(struct undo_stack *stack);

/*
 * A loop device that reads and writes `path` with direct I/O, or a negative errno.  The device ends
 * with its last open or mount: mount it and close fd.
 */
struct loop {
	int fd;
	char device[32];
};

int loop_attach(struct loop *loop, const char *path, uint32_t sector);
/* Nothing in the directory `served` is its file any more. */
bool loop_is_gone(const char *device, const char *served);

#endif /* CRASH_MOUNTS_H */
