/* SPDX-License-Identifier: MIT */
/*
 * Shared by the two servers: a loop over the kernel's requests, commands and delays.
 *
 * Flow: image.c serves a disk and directory.c a directory; each makes its operations and calls
 * server_run(); control.c reads the commands.
 *
 * Rules:
 * CS1 One thread.  A server waits in poll(2) alone: each request, command and cut is one step,
 *     without a lock.
 * CS2 A request that has to wait (slow, hang) is kept with its bytes and done at its time.  CS3 A
 *     server never waits for memory that waits for a server: PR_SET_IO_FLUSHER, mlockall, and out
 *     of the memory cgroup of those who started it.
 */
#ifndef CRASH_SERVER_H
#define CRASH_SERVER_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <stdbool.h>
#include <stdint.h>

#include "faults.h"
#include "oracle.h"

/* A request that waits: CS2. */
struct waiting {
	struct waiting *next;
	int64_t due; /* milliseconds of server_now(), INT64_MAX: until the release */
	void (*go)(struct waiting *waiting);
	fuse_req_t request;
	fuse_ino_t inode;
	uint64_t offset, length;
	int fd, flags;
	uint8_t *bytes;
};

struct server {
	struct fuse_session *session;
	struct faults faults;
	struct waiting *waiting;
	int in, out;	       /* commands and answers */
	int lines;	       /* the work's output, or -1 */
	struct oracle *oracle; /* of these lines */
	bool ended;
	/* A command of this server's own: true if known and answered. */
	bool (*command)(char *words);
};

extern struct server server;

/* Make the session and mount it, read-write for everybody.  0, or a sentence is on stderr. */
int server_mount(const struct fuse_lowlevel_ops *operations, size_t size, const char *where);

/* Serve until the command "end", the end of the commands, or an unmount.  Returns an exit status.
 */
int server_run(void);

/* A sentence for each fault that never fired.  Returns an exit status. */
int server_say_what_never_fired(void);

int64_t server_now(void);

/* CS2: `bytes` are copied. */
void server_wait(struct waiting what, const void *bytes, uint32_t delay);

/* Read the work's new lines. */
void server_drain(struct text *tries);

/* Answer a command with one line. */
void server_answer(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* control.c: take the new lines; false: no more lines will come. */
bool control_take(void);

/* A sentence on stderr.  Returns 2, the exit status of an error. */
int crash_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* CRASH_SERVER_H */
