/* SPDX-License-Identifier: MIT */
/*
 * Raw calls, without the library: the kernel's own behaviour with RWF_ATOMIC.
 *
 * Flow: raw.c reads the command line; raw_shot.c makes one write and looks at the disk after it;
 * raw_sweep.c makes many; raw_dirty.c makes them against another writer; raw_facts.c only asks.
 *
 * Rules:
 * VW1 every command prints one line of KEY=value facts.  The exit status is 0 if the call could be
 *     made at all, with any result.  Only the guest's scripts judge, except sweep.
 * VW2 after a write the disk is read back with O_DIRECT, and printed sector by sector.
 */
#ifndef TESTS_VM_RAW_H
#define TESTS_VM_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Values from Linux 7.3 uapi; the headers of Debian 12 do not know them all. */
#define RAW_RWF_DSYNC 0x02
#define RAW_RWF_NOWAIT 0x08
#define RAW_RWF_NOAPPEND 0x20
#define RAW_RWF_ATOMIC 0x40

#define RAW_SECTOR 512U
#define RAW_PAGE 4096U

enum raw_via {
	RAW_PWRITEV2,
	RAW_URING_WRITE,
	RAW_URING_WRITEV,
	RAW_URING_FIXED,
};

/* A command of one of the programs; 2: the arguments are wrong. */
struct raw_command {
	const char *name;
	int (*run)(int argc, char **argv);
};

/* Run the command of argv[1], in NAME.c: the exit status, 2 for an unknown command. */
int raw_run(const char *name, const struct raw_command *commands, size_t count, int argc,
	    char **argv);

/* One write, and the way to make the write. */
struct raw_shot {
	const char *path;
	uint64_t offset;
	uint64_t length;
	int open_flags; /* besides O_RDWR */
	int rwf;	/* RAW_RWF_* */
	enum raw_via via;
	uint32_t segments; /* the buffer as this many iovecs */
	uint32_t misalign; /* buffer address modulo the page */
	uint64_t mapped;   /* bytes of the buffer that are mapped, UINT64_MAX: all */
	uint64_t limit;	   /* RLIMIT_FSIZE while it is made, UINT64_MAX: none */
	uint32_t warm;	   /* make it once before, allowed to wait */
	uint32_t linked;   /* io_uring: link an fsync behind it */
	int fd;		   /* an open descriptor to use, -1: open path */
	/* Makes the write instead, as the library does in library.c. */
	int64_t (*submit)(void *context, const struct raw_shot *shot, int fd, char *buffer);
	void *submit_context;
};

/* The result of one write. */
struct raw_outcome {
	int64_t result;	     /* bytes or negative errno */
	int64_t link_result; /* of the linked fsync */
	int64_t size_before, size_after;
	uint64_t cached; /* pages of the range in the page cache right after it */
	uint64_t kept, new_, zeroed, other; /* sectors of the range */
	int unreadable;	  /* errno of reading the range back: the counts mean nothing */
	uint64_t outside; /* sectors changed in the pages around the range */
};

void raw_shot_init(struct raw_shot *shot, const char *path, uint64_t offset, uint64_t length);
int raw_shoot(const struct raw_shot *shot, struct raw_outcome *outcome);
void raw_outcome_print(FILE *out, const struct raw_outcome *outcome);
const char *raw_result_name(int64_t result, char *buffer, size_t size);
int64_t raw_submit(const struct raw_shot *shot, int fd, char *buffer, int64_t *link_result);
void raw_fill(void *buffer, size_t length, uint64_t seed);
uint64_t raw_seed(void);

int raw_statx_command(int argc, char **argv);
int raw_queue_command(int argc, char **argv);
int raw_confirm_command(int argc, char **argv);
int raw_sweep_command(int argc, char **argv);
int raw_dirty_command(int argc, char **argv);
int raw_fill_command(int argc, char **argv);

#endif /* TESTS_VM_RAW_H */
