/* SPDX-License-Identifier: MIT */
/*
 * The loss family: who lost a page?
 *
 * Flow: above sys, below journal and write: sys <- loss <- journal <- write.  Each written file has
 * one struct loss.  Every sync of the file goes through loss, and every error of a call that may
 * have synced the file is put to loss.  Loss alone holds the witness, and alone calls fdatasync and
 * write-back on data files.
 *
 * The trouble: a call with a sync (RWF_DSYNC, O_DSYNC, an inode with S_SYNC, a mount with `sync`,
 * fdatasync, sync_file_range) may return the error of any earlier write-back of the file, with the
 * device's errno, and once to each description (errseq_t;
 * mm/filemap.c:file_check_and_advance_wb_err, 4.13 to 7.3).  Neither the errno nor the call says
 * whether the present write failed or an earlier page is lost, and the next sync says 0.
 *
 * Rules:
 * L1 the witness is a description of our own.  Nothing is written through the witness and nobody
 *    else knows it: no call, not even the caller's fsync, can use up its report.
 * L2 only a sync of the witness says that nothing was lost.  No errno is harmless by its number.
 * L3 a loss is for ever: noted under the lock in which it was received, and every later sync fails.
 * L4 without a witness the strict reading holds: any error of a call that may have synced may be a
 *    loss, and fails the next sync.
 * L5 where a filesystem leaves durability to somebody else (FUSE, 9p, overlay, unknown), the
 *    written descriptions are synced as well: a sync may reach the written descriptions alone.
 * L6 where a filesystem is known to say 0 once wrongly (XFS at its shutdown, seen on 6.18: 19 pages
 *    after one fdatasync, 0 of 30 rounds after two), a sync before a retirement of frames asks
 *    twice.
 * L7 a flush that fails in the device is reported to one call and kept nowhere, unlike an error of
 *    write-back (block/blk-flush.c; seen on 6.18): the next flush says 0.  The witness's 0
 *    therefore acquits only while no acknowledged write waits for a flush; else the strict reading
 *    of L4 holds for the error.  Exception: errors by which the kernel refuses a write before its
 *    start, or each refusal would cost the handle and its fallback.  No block device gives ENOTBLK,
 *    EFAULT, ENOSYS, EPERM or EACCES to a flush (block/blk-core.c: blk_errors, 4.13 to 7.3).
 *    EINVAL and EOPNOTSUPP are possible for a flush, too: the writer repeats the write without its
 *    flush, and if the repeat succeeds, the first was not refused, and loss_doubt() is called.  A
 *    sync may run between the write's start and the reading of its error, and take the waiting
 *    writes.  Therefore loss_mark() is read before the write.  The strict reading holds if a write
 *    waited at the mark, or a taking sync began or ended after the mark.  Not covered: EAGAIN,
 *    which a page in the cache gives in passing; and EINVAL and EOPNOTSUPP of a write not repeated
 *    (see write_was_not_refused()).  One window is not covered either: the flush of a write fails,
 *    the flush of a concurrent sync succeeds, and the sync returns before the write, still on its
 *    way out of the kernel.  The concurrent sync says 0, the next sync fails.  To close the window,
 *    a sync would count the durable writes under way, and wait for them: two atomic operations for
 *    each durable write.
 * L8 a child after fork(2) has the parent's witness, the same description with one cursor.  A sync
 *    in the child would use up the parent's report: the child has none (L4).  A process is known by
 *    its pid, asked only in a sync and after an error.  The first child of a new pid namespace,
 *    made by the first process of its own namespace, has its parent's pid.
 * L9 a sync begun and not waited for is a sync of the witness as well, and its result may be the
 *    only report of a loss.  No other sync is made, no witness is asked and no 0 is returned before
 *    the result is noted: the caller waits for the result.
 */
#ifndef LIBATOMICIO_LOSS_H
#define LIBATOMICIO_LOSS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys.h"
#include "sys_flight.h"

struct loss {
	const struct sys_calls *sys;
	int fd;	       /* of untorn writes and of write-back */
	int caller_fd; /* of plain writes, and of home writes without home_fd; often fd */
	int home_fd;   /* of home writes; -1: none */
	int witness;   /* L1; -1: none (L4) */
	int deputy;    /* a second witness, for EINTR alone; -1: none */
	int pid;       /* of the opener; nobody else asks the witness (L8) */
	bool is_device;
	bool delegates; /* L5 */
	bool stacked;	/* its pages are another inode's: only fdatasync reports */
	bool lies_once; /* L6 */

	pthread_mutex_t lock;	/* one sync at a time; guards all below but the atomics */
	_Atomic uint64_t begun; /* syncs; changed under the lock */
	uint64_t done;		/* number of the last success */
	int32_t lost;		/* L3: the errno of the loss; 0: nothing was lost */
	/* L4, L7: an error, perhaps of a loss, for the next sync to return. */
	_Atomic int32_t unreported;
	_Atomic uint32_t unsynced; /* L7: 1: a write was acknowledged since the last sync began */
	_Atomic uint64_t took;	   /* L7: odd while a sync with `unsynced` is under way */
	_Atomic uint64_t syncs;	   /* made by loss_sync() without LOSS_RETIRE */
	_Atomic uint32_t *poison;  /* set to 1 with the loss; NULL: nobody's */

	/* L9, changed under the lock. */
	struct sys_flights *flights; /* the flight is a sync */
	struct sys_flight flight;
	_Atomic bool flying; /* begun, and its result not yet noted */
	bool flight_again;   /* L6: the second sync is still to be made */
	bool flight_took;    /* L7 */
	uint64_t flight_number;
	int32_t flown; /* the result of the last */
};

/* Flags of loss_open(). */
#define LOSS_NO_WITNESS 0x1u /* do not open a witness */

/* Flags of loss_sync(). */
#define LOSS_RETIRE 0x1u /* before a retirement of frames: L6 */

/*
 * Fill *loss for a file written through `fd` and `caller_fd`, which may be equal.  The descriptors
 * stay the caller's, and open until loss_close().  *poison, unless NULL, becomes 1 with a loss.  A
 * missing witness is no error: see loss_has_witness().  No memory is taken.  Returns 0 or an error
 * of statx(2) or fcntl(2), with nothing to close then.
 */
int loss_open(struct loss *loss, const struct sys_calls *sys, int fd, int caller_fd, uint32_t flags,
	      _Atomic uint32_t *poison);

/* Closing the witness drops the process's POSIX record locks on the file, as every close(2). */
void loss_close(struct loss *loss);

/* Home writes go through this description, which stays the caller's.  Before any sync. */
static inline void loss_add_home(struct loss *loss, int fd)
{
	loss->home_fd = fd;
}

/* A write was acknowledged and is not yet durable, or not yet at home. */
static inline void loss_note_unsynced(struct loss *loss)
{
	if (!atomic_load_explicit(&loss->unsynced, memory_order_relaxed))
		atomic_store_explicit(&loss->unsynced, 1, memory_order_relaxed);
}

/* For loss_ask(): to be read before a call with a possible sync. */
static inline uint64_t loss_mark(const struct loss *loss)
{
	return atomic_load_explicit(&loss->took, memory_order_relaxed);
}

/* The largest size of the file, INT64_MAX: none, or unknown without a witness. */
uint64_t loss_largest_size(const struct loss *loss);

static inline bool loss_has_witness(const struct loss *loss)
{
	return loss->witness >= 0;
}

/*
 * Make durable all writes before the call, and say whether a page of the file was lost since
 * loss_open().  Waits; waiting threads share a sync (not with LOSS_RETIRE).  Calls nothing but sys
 * and holds no lock but its own: callers may hold any lock.
 *
 * Returns 0; -EINTR: not synced, but nothing is lost, call again; a negative errno: the loss,
 * reported by this call first, or a failed sync, which looks alike; -ENOTRECOVERABLE: an earlier
 * call has found the loss.
 */
int loss_sync(struct loss *loss, uint32_t flags);

/*
 * loss_flight.c: a sync with LOSS_RETIRE, begun and not waited for.  The sync covers everything
 * written before loss_begin_sync().
 *
 * Returns 0: on its way, to be ended by loss_end_sync(); -EBUSY: another sync of the file is under
 * way, try again later; -ENOTRECOVERABLE: an earlier call has found a loss; any other: not possible
 * for this file, or not now, and loss_sync() has to do (no AIO, no witness, a filesystem that
 * delegates).
 */
int loss_begin_sync(struct loss *loss, struct sys_flights *flights);
/*
 * -EBUSY: not ended yet, or another sync is just noting the result; else as loss_sync().  No wait.
 */
int loss_end_sync(struct loss *loss);
/* Would loss_end_sync() have an answer? */
bool loss_sync_ended(const struct loss *loss);
/* With the lock: wait until no sync is on its way (L9). */
void loss_await_flight(struct loss *loss);

/*
 * A call that may have synced the file, begun after `mark` was read, returned `error`: was a page
 * of the file lost?  With `may_wait` the witness is asked, at the price of an fdatasync.  Without
 * `may_wait` the answer is 0: the witness still holds the report for the next sync.
 *
 * Returns 0: no loss is known; else the loss, a negative errno.
 */
int loss_ask(struct loss *loss, int error, uint64_t mark, bool may_wait);

/* Could this error be a flush's as well as a refusal's (L7), and would a flush's be a loss? */
bool loss_may_be_flush(const struct loss *loss, int error, uint64_t mark);

/* The write was not refused: a loss unknown to the witness fails the next sync. */
void loss_doubt(struct loss *loss, int error);

/*
 * Write the cached pages of a range back, and wait.  An error is put to loss_ask().
 * Returns as loss_ask(): 0, or the loss.
 */
int loss_write_back(struct loss *loss, uint64_t offset, uint64_t length);

/* Only start the write-back: no wait, and no result. */
void loss_start_write_back(struct loss *loss, uint64_t offset, uint64_t length);

/*
 * May a write through fd (one of loss_open()'s two) have synced the file without a flag of the
 * write?  Looked at now: a flag of the inode or the mount may have come after open.  Only a file
 * server (FUSE) can make the look wait.
 */
bool loss_always_syncs(const struct loss *loss, int fd, bool may_wait);

/*
 * loss_note.c: for loss.c and loss_flight.c, with the lock.  A sync begins: its number, and whether
 * the sync took waiting writes (L7).  A sync ends with an error or 0: count it, or note the loss;
 * returns the caller's answer.
 */
uint64_t loss_open_sync(struct loss *loss, bool *takes);
int loss_close_sync(struct loss *loss, uint64_t number, bool takes, int error, bool lost);
void loss_note(struct loss *loss, int error);
bool loss_may_ask_witness(const struct loss *loss);

#endif /* LIBATOMICIO_LOSS_H */
