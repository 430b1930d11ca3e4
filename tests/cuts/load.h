/* SPDX-License-Identifier: MIT */
/* Shared by the files of the load (load.c). */
#ifndef CUTS_LOAD_H
#define CUTS_LOAD_H

#include <stdint.h>

struct atomicio_file;
struct atomicio_journal;

#define LENGTH 16384u
#define SLOTS 48u /* a file: 16 single pages, then groups of four of each file, then a chain */
#define WORDS (LENGTH / sizeof(uint64_t))
#define GROUP 4u
#define GROUP_SLOT 16u
#define GROUPS 4u
#define CHAIN 8u /* pages of each file: more than a frame holds */
#define CHAIN_SLOT 32u

enum { DIRECT, BUFFERED, FILES };

extern int load_fds[FILES];

/* Wrong usage, or what should not fail did. */
_Noreturn void load_fail(const char *what, int error);

/* A page of this slot and version. */
void load_fill(uint64_t *page, uint64_t key, uint64_t version);

/* load_ring.c: write through the journal in a ring, for ever. */
void load_ring(struct atomicio_journal *journal, struct atomicio_file *const *files,
	       uint64_t version);

/* load_check.c: 0, or 1 if a page is none that the lines on standard input allow. */
int load_check(void);

/* load_raw.c: a block device over this file, removed with its last descriptor. */
int load_raw(const char *path);

#endif /* CUTS_LOAD_H */
