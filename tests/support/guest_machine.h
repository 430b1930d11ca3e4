/* SPDX-License-Identifier: MIT */
/*
 * A guest's request and its entry, in memory: the test plays the kernel.
 *
 * Flow: guest_setup() first; the test opens `file`, preps, looks at `entry`, and hands completions
 * to atomicio_uring_done().
 */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include "fake_ring.h"
#include "libatomicio/uring.h"

#define LENGTH 4096
#define USER_DATA UINT64_C(0x1122334455667788)

extern struct atomicio_request request;
extern struct io_uring_sqe entry;
extern struct fake_policy guest_policy; /* the answer, and the questions */
extern struct atomicio_file *file;

void guest_setup(void);
/* Open `file` with a policy of this answer. */
void guest_open(uint32_t answer, uint32_t fallback);

/* Prep with `request` into `entry`, which is full of other bits before.  prep_page(): one page of
 * LENGTH, fake_page(1), at 8192. */
int prep(const void *buffer, size_t length, uint64_t offset, uint32_t flags);
int prep_page(void);

/* The kernel refuses the entry without any effect; or the entry is the page's write. */
void check_failing(void);
void check_write(int rwf);

#endif /* GUEST_MACHINE_H */
