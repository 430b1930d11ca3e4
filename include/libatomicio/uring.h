/* SPDX-License-Identifier: MIT */
/*
 * libatomicio: untorn writes through io_uring.
 *
 * Two ways lead to a ring.  A guest is a write of the library in your ring: atomicio_uring_prep()
 * fills one submission queue entry of yours, and atomicio_uring_done() reads its completion.  The
 * ring, its thread and its loop stay yours.  A queue is a ring of the library's own, for programs
 * without one: make a queue with atomicio_queue_create() and give batches to
 * atomicio_write_batch().
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
 * makes the page durable, and the home write.  Call atomicio_uring_begin() once.  From then on
 * neither prep nor done waits for a disk or takes memory.  Gathered writes share a frame:
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
 * To give up a write after AGAIN_SQE, zero the request.  Exception: a request whose write has a
 * frame of a journal (see atomicio_uring_begin()) must not be zeroed.  Its range would stay taken,
 * its file and journal open.  The contents of the request are the library's.
 */
struct atomicio_request {
	uint64_t opaque[16];
};

/*
 * Returned by atomicio_uring_done(): prep the same write again.  Every positive result means the
 * same.
 */
#define ATOMICIO_AGAIN_SQE 1

/*
 * Returned by atomicio_uring_done() and atomicio_uring_result() for a write through the journal:
 * the write is durable, and may be acknowledged; prep the same write again for its home write.
 */
#define ATOMICIO_DURABLE 2

/*
 * Flag of atomicio_uring_prep(): you registered the buffer with the ring, and mean to use
 * IORING_OP_WRITE_FIXED.  Every kernel up to 7.3 answers EINVAL to an untorn write with WRITE_FIXED
 * (io_uring/rsrc.c:io_import_fixed).  The write therefore goes to the policy as SHAPE with
 * ATOMICIO_REASON_REGISTERED_BUFFER, and the kernel never sees it.
 */
#define ATOMICIO_REGISTERED_BUFFER 0x8u

/*
 * Fill *sqe with one untorn write (IORING_OP_WRITE with RWF_ATOMIC).  All fields of the entry are
 * set except user_data, as liburing's prep calls do: set user_data and flags (IOSQE_IO_LINK and so
 * on) afterwards.  For a registered file, set sqe->fd to its index and IOSQE_FIXED_FILE in
 * sqe->flags afterwards.  flags as for atomicio_write(), except ATOMICIO_BEHIND (-EINVAL): a
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
 *	- a write goes past such a journal over a range of live frames, which are retired first
 *	  (path KERNEL, or AUTO where no frame can hold the page).
 *
 * After atomicio_uring_begin() only the PLAIN fallback is left.
 *
 * The first two happen inside the call.  The entry becomes a no-op, and its completion gives the
 * result.  Mind the order: a write done inside the call is ahead of entries linked before its
 * entry.  Where the order matters, give the file neither journal nor fallback.
 *
 * Returns 0: submit the entry.  A negative errno, as from atomicio_write(): the write was refused.
 * An entry taken from a ring cannot be given back.  After a refusal *sqe holds a request that the
 * kernel refuses without doing anything.  The refusal breaks the link like a failed write.  Ignore
 * the entry's completion, or give the completion to atomicio_uring_done(), which returns the error
 * again.  Always ignore the completion where the request was left unchanged: after -EAGAIN, -EBUSY,
 * -ENOBUFS, -ENOSPC and -ENXIO of atomicio_uring_begin(), after an error of a write that has a
 * frame, and after -EINVAL for a request still on its way, or due for another write again.
 */
int atomicio_uring_prep(struct atomicio_request *request, struct atomicio_file *file,
			struct io_uring_sqe *sqe, const void *buffer, size_t length,
			uint64_t offset, uint32_t flags);

/*
 * Turn a completion's result (cqe->res) into the write's result.  Call once for each completion,
 * from any thread, but never from two threads at once for one request.  Before AGAIN_SQE is
 * returned, the write-back of cached pages in the way is started, but not awaited; pausing between
 * retries is yours.  If the policy answers FALLBACK, the call makes the fallback and returns the
 * result.
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
 * Let writes through this journal be entries of your ring.  `frames` frames, 1 to 64, may be on
 * their way together, from the first gathered page to the last home write.  The call takes memory
 * for all frames, frame_max each, and writes the journal's header: the call waits.  The setting
 * holds until atomicio_journal_close().  event_fd is an eventfd(2) of yours, or -1.  The library
 * adds 1 to the event when a call that returned -EAGAIN may be worth another try.  Keep event_fd
 * open until atomicio_journal_close().
 *
 * From then on, for writes that go to this journal:
 *
 *	- atomicio_uring_prep() of a new write puts the page into a frame, and fills the frame's
 *	  entry.  The page is copied: the buffer is yours again at once.
 *	- atomicio_uring_done() returns ATOMICIO_DURABLE when the frame is durable.  The frame may
 *	  need more than one entry (AGAIN_SQE): the kernel wrote less than the whole frame, or the
 *	  filesystem needs an fdatasync(2) after the write.
 *	- prep of the same write again fills the entry of the home write; done returns 0 when the
 *	  page is home.  Where the home write fails, done returns 0 as well, because the write is
 *	  durable.  The file has then failed (see atomicio_journal_read()), and its handle is
 *	  poisoned.
 *	- Leave fd and flags of these entries unchanged, except the link flags.  Set no
 *	  IOSQE_FIXED_FILE: a frame goes to the journal's file.
 *	- An entry may be submitted at any time, also much later.  Until done has the entry's
 *	  completion, the range accepts no other write through the journal, and the frame stays
 *	  live.
 *	- A frame's entry that was never submitted, or was cancelled: give -ECANCELED to done.  All
 *	  writes in the frame fail with -ECANCELED, their old pages on disk.  A home write's entry
 *	  that was cancelled gives AGAIN_SQE.  Never give -ECANCELED for an entry that may still be
 *	  submitted.
 *	- A frame that is closed, or due again after AGAIN_SQE, is also given up by -ECANCELED to
 *	  done.  If the kernel may have written bytes of the frame (a short result, -EINTR, a
 *	  whole frame whose sync is due), done returns -EIO, and the journal is poisoned.  A
 *	  durable write cannot be given up: its home write must be made.
 *	- An error of a frame's entry poisons the journal, like an error of a synchronous write.
 *
 * Until the page is home every reader (another descriptor or process, a mapping, a direct read)
 * sees the old page, the new page or a mixture.  No crash, no kill and no failed home write makes
 * it stay so: recovery finishes a page whose frame is durable.
 *
 * A call that cannot be done now returns an error at once, changes nothing, and asks no policy:
 *
 *	-EAGAIN		the log area is full, or another thread writes a frame, or a write past
 *			the journal touches live frames, which are being retired (the event says
 *			when to try again)
 *	-EBUSY		an entry of yours must complete first: an overlapping write is not home,
 *			or all frames are on their way
 *	-ENOBUFS	the open frame is full, and must be closed first
 *	-ENOSPC		as -EAGAIN, but only atomicio_journal_checkpoint(), which waits, can
 *			retire the frames: no AIO on this machine; a file has failed, has no
 *			witness, or lies on a filesystem other than ext4, XFS and btrfs
 *	-ENXIO		the page ends behind the end of its file, and needs new blocks: make the
 *			file longer first, as by fallocate(2) or its entry in your ring
 *
 * Synchronous calls never wait for an entry of yours.  Calls that need its completion return
 * -EBUSY: a write of an overlapping range, any journaled write for which the log area has no room
 * before an entry completes, atomicio_journal_checkpoint() and _forget(), atomicio_close() and
 * atomicio_journal_close().  The two close calls have then freed nothing.
 *
 * If the process dies, recovery needs nothing from the ring.  Each write reported durable is in the
 * file; every other write is in the file whole or not at all.  The kernel may still carry out
 * entries of the dead process.  No one can open the journal before its last frame is written, but
 * home writes can land later: open files with ATOMICIO_OPEN_LOCK and recover with
 * ATOMICIO_RECOVER_LOCK.
 *
 * Returns 0 or:
 *	-EBUSY		called before for this journal
 *	-EINVAL		`frames` is out of range, or no journal
 *	-ENOMEM		nothing was taken
 *	others		as from atomicio_write() through this journal
 */
int atomicio_uring_begin(struct atomicio_journal *journal, uint32_t frames, int event_fd);

/*
 * Put a write into the open frame, without an entry.  The page is copied.  The write is on its way
 * when the frame is closed: by atomicio_uring_commit() of any request in the frame, or by an
 * atomicio_uring_prep() of a new write, which joins the frame.  One frame of a journal is open at a
 * time.  No policy is asked.  Afterwards, prep with the same arguments gives the request's next
 * entry.
 *
 * Returns 0 or:
 *	-EAGAIN, -EBUSY, -ENOBUFS, -ENXIO  as described at atomicio_uring_begin()
 *	-EOPNOTSUPP	the file has no journal with atomicio_uring_begin()
 *	-EMSGSIZE	no frame can hold the page
 *	-EINVAL		as from atomicio_write(); the request is on its way
 *	others		as from atomicio_write()
 */
int atomicio_uring_gather(struct atomicio_request *request, struct atomicio_file *file,
			  const void *buffer, size_t length, uint64_t offset, uint32_t flags);

/*
 * Put ops[0] to ops[count - 1] into the open frame as one group: a crash leaves the whole group or
 * nothing.  requests[i] belongs to ops[i]; ops[i].result is not written.
 *
 * Returns 0 or:
 *	-EXDEV		the ops have different journals
 *	-EINVAL		as from atomicio_uring_gather(); two ops overlap
 *	others		as from atomicio_uring_gather()
 */
int atomicio_uring_gather_group(struct atomicio_request *requests, const struct atomicio_op *ops,
				uint32_t count);

/*
 * Close the frame that holds the request: no write enters the frame any more, and the frame gets
 * its place in the log area.  Then prep this request with the same arguments: the entry is the
 * frame's.  The other requests of the frame have no entry before the frame is durable (prep gives
 * -EBUSY).
 *
 * Returns 0 or:
 *	-EAGAIN		the frame stays open: see atomicio_uring_begin()
 *	-EALREADY	the frame is closed
 *	-EINVAL		the request is in no frame
 *	others		as from atomicio_write() through this journal: the frame stays open, and
 *			may be discarded
 */
int atomicio_uring_commit(struct atomicio_request *request);

/*
 * Give up the open frame that holds the request, with all its writes: the other requests get
 * -ECANCELED from atomicio_uring_result().
 *
 * Returns 0; -EALREADY: the frame is closed; -EINVAL: the request is in no frame.
 */
int atomicio_uring_discard(struct atomicio_request *request);

/*
 * The state of a write, without a completion: for requests that share a frame.
 *
 * Returns:
 *	ATOMICIO_DURABLE  the write is durable, and not yet known to be home
 *	-EINPROGRESS	the result is not yet known
 *	-EINVAL		the request is not in use, as after its end
 *	others		the write failed, with the error that atomicio_uring_done() returned for
 *			the frame, or atomicio_uring_prep() for this request; the request may
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
 * Returns 0 or:
 *	-EINVAL		depth is out of range
 *	-EFAULT		queue is NULL
 *	-ENOMEM
 *	-EMFILE, -ENFILE  no free descriptor
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
