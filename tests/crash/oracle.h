/* SPDX-License-Identifier: MIT */
/*
 * The oracle: the promises made so far, and whether an image of the homes keeps them.
 *
 * Flow: world.c reports the begin and the end of each write; explore.c shows the image after a
 * recovery.
 *
 * Every write has a unique tag, which fills its sectors together with file and place: each sector
 * names its write.  `base` is the image that must be there.  An optional group was under way, or
 * failed, or was not yet durable; the group may be in the image whole, on top of the base, or not
 * at all.  A right image is the base with some of the optional groups, in their order.
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"

#define HOME_SECTORS (DISK_HOME_SIZE / SECTOR)
#define ORACLE_OPS 4u
#define ORACLE_OPTIONAL 10u
#define ORACLE_FIBERS 3u
#define ORACLE_UNDER_WAY 8u /* by fibers, and by requests of a ring */

#define TAG_ZERO 0u	   /* sectors of zeroes */
#define TAG_FIRST 1u	   /* the first bytes of the homes */
#define TAG_BROKEN 0xffffu /* torn inside a sector, or in a wrong place */

/* The sectors of one home in one write. */
struct oracle_op {
	uint64_t mask;
	uint16_t tag;
	uint16_t home; /* 0 to 2 */
};

struct oracle_group {
	struct oracle_op ops[ORACLE_OPS];
	uint32_t count;
	bool is_volatile; /* done, and durable with the next sync of its file */
	bool by_kernel;	  /* not through the journal: recovery does not make it durable */
	bool is_loose;	  /* no group: each page for itself */
	bool may_tear;	  /* a write of somebody else, without the library */
};

struct oracle {
	uint16_t base[DISK_HOMES][HOME_SECTORS];
	struct oracle_group optional[ORACLE_OPTIONAL];
	uint32_t optional_count;
	struct oracle_group under_way[ORACLE_UNDER_WAY];
	bool is_under_way[ORACLE_UNDER_WAY];
	/* Acknowledged while others were under way: the order of the two is open. */
	struct oracle_group crowd[ORACLE_UNDER_WAY];
	uint32_t crowd_count;
	uint16_t tags; /* given out */
	bool journal_made;
};

/* The outcome of a write. */
enum oracle_end {
	ORACLE_NOTHING,	 /* refused: nothing was written */
	ORACLE_UNKNOWN,	 /* failed: there or not, whole */
	ORACLE_VOLATILE, /* done, durable later */
	ORACLE_DURABLE,	 /* acknowledged: must be there */
};

void oracle_reset(struct oracle *oracle);
uint16_t oracle_tag(struct oracle *oracle);
/* Add one write to a group, in the order of the group. */
void oracle_add(struct oracle_group *group, uint32_t file, uint64_t offset, uint64_t length,
		uint16_t tag);
void oracle_begin(struct oracle *oracle, uint32_t fiber, const struct oracle_group *group);
void oracle_end(struct oracle *oracle, uint32_t fiber, enum oracle_end end);
/* A sync of this file succeeded. */
void oracle_synced(struct oracle *oracle, uint32_t file);
/* A sync of this file failed: no later sync makes the lost bytes durable. */
void oracle_lost(struct oracle *oracle, uint32_t file);
/* The machine or the process is gone: what was under way is optional. */
void oracle_crashed(struct oracle *oracle);

/* The data of one write. */
void oracle_fill(uint8_t *data, uint32_t file, uint64_t offset, uint64_t length, uint16_t tag);

/*
 * Do these homes keep the promises?  If yes, and with `settle`, the homes become the base (except
 * volatile groups, if `killed`).
 */
bool oracle_check(struct oracle *oracle, const uint8_t homes[DISK_HOMES][DISK_HOME_SIZE],
		  bool settle, bool killed);
/* Say how they differ. */
void oracle_explain(const struct oracle *oracle, const uint8_t homes[DISK_HOMES][DISK_HOME_SIZE]);

#endif /* CRASH_ORACLE_H */
