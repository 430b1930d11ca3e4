/* SPDX-License-Identifier: MIT */
/*
 * The agreement between the guest, which writes until the kill, and the judge on the host.
 *
 * Flow: crash.sh restores a machine; kill_guest.c in the guest asks for a command, checks the files
 * after the last cut and writes on; kill_judge.c gives the command, keeps the records, kills and
 * judges.
 *
 * Rules:
 * M1 guest and judge talk through a separate disk, whose server is the judge: sector 0 reads as the
 *    command, every write is a record.  A record is written O_DIRECT, and is in the judge's memory
 *    when the write returns, whenever the machine is killed.
 * M2 a lane is one thread, with pages that no other lane writes.  Operations are numbered; guest
 *    and judge compute operation n from the life's seed.  The number is the version of the written
 *    pages.  DONE n is sent after n returned and before n + 1 begins: at the cut at most one number
 *    above the last DONE has begun.
 * M3 every sector of a page carries target, page, place, life, version, and a sum over all five.
 */
#ifndef TESTS_VM_KILL_H
#define TESTS_VM_KILL_H

#include <stdbool.h>
#include <stdint.h>

#define KILL_SECTOR 512U
#define KILL_DISKS 3U
#define KILL_TARGETS 6U
#define KILL_LANES 3U
#define KILL_PAGES 128U
#define KILL_PAGE_MAX 65536U
#define KILL_GROUP 4U
#define KILL_MAGIC 0x6b696c6cU
#define KILL_TORN UINT64_MAX

enum kill_way {
	KILL_JOURNAL, /* through the library's journal, over two files */
	KILL_KERNEL,  /* through the library, RWF_ATOMIC: XFS's copy on write */
	KILL_NAKED,   /* RWF_DSYNC without the library: the control, which must tear */
};

struct kill_target {
	const char *name;
	uint32_t disk, pages, page_size, lanes;
	enum kill_way way;
};

extern const struct kill_target kill_targets[KILL_TARGETS];
extern const char *const kill_filesystems[KILL_DISKS];

enum kill_kind { KILL_WRITE, KILL_ALL_OR_NONE, KILL_SYNC, KILL_CHECKPOINT };

struct kill_op {
	enum kill_kind kind;
	bool dsync;
	uint32_t count; /* of pages, 0 for SYNC and CHECKPOINT */
	uint32_t pages[KILL_GROUP];
};

/* Operation `number`, from 1, of a lane. */
void kill_plan(const struct kill_target *target, uint64_t life, uint32_t lane, uint64_t number,
	       struct kill_op *op);
uint64_t kill_random(uint64_t *state);
void kill_stamp(void *page, const struct kill_target *target, uint64_t life, uint32_t number,
		uint64_t version);
/* The version of a page, or KILL_TORN: its sectors are not one page of one version. */
uint64_t kill_read(const void *page, const struct kill_target *target, uint64_t life,
		   uint32_t number);

struct kill_command {
	uint32_t magic;
	uint32_t disks; /* how many there are */
	uint32_t fresh; /* bit d: disk d is to be filled first */
	uint32_t check; /* 1: only check */
	uint64_t life[KILL_DISKS];
	uint64_t start[KILL_TARGETS][KILL_LANES]; /* each lane's first number */
};

enum kill_record_kind {
	KILL_MADE = 1,	/* disk: the files are there and durable */
	KILL_RECOVERED, /* target, number: what the journal's recovery did */
	KILL_FOUND,	/* target: versions[] of all its pages */
	KILL_BEGUN,	/* disk: its lanes start now */
	KILL_DONE,	/* target, lane, number */
	KILL_WRONG,	/* text: a call failed; the test is over */
};

struct kill_record {
	uint32_t magic;
	uint32_t kind;
	uint32_t disk, target, lane;
	uint32_t tail_torn; /* of RECOVERED */
	uint64_t number;
	char text[KILL_SECTOR - 32];
	uint64_t versions[KILL_PAGES]; /* FOUND only: other records end before */
};

#endif /* TESTS_VM_KILL_H */
