/* SPDX-License-Identifier: MIT */
/*
 * The journal family: make any write untorn by writing it twice, for one flush.
 *
 * Flow: journal.c opens and closes journals, journal_files.c holds the files attached to them;
 * journal_line.c says whose turn it is; journal_commit.c writes a frame, at the place that
 * journal_space.c gives; journal_home.c does the home writes, journal_checkpoint.c retires
 * frames; journal_recover.c replays what journal_scan.c finds in the ring at open.
 * journal_format.c is the layout.  What the write family may call is in journal.h.
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
 * J9 a failed frame, home write or flush poisons the journal: nothing is retired after it, so
 *    what was acknowledged stays recoverable.
 * J10 frames of a file that is closed or forgotten are retired durably first.
 *
 * One frame is in flight at a time, so only the last frame on disk can be torn.
 */
#ifndef LIBATOMICIO_JOURNAL_INTERNAL_H
#define LIBATOMICIO_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "journal.h"
#include "journal_format.h"
#include "sys.h"

static_assert(JOURNAL_PAGE_LIMIT == JOURNAL_FRAME_LIMIT, "what write may know of the format");

/* Calls that a signal interrupts are made again, so often. */
#define JOURNAL_EINTR_MAX 64u

/* Ranges of void numbers that are told apart. */
#define JOURNAL_VOIDS 64u
/* A torn frame whose number is farther behind the tail's is none of ours. */
#define JOURNAL_AHEAD_MAX (UINT64_C(1) << 32)

#define JOURNAL_SIZE_DEFAULT (UINT64_C(64) << 20)
#define JOURNAL_FRAME_DEFAULT (2u << 20)

/* Frames being filled or written home at one time. */
#define JOURNAL_STAGES 2

/* A ticket of no more bytes is home soon: the next frame waits for it.  Tests set it. */
#ifndef JOURNAL_HOME_SOON
#define JOURNAL_HOME_SOON (128u << 10)
#endif

/* Ranges are indexed by pieces of this size; a power of two.  Tests set it. */
#ifndef JOURNAL_CHUNK_SHIFT
#define JOURNAL_CHUNK_SHIFT 16
#endif
#define JOURNAL_FILTER_BITS 14

/* A group of pages that goes into one frame; on the stack of the thread that writes it. */
struct journal_ticket {
	struct journal_ticket *next;
	pthread_cond_t woken; /* settled, or the first in line and free to lead */
	const void *pages;
	journal_page_at *page_at;
	uint32_t count;
	uint32_t files;	      /* rows that its pages need: one for each run of a file */
	uint64_t data_length; /* of its padded pages */
	uint64_t data_offset; /* of the first of them in the frame */
	uint32_t stage;	      /* that holds its frame */
	bool settled;	      /* framed, or failed with `error` */
	int error;
};

/* A frame in memory. */
struct journal_stage {
	uint8_t *frame;
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
	uint64_t frames, pages, bytes, bytes_written, flushes, checkpoints, group_max, recoveries;
	uint64_t writers, group_sizes[6];
};

struct atomicio_journal {
	const struct sys_calls *sys;
	int fd;
	int caller_fd;
	struct journal_header header; /* the newest on disk */
	uint32_t first_copy;	      /* of the two, the one to write first: damaged, or older */
	bool settled;		      /* it is known to be durable (H2) */
	bool begun;		      /* it is ours: not CLEAN in either copy (H1) */
	bool is_file;		      /* and not a device */
	bool direct;		      /* fd is O_DIRECT: what is read comes from the disk */
	bool uneven;		      /* its copies are not equal */
	uint32_t notes;		      /* ATOMICIO_JOURNAL_NOTE_* of its filesystem */
	uint32_t damaged;	      /* copies that open could not use: bits 1 and 2 (K2) */
	uint8_t *header_block;	      /* to read and write it */

	pthread_mutex_t lock;	/* all below but the filter */
	pthread_cond_t changed; /* for all but the tickets in line */
	bool busy;		/* a thread frames or checkpoints */
	uint32_t state;
	uint64_t head_offset, head_sequence;
	uint64_t live_bytes; /* from the tail to the head, a gap at the end included */
	uint64_t corrupt_offset;
	uint64_t next_sequence; /* if nothing is live: what the next frame must not be below */
	bool tail_torn;
	struct journal_scan scan;
	struct journal_header next_header; /* being put together, by who has the role */
	/* A recovery or a walk of this thread is calling back. */
	_Atomic bool in_callback;
	pthread_t caller;
	struct journal_ticket *waiting, **waiting_end;
	struct journal_file *files;
	struct journal_stage stages[JOURNAL_STAGES];
	struct journal_counters counters;

	_Atomic uint8_t filter[1u << JOURNAL_FILTER_BITS]; /* pieces that live frames touch */
};

/* journal.c */
int journal_create(const struct sys_calls *sys, int fd,
		   const struct atomicio_journal_options *options, size_t options_size);
int journal_open_own(const struct sys_calls *sys, int fd, bool *direct);
bool journal_fits_direct(const struct sys_calls *sys, int fd, uint32_t *align);
/* May the journal be written up to `end`?  -EFBIG: RLIMIT_FSIZE; a write would be a SIGXFSZ. */
int journal_check_limit(const struct atomicio_journal *journal, uint64_t end);
void journal_close_own(const struct sys_calls *sys, int own, int fd);
int journal_look_at(const struct sys_calls *sys, int fd, uint32_t *mode, uint64_t *size);
int journal_open(const struct sys_calls *sys, int fd, struct atomicio_journal **journal);

/*
 * Write a header with this tail into both copies, one after the other, each durable, the damaged
 * or older first (H1): only then may anything rely on it.  The lock need not be held, but the
 * caller must be the only one at work (busy).
 */
int journal_write_header(struct atomicio_journal *journal, uint64_t tail_offset,
			 uint64_t tail_sequence);

/* The same for a header of one's own making, with the next generation. */
int journal_install_header(struct atomicio_journal *journal, const struct journal_header *next);

/*
 * Before the first frame, with lock and role: the header is ours, durably, in both copies (H1), and
 * its tail is behind every number that was used.  Nothing to do from then on.
 */
int journal_begin(struct atomicio_journal *journal);
/* Make sure that the header that was read is durable (H2); with the role. */
int journal_settle_header(struct atomicio_journal *journal);

/* Bytes that a frame of these pages takes at most: each may need a file row of its own. */
static inline uint64_t journal_frame_length(uint64_t count, uint64_t data_length)
{
	return journal_header_length(count, count) + data_length;
}

/* journal_line.c: the lock is held by the caller of all of these. */

/* Take or give back the role of the one thread that frames, checkpoints or recovers. */
void journal_enter(struct atomicio_journal *journal);
void journal_leave(struct atomicio_journal *journal);
/* A ticket is home, or the role is free: wake whoever may go on. */
void journal_wake(struct atomicio_journal *journal);
/* 0 if the journal takes writes, else -EUCLEAN or -ENOTRECOVERABLE. */
int journal_refused(const struct atomicio_journal *journal);
void journal_poison(struct atomicio_journal *journal);

void journal_join_line(struct atomicio_journal *journal, struct journal_ticket *ticket);
/* Wait for the role, to lead a frame; false: somebody else settled the ticket. */
bool journal_await_lead(struct atomicio_journal *journal, struct journal_ticket *ticket);
/* The first in line, if it can share a frame with these, of which each is in no line. */
struct journal_ticket *journal_take(struct atomicio_journal *journal,
				    const struct journal_ticket *with, uint64_t files,
				    uint64_t count, uint64_t data_length);
void journal_settle(struct journal_ticket *ticket, int error);
/* A stage with nobody writing home from it; waits for one. */
struct journal_stage *journal_free_stage(struct atomicio_journal *journal);
/* A ticket with a durable frame goes home from this stage, and is home. */
void journal_depart(struct journal_stage *stage, struct journal_ticket *ticket);
void journal_arrive(struct atomicio_journal *journal, struct journal_ticket *ticket);
void journal_await_homes(struct atomicio_journal *journal);

/* journal_space.c: pure. */

/* Where a frame of this length can go without touching a live one (J7); 0: nowhere. */
uint64_t journal_place_frame(const struct atomicio_journal *journal, uint32_t length);
/* A frame is durable: move the head behind it. */
void journal_advance_head(struct atomicio_journal *journal, const struct journal_frame *frame);

/* journal_checkpoint.c: the same for a thread that has the lock and the role. */
int journal_checkpoint_locked(struct atomicio_journal *journal);

/* journal_index.c */

/* A live frame covers this page, until all are retired. */
void journal_cover(struct atomicio_journal *journal, const struct journal_page *page);
/* Live frames of an earlier run may cover anything. */
void journal_cover_all(struct atomicio_journal *journal);
void journal_uncover_all(struct atomicio_journal *journal);

/* journal_scan.c: find the live frames; called by open, before any other thread. */
int journal_scan(struct atomicio_journal *journal);
void journal_forget_scan(struct atomicio_journal *journal);

/* journal_judge.c: what follows from them. */
void journal_judge(struct atomicio_journal *journal);

/* journal_window.c */

/* An error of the disk at this place, and not of the call. */
bool journal_is_unreadable(int error);
/* Read exactly `length` bytes; -ERANGE: the file ends before them; -EIO: unreadable. */
int journal_read_all(const struct sys_calls *sys, int fd, uint8_t *buffer, uint64_t length,
		     uint64_t offset);

/* What has been read around the frame that is looked at. */
struct journal_window {
	uint8_t *bytes;
	uint64_t room;
	uint64_t offset, length;
};

int journal_window_open(const struct atomicio_journal *journal, struct journal_window *window);
void journal_window_close(const struct atomicio_journal *journal, struct journal_window *window);
/*
 * Have `length` bytes from `offset` on in the window, reading on as far as `end`; *bytes is good
 * until the next call.  With `scan`, unreadable blocks are noted there, and zero.
 */
int journal_window_at(const struct atomicio_journal *journal, struct journal_window *window,
		      struct journal_scan *scan, uint64_t offset, uint64_t length, uint64_t end,
		      uint8_t **bytes);
/* Read a frame that was found, its pages escaped (K1); -EIO: it is no more what it was. */
int journal_window_frame(const struct atomicio_journal *journal, struct journal_window *window,
			 const struct journal_found *found, uint8_t **bytes,
			 struct journal_frame *frame);

/* journal_identity.c: what can be said of the file behind fd, to know it again (K4). */
void journal_identify(const struct sys_calls *sys, int fd, struct journal_identity *identity);
/* Is this the file, or the device, that the journal itself lives in? */
bool journal_is_own_file(const struct atomicio_journal *journal, const struct sys_statx *stat);
/* Is nothing of this file's filesystem left after a power cut? */
bool journal_is_volatile(const struct sys_calls *sys, int fd);

/*
 * Around callbacks, with the role and the lock.  A public call from inside one would wait for the
 * role of its own thread: it asks first, and returns -EDEADLK.
 */
void journal_begin_callbacks(struct atomicio_journal *journal);
void journal_end_callbacks(struct atomicio_journal *journal);
bool journal_is_callback(const struct atomicio_journal *journal);

/* journal_home.c */

/* Write all of a page home. */
int journal_write_home(const struct sys_calls *sys, int fd, int rwf, const uint8_t *data,
		       uint64_t length, uint64_t offset);

/* Write a ticket's pages home from its stage, neighbours in one call; no lock held. */
int journal_go_home(const struct atomicio_journal *journal, const struct journal_ticket *ticket);

#endif /* LIBATOMICIO_JOURNAL_INTERNAL_H */
