/* SPDX-License-Identifier: MIT */
/*
 * One run: a work on a disk that is cut again and again, and a check of every cut.
 *
 * Flow: main.c reads the options; supervise.c is the watchdog and starts run.c in a process of its
 * own; client.c talks to the server, filesystem.c makes and mounts, check.c looks at one cut.
 */
#ifndef CRASH_RUN_H
#define CRASH_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mounts.h"

#define RUN_FAULTS_MAX 8u

/* Exit statuses. */
#define RUN_GOOD 0
#define RUN_BAD 1   /* a cut is bad */
#define RUN_ERROR 2 /* wrong usage, or nothing was proved */

struct filesystem {
	const char *name;
	const char *mkfs;	/* with its options */
	const char *package;	/* of Debian, that has it */
	const char *mount_data; /* of a copy: XFS must learn that the mount is a copy */
	uint64_t size_min, size;
	/* The kernel refuses a second image of one filesystem while the first is mounted. */
	bool is_alone;
};

struct run_options {
	const struct filesystem *fs;
	uint64_t size, seed;
	uint32_t cuts, sector, timeout; /* timeout in seconds */
	const char *work, *check, *keep, *mkfs_options, *mount_options;
	const char *faults[RUN_FAULTS_MAX];
	uint32_t fault_count;
	bool goes_on; /* after a bad cut */
	bool pauses;  /* the work, while a cut is looked at */
};

/* The server's report of a cut. */
struct run_cut {
	uint64_t number;
	uint32_t dropped, kept, torn;
};

struct run {
	const struct run_options *options;
	struct undo_stack *undo;
	char top[160], served[160], work_at[160], cut_at[160]; /* directories */
	pid_t server, work;
	int to_server, from_server, terminal; /* terminal: the slave, which the work gets */
	int work_fd;			      /* a pidfd */
	uint64_t random;
	/* Cuts that were made and not yet looked at. */
	struct run_cut waiting[4];
	uint32_t waiting_count;
	/* Counted for the report. */
	uint32_t good, bad, empty;
	uint64_t demanded;
	int64_t started;
};

/* supervise.c: the whole of it.  Returns an exit status. */
int run_supervised(const struct run_options *options);

/* run.c: in the process that is watched. */
int run_it(struct run *run);

/* A step that may block, and its limit in milliseconds; 0: it is over. */
void run_step(struct run *run, int64_t limit);

/* client.c */
int client_start(struct run *run, int terminal_master);
/* Ask for one thing; the answer is in `answer`.  0 or RUN_ERROR, with a sentence. */
int client_ask(struct run *run, char answer[512], const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Ask for a cut at a later moment. */
int client_arm(struct run *run);
/* Take a finished cut: 1; 0: not yet; RUN_ERROR. */
int client_cut(struct run *run, struct run_cut *cut);

/* filesystem.c */
const struct filesystem *filesystem_find(const char *name);
const char *filesystem_size_text(uint64_t size, char text[24]);
int filesystem_make(struct run *run, const char *device);
/* Mount it: 0: undo the cut later; or a negative errno. */
int filesystem_mount(struct run *run, const char *device, const char *where, bool is_copy);

/* check.c: 0: looked at, and counted in good or bad; RUN_ERROR.  Prints the first bad cut. */
int check_cut(struct run *run, const struct run_cut *cut);
/* As a cut, with nothing dropped: `number` is its cut. */
int check_last(struct run *run, uint64_t number);

#endif /* CRASH_RUN_H */
