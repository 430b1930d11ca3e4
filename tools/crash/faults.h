/* SPDX-License-Identifier: MIT */
/*
 * Faults that a server makes on demand.
 *
 * Flow: control.c adds them, in words; the servers ask fault_of() at each operation.
 *
 * A fault is chosen by range, by the n-th request, or by content: on a filesystem that copies on
 * write a page never returns to its place, and a fault by range would never fire.  Every fault
 * counts its uses, and a server lists at its end the faults that never fired.
 *
 *	fault OPERATION ACTION [nth=N] [every=N] [times=N] [at=OFFSET+LENGTH] [content=TEXT]
 *
 * OPERATION is read, write, flush or discard; ACTION an errno's name, "drop" (report success only),
 * "tear" (do the first half, then EIO), "slow=MILLISECONDS" or "hang".  nth counts the requests
 * that match from here on, 1 is the next; times=0 is for ever, and 1 the default; every=N lets N -
 *1 pass between two that it meets.
 */
#ifndef CRASH_FAULTS_H
#define CRASH_FAULTS_H

#include <stddef.h>
#include <stdint.h>

#define FAULT_HANG UINT32_MAX

enum fault_operation { FAULT_READ, FAULT_WRITE, FAULT_FLUSH, FAULT_DISCARD };
enum fault_action { FAULT_NONE, FAULT_ERROR, FAULT_DROP, FAULT_TEAR, FAULT_SLOW };

struct fault {
	enum fault_operation operation;
	enum fault_action action;
	int error;	/* a positive errno */
	uint32_t delay; /* milliseconds, or FAULT_HANG */
	uint64_t nth, every, times;
	uint64_t offset, length; /* length 0: anywhere */
	char content[64];	 /* "": any */
	uint64_t seen, fired;
};

#define FAULTS_MAX 32u

struct faults {
	struct fault list[FAULTS_MAX];
	uint32_t count;
};

/* Read a fault's words, which are changed.  Returns NULL, or a sentence about the mistake. */
const char *fault_add(struct faults *faults, char *words);

/* The fault for this request, or NULL.  `bytes` may be NULL. */
const struct fault *fault_of(struct faults *faults, enum fault_operation operation,
			     const void *bytes, uint64_t length, uint64_t offset);

/* The name of an errno such as "EIO" as a positive number, or 0. */
int fault_errno(const char *name);

#endif /* CRASH_FAULTS_H */
