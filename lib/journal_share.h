/* SPDX-License-Identifier: MIT */
/*
 * A journal that several processes have open, and use in turns.
 *
 * Flow: journal_share.c opens and closes the journal; journal_turn.c begins and ends turns;
 * journal_lives.c says who lives and who has the turn; journal_vouch.c says which frames of other
 * processes a process may retire.
 *
 * Rules:
 * T1 a turn ends when no home write, sync or header of the turn is in flight.  Outside a turn a
 *    process writes neither to the journal nor, past the journal, to the files.
 * T2 the page lies in the journal's own file.  A process lives as long as the process has the
 *    record lock LIVES, on a file opened and closed by this library alone.  A process that opens
 *    the journal and finds no other living process makes the page anew from the headers and the
 *    ring.  A page from before a reboot, of a copy, or of a time of unshared use is never believed.
 *    The last process to close leaves no valid page.  A page with an unknown epoch was made by a
 *    process that did not see this process, and the ring is read again.  The page is locked in
 *    memory.  A page of an older turn came back from the disk, and is not believed.
 * T3 in_turn is set in the page before a turn's first write, and cleared after the last.  A process
 *    that dies in its turn leaves in_turn set: the next process reads headers and ring again, and
 *    recovers.  Each failure has the same effect.  A loss found outside a turn is a random number
 *    in the page.  A turn that began with the number, and recovered, notes the number as healed.  A
 *    newer loss has a new number, and stays.
 * T4 the page is only a shortcut: a scan of the ring finds all that is lost with the page.
 * O4 a process retires only frames whose home writes were made while its own description of the
 *    file was open: its sync then receives the error of every lost page.  Pages of older frames are
 *    first written home again.  Frames of a file not open in the process stay.
 * T5 an id is one file in all processes (K4).  The page says which file.  A process that opens
 *    another file under the id of live frames is refused.  A process that finds, at the beginning
 *    of a turn, frames of another file under an id of its own fails its handles of this id, and
 *    retires none of these frames.
 *
 * The page is read through a mapping and written by pwrite(2): a full copy-on-write filesystem
 * gives an error to pwrite(2), and SIGBUS to a store.  The page has a place of its own, apart from
 * all direct writes: the kernel drops cached pages beside direct writes, and writes dirty pages
 * back as a whole, by folios of up to 2 MiB.
 */
#ifndef LIBATOMICIO_JOURNAL_SHARE_H
#define LIBATOMICIO_JOURNAL_SHARE_H

#include <string.h>

#include "journal_internal.h"

#ifndef JOURNAL_SHARED_ALIGN /* tests set it */
#define JOURNAL_SHARED_ALIGN (UINT64_C(2) << 20)
#endif
#define JOURNAL_SHARED_MAGIC UINT64_C(0x6e727574206f6974) /* "tio turn" */
/* Files with live frames that the page can name; further files are "some". */
#define JOURNAL_SHARED_FILES 163u

/* Bytes that are locked, far behind every file. */
#define JOURNAL_LOCK_DOOR (UINT64_C(1) << 60)	   /* opens and closes, one at a time */
#define JOURNAL_LOCK_LIVES (JOURNAL_LOCK_DOOR + 1) /* read: a living process; write: the only one */
#define JOURNAL_LOCK_TURN (JOURNAL_LOCK_DOOR + 2)  /* the description's: a turn is under way */
#define JOURNAL_LOCK_OWNER (JOURNAL_LOCK_DOOR + 3) /* and its owner lives; taken before TURN */

/* Longest time in an exit between the drops of record locks and of other locks. */
#define JOURNAL_EXIT_MS 1000u

/* A file with live frames, and the number of the oldest. */
struct journal_shared_file {
	uint64_t file_id;
	uint64_t first;
	uint64_t mark; /* which file the id is of (T5); 0: cannot be told */
};

/* The shared page, in the byte order of the machine: the page never leaves the machine. */
struct journal_shared {
	uint64_t magic;
	uint8_t epoch[16];     /* random, new each time the page is made */
	_Atomic uint64_t word; /* the caller's */
	/* T3: hot while the two fields differ. */
	_Atomic uint32_t lost;	 /* a process has found a loss outside a turn */
	_Atomic uint32_t healed; /* the last `lost` that a turn has recovered */
	/* All fields from here on are written at once, at the end of a turn. */
	_Atomic uint32_t in_turn;
	_Atomic uint32_t hot; /* the next turn has to recover */
	uint64_t turns;
	uint8_t id[JOURNAL_ID_SIZE]; /* of the journal */
	uint64_t generation, tail_offset, tail_sequence;
	uint64_t header_head_offset, header_head_sequence;
	uint64_t head_offset, head_sequence, next_sequence, live_bytes;
	uint32_t header_flags, first_copy, damaged;
	uint8_t settled, begun, uneven, doubtful;
	uint32_t some; /* files have live frames that are not named below */
	uint32_t file_count;
	struct journal_shared_file files[JOURNAL_SHARED_FILES];
	uint32_t crc; /* of all from `turns` on */
	uint32_t reserved_too[3];
};

static_assert(sizeof(struct journal_shared) == JOURNAL_BLOCK, "one page");

struct journal_share {
	struct atomicio_journal *journal;
	int fd;		      /* of the journal's file, not direct: page and locks */
	int pid;	      /* the process that opened the journal */
	const uint32_t *mark; /* 0 in a forked child; NULL: compare the pid */
	uint64_t place;	      /* of the page in the file */
	const struct journal_shared *page;
	bool alone;   /* at open: no other process lived */
	bool on_turn; /* a thread begins or ends a turn */
	_Atomic bool in_turn;
	_Atomic bool trouble; /* something failed: the next turn has to recover */
	uint32_t saw_lost;    /* `lost` before this turn looked at the journal */
	uint8_t epoch[16];    /* of the page last read or written */
	uint64_t turns;	      /* of the same page */
	/* Live frames of files not attached in this process. */
	struct journal_shared_file others[JOURNAL_SHARED_FILES];
	uint32_t other_count;
	bool some;
	/* The list of shared journals of this process: one entry a file. */
	struct journal_share *next;
	uint64_t inode;
	uint32_t device_major, device_minor;
};

/* Was this page made by the maker of the known page?  T2 */
static inline bool journal_share_knows(const struct journal_share *share,
				       const struct journal_shared *page)
{
	return memcmp(share->epoch, page->epoch, sizeof(share->epoch)) == 0;
}

/* journal_share.c */

/*
 * The shared journals of this process.  The crash program, whose processes end anywhere, empties
 * the list.
 */
extern struct journal_share *journal_shares;

/* With fd and the flock: become one of the living processes.  The door stays locked. */
int journal_share_open(struct atomicio_journal *journal);
/* The header was read, and the ring, if no other process lives: make the page, open the door. */
int journal_share_opened(struct atomicio_journal *journal);
/*
 * Lock the door.  True: no other process lives, and no recovery is due; the journal is ours alone.
 */
bool journal_share_closes_last(struct atomicio_journal *journal);
void journal_share_close(struct atomicio_journal *journal);

/* journal_lives.c */

/* Is this process a child of the journal's opener? */
bool journal_is_forked(const struct atomicio_journal *journal);
/*
 * The lock of the turn.  -EBUSY: a living process has the lock.  -EOWNERDEAD: a child of a dead
 * process has it, or a process that lost its record locks by a close of the journal's file.
 */
int journal_share_lock_turn(const struct atomicio_journal *journal, bool wait);
int journal_share_unlock_turn(const struct atomicio_journal *journal);

/* journal_shared.c */

int journal_shared_write(const struct atomicio_journal *journal, const void *from, size_t at,
			 size_t length);
int journal_shared_flag(const struct atomicio_journal *journal, size_t at, uint32_t value);
/* Copy the page; false: the page is not this journal's. */
bool journal_shared_read(const struct atomicio_journal *journal, struct journal_shared *copy);
/* Write the state of the journal into the page; with `anew`, into a new page. */
int journal_shared_publish(struct atomicio_journal *journal, bool anew);
/* T5: has another process live frames of another file under this one's id?  In a turn. */
bool journal_shared_left_another(const struct atomicio_journal *journal,
				 const struct journal_file *file);
/* Take over the state in a page. */
void journal_shared_adopt(struct atomicio_journal *journal, const struct journal_shared *page);

/* journal_turn.c: as atomicio_journal_turn_end(). */
int journal_turn_end(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_SHARE_H */
