/* SPDX-License-Identifier: MIT */
/*
 * The things made by a run, and their undoing (mounts.h has the rules).
 *
 * Flow: run.c pushes and, at its end, undoes one by one; supervise.c undoes by force the remains of
 * a dead or hanging run.
 */
#define _GNU_SOURCE
#include "mounts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "server.h"

struct undo_stack *undo_create(void)
{
	void *memory = mmap(NULL, sizeof(struct undo_stack), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void undo_push(struct undo_stack *stack, enum undo_kind kind, pid_t pid, const char *path)
{
	struct undo *undo = &stack->list[stack->count];

	*undo = (struct undo){.kind = kind, .pid = pid};
	snprintf(undo->path, sizeof(undo->path), "%s", path ? path : "");
	stack->count++;
}

void undo_pop(struct undo_stack *stack)
{
	stack->count--;
}

/* Kill a session and wait for its leader; others of it are found by the watchdog. */
static int end_process(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	for (int i = 0; i < 2000; i++) {
		const pid_t done = waitpid(pid, NULL, WNOHANG);

		if (done == pid || (done < 0 && errno == ECHILD))
			return 0;
		usleep(i < 100 ? 500 : 5000);
	}
	return -EBUSY;
}

static int unmount(const char *path)
{
	for (int i = 0; i < 300; i++) {
		if (umount2(path, 0) == 0 || errno == EINVAL || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		usleep(10000);
	}
	return -EBUSY;
}

static int wait_for_loop(const char *device, const char *served)
{
	for (int i = 0; i < 1100; i++) {
		if (loop_is_gone(device, served))
			return 0;
		usleep(i < 100 ? 200 : 5000);
	}
	return -EBUSY;
}

/* The directory that is served, "": none. */
static const char *served_at(const struct undo_stack *stack)
{
	for (uint32_t i = 0; i < stack->count; i++)
		if (stack->list[i].kind == UNDO_FUSE)
			return stack->list[i].path;
	return "";
}

static int undo_it(const struct undo_stack *stack, const struct undo *undo)
{
	switch (undo->kind) {
	case UNDO_PROCESS:
		return end_process(undo->pid);
	case UNDO_LOOP:
		return wait_for_loop(undo->path, served_at(stack));
	case UNDO_FUSE:
	case UNDO_MOUNT:
		return unmount(undo->path);
	default:
		return rmdir(undo->path) < 0 && errno != ENOENT ? -errno : 0;
	}
}

int undo_one(struct undo_stack *stack)
{
	const int error = undo_it(stack, &stack->list[stack->count - 1]);

	if (!error)
		undo_pop(stack);
	return error;
}

static void each(const struct undo_stack *stack, enum undo_kind kind, int flags)
{
	for (uint32_t i = stack->count; i-- > 0;)
		if (stack->list[i].kind == kind)
			(void)umount2(stack->list[i].path, flags);
}

static bool are_gone(const struct undo_stack *stack, enum undo_kind kind)
{
	bool gone = true;

	for (uint32_t i = stack->count; i-- > 0;)
		if (stack->list[i].kind == kind)
			gone = undo_it(stack, &stack->list[i]) == 0 && gone;
	return gone;
}

void undo_by_force(struct undo_stack *stack)
{
	const int64_t limit = server_now() + 20000;
	bool gone;

	for (uint32_t i = 0; i < stack->count; i++)
		if (stack->list[i].kind == UNDO_PROCESS)
			kill(-stack->list[i].pid, SIGKILL);
	/* A server killed just before its mount may have mounted since: again. */
	do {
		each(stack, UNDO_FUSE, MNT_FORCE);
		process_kill_descendants(0, 0);
		each(stack, UNDO_MOUNT, 0);
		each(stack, UNDO_MOUNT, MNT_DETACH);
		gone = are_gone(stack, UNDO_LOOP); /* before its file has another name */
		each(stack, UNDO_FUSE, MNT_DETACH);
		gone = are_gone(stack, UNDO_DIRECTORY) && gone;
	} while (!gone && server_now() < limit && usleep(50000) == 0);
	stack->count = 0;
}
