/* SPDX-License-Identifier: MIT */
/*
 * A simulated disk with a volatile cache, under the library's system table.
 *
 * Flow: crash.c restores a snapshot, explore.c runs a scenario over disk_sys until a crash point,
 * and tries each fate of each write that was not yet durable.
 *
 * Model:
 * - A file has durable bytes, and the bytes that reads see.  A write is seen at once, and becomes
 *   durable by a sync, or by RWF_DSYNC when the call returns.
 * - At a power cut each write that is not durable was kept, dropped, or torn at any sector; an
 *   untorn write (RWF_ATOMIC) was kept or dropped.  A killed process loses no seen bytes, but the
 *   kill makes no byte durable.
 * - RWF_DSYNC makes the written range durable (as FUA), or with `dsync_flushes` also all earlier
 *   writes to the same file (as a flush).
 * - A sync that was begun and not waited for covers the writes before its beginning.
 * - A write-back that failed leaves the seen bytes, which no later sync makes durable any more.
 *   The error is reported once to each open description.
 * - With `server` all is left to a server, which drops RWF_DSYNC.  With `full` no home grows.
 * - With `cache_lies` the cache of a home calls the bytes of a failed write-back clean: a write
 *   over them through the cache changes nothing on the disk.  A direct read, or any read after
 *   dropping the cache, sees the bytes of the disk.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

#define SECTOR 512u
#define DISK_FILES 4u /* 0: the journal; 1 to 3: homes */
#define DISK_HOMES 3u
#define DISK_JOURNAL 0u
#define DISK_HOME_SIZE 16384u
#define DISK_JOURNAL_SIZE 98304u /* room for the largest journal */
#define DISK_PENDING 64u
#define DISK_POOL (1u << 20)
#define DISK_DESCRIPTIONS 80u
#define DISK_PROCESSES 3u
#define DISK_RECORDS 4u /* bytes of the journal that are locked */
#define DISK_PIECE_SECTORS 64u

/* The caller's descriptors: of file n, direct and buffered. */
#define DISK_FD(file) ((int)(file) + 10)
#define DISK_FD_BUFFERED(file) ((int)(file) + 14)

/* One write that is not durable yet, or a piece of a large one. */
struct disk_pending {
	uint32_t file;
	uint32_t offset;
	uint32_t sectors;
	uint32_t data;	 /* in the pool */
	uint64_t mask;	 /* sectors that no later durable write has covered */
	uint32_t number; /* of the write, in the order of the writes */
	bool untorn;
	bool lost; /* no sync will write it any more */
};

struct disk_description {
	bool open;
	bool direct;
	uint32_t file;
	uint32_t seen; /* write-back errors already reported */
	uint32_t process;
	bool flock_shared;
	uint32_t locked; /* of the bytes that are locked, by bits, for the description */
};

/* The state that a crash can leave behind; snapshots are copies. */
struct disk_state {
	uint8_t durable_journal[DISK_JOURNAL_SIZE];
	uint8_t durable_home[DISK_HOMES][DISK_HOME_SIZE];
	uint8_t seen_journal[DISK_JOURNAL_SIZE];
	uint8_t seen_home[DISK_HOMES][DISK_HOME_SIZE];
	uint64_t size[DISK_FILES];
	uint32_t errors[DISK_FILES];   /* write-backs that failed */
	uint32_t reported[DISK_FILES]; /* of these, reported to anyone */
	uint32_t writes;	       /* made */
	uint32_t randoms;	       /* ids handed out: no two are the same */
	struct disk_pending pending[DISK_PENDING];
	uint32_t pending_count;
	uint32_t in_flight; /* the last of the pending, which belong to the call cut short */
	uint32_t air;	    /* except these, which were in the air (disk_aio.c) */
	uint32_t pool_used;
	uint8_t pool[DISK_POOL];
};

/* The effect of a fault on the call hit. */
enum disk_fault {
	FAULT_NONE,
	FAULT_NOTHING,	 /* the write fails with nothing written; a sync fails, all is lost */
	FAULT_HALF,	 /* the write fails with its first half seen */
	FAULT_ALL,	 /* the write fails with all of it seen */
	FAULT_WRITEBACK, /* before the call, a write-back of one home fails: nobody has heard yet */
	/* The calling process is killed in the call; the machine and other processes go on. */
	FAULT_KILLED_BEFORE,
	FAULT_KILLED_HALF,
	FAULT_KILLED_AFTER,
	FAULT_KINDS,
};

struct disk {
	struct disk_state state;

	/* How it behaves; set by the explorer. */
	bool dsync_flushes;
	bool journal_buffered; /* the journal's file cannot be opened direct */
	bool server;
	bool full;
	bool cache_lies;    /* and file 2 cannot be opened direct */
	uint32_t stop_call; /* crash in this call; UINT32_MAX: never */
	uint32_t fault_call;
	enum disk_fault fault;
	uint32_t fault_file; /* of FAULT_WRITEBACK */
	bool aio_backwards;
	bool aio_slow;	    /* requests land only when somebody waits for them */
	uint32_t busy_call; /* the call that gives -EAGAIN once, with nothing written */

	/* One run of the library. */
	uint32_t calls;	       /* writes and syncs so far */
	uint32_t journal_lock; /* descriptor that holds the lock, 0: none */
	bool faulted;
	uint32_t process;  /* that makes the calls */
	uint32_t stranger; /* another file lies in the place of this file; 0: none */
	bool stranger_written;
	void (*killed)(void);			      /* the caller is dead; NULL: impossible */
	uint8_t record[DISK_PROCESSES][DISK_RECORDS]; /* record locks: enum sys_lock */
	struct disk_description descriptions[DISK_DESCRIPTIONS];
	size_t arena_used;
	void (*crash)(void);  /* leaves the run; does not return */
	void (*before)(void); /* before each write or sync: another thread may run */
};

extern struct disk disk;
extern const struct sys_calls disk_sys;

uint8_t *disk_durable(struct disk_state *state, uint32_t file);
uint8_t *disk_seen(struct disk_state *state, uint32_t file);

/* Copy a state without the unused part of its pool. */
void disk_copy(struct disk_state *to, const struct disk_state *from);

/* A new machine: nothing but the homes' first contents, written by the caller. */
void disk_reset(void);

/* A process starts: descriptors, lock, memory and call counts are new. */
void disk_boot(void);

/* The number of fates of a pending write, and the sectors kept in one fate. */
uint32_t disk_fates(const struct disk_pending *pending);
uint64_t disk_fate(const struct disk_pending *pending, uint32_t fate);

/* A power cut at `from`: each pending write meets its fate; in `to` nothing is pending. */
void disk_cut_power(struct disk_state *to, const struct disk_state *from, const uint16_t *fates);

/*
 * The process is killed: of the call under way, nothing (0), the first half (1) or all (2) is
 * seen; nothing else is lost, and nothing becomes durable.
 */
void disk_kill(struct disk_state *state, uint32_t part);

/* Write behind the library's back, by another program. */
void disk_write_foreign(uint32_t file, uint64_t offset, const void *data, uint32_t length);

#endif /* CRASH_DISK_H */
