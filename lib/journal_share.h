/* SPDX-License-Identifier: MIT */
/*
 * A journal that several processes have open, and use in turns.
 *
 * Flow: journal_share.c opens and closes it; journal_turn.c begins and ends turns;
 * journal_lives.c says who lives, and has the turn, to the rest of the family as well;
 * journal_vouch.c says which frames of others a process may retire.
 *
 * Rules:
 * T1 a turn ends when no home write, sync or header of it is in flight.  Outside a turn a process
 *    writes neither to the journal nor, past it, to its files.
 * T2 the page lies in the journal's own file.  A process lives as long as it has the record lock
 *    LIVES, on a file that only this library opens and closes in that process.  Who opens the
 *    journal, and finds that no other process lives, makes the page anew from the headers and the
 *    ring: a page from before a reboot, of a copy, or of a time when the journal was used unshared
 *    is never believed.
 *    Who closes as the last leaves no page that can be believed, and a page with another epoch than
 *    the one that a process knows was made by somebody who did not see it: it reads the ring.  The
 *    page is locked in memory; one of an older turn came back from the disk, and is not believed.
 * T3 in_turn is set in the page before a turn's first write, and taken back after its last.  A
 *    process that dies in its turn leaves it set: whoever comes next reads headers and ring again,
 *    and recovers.  So it is after each failure.
 *    A loss that is found outside a turn is a random number in the page.  A turn that began with
 *    it, and recovered, writes it down as healed; one that came meanwhile differs, and stays.
 * T4 the page is only a shortcut: what is lost with it, a scan of the ring finds.
 * O4 a process retires only frames whose home writes were made while its own description of that
 *    file was open, so that its sync is told of every page that was lost.  Of older ones it writes
 *    the pages home again first.  Frames of a file that it has not open it leaves alone.
 *
 * The page is read through a mapping and written by pwrite(2): a full filesystem that copies on
 * write then gives an error, where a store would give SIGBUS.  It has a place of its own, apart
 * from all that is written past the cache, because the kernel drops cached pages beside direct
 * writes, and writes dirty ones back as a whole, by folios of up to 2 MiB.
 */
#ifndef LIBATOMICIO_JOURNAL_SHARE_H
#define LIBATOMICIO_JOURNAL_SHARE_H

#include <string.h>

#include "journal_internal.h"

#ifndef JOURNAL_SHARED_ALIGN /* tests set it */
#define JOURNAL_SHARED_ALIGN (UINT64_C(2) << 20)
#endif
#define JOURNAL_SHARED_MAGIC UINT64_C(0x6e727574206f6974) /* "tio turn" */
/* Files with live frames that the page can name; more are "some". */
#define JOURNAL_SHARED_FILES 245u

/* Bytes that are locked, far behind every file. */
#define JOURNAL_LOCK_DOOR (UINT64_C(1) << 60)	   /* opens and closes, one at a time */
#define JOURNAL_LOCK_LIVES (JOURNAL_LOCK_DOOR + 1) /* read: a living process; write: the only one */
#define JOURNAL_LOCK_TURN (JOURNAL_LOCK_DOOR + 2)  /* the description's: a turn is under way */

/* So long may the exit of a process take between its record locks and its other ones. */
#define JOURNAL_EXIT_MS 1000u

/* A file with live frames, and the number of the oldest. */
struct journal_shared_file {
	uint64_t file_id;
	uint64_t first;
};

/* In the byte order of the machine: it never leaves it. */
struct journal_shared {
	uint64_t magic;
	uint8_t epoch[16];     /* random, new each time the page is made */
	_Atomic uint64_t word; /* the caller's */
	/* T3: hot while they differ. */
	_Atomic uint32_t lost;	 /* somebody was told outside a turn that pages are lost */
	_Atomic uint32_t healed; /* the last of these that a turn has recovered */
	/* From here on written at once, at the end of a turn. */
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
	uint32_t reserved_too;
};

static_assert(sizeof(struct journal_shared) == JOURNAL_BLOCK, "one page");

struct journal_share {
	struct atomicio_journal *journal;
	int fd;		/* of the journal's file, not direct: page and locks */
	int pid;	/* who opened it */
	uint64_t place; /* of the page in the file */
	const struct journal_shared *page;
	bool alone;   /* at open: nobody else lived */
	bool on_turn; /* a thread begins or ends one */
	_Atomic bool in_turn;
	_Atomic bool trouble; /* something failed: the next turn has to recover */
	uint32_t saw_lost;    /* `lost` before this turn looked at the journal */
	uint8_t epoch[16];    /* of the page that was read or written last */
	uint64_t turns;	      /* likewise */
	/* Live frames of files that are not attached here. */
	struct journal_shared_file others[JOURNAL_SHARED_FILES];
	uint32_t other_count;
	bool some;
	/* Who has which file open shared, in this process. */
	struct journal_share *next;
	uint64_t inode;
	uint32_t device_major, device_minor;
};

/* Was this page made by who made the one that we know?  T2 */
static inline bool journal_share_knows(const struct journal_share *share,
				       const struct journal_shared *page)
{
	return memcmp(share->epoch, page->epoch, sizeof(share->epoch)) == 0;
}

/* journal_share.c */

/* Those of this process; the crash program, whose processes end anywhere, empties it. */
extern struct journal_share *journal_shares;

/* With fd and the flock: be one of the living.  The door stays locked. */
int journal_share_open(struct atomicio_journal *journal);
/* The header was read, and where nobody else lives the ring: make the page, open the door. */
int journal_share_opened(struct atomicio_journal *journal);
/* Lock the door; was this the last process, and is all well?  Then the journal is ours. */
bool journal_share_closes_last(struct atomicio_journal *journal);
void journal_share_close(struct atomicio_journal *journal);

/* journal_lives.c */

/* Is this a child of the process that opened it? */
bool journal_is_forked(const struct atomicio_journal *journal);
/* The lock of the turn.  -EOWNERDEAD: held though nobody lives, so by a child of who is dead. */
int journal_share_lock_turn(const struct atomicio_journal *journal, bool wait);
int journal_share_unlock_turn(const struct atomicio_journal *journal);

/* journal_shared.c */

int journal_shared_write(const struct atomicio_journal *journal, const void *from, size_t at,
			 size_t length);
int journal_shared_flag(const struct atomicio_journal *journal, size_t at, uint32_t value);
/* A copy of the page; false: it is none of this journal's. */
bool journal_shared_read(const struct atomicio_journal *journal, struct journal_shared *copy);
/* Say in the page how things are; with `anew`, in a new one. */
int journal_shared_publish(struct atomicio_journal *journal, bool anew);
/* Take over what a page says. */
void journal_shared_adopt(struct atomicio_journal *journal, const struct journal_shared *page);

/* journal_turn.c: as atomicio_journal_turn_begin() and _end(). */
int journal_turn_begin(struct atomicio_journal *journal, bool wait);
int journal_turn_end(struct atomicio_journal *journal);

#endif /* LIBATOMICIO_JOURNAL_SHARE_H */
