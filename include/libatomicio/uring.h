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
 *	if (error > 0)
 *		take another entry and prep the same write again;
 *
 * A write through the journal in your ring is two entries, one after the other: the frame, which
 * makes it durable, and the home write.  Call atomicio_uring_begin() once, and neither prep nor
 * done waits for a disk or takes memory.  Writes share a frame if you gather them:
 *
 *	atomicio_uring_gather(&requests[0], file, page0, 16384, 0, 0);
 *	atomicio_uring_gather(&requests[1], file, page1, 16384, 16384, 0);
 *	atomicio_uring_commit(&requests[0]);	the frame is closed
 *	prep requests[0], submit		its entry: the frame
 *	done returns ATOMICIO_DURABLE		both are durable: acknowledge them
 *	prep requests[0] and requests[1]	their entries: the home writes
 *	done returns 0				the page may be read or evicted
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
 * To give up a write after AGAIN_SQE, zero the request; but never one whose write has a frame of a
 * journal (see atomicio_uring_begin()): its range would stay taken, its file and journal open.  The
 * contents are the library's.
 */
struct atomicio_request {
	uint64_t opaque[16];
};

/* Returned by atomicio_uring_done(): prep the same write again.  Each positive result says so. */
#define ATOMICIO_AGAIN_SQE 1

/*
 * Returned by atomicio_uring_done() and atomicio_uring_result() for a write through the journal:
 * the write is durable, and may be acknowledged; prep the same write again for its home write.
 */
#define ATOMICIO_DURABLE 2

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
 * sqe->flags afterwards.  flags are those of atomicio_write(), but not ATOMICIO_BEHIND (-EINVAL): a
 * journaled write in a ring always goes home behind its frame.
 *
 * The buffer stays untouched and in place until atomicio_uring_done() has ended the write.  The
 * buffer must be aligned to memory_align: a guest's buffers are never bounced, whatever bounce_max
 * says.  On an IOPOLL ring use ATOMICIO_DSYNC for durability: the kernel refuses a linked fsync on
 * an IOPOLL ring.
 *
 * Nothing allocates.  Nothing blocks, except three things that the options asked for:
 *
 *	- a policy answers FALLBACK, and the fallback is PLAIN;
 *	- a write goes to a journal without atomicio_uring_begin() (path JOURNAL, AUTO with a
 *	  journal, or a fallback to it);
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
 * completion to nobody, or to atomicio_uring_done(), which returns the same error.  To nobody alone
 * where the request is left as it was: after -EAGAIN, -EBUSY, -ENOBUFS and -ENOSPC of
 * atomicio_uring_begin(), after an error of a write that has a frame, and after -EINVAL for a
 * request still on its way, or due for another write again.
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
 *	ATOMICIO_DURABLE  the same, and the write is durable: see atomicio_uring_begin()
 *	-EINVAL		no completion is due for this request, as when a completion is given twice
 *	others		as from atomicio_write(): the write failed
 */
int atomicio_uring_done(struct atomicio_request *request, int32_t res);

/*
 * Let writes through this journal be entries of your ring: `frames` frames, 1 to 64, may be on
 * their way at the same time, from the first gathered page to the last home write.  Memory for all
 * of them is taken here, frame_max each, and the journal's header is written, so this call waits.
 * It holds until atomicio_journal_close().  event_fd is an eventfd(2) of yours, or -1: 1 is added
 * to it when a call that returned -EAGAIN may be worth another try.  It stays open until then.
 *
 * From then on, for writes that go to this journal:
 *
 *	- atomicio_uring_prep() of a new write puts the page into a frame, and fills the frame's
 *	  entry.  The page is copied: the buffer is yours again at once.
 *	- atomicio_uring_done() returns ATOMICIO_DURABLE when the frame is durable.  The frame may
 *	  need more than one entry (AGAIN_SQE): the kernel wrote less than all of it, or the
 *	  filesystem needs an fdatasync(2) after it.
 *	- prep of the same write again fills the entry of the home write; done returns 0 when the
 *	  page is home.  Where the home write fails, done returns 0 as well, the file has failed
 *	  (see atomicio_journal_read()), and its handle is poisoned: the write itself is durable.
 *	- Leave fd and flags of these entries as they are, but for links.  Set no IOSQE_FIXED_FILE:
 *	  a frame goes to the journal's file.
 *	- An entry may be submitted at any time, also much later.  Until its completion was given to
 *	  done: its range takes no other write through the journal, and the frame stays live.
 *	- A frame's entry that never was submitted, or was cancelled: give -ECANCELED to done.  All
 *	  writes in the frame fail with it, their old pages on disk.  A home write's entry that was
 *	  cancelled gives AGAIN_SQE.  Never give -ECANCELED for an entry that may still be
 *	  submitted.
 *	- A frame that is closed, or due again after AGAIN_SQE, is given up by -ECANCELED to done,
 *	  too.  If the kernel may have written some of it (a short result, -EINTR), done returns
 *	  -EIO instead, and the journal is poisoned.  A write that is durable cannot be given up:
 *	  its home write has to be made.
 *	- An error of a frame's entry poisons the journal, as that of a synchronous write would.
 *
 * What cannot be done now is told at once, with nothing changed, and asks no policy:
 *
 *	-EAGAIN		the log area is full, or another thread writes a frame: the event says when;
 *			a retirement of old frames is under way
 *	-EBUSY		not before an entry of yours has completed: a write that overlaps is not
 *			home, or all frames are on their way
 *	-ENOBUFS	not before the open frame is closed: it is full
 *	-ENOSPC		the log area is full, and only atomicio_journal_checkpoint(), which waits,
 *			can make room (no AIO on this machine, or a file has failed)
 *
 * Synchronous calls never wait for an entry of yours: where they need its completion, they return
 * -EBUSY.  That is a write of an overlapping range, atomicio_journal_checkpoint() and _forget(),
 * atomicio_close() and atomicio_journal_close(), which then have freed nothing.
 *
 * If the process dies, recovery needs nothing from the ring: each write that was told durable is
 * there, every other one is there whole or not at all.  The kernel may still carry out entries of
 * the dead process.  No one can open the journal before its last frame is written, but home writes
 * can land later: open files with ATOMICIO_OPEN_LOCK and recover with ATOMICIO_RECOVER_LOCK.
 *
 * Returns 0 or:
 *	-EBUSY		done already
 *	-EINVAL		`frames` is out of range, or no journal
 *	-ENOMEM		nothing was taken
 *	others		as from atomicio_write() through this journal
 */
int atomicio_uring_begin(struct atomicio_journal *journal, uint32_t frames, int event_fd);

/*
 * Put a write into the frame that is being gathered, without an entry.  The page is copied.  It is
 * on its way when the frame is closed: by atomicio_uring_commit() of any request in it, or by an
 * atomicio_uring_prep() of a new write, which joins it.  One frame of a journal is open at a time.
 * No policy is asked.  Afterwards, prep with the same arguments gives the request's next entry.
 *
 * Returns 0; -EAGAIN, -EBUSY, -ENOBUFS: see atomicio_uring_begin(); -EOPNOTSUPP: the file has no
 * journal with atomicio_uring_begin(); -EMSGSIZE: no frame holds it; -EINVAL: also for a request
 * that is on its way; others as from atomicio_write().
 */
int atomicio_uring_gather(struct atomicio_request *request, struct atomicio_file *file,
			  const void *buffer, size_t length, uint64_t offset, uint32_t flags);

/*
 * The same for ops[0] to ops[count - 1], all or none, into one frame: after a crash all of them are
 * there, or none.  requests[i] is that of ops[i]; ops[i].result is not written.
 * Returns as atomicio_uring_gather(); -EXDEV: their journals differ; -EINVAL: also if two overlap.
 */
int atomicio_uring_gather_group(struct atomicio_request *requests, const struct atomicio_op *ops,
				uint32_t count);

/*
 * Close the frame that the request was gathered into: nothing enters it any more, and its place in
 * the log area is given.  Then prep this request with the same arguments: the entry is the frame's.
 * Requests that share the frame have no entry before it is durable (prep gives -EBUSY).
 *
 * Returns 0; -EAGAIN: the frame stays open; -EALREADY: it is closed; -EINVAL; others as from
 * atomicio_write() through this journal: the frame stays open, and may be discarded.
 */
int atomicio_uring_commit(struct atomicio_request *request);

/*
 * Give up the open frame that the request was gathered into, with all its writes: the others get
 * -ECANCELED from atomicio_uring_result().  Returns 0; -EALREADY: it is closed; -EINVAL.
 */
int atomicio_uring_discard(struct atomicio_request *request);

/*
 * What has become of a write, without a completion: for requests that share a frame.
 *
 * Returns:
 *	ATOMICIO_DURABLE  it is durable, and not yet known to be home
 *	-EINPROGRESS	it is not yet known
 *	-EINVAL		the request is not in use, as after its end
 *	others		it failed, as atomicio_uring_done() has told of the frame; the request may
 *			serve another write
 */
int atomicio_uring_result(struct atomicio_request *request);

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
