/* SPDX-License-Identifier: MIT */
/*
 * Two files in memory below the fake system table: one to write to, one for a journal.
 *
 * Flow: used by the write tests; disk_calls is fake_sys with the entries that touch bytes or
 * cached pages replaced, so that the fields, counters and failures of fake_sys.h apply too.
 *
 * FD1 disk_reset() first: XFS with reflink on a disk that takes 512 bytes to 64 KiB untorn; all
 *     bytes of the file are DISK_OLD.
 * FD2 a call that fails does nothing, unless fail_late is set: then a write is made, and fails.
 * FD3 an untorn write is made whole or not at all, as the kernel does; a write that the kernel
 *     would make through the page cache is made and counted in `tearable`.
 * FD4 fake.inode_flags are the inode's; a buffered page takes INLINE_DATA away.
 * FD5 disk_lose() loses a page of the file, as a failed write-back does: the error is reported
 *     once per description, by any syncing call (errseq_t); a description opened later receives
 *     the error only if nobody has received it.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include "fake_sys.h"

#define DISK_BYTES (320u << 10)
#define DISK_OLD 0x11
#define DISK_JOURNAL_FD 101
#define DISK_FOREVER UINT32_MAX

struct fake_disk {
	uint8_t bytes[2][DISK_BYTES]; /* of FAKE_FD and of DISK_JOURNAL_FD */
	uint64_t size[2];
	uint64_t own_inode; /* the identity of a reopened FAKE_FD */

	/* Results of the next writes: 0: made; > 0: cut short; < 0: that errno. */
	const int *script;
	uint32_t script_left;
	bool fail_late;
	uint64_t piece_max; /* plain writes are cut to this; 0: never */

	/* The page cache, of a raw device or of ext4. */
	uint64_t cached;       /* pages there */
	bool dirty;	       /* and they are dirty */
	uint32_t drops_needed; /* calls of drop_cache() until they are gone */
	uint32_t arrivals;    /* a page comes up in that many of the next calls, behind the check */
	bool arrivals_vanish; /* and is gone when the call returns */
	uint32_t readers;     /* number of next writes that leave a reader's clean page */
	bool no_nowait;	      /* the driver cannot do RWF_NOWAIT */
	uint32_t queue_full;  /* number of next RWF_NOWAIT calls that find no room */

	/* ext4: with a flag of write_look.c set, an untorn write goes through the cache (FD4). */
	uint32_t spoil;	    /* flags that are set in the next write, before its check */
	bool converts_late; /* INLINE_DATA is cleared by the write-back, not by the write */

	/* What was seen. */
	uint32_t untorn, tearable, plain; /* writes of the file that were made, by kind */
	uint32_t vectored;		  /* of all writes, those of several pieces */
	uint32_t moved;			  /* to the end of file, by O_APPEND */
	uint32_t write_backs, drops, syncs;
	uint32_t started;		     /* write-backs without a wait, */
	uint64_t started_first, started_end; /* and where the last one began and ended */
	uint64_t slept_us;
	int write_fd; /* of the last write */
	int sync_fd;  /* of the last fdatasync */
	int open_flags;
};

extern struct fake_disk disk;
extern const struct sys_calls *const disk_calls;

void disk_reset(void);

/* The same machine with a raw device in place of the file. */
void disk_is_device(void);

/* The same machine with ext4, and a file of `blocks` blocks of 512 bytes. */
void disk_is_ext4(uint64_t blocks);
/* A page of the file is lost with this negative errno, which is still to be reported (FD5). */
void disk_lose(int error);

/* The next process: FAKE_FD and DISK_JOURNAL_FD are descriptions opened anew. */
void disk_restart(void);

/* Does this description still hold the report of a lost page? */
bool disk_would_report(int fd);

/* Script the next writes. */
#define DISK_SCRIPT(...)                                                                           \
	do {                                                                                       \
		static const int disk_script[] = {__VA_ARGS__};                                    \
		disk.script = disk_script;                                                         \
		disk.script_left = sizeof(disk_script) / sizeof(disk_script[0]);                   \
	} while (0)

/* Are all bytes of the range this value? */
bool disk_holds(uint64_t offset, uint64_t length, int value);

#endif /* FAKE_DISK_H */
