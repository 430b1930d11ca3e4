/* SPDX-License-Identifier: MIT */
/*
 * libatomicio: untorn writes through io_uring.
 *
 * There are two ways.  A guest is a write of the library in your ring: atomicio_uring_prep() fills
 * one submission queue entry of yours, and atomicio_uring_done() reads its completion.  The ring,
 * its thread and its loop stay yours.  A queue is a ring of the library's own, for programs without
 * one: make a queue with atomicio_queue_create() and give batches to atomicio_write_batch().
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
 * One write on its way through your ring.  Zero a request before its first use; after
 * atomicio_uring_done() returned 0 or an error the request may serve another write.  While the
 * write is on its way, the request must not move or be freed, nor may the file's handle be closed.
 * To give up a write after AGAIN_SQE, zero the request.  The contents are the library's.
 */
struct atomicio_request {
	uint64_t opaque[16];
};

/* Returned by atomicio_uring_done(): prep the same write again. */
#define ATOMICIO_AGAIN_SQE 1

/*
 * Flag of atomicio_uring_prep(): you registered the buffer with the ring, and mean to write it with
 * IORING_OP_WRITE_FIXED.  Every kernel up to 7.3 answers EINVAL to an untorn write with WRITE_FIXED
 * (io_uring/rsrc.c:io_import_fixed).  The write therefore goes to the policy as SHAPE with
 * ATOMICIO_REASON_REGISTERED_BUFFER, and the kernel never sees it.
 */
#define ATOMICIO_REGISTERED_BUFFER 0x8u

/*
 * Fill *sqe with one untorn write (IORING_OP_WRITE with RWF_ATOMIC).  All fields of the entry are
 * set except user_data, as liburing's prep calls do: set user_data and flags (IOSQE_IO_LINK and so
 * on) afterwards.  For a registered file, set sqe->fd to its index and IOSQE_FIXED_FILE in
 * sqe->flags afterwards.  flags are those of atomicio_write().
 *
 * The buffer stays untouched and in place until atomicio_uring_done() has ended the write.  The
 * buffer must be aligned to memory_align: a guest's buffers are never bounced, whatever bounce_max
 * says.  On an IOPOLL ring use ATOMICIO_DSYNC for durability: the kernel refuses a linked fsync on
 * an IOPOLL ring.
 *
 * Nothing allocates.  Nothing blocks, except three things that the options asked for:
 *
 *	- a policy answers FALLBACK;
 *	- a write goes to the journal (path JOURNAL, or AUTO with a journal);
 *	- a write goes past the journal over a range of live frames, which are retired first
 *	  (path KERNEL, or AUTO where no frame can hold the page).
 *
 * The first two are done inside the call; the entry becomes a no-op, and its completion gives the
 * result.  Mind the order: a write done inside the call is ahead of entries that it is linked
 * behind.  Where the order matters, give the file neither journal nor fallback.
 *
 * Returns 0: submit the entry.  A negative errno, as from atomicio_write(): the write was refused.
 * An entry taken from a ring cannot be given back, and *sqe then holds a request that the kernel
 * refuses without doing anything, which breaks its link as a failed write would.  Give its
 * completion to nobody, or to atomicio_uring_done(), which returns the same error.  -EINVAL also
 * for a request still on its way, or due for another write again: the first write is not disturbed,
 * but the refused entry's completion must go to nobody.
 */
int atomicio_uring_prep(struct atomicio_request *request, struct atomicio_file *file,
			struct io_uring_sqe *sqe, const void *buffer, size_t length,
			uint64_t offset, uint32_t flags);

/*
 * Turn a completion's result (cqe->res) into the write's result.  Call it once a completion, from
 * any thread, but for one request not from two at once.  Before AGAIN_SQE is returned, the
 * write-back of cached pages in the way is started, but not awaited; pausing between retries is
 * yours.  If the policy answers FALLBACK, the fallback is made inside the call, and its result
 * returned.
 *
 * In a chain of linked entries a failed untorn write, also with AGAIN_SQE, breaks the link: the
 * kernel completes the rest with -ECANCELED.  A cancelled write fails with -ECANCELED, its old page
 * on disk, and is never retried automatically, because its place in the chain is gone: prep the
 * whole rest of the chain again.  Link or no link, the kernel also cancels a write without a worker
 * thread, as when signals come without pause (seen on 6.18): prep again, too.
 *
 * AGAIN_SQE also follows a success that proves nothing (raw block devices; on ext4 the first write
 * to a file without blocks).  A success breaks no link: the entries linked behind have run, and the
 * repeated write is durable automatically.
 *
 * If the process is killed, the kernel finishes the writes on their way after the process is gone:
 * see ATOMICIO_OPEN_LOCK.
 *
 * Closing your fd while its write is in flight does no harm to the write: the kernel finishes it.
 * A write submitted after the close fails with -EBADF and is never retried, because the number may
 * be another file's by then.
 *
 * Returns 0 or:
 *	ATOMICIO_AGAIN_SQE  call atomicio_uring_prep() with the same arguments and a fresh entry
 *	-EINVAL		no completion is due for this request, as when a completion is given twice
 *	others		as from atomicio_write(): the write failed
 */
int atomicio_uring_done(struct atomicio_request *request, int32_t res);

/*
 * Make a queue for batches of up to `depth` writes in flight, 1 to 4096.  Where io_uring cannot be
 * used (ENOSYS, EPERM from a seccomp filter or io_uring_disabled, ENOMEM), the queue works through
 * pwritev2(2), and its statistics say so.
 *
 * atomicio_write_batch() keeps all its promises with a queue, and:
 *
 *	- A batch may have any count of ops over any files.  The ops complete in any order, and
 *	  must not overlap in the file.  The call returns when all have their results.
 *	- With ATOMICIO_DSYNC several writes of a file share one fdatasync(2) at the end.  If
 *	  the fdatasync fails, all of them fail with its error, and the handle is poisoned as by
 *	  atomicio_sync().
 *	- One batch at a time: a second thread, or a policy that hands in a batch, gets -EBUSY.
 *	- A signal does not end a batch.
 *	- If the ring itself fails (a dead ring, a lost completion), all writes not yet taken by
 *	  the kernel go through pwritev2(2), as do all later batches.  A write taken and never
 *	  answered fails with -EIO and kind MEDIA, and its handle is poisoned.
 *
 * Returns 0; -EINVAL: depth out of range; -EFAULT; -ENOMEM; -EMFILE or -ENFILE.
 */
int atomicio_queue_create(uint32_t depth, struct atomicio_queue **queue);

/* Free a queue.  NULL is fine.  No batch may be running. */
void atomicio_queue_destroy(struct atomicio_queue *queue);

/* State and counters of a queue. */
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
