/* SPDX-License-Identifier: MIT */
/*
 * The loss family: who lost a page?
 *
 * Flow: above sys, below journal and write: sys <- loss <- journal <- write.  One struct loss for
 * each file that is written; whoever syncs that file, or gets an error from a call that may have
 * synced it, asks here.  It is the only holder of the witness, and the only caller of fdatasync
 * and of write-back on data files.
 *
 * The trouble: a call that syncs (RWF_DSYNC, O_DSYNC, an inode with S_SYNC, a mount with `sync`,
 * fdatasync, sync_file_range) may return the error of any earlier write-back of the file, with
 * whatever errno the device gave, and tells each description once (errseq_t;
 * mm/filemap.c:file_check_and_advance_wb_err, 4.13 to 7.3).  So neither the errno nor the call
 * says whether this write failed or a page of the past is lost, and the next sync says 0.
 *
 * Rules:
 * L1 the witness is a description of our own.  Nothing is written through it and nobody else
 *    knows it, so no call, not even the caller's fsync, can use up its report.
 * L2 only a sync of the witness says that nothing was lost.  No errno is harmless by its number.
 * L3 a loss is for ever: it is noted under the lock in which it was heard, and every later sync
 *    fails.
 * L4 without a witness the strict reading holds: any error of a call that may have synced may be
 *    a loss, and fails the next sync.
 * L5 where a filesystem leaves durability to somebody else (FUSE, 9p, overlay, unknown), the
 *    descriptions that are written through are synced as well: a sync may be theirs alone.
 * L6 where a filesystem is known to say 0 once wrongly (XFS at its shutdown, seen on 6.18: 19
 *    pages after one fdatasync, 0 of 30 rounds after two), a sync that retires frames asks twice.
 * L7 a flush that the device fails is told to one call and kept nowhere, unlike an error of
 *    write-back (block/blk-flush.c; seen on 6.18): the next flush says 0.  So the witness's 0
 *    acquits only while no acknowledged write waits for a flush; else the strict reading of L4
 *    holds for this error.  An error with which the kernel refuses a write before it is begun is
 *    left out, or each refusal would cost the handle and, with it, the fallback.  ENOTBLK,
 *    EFAULT, ENOSYS, EPERM and EACCES no block device gives to a flush (block/blk-core.c:
 *    blk_errors, 4.13 to 7.3).  EINVAL and EOPNOTSUPP one may: whoever wrote makes the same write
 *    without its flush, and if that succeeds, it was not refused, and loss_doubt() is for it.
 *    The error may be read after a sync that was under way beside the write, or came before its
 *    completion was read, and took those that waited: so loss_mark() is read before the write, and
 *    the strict reading holds if a write waited then, or such a sync began or ended since.
 *    What is left: EAGAIN, which a page in the cache gives in passing; and EINVAL and EOPNOTSUPP
 *    where the write is not repeated (see write_was_not_refused()).
 * L8 a child after fork(2) has the parent's witness, the same description with one cursor.  A sync
 *    of it in the child would use up the parent's report, so the child has none (L4).  A process
 *    is known by its pid, which is asked only in a sync and after an error.  A child that is the
 *    first in a new pid namespace, of a parent that is the first in its own, has the same pid.
 */
#ifndef LIBATOMICIO_LOSS_H
#define LIBATOMICIO_LOSS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys.h"

struct loss {
	const struct sys_calls *sys;
	int fd;	       /* untorn writes go through it; also that of write-back */
	int caller_fd; /* plain writes go through it, and home writes without home_fd; often fd */
	int home_fd;   /* home writes go through it; -1: none */
	int witness;   /* L1; -1: none (L4) */
	int deputy;    /* a second one, for EINTR alone; -1: none */
	int pid;       /* who opened them; nobody else asks them (L8) */
	bool is_device;
	bool delegates; /* L5 */
	bool stacked;	/* its pages are another inode's: only fdatasync reports them */
	bool lies_once; /* L6 */

	pthread_mutex_t lock;	/* one sync at a time; all below but the atomics */
	_Atomic uint64_t begun; /* syncs; changed under the lock */
	uint64_t done;		/* number of the last that succeeded */
	int32_t lost;		/* L3: the errno of the loss; 0: nothing was lost */
	/* L4, L7: the error that may have been a loss, for the next sync to return. */
	_Atomic int32_t unreported;
	_Atomic uint32_t unsynced; /* L7: 1: a write was acknowledged since the last sync began */
	_Atomic uint64_t took;	   /* L7: odd while a sync that took `unsynced` is under way */
	_Atomic uint64_t syncs;	   /* made by loss_sync() without LOSS_RETIRE */
	_Atomic uint32_t *poison;  /* set to 1 with the loss; NULL: nobody's */
};

/* Flags of loss_open(). */
#define LOSS_NO_WITNESS 0x1u /* do not open one */

/* Flags of loss_sync(). */
#define LOSS_RETIRE 0x1u /* frames are retired after it: L6 */

/*
 * Fill *loss for a file that is written through `fd` (and `caller_fd`, or the same twice).  The
 * descriptors stay the caller's, and open until loss_close().  *poison, unless NULL, becomes 1 when
 * a loss is found.  A witness that cannot be had is no error: loss_has_witness() tells. Memory is
 * not taken.  Returns 0 or what statx(2) or fcntl(2) say, with nothing to close then.
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

/* A write was acknowledged that is not yet durable, or not yet at home. */
static inline void loss_note_unsynced(struct loss *loss)
{
	if (!atomic_load_explicit(&loss->unsynced, memory_order_relaxed))
		atomic_store_explicit(&loss->unsynced, 1, memory_order_relaxed);
}

/* For loss_ask(): to be read before the call that may sync. */
static inline uint64_t loss_mark(const struct loss *loss)
{
	return atomic_load_explicit(&loss->took, memory_order_relaxed);
}

static inline bool loss_has_witness(const struct loss *loss)
{
	return loss->witness >= 0;
}

/*
 * Make durable what was written before the call, and say whether a page of the file was lost
 * since loss_open().  Waits; threads that ask for the same sync share it (not with LOSS_RETIRE).
 * Calls nothing but sys and holds no lock but its own, so it may be called with any lock held.
 *
 * Returns 0; -EINTR: not synced, but nothing is lost, call again; a negative errno: the loss, told
 * by this call first, or a sync that failed, which cannot be told from one; -ENOTRECOVERABLE: an
 * earlier call has found the loss.
 *
 * An asynchronous half (begin, end) has to take `begun` where it submits, on the witness alone, and
 * to note its result under the lock as finish_sync() does.
 */
int loss_sync(struct loss *loss, uint32_t flags);

/*
 * A call that may have synced the file, begun after `mark` was read, returned `error`: was a page
 * of the file lost?  With
 * `may_wait` the witness is asked, which is an fdatasync.  Without it nothing is asked, and the
 * answer is 0: the witness still holds the report, and the next sync gets it.
 *
 * Returns 0: nothing is lost that is known of; else the loss, a negative errno.
 */
int loss_ask(struct loss *loss, int error, uint64_t mark, bool may_wait);

/* Could this error be a flush's as well as a refusal's (L7), and would that be a loss? */
bool loss_may_be_flush(const struct loss *loss, int error, uint64_t mark);

/* It was no refusal: what no witness has heard of fails the next sync. */
void loss_doubt(struct loss *loss, int error);

/*
 * Write the cached pages of a range back, and wait.  An error is put to loss_ask().
 * Returns as loss_ask(): 0, or the loss.
 */
int loss_write_back(struct loss *loss, uint64_t offset, uint64_t length);

/* Only start to: waits for nothing, and is told nothing. */
void loss_start_write_back(struct loss *loss, uint64_t offset, uint64_t length);

/*
 * May a write through fd, one of the two, have synced the file although its flags did not ask for
 * it?  Looked at now: a flag of the inode or the mount may have come after open.  Only a file
 * server (FUSE) can make the look wait.
 */
bool loss_always_syncs(const struct loss *loss, int fd, bool may_wait);

#endif /* LIBATOMICIO_LOSS_H */
