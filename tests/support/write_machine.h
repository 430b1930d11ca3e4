/* SPDX-License-Identifier: MIT */
/*
 * Handles on the fake disk, and a policy that follows a script and records each failure.
 *
 * Flow: used by the write tests on top of fake_disk.h.
 */
#ifndef WRITE_MACHINE_H
#define WRITE_MACHINE_H

#include "fake_disk.h"
#include "journal_internal.h"
#include "write.h"

#define PAGE 16384u
#define NEW 0x77
#define SEEN_MAX 1100u

/* A page of NEW, aligned to 4096, with room behind it to be misaligned in. */
extern uint8_t page[2 * 262144];

/* The answers of the scripted policy: in turn, the last for ever. */
struct policy_script {
	uint32_t answers[4];
	uint32_t answer_count;
	uint32_t seen_count;
	struct atomicio_failure seen[SEEN_MAX];
	uint8_t disk[SEEN_MAX]; /* first byte of the range when it was asked */
};

uint32_t policy_scripted(void *context, const struct atomicio_failure *failure);

/* Forget all, and answer FAIL for ever. */
void policy_fails(struct policy_script *script);

/* A write failed once, and the policy heard this. */
void policy_saw(const struct policy_script *script, uint32_t kind, int error, uint64_t reasons);

/* disk_reset(), and the page filled. */
void write_machine(void);

/* Open FAKE_FD, with success.  The counters of calls then start at 0. */
struct atomicio_file *machine_open(const struct atomicio_options *options);

/* A journal on DISK_JOURNAL_FD, laid out and open. */
struct atomicio_journal *machine_journal(void);

/* Open that journal, recover into FAKE_FD, whose id is 1, and close it. */
void machine_recover(void);

/* As when its process dies: the handle's memory goes, and its journal is told nothing. */
void machine_die(struct atomicio_file *file);

struct atomicio_stats machine_stats(const struct atomicio_file *file);

/* Everything taken was given back: call after the close of everything. */
void machine_is_clean(void);

#endif /* WRITE_MACHINE_H */
