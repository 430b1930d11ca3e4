/* SPDX-License-Identifier: MIT */
/*
 * The journal family: make any write untorn by writing the page twice, with one flush.
 *
 * Flow: journal.c opens and closes journals, journal_files.c holds the attached files;
 * journal_line.c orders the writers; journal_commit.c writes a frame, at the place found by
 * journal_space.c; journal_home.c does the home writes, in the runs of journal_runs.c and through
 * the couriers of journal_aio.c; journal_checkpoint.c retires frames; journal_recover.c replays the
 * live frames found by journal_scan.c at open.  journal_format.c is the layout.  journal.h has the
 * functions for the write family.
 *
 * Rules, cited where they are kept:
 * J1 a frame is durable before any of its home writes starts.
 * J2 home files are durable before a frame is retired.
 * J3 no write that bypasses the journal touches a range covered by a live frame.
 * J4 recovery replays a frame only if id, place, sequence and checksums are right.
 * J5 recovery obeys J1 and J2, replays in sequence order, may be killed anywhere and run again.
 * J6 a torn last frame is ignored: by J1 its homes are old.  Its sequence number is never used
 *    again, or the remains could become whole under the next frame's number.  A bad frame before a
 *    later good one is corruption: reported, never skipped.
 * J7 a full ring checkpoints and waits; no live frame is ever overwritten.
 * J8 overlapping writes reach home in frame order.
 * J9 a failed frame poisons the journal; a failed home write or flush fails its file alone (K7).
 *    In both cases the live frames are not retired, and every acknowledged page stays recoverable.
 * J10 frames of a file being closed or forgotten are retired durably first.
 *
 * One frame, or one chain, is in flight at a time: only the last frame on disk can be torn.
 *
 * The disk, as open and recovery read it:
 * H1 the journal header has two copies, written one after the other, each durable, the damaged or
 *    older first.  Space is reused, a number skipped and CLEAN cleared only after both.
 * H2 bytes read at open are proven durable before an attach, a forget or a frame relies on them.
 * H3 a table in the header says durably which files are done; recovery obeys the table.
 * H4 unreadable is not torn: an unreadable place stops recovery where an acknowledged frame may
 *    hide, and nowhere else.
 * K1 no payload is ever taken for a frame: pages are escaped, and no scan looks into a frame.
 * K2 a damaged copy of the header is noted, and never gives the state before it in silence.
 * K3 a clean journal is opened without a scan, an unclean ring is read once, and open writes
 *    nothing.
 * K4 a frame names its files; recovery leaves all other files alone.
 * K5 a group too long for any frame is a chain of frames: journal_chain.c.
 * K6 obstacles of a home write are looked for before the frame: journal_claim.c.
 * K7 a file in trouble fails alone, and its frames stay live: journal_fail.c.
 * K8 recovery does not believe the page cache: see journal_replay.c.
 * K9 where a filesystem only passes RWF_DSYNC on, a sync follows each write of the journal.
 * K10 no thread holds the lock while a disk works, and a hanging file stops no other file.
 * K11 a durable frame is a commit: the write returns 0, even if its home write fails.
 * N1 sequence numbers may be missing: void, unless a frame vouches for their durability.
 * N2 a chain of frames is replayed whole or not at all.
 * N3 checksums are of the pages without their escape, as homes get them.
 * N4 the pages of one frame do not overlap.
 * O3 live frames are of two generations.  A retirement ends the old generation as a whole.
 */
#ifndef LIBATOMICIO_JOURNAL_INTERNAL_H
#define LIBATOMICIO_JOURNAL_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "journal.h"
#include "journal_format.h"
#include "journal_found.h"
#include "sys.h"
#include "sys_flight.h"

/* NOLINTNEXTLINE(misc-redundant-expression): two names of one number */
static_assert(JOURNAL_PAGE_LIMIT == JOURNAL_FRAME_LIMIT, "what write may know of the format");

/* Limit for repeating a call that a signal interrupted. */
#define JOURNAL_EINTR_MAX 64u

/* A torn frame whose number is farther behind the tail's is not a frame of this journal. */
#define JOURNAL_AHEAD_MAX (UINT64_C(1) << 32)

#define JOURNAL_SIZE_DEFAULT (UINT64_C(64) << 20)
#define JOURNAL_FRAME_DEFAULT ((4u << 20) + (32u << 10)) /* 256 pages of 16 KiB, of any files */
#define JOURNAL_FRAME_SMALL (2u << 20)			 /* or half of a ring too small for it */

/*
 * Frames being filled or written home at one time.  More than two exist only where home writes
 * hang, and a file with hanging writes may not have the last (K10).
 */
#define JOURNAL_STAGES 8
#define JOURNAL_STAGES_FIRST 2
#define JOURNAL_STAGES_SPARE 2
/* Tickets with homes on their way together. */
#define JOURNAL_COURIERS 4

/*
 * A ticket of at most JOURNAL_HOME_SOON bytes is home soon: the next frame waits for the ticket.
 * Tests set this.
 */
#ifndef JOURNAL_HOME_SOON
#define JOURNAL_HOME_SOON (128u << 10)
#endif
/* A ticket not home after JOURNAL_SOON_MS is late: the next frame does not wait for the ticket. */
#define JOURNAL_SOON_MS 5
/* After a longer sync or home write, pages are carried for writers of other files (C1). */
#define JOURNAL_SLOW_MS 250

#define JOURNAL_RANGES_FEW 4

/* Guests (journal_guest.h): places of frames that were cancelled, and frames on their way. */
#define JOURNAL_HOLES 64u
#define JOURNAL_GUEST_FRAMES_LIMIT 64u

/* Ranges are indexed by pieces of this size; a power of two.  Tests set this. */
#ifndef JOURNAL_CHUNK_SHIFT
#define JOURNAL_CHUNK_SHIFT 16
#endif
#define JOURNAL_FILTER_BITS 14

/* Bytes of a file that a ticket writes. */
struct journal_extent {
	struct journal_file *file;
	uint64_t offset, end;
};

/* A group of pages for one frame, or for a chain of its own; on the stack of the writing thread. */
struct journal_ticket {
	struct journal_ticket *next;
	struct journal_behind *behind;	  /* journal_behind.c; NULL: the call waits for the homes */
	struct journal_chain *chain;	  /* journal_chain.c; NULL: shares one frame */
	pthread_cond_t woken;		  /* answered, or the first in line and free to lead */
	const struct journal_page *pages; /* until the call returns */
	struct journal_extent *ranges;	  /* sorted, neighbours merged */
	uint32_t range_count;
	uint32_t count;			 /* pages */
	uint32_t files;			 /* rows for its pages: one for each run of a file */
	uint32_t stage;			 /* with its frame */
	uint32_t first_page;		 /* in the frame */
	struct journal_courier *courier; /* NULL: homes go one by one */
	uint64_t bytes;			 /* of its pages */
	uint64_t data_length;		 /* of them padded */
	uint64_t data_offset;		 /* of its first page in the frame */
	const uint8_t *data;		 /* of its first page in memory */
	uint32_t generation;		 /* at the time of its frame */
	bool leaves;			 /* it goes home behind its call */
	bool late;			 /* not home after JOURNAL_SOON_MS */
	bool answered;			 /* framed, or failed with `error` */
	int error;
	struct journal_extent few[JOURNAL_RANGES_FEW];
};

/* A frame in memory. */
struct journal_stage {
	uint8_t *frame;
	struct journal_run *runs;      /* room for one run a page: tickets have their own parts */
	struct iovec *vectors;	       /* likewise, behind the runs */
	struct journal_ticket *homing; /* tickets framed but not yet home */
};

struct journal_counters {
	uint64_t frames, pages, bytes, checkpoints, group_max, recoveries;
	uint64_t writers, group_sizes[6], failed_files, carried;
	_Atomic uint64_t bytes_written, flushes; /* headers are written without the lock */
};

/* In the order of reading; one exists per journal. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct atomicio_journal {
	const struct sys_calls *sys;
	int fd;
	int caller_fd;
	struct journal_header header; /* the newest on disk */
	uint32_t first_copy;	      /* to write first: the damaged or older copy */
	_Atomic bool settled;	      /* known to be durable (H2) */
	bool begun;		      /* ours: not CLEAN in either copy (H1) */
	bool is_file;		      /* and not a device */
	bool direct;		      /* fd is O_DIRECT: reads come from the disk */
	bool uneven;		      /* the copies differ */
	bool doubtful;		      /* a write of a copy failed, and may be on the disk */
	uint32_t notes;		      /* ATOMICIO_JOURNAL_NOTE_* of the filesystem */
	uint32_t damaged;	      /* copies not usable at open: bits 1 and 2 (K2) */
	uint8_t *header_block;	      /* to read and write the header */
	bool delegates;		      /* RWF_DSYNC is not enough on its filesystem (K9) */
	bool noappend;		      /* fd is the caller's, and may have RWF_NOAPPEND */

	pthread_condattr_t clock; /* of all conditions below: monotonic */
	pthread_mutex_t lock;	  /* all below but the filter */
	pthread_cond_t changed;	  /* for all but the tickets in line */
	bool busy;		  /* a thread has the role: to frame or to recover */
	uint32_t state;
	uint64_t head_offset, head_sequence;
	uint64_t whole_sequence, whole_end, doubt; /* journal_guest.h */
	uint32_t frame_room;			   /* the largest frame of a stage */
	uint64_t memory;			   /* taken at open */
	uint64_t live_bytes; /* from the tail to the head, a gap at the end included */
	uint64_t corrupt_offset;
	uint64_t next_sequence; /* lower limit for the next frame if nothing is live */
	/* Where the frames found at open end; and the void numbers up to our own (N1). */
	uint64_t base_offset, base_sequence;
	uint64_t void_first;
	uint32_t void_count;
	bool tail_torn;
	struct journal_scan scan;
	struct journal_kept *kept;   /* by recoveries: journal_target.c */
	struct journal_share *share; /* journal_share.h; NULL: the journal is not shared */
	/* The header being put together, by a move of the tail or a recovery. */
	struct journal_header next_header;
	/* A recovery or a walk of this thread is calling back. */
	_Atomic bool in_callback;
	pthread_t caller;
	struct journal_ticket *waiting, **waiting_end;
	uint32_t homing; /* tickets on their way home, in all stages */
	struct journal_file *files;
	bool two_ways; /* one of them has, or had, a direct handle and a buffered one (BH4) */
	struct journal_rest *rests; /* of files closed, or not recovered */
	bool rests_carried;	    /* in this retirement */

	/* Retirement: journal_checkpoint.c. */
	uint32_t generation; /* of the frames being written */
	bool retiring;	     /* the generation before is being retired, up to the mark: */
	uint64_t mark_offset, mark_sequence;
	bool moving_tail;	    /* headers are being written */
	uint32_t readers;	    /* of live frames: the tail may not pass them */
	uint64_t step;		    /* of retirement: the number of the last begun step */
	struct sys_flights flights; /* requests on their way (R2) */
	uint32_t syncs_out;	    /* syncs of files on their way */
	bool tail_out;		    /* a header is on its way */
	bool tail_second;	    /* the header on its way is the second copy */
	bool tail_by_call;	    /* a sent header has failed */
	bool tail_failed;	    /* R4: wait for a thread that needs room */
	bool collecting;	    /* a thread waits for requests */
	bool look_again;	    /* a sync has ended, and the thread that syncs the same file
				     * notes the result */
	struct sys_flight tail_flight;
	struct journal_behind *behind; /* homes without a waiter */

	/* The last stage is for chains, which have memory of their own. */
	struct journal_stage stages[JOURNAL_STAGES + 1];
	struct journal_courier *couriers;
	struct journal_guests *_Atomic guests; /* NULL: none yet */
	struct journal_counters counters;

	/* The answer of info while a recovery changes all fields above without the lock. */
	struct atomicio_journal_info at_callbacks;
	_Atomic bool poisoned; /* as state says */
	/* Pieces with live frames, by the generation's parity. */
	_Atomic uint8_t filter[2][1u << JOURNAL_FILTER_BITS];
};

/* journal.c */
int journal_create(const struct sys_calls *sys, int fd,
		   const struct atomicio_journal_options *options, size_t options_size);
int journal_open_own(const struct sys_calls *sys, int fd, bool *direct);
bool journal_fits_direct(const struct sys_calls *sys, int fd, uint32_t *align);
/*
 * -EOPNOTSUPP: the caller's description, and the caller set O_APPEND: writes would go to the end.
 */
int journal_check_append(const struct atomicio_journal *journal);
/*
 * As journal_check_append(), and is a write up to `end` allowed?  -EFBIG: RLIMIT_FSIZE would raise
 * SIGXFSZ.
 */
int journal_check_limit(const struct atomicio_journal *journal, uint64_t end);
void journal_close_own(const struct sys_calls *sys, int own, int fd);
/* Type and size of a file or a block device, else -EINVAL. */
int journal_size_of(const struct sys_calls *sys, int fd, uint32_t *mode, uint64_t *size);
/* As journal_size_of(), for a descriptor open for reading and writing, else -EBADF. */
int journal_check_fd(const struct sys_calls *sys, int fd, uint32_t *mode, uint64_t *size);

/* journal_header.c: find the newest of the two copies, and the fault of the second. */
int journal_read_header(struct atomicio_journal *journal);
/* Encode a header into header_block, if the copy may be written: 0, -EOPNOTSUPP or -EFBIG. */
int journal_encode_copy(struct atomicio_journal *journal, const struct journal_header *header,
			uint32_t copy);

/*
 * Write a header with the given tail into both copies, one after the other, each durable, the
 * damaged or older copy first (H1).  Nothing may rely on the header before.  For a thread alone
 * with the journal.
 */
int journal_write_header(struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence);
/* journal_write_header() in steps: with the lock, without the lock, with the lock. */
void journal_next_header(const struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence, struct journal_header *next);
int journal_put_headers(struct atomicio_journal *journal, const struct journal_header *header);
void journal_adopt_header(struct atomicio_journal *journal, const struct journal_header *next,
			  int error);

/* With nothing live: the next frame goes to the head, with a number never used before. */
void journal_empty_header(struct atomicio_journal *journal, struct journal_header *next);

/* As journal_write_header(), for a header made by the caller, with the next generation. */
int journal_install_header(struct atomicio_journal *journal, const struct journal_header *next);

/* Make the header read at open surely durable (H2); with the role. */
int journal_settle_header(struct atomicio_journal *journal);

/* No room on the journal's filesystem. */
static inline bool journal_is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* journal_begin.c: with the lock, which is dropped for the work. */

/* Wait until no thread writes headers, and no header is on its way. */
void journal_await_tail(struct atomicio_journal *journal);
/* Make the header read at open surely durable (H2). */
int journal_prove_header(struct atomicio_journal *journal);
/*
 * With the role, before a frame: does its journal accept one?  Before the first, the header is made
 * ours, durably, in both copies (H1).
 */
int journal_first_frame(struct atomicio_journal *journal);

/*
 * journal_carry.c: with lock and role, frame the pages of failed files of the old generation again,
 * and with `slow` the pages of hanging files.  -ENOSPC: more than may be carried.
 */
int journal_carry(struct atomicio_journal *journal, bool slow);

/*
 * Several processes, as the rest of the family sees them: journal_share.h.  The functions are
 * cheap, and say no for an unshared journal.
 */

/* A failure: the next turn has to recover.  With the lock. */
void journal_share_note_trouble(struct atomicio_journal *journal);
/* 1: no other living process has the journal open; 0: another has; or an error of the lock. */
int journal_share_is_alone(const struct atomicio_journal *journal);
/*
 * journal_vouch.c: before a retirement, with the lock, which may be dropped: may this process
 * retire the live frames (O4)?  -EBUSY: no.  Without a live frame of file_id (0: of any file) the
 * answer is yes.
 */
int journal_vouch(struct atomicio_journal *journal, uint64_t file_id, bool has_role);
/* Open and close of the journal's file, see journal_share.h. */
int journal_share_check(const struct sys_calls *sys, int fd);
/* All live frames were recovered. */
void journal_shared_forget(struct atomicio_journal *journal);
void journal_shared_leave(struct atomicio_journal *journal, const struct journal_file *file);
void journal_shared_find(struct atomicio_journal *journal, struct journal_file *file);
/* -EEXIST: live frames of this id are of another file.  As far as can be known now. */
int journal_shared_check(const struct atomicio_journal *journal, const struct journal_file *file);

#include "journal_home.h"
#include "journal_line.h"
#include "journal_pins.h"
#include "journal_retire.h"
#include "journal_ring.h"

#endif /* LIBATOMICIO_JOURNAL_INTERNAL_H */
