/* SPDX-License-Identifier: MIT */
/*
 * An io_uring in memory, with disks in memory for its writes and those of pwritev2.
 *
 * Flow: fake_ring_reset() first; handles are opened over fake_ring_sys (fake_sys with disks),
 * queues are made over fake_ring_calls; fields of `fake_ring` order the failures.
 *
 * FR1 descriptors FAKE_FD to FAKE_FD + FAKE_DISKS - 1 are disks of FAKE_DISK_SIZE bytes.
 * FR2 an entry is consumed in order, and completed in any order; its bytes reach the disk when it
 *     completes with its full length.
 * FR3 a wait for a completion that will never come fails with EBADR, as in Linux since 5.19.
 */
#ifndef FAKE_RING_H
#define FAKE_RING_H

#include "fake_sys.h"
#include "sys_ring.h"
#include "write.h"
#include "write_entry.h"

#define FAKE_DISKS 70
#define FAKE_DISK_SIZE 65536

struct fake_ring_system {
	int create_result;
	uint32_t entries; /* of the submission queue, 0: the depth */
	uint32_t seed;	  /* order of completion; 0: as consumed */

	/* The result of an entry or a pwritev2 call, number 1 on; NULL: its full length. */
	int64_t (*result)(const struct io_uring_sqe *entry, uint32_t number);

	/* What goes wrong.  Numbers count from 1; 0: never. */
	uint32_t consume_max;	/* an enter() consumes no more */
	uint32_t enter_fail_at; /* this enter() and fail_times - 1 more ... */
	uint32_t enter_fail_times;
	int enter_error;	/* ... return this */
	bool enter_fails_late;	/* ... although they have consumed entries */
	uint32_t drop_at;	/* this completion vanishes */
	uint32_t duplicate_at;	/* this completion comes twice */
	uint32_t stray_at;	/* beside this completion comes one of no entry */
	bool idle;		/* enter() consumes and completes nothing, and says 0 */
	uint32_t late_from;	/* completions from this number on ... */
	uint32_t late_sleeps;	/* ... come only after so many sleeps */
	void (*on_enter)(void); /* called in each enter() */
	uint32_t fdatasync_at;	/* this fdatasync ... */
	int fdatasync_error;	/* ... fails with this */
	uint32_t cached_for;	/* looks of cachestat that still see a page */
	bool dirty;		/* and it is dirty */

	/* What was seen. */
	uint32_t created, destroyed;
	uint32_t enters, consumed, completed, numbered;
	uint32_t in_flight, in_flight_max;
	uint32_t without_flag; /* writes that lacked RWF_ATOMIC or RWF_NOAPPEND */
	uint32_t with_dsync;
	uint32_t plain_calls; /* of pwritev2, but for the confirming ones of open */
	uint32_t fdatasyncs;
	uint32_t write_backs, started_write_backs, drops, sleeps;
	struct io_uring_sqe last;
};

extern struct fake_ring_system fake_ring;
extern uint8_t fake_disk_bytes[FAKE_DISKS][FAKE_DISK_SIZE];
extern struct sys_calls fake_ring_sys;
extern const struct sys_ring_calls fake_ring_calls;

/* Files that take writes of 4 to 16 KiB untorn, all by hardware. */
void fake_ring_reset(void);

/* A handle on disk `disk`. */
struct atomicio_file *fake_ring_open(uint32_t disk, const struct atomicio_options *options);

/* Bytes that name their write. */
const void *fake_page(uint32_t seed);
void fake_disk_write(uint32_t disk, uint64_t offset, uint64_t length, uint32_t seed);
bool fake_disk_holds(uint32_t disk, uint64_t offset, uint64_t length, uint32_t seed);

/* A policy that remembers. */
struct fake_policy {
	uint32_t answer;
	uint32_t seen;
	struct atomicio_failure last;
};
uint32_t fake_decide(void *context, const struct atomicio_failure *failure);

struct atomicio_stats fake_stats(const struct atomicio_file *file);

#endif /* FAKE_RING_H */
