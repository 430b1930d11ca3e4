/* SPDX-License-Identifier: MIT */
/*
 * The journal family: make any write untorn by writing it twice, for one flush.
 *
 * Flow: journal.c opens and closes journals, journal_files.c holds the files attached to them;
 * journal_line.c says whose turn it is; journal_commit.c writes a frame, at the place that
 * journal_space.c gives; journal_home.c does the home writes, in the runs of journal_runs.c and
 * through the couriers of journal_aio.c; journal_checkpoint.c retires frames; journal_recover.c
 * replays what journal_scan.c finds in the ring at open.  journal_format.c is the layout.  What the
 * write family may call is in journal.h.
 *
 * Rules, cited where they are kept:
 * J1 a frame is durable before any of its home writes starts.
 * J2 home files are durable before a frame is retired.
 * J3 no write that bypasses the journal touches a range that a live frame covers.
 * J4 recovery replays a frame only if id, place, sequence and checksums are right.
 * J5 recovery obeys J1 and J2, replays in sequence order, may be killed anywhere and run
 *    again.
 * J6 a torn last frame is ignored: by J1 its homes are old.  Its sequence number is not used
 *    again, or its remains could become whole under the next one.  A bad frame with a later
 *    one behind it is corruption: reported, never skipped.
 * J7 a full ring checkpoints and waits; it never overwrites a live frame.
 * J8 overlapping writes reach home in frame order.
 * J9 a failed frame poisons the journal; a failed home write or flush fails its file alone (K7).
 *    Their frames are not retired, so what was acknowledged stays recoverable.
 * J10 frames of a file that is closed or forgotten are retired durably first.
 *
 * One frame, or one chain, is in flight at a time, so only the last on disk can be torn.
 *
 * What is on disk, and what open and recovery make of it:
 * H1 the journal header has two copies, written one after the other, each durable, the damaged or
 *    older first.  Space is reused, a number skipped and CLEAN cleared only after both.
 * H2 what was read is proven durable before an attach, a forget or a frame relies on it.
 * H3 a table in the header says durably which files are done; recovery obeys it.
 * H4 unreadable is not torn: it stops recovery where an acknowledged frame may hide, and nowhere
 *    else.
 * K1 no payload is ever taken for a frame: pages are escaped, and no scan looks into a frame.
 * K2 a damaged copy of the header is noted, and never gives the state before it in silence.
 * K3 a clean journal is opened without a scan, an unclean ring is read once, and open writes
 *    nothing.
 * K4 a frame says which files it is for; recovery leaves other files alone.
 * K5 a group that no frame holds is a chain of them: journal_chain.c.
 * K8 recovery does not believe the page cache: see journal_replay.c.
 * N1 sequence numbers may be missing: void, unless a frame says that they were durable.
 * N2 a chain of frames is replayed whole or not at all.
 * N3 checksums are of the pages without their escape, and homes get them so.
 */
#ifndef LIBATOMICIO_JOURNAL_INTERNAL_H
#define LIBATOMICIO_JOURNAL_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "journal.h"
#include "journal_format.h"
#include "sys.h"

/* NOLINTNEXTLINE(misc-redundant-expression): two names of one number */
static_assert(JOURNAL_PAGE_LIMIT == JOURNAL_FRAME_LIMIT, "what write may know of the format");

/* Calls that a signal interrupts are made again, so often. */
#define JOURNAL_EINTR_MAX 64u

/* Ranges of void numbers that are told apart. */
#define JOURNAL_VOIDS 64u
/* A torn frame whose number is farther behind the tail's is none of ours. */
#define JOURNAL_AHEAD_MAX (UINT64_C(1) << 32)

#define JOURNAL_SIZE_DEFAULT (UINT64_C(64) << 20)
#define JOURNAL_FRAME_DEFAULT ((4u << 20) + (32u << 10)) /* 256 pages of 16 KiB, of any files */
#define JOURNAL_FRAME_SMALL (2u << 20)			 /* or half of a ring that is too small */

/*
 * Frames being filled or written home at one time.  There are more than two only where home writes
 * hang, and a file that has some may not have the last (K10).
 */
#define JOURNAL_STAGES 8
#define JOURNAL_STAGES_FIRST 2
#define JOURNAL_STAGES_SPARE 2
/* Tickets that may have homes on their way together. */
#define JOURNAL_COURIERS 4

/* A ticket of no more bytes is home soon: the next frame waits for it.  Tests set it. */
#ifndef JOURNAL_HOME_SOON
#define JOURNAL_HOME_SOON (128u << 10)
#endif
/* What is not home by then is late, and nobody waits for it any more. */
#define JOURNAL_SOON_MS 5
/* A sync or a home write that takes longer is carried for writers of other files (S1). */
#define JOURNAL_SLOW_MS 250

#define JOURNAL_RANGES_FEW 4

/* Ranges are indexed by pieces of this size; a power of two.  Tests set it. */
#ifndef JOURNAL_CHUNK_SHIFT
#define JOURNAL_CHUNK_SHIFT 16
#endif
#define JOURNAL_FILTER_BITS 14

/* Bytes of a file that a ticket writes. */
struct journal_extent {
	struct journal_file *file;
	uint64_t offset, end;
};

/*
 * A group of pages that goes into one frame, or into a chain of its own; on the stack of the thread
 * that writes it.
 */
struct journal_ticket {
	struct journal_ticket *next;
	struct journal_chain *chain; /* journal_chain.c; NULL: it shares one frame */
	pthread_cond_t woken;	     /* settled, or the first in line and free to lead */
	const void *pages;
	journal_page_at *page_at;
	struct journal_extent *ranges; /* sorted; neighbours are one */
	uint32_t range_count;
	uint32_t count;			 /* pages */
	uint32_t files;			 /* rows that its pages need: one for each run of a file */
	uint32_t stage;			 /* that holds its frame */
	uint32_t first_page;		 /* there */
	struct journal_courier *courier; /* NULL: its homes go one by one */
	uint64_t bytes;			 /* of its pages */
	uint64_t data_length;		 /* of them padded */
	uint64_t data_offset;		 /* of the first of them in the frame */
	const uint8_t *data;		 /* there, in memory */
	uint32_t generation;		 /* in which it was framed */
	bool late;			 /* on its way home for longer than JOURNAL_SOON_MS */
	bool settled;			 /* framed, or failed with `error` */
	int error;
	struct journal_extent few[JOURNAL_RANGES_FEW];
};

/* A frame in memory. */
struct journal_stage {
	uint8_t *frame;
	struct journal_run *runs;      /* room for one each page: tickets have their own parts */
	struct iovec *vectors;	       /* likewise, behind the runs */
	struct journal_ticket *homing; /* tickets framed but not yet home */
};

/* A part of the ring, or of the sequence numbers. */
struct journal_range {
	uint64_t offset;
	uint64_t length;
};

/* A live frame that open found. */
struct journal_found {
	uint64_t sequence;
	uint64_t offset;
	uint64_t durable_to;
	uint64_t chain_first;
	uint32_t chain_index;
	uint32_t flags;
	uint32_t length;
	bool aborted; /* of a chain that is not whole: not replayed (N2) */
};

/* What a live frame says of a file, each only once or a few times. */
struct journal_row {
	struct journal_identity identity;
	uint64_t last; /* number of the last frame that says so */
};

/* What the scan of an unclean ring found. */
struct journal_scan {
	struct journal_found *found; /* in the order of the ring, and of the numbers */
	uint32_t count, room;
	uint32_t live; /* of them: what is to be replayed */
	struct journal_row *rows;
	uint32_t row_count, row_room;
	struct journal_range *bad; /* what cannot be read (H4) */
	uint32_t bad_count, bad_room;
	struct journal_range voids[JOURNAL_VOIDS]; /* numbers that frames name as void (N1) */
	uint32_t void_count;
	uint64_t durable_to; /* the highest of all frames */
	uint64_t torn_max;   /* the highest number of a frame that is not whole, 0: none */
	uint64_t checked;    /* bytes */
	bool disordered;     /* numbers that no journal of ours can have */
};

struct journal_counters {
	uint64_t frames, pages, bytes, checkpoints, group_max, recoveries;
	uint64_t writers, group_sizes[6], failed_files, carried;
	_Atomic uint64_t bytes_written, flushes; /* headers are written without the lock */
};

/* In the order of reading; there is only one of it. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct atomicio_journal {
	const struct sys_calls *sys;
	int fd;
	int caller_fd;
	struct journal_header header; /* the newest on disk */
	uint32_t first_copy;	      /* of the two, the one to write first: damaged, or older */
	_Atomic bool settled;	      /* it is known to be durable (H2) */
	bool begun;		      /* it is ours: not CLEAN in either copy (H1) */
	bool is_file;		      /* and not a device */
	bool direct;		      /* fd is O_DIRECT: what is read comes from the disk */
	bool uneven;		      /* its copies are not equal */
	bool doubtful;		      /* the last write of one failed, and may be on the disk */
	uint32_t notes;		      /* ATOMICIO_JOURNAL_NOTE_* of its filesystem */
	uint32_t damaged;	      /* copies that open could not use: bits 1 and 2 (K2) */
	uint8_t *header_block;	      /* to read and write it */
	bool delegates;		      /* its file's: RWF_DSYNC is not enough (K9) */
	bool noappend;		      /* fd is the caller's, and RWF_NOAPPEND may hold for it */

	pthread_condattr_t clock; /* of all conditions here: monotonic */
	pthread_mutex_t lock;	  /* all below but the filter */
	pthread_cond_t changed;	  /* for all but the tickets in line */
	bool busy;		  /* a thread frames or recovers: it has the role */
	uint32_t state;
	uint64_t head_offset, head_sequence;
	uint32_t frame_room; /* the largest frame of a stage */
	uint64_t memory;     /* taken at open */
	uint64_t live_bytes; /* from the tail to the head, a gap at the end included */
	uint64_t corrupt_offset;
	uint64_t next_sequence; /* if nothing is live: what the next frame must not be below */
	/* Where what open found ends, and our own frames begin; and the numbers between that no
	 * frame will ever have (N1). */
	uint64_t base_offset, base_sequence;
	uint64_t void_first;
	uint32_t void_count;
	bool tail_torn;
	struct journal_scan scan;
	/* Being put together, by who moves the tail, or recovers. */
	struct journal_header next_header;
	/* A recovery or a walk of this thread is calling back. */
	_Atomic bool in_callback;
	pthread_t caller;
	struct journal_ticket *waiting, **waiting_end;
	uint32_t homing; /* tickets on their way home, in all stages */
	struct journal_file *files;
	struct journal_rest *rests; /* of files that are closed, or were not recovered */
	bool rests_carried;	    /* in this retirement */

	/* Retirement: journal_checkpoint.c. */
	uint32_t generation; /* of frames that are written now */
	bool retiring;	     /* the generation before is being retired, up to the mark: */
	uint64_t mark_offset, mark_sequence;
	bool moving_tail; /* headers are being written */
	uint32_t readers; /* of live frames: the tail may not pass them */

	/* The last is of chains, which have memory of their own. */
	struct journal_stage stages[JOURNAL_STAGES + 1];
	struct journal_courier *couriers;
	struct journal_counters counters;

	/* What info tells while a recovery changes all this without the lock. */
	struct atomicio_journal_info at_callbacks;
	_Atomic bool poisoned; /* as state says */
	/* Pieces that live frames touch, by the generation's parity. */
	_Atomic uint8_t filter[2][1u << JOURNAL_FILTER_BITS];
};

/* journal.c */
int journal_create(const struct sys_calls *sys, int fd,
		   const struct atomicio_journal_options *options, size_t options_size);
int journal_open_own(const struct sys_calls *sys, int fd, bool *direct);
bool journal_fits_direct(const struct sys_calls *sys, int fd, uint32_t *align);
/* -EOPNOTSUPP: its description is the caller's, who gave it O_APPEND: all would go to the end. */
int journal_check_append(const struct atomicio_journal *journal);
/* The same, and may it be written up to `end`?  -EFBIG: RLIMIT_FSIZE would be a SIGXFSZ. */
int journal_check_limit(const struct atomicio_journal *journal, uint64_t end);
void journal_close_own(const struct sys_calls *sys, int own, int fd);
int journal_look_at(const struct sys_calls *sys, int fd, uint32_t *mode, uint64_t *size);

/* Find the newest of the two copies, and what is wrong with the other. */
int journal_read_header(struct atomicio_journal *journal);

/*
 * Write a header with this tail into both copies, one after the other, each durable, the damaged
 * or older first (H1): only then may anything rely on it.  For who is alone.
 */
int journal_write_header(struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence);
/* The same in steps: with the lock, without it, with it. */
void journal_next_header(const struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence, struct journal_header *next);
int journal_put_headers(struct atomicio_journal *journal, const struct journal_header *header);
void journal_adopt_header(struct atomicio_journal *journal, const struct journal_header *next,
			  int error);

/* The same for a header of one's own making, with the next generation. */
int journal_install_header(struct atomicio_journal *journal, const struct journal_header *next);

/*
 * Before the first frame, with lock and role: the header is ours, durably, in both copies (H1), and
 * its tail is behind every number that was used.  Nothing to do from then on.
 */
int journal_begin(struct atomicio_journal *journal);
/* Make sure that the header that was read is durable (H2); with the role. */
int journal_settle_header(struct atomicio_journal *journal);

/* No room on the journal's filesystem. */
static inline bool journal_is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* Bytes that a frame of these pages takes at most: each may need a file row of its own. */
static inline uint64_t journal_frame_length(uint64_t count, uint64_t data_length)
{
	return journal_header_length(count, count) + data_length;
}

/* journal_line.c: the lock is held by the caller of all of these. */

/* Take or give back the role of the one thread that frames or recovers. */
void journal_enter(struct atomicio_journal *journal);
void journal_leave(struct atomicio_journal *journal);
/* A ticket is home, or the role is free, or something is retired: wake whoever may go on. */
void journal_wake(struct atomicio_journal *journal);
/* False: the time is over. */
bool journal_wait(struct atomicio_journal *journal, pthread_cond_t *cond, uint32_t milliseconds);
/* 0 if the journal takes writes, else -EUCLEAN or -ENOTRECOVERABLE. */
int journal_refused(const struct atomicio_journal *journal);
void journal_poison(struct atomicio_journal *journal);

void journal_join_line(struct atomicio_journal *journal, struct journal_ticket *ticket);
/* Wait for the role, to lead a frame; false: somebody else settled the ticket. */
bool journal_await_lead(struct atomicio_journal *journal, struct journal_ticket *ticket);
/* The first in line that can share a frame with these, of which each is in no line. */
struct journal_ticket *journal_take(struct atomicio_journal *journal,
				    const struct journal_ticket *with, uint64_t files,
				    uint64_t count, uint64_t data_length);
void journal_settle(struct journal_ticket *ticket, int error);
/* A stage with nobody writing home from it; waits for one. */
struct journal_stage *journal_free_stage(struct atomicio_journal *journal);
/* A ticket with a durable frame goes home from this stage, and is home. */
void journal_depart(struct atomicio_journal *journal, struct journal_stage *stage,
		    struct journal_ticket *ticket);
void journal_arrive(struct atomicio_journal *journal, struct journal_ticket *ticket);

/* journal_space.c: pure. */

/* Give a frame, or all of a chain that begins with `first`, its number, and what it says of others
 * (N1). */
void journal_number(const struct atomicio_journal *journal, struct journal_frame *frame,
		    uint64_t first);

/* Bytes of the ring that only carrying may use (S1); 0: the ring is too small for it. */
uint64_t journal_reserve(const struct journal_header *header);
/* So much may be carried at most. */
uint64_t journal_pinned_limit(const struct journal_header *header);
/* Where a frame of this length can go without touching a live one (J7), `keep` bytes being left
 * after it; 0: nowhere. */
uint64_t journal_place_frame(const struct atomicio_journal *journal, uint64_t length,
			     uint64_t keep);
/* What gaps between frames can take at most: at the end of the ring, and before what is unreadable.
 */
uint64_t journal_gaps(const struct atomicio_journal *journal);
/* A frame is durable: move the head behind it. */
void journal_advance_head(struct atomicio_journal *journal, const struct journal_frame *frame);
/* Bytes from a tail to a head, of which one frame at least lies between them. */
uint64_t journal_distance(const struct journal_header *header, uint64_t tail, uint64_t head);

/* journal_commit.c: no lock.  The frame is staged; its header is made here. */
int journal_write_frame(const struct atomicio_journal *journal, uint8_t *bytes,
			const struct journal_frame *frame);

/* Put a page into a frame whose files and header_length are set; where the next one goes. */
uint64_t journal_stage_page(uint8_t *bytes, const struct journal_frame *frame, uint32_t index,
			    uint32_t row, uint64_t at, const struct journal_page *page);
/* With the lock: before a frame, whether its journal takes it (H1); what is behind one. */
int journal_first_frame(struct atomicio_journal *journal);
bool journal_has_failed(const struct journal_ticket *ticket);
void journal_cover_ticket(struct atomicio_journal *journal, const struct journal_ticket *ticket,
			  uint64_t sequence);
int journal_frame_error(int error);

/* journal_checkpoint.c: the lock is held, and dropped for the work. */

/* Retire all live frames of an id, or (0) of all files that have not failed. */
int journal_retire(struct atomicio_journal *journal, uint64_t file_id);
/* Those that were written through one handle. */
int journal_retire_file(struct atomicio_journal *journal, const struct journal_file *file);
/*
 * With the role: where a frame of this length can go; or (NULL) see that so many bytes of the ring
 * are free.  -ENOSPC: live frames are pinned (S1).
 */
int journal_make_room(struct atomicio_journal *journal, const struct journal_ticket *for_whom,
		      uint64_t length, uint64_t *offset);
/* Make sure that the header that open read is durable (H2). */
int journal_prove_header(struct atomicio_journal *journal);
/* Everything below this frame is retired, once both headers say so. */
int journal_move_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence);

/*
 * journal_carry.c: with lock and role, frame the pages of failed files of the old generation
 * again, and with `slow` of those that hang.  -ENOSPC: more than may be carried.
 */
int journal_carry(struct atomicio_journal *journal, bool slow);

#include "journal_home.h"
#include "journal_ring.h"

#endif /* LIBATOMICIO_JOURNAL_INTERNAL_H */
