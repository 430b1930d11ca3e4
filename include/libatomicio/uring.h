/* SPDX-License-Identifier: MIT */
/*
 * libatomicio: untorn writes through io_uring.
 *
 * There are two ways.  A guest is a write of the library in your ring: atomicio_uring_prep() fills
 * one submission queue entry of yours, and atomicio_uring_done() reads its completion.  The ring,
 * its thread and its loop stay yours.  A queue is a ring of the library's own, for those who have
 * none: make one with atomicio_queue_create() and give batches to atomicio_write_batch().
 *
 * Guest and queue go through the same checks, the same classification and the same policy as
 * atomicio_write().  Rules for all calls are in atomicio.h.
 *
 * A guest's loop:
 *
 *	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
 *	int error = atomicio_uring_prep(&request, file, sqe, page, 16384, 0, ATOMICIO_DSYNC);
 *
 *	io_uring_sqe_set_data(sqe, &request);
 *	io_uring_submit(&ring);
 *	...
 *	error = atomicio_uring_done(&request, cqe->res);
 *	if (error == ATOMICIO_AGAIN_SQE)
 *		take another entry and prep the same write again;
 */
#ifndef LIBATOMICIO_URING_H
#define LIBATOMICIO_URING_H

#include <stddef.h>
#include <stdint.h>

#include "atomicio.h"

#ifdef __cplusplus
extern "C" {
#endif

struct io_uring_sqe; /* <liburing.h> or <linux/io_uring.h> */

/*
 * One write on its way through your ring.  Zero it once before its first use; after
 * atomicio_uring_done() returned 0 or an error it may be used for another write.  It must not
 * move or be freed while the write is on its way, nor may the file's handle be closed.  To give
 * up a write for which AGAIN_SQE was returned, zero it.  The contents are the library's.
 */
struct atomicio_request {
	uint64_t opaque[16];
};

/* Returned by atomicio_uring_done(): prep the same write again. */
#define ATOMICIO_AGAIN_SQE 1

/*
 * Flag of atomicio_uring_prep(): the buffer is one that you registered with the ring and mean to
 * write with IORING_OP_WRITE_FIXED.  Every kernel up to 7.3 answers EINVAL to that
 * (io_uring/rsrc.c:io_import_fixed), so the write goes to the policy as SHAPE with
 * ATOMICIO_REASON_REGISTERED_BUFFER, and the kernel never sees it.
 */
#define ATOMICIO_REGISTERED_BUFFER 0x8u

/*
 * Fill *sqe with one untorn write (IORING_OP_WRITE with RWF_ATOMIC).  All fields of the
 * entry are set but user_data, as liburing's prep calls do: set user_data and flags
 * (IOSQE_IO_LINK and so on) afterwards.  For a registered file, set sqe->fd to its index and
 * IOSQE_FIXED_FILE in sqe->flags afterwards.  flags are those of atomicio_write().
 *
 * The buffer stays untouched and in place until atomicio_uring_done() has ended the write.  It
 * must be aligned to memory_align: a guest's buffers are never bounced, whatever bounce_max says.
 * On an IOPOLL ring use ATOMICIO_DSYNC where you need durability: a linked fsync is refused there.
 *
 * Nothing allocates, and nothing blocks but three things that the options asked for: a policy
 * that answers FALLBACK, a write that goes to the journal (path JOURNAL, or AUTO with a
 * journal), and one that goes past it over a range that a live frame covers, which is retired
 * first (path KERNEL, or AUTO where no frame can hold the page).  The first two are made here and
 * now, the entry becomes a no-op, and its completion gives their result.  Mind the order then: such
 * a write is done ahead of entries that it is linked behind.  Where that matters, give the file
 * neither journal nor fallback.
 *
 * Returns 0: submit the entry.  A negative errno, as from atomicio_write(): the write was
 * refused.  An entry taken from a ring cannot be given back, so *sqe then holds a request that
 * the kernel refuses without doing anything, which breaks the link it is in as a failed write
 * would.  Give its completion to nobody, or to atomicio_uring_done(), which returns the same
 * error.  -EINVAL also: the request is still on its way, or is due for another write again; that
 * write is not disturbed, but then the refused entry's completion must go to nobody.
 */
int atomicio_uring_prep(struct atomicio_request *request, struct atomicio_file *file,
			struct io_uring_sqe *sqe, const void *buffer, size_t length,
			uint64_t offset, uint32_t flags);

/*
 * Turn a completion's result (cqe->res) into the write's.  Call it once a completion, from any
 * thread, but for one request not from two at once.  Before it returns AGAIN_SQE it starts, but
 * does not await, the write-back of cached pages that are in the way; pausing between retries
 * is yours.  If the policy answers FALLBACK, the fallback is made here, and its result returned.
 *
 * In a chain of linked entries a failed untorn write, also one for which AGAIN_SQE is
 * returned, breaks the link: the kernel completes the rest with -ECANCELED.  A cancelled write
 * fails with -ECANCELED, its old page on disk, and is never retried by itself, because its place
 * in the chain is gone: prep the whole rest of the chain again.  The kernel also cancels, link or
 * no link, what it cannot make a worker thread for, as when signals come without pause (seen on
 * 6.18): prep again then, too.
 *
 * AGAIN_SQE also follows a success that proves nothing (raw block devices; on ext4 the first write
 * to a file without blocks).  That does not break a link: what is linked behind has run, and the
 * repeated write is durable by itself.
 *
 * If the process is killed, the kernel finishes the writes on their way after it is gone: see
 * ATOMICIO_OPEN_LOCK.
 *
 * Closing your fd while its write is in flight does no harm to that write, which the kernel
 * finishes; a write submitted after that fails with -EBADF and is never retried, because the
 * number may be another file's by then.
 *
 * Returns 0: done, untorn; ATOMICIO_AGAIN_SQE: call atomicio_uring_prep() with the same
 * arguments and a fresh entry; a negative errno as from atomicio_write(): it failed; -EINVAL also:
 * no completion is due for this request, as when one is given twice.
 */
int atomicio_uring_done(struct atomicio_request *request, int32_t res);

/*
 * Make a queue for batches of up to `depth` writes in flight, 1 to 4096.  Where io_uring is
 * not to be had (ENOSYS, EPERM from a seccomp filter or io_uring_disabled, ENOMEM), the queue
 * works through pwritev2(2), and its statistics say so.
 *
 * atomicio_write_batch() with a queue keeps the promises it has without one, and:
 *
 *	- A batch may have any count of ops over any files; they complete in any order, so ops
 *	  of one batch must not overlap in the file.  It returns when all have their results.
 *	- With ATOMICIO_DSYNC a file's writes share one fdatasync(2) at the end if there are
 *	  several of them.  If it fails, all of them fail with its error, and the handle is
 *	  poisoned as by atomicio_sync().
 *	- One batch at a time: a second thread, or a policy that hands in a batch, gets -EBUSY.
 *	- A signal does not end a batch.
 *	- If the ring itself fails (a dead ring, a lost completion), what the kernel had not yet
 *	  taken goes through pwritev2(2), and so do all later batches.  A write that it had taken
 *	  and never answers fails with -EIO and kind MEDIA, and its handle is poisoned.
 *
 * Returns 0; -EINVAL: depth out of range; -EFAULT; -ENOMEM; -EMFILE or -ENFILE.
 */
int atomicio_queue_create(uint32_t depth, struct atomicio_queue **queue);

/* Free a queue.  NULL is fine.  No batch may be running. */
void atomicio_queue_destroy(struct atomicio_queue *queue);

/* What a queue is and has done. */
struct atomicio_queue_stats {
	uint32_t depth;
	int32_t ring_error;   /* 0: io_uring; else why the queue uses pwritev2, a negative errno */
	uint64_t batches;     /* handed to atomicio_write_batch() */
	uint64_t ops;	      /* in them */
	uint64_t submissions; /* entries given to the ring, retries included */
	uint64_t waits;	      /* system calls that entered the ring */
	uint64_t syncs;	      /* fdatasync calls that replaced RWF_DSYNC */
};

/* Read a queue's counters.  Returns 0, -EFAULT or -EINVAL. */
int atomicio_queue_get_stats(const struct atomicio_queue *queue, struct atomicio_queue_stats *stats,
			     size_t stats_size);

#ifdef __cplusplus
}
#endif

#endif /* LIBATOMICIO_URING_H */
