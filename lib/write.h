/* SPDX-License-Identifier: MIT */
/*
 * The write family: validate, submit, classify, policy.
 *
 * Flow: write.c holds the order: each attempt is checked (write_validate.c, write_check.c),
 * submitted (write_attempt.c), its result classified (write_classify.c) and a failure put to the
 * policy (write_policy.c), until the write is done or failed.  write_open.c makes handles, and
 * write_handle.c has the common work on a handle.  Calls lead down this list: write, policy,
 * attempt, plain, journal, look, device, check, validate, classify, handle.
 *
 * Rules:
 * W1 a shape is checked before every submission, on every kernel (XFS of 6.13 did not refuse too
 *    large writes).
 * W2 only a result equal to the length is a success; a shorter result is never continued.
 * W3 the policy's answer is masked with the allowed answers; anything but one allowed bit is FAIL.
 * W4 no success is reported for a write that may have gone through the page cache.
 * W5 every loop is bounded: retries by retries_max, fallbacks by one a write.
 * W6 an error of a call that may have synced says nothing of this page, which is old or new; only
 *    loss.h knows whether another page is lost, and only its word poisons.
 */
#ifndef LIBATOMICIO_WRITE_H
#define LIBATOMICIO_WRITE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "journal.h"
#include "libatomicio/atomicio.h"
#include "sys.h"

#define WRITE_RETRIES_DEFAULT 8
#define WRITE_RETRIES_LIMIT 1000
#define WRITE_BOUNCE_LIMIT (64u << 20)
#define WRITE_BOUNCE_ALIGN 4096
#define WRITE_PAGE_MIN 4096u /* no machine's page of memory is smaller */

/* The untorn writes of one way of writing: 0 units mean none. */
struct write_limits {
	uint32_t unit_min;
	uint32_t unit_max;
	uint32_t memory_align;
};

struct write_counters {
	_Atomic uint64_t writes_hardware, writes_filesystem, writes_journal, writes_plain;
	_Atomic uint64_t writes_failed, bytes, retries, fallbacks, bounces, writebacks;
	_Atomic uint64_t failures[ATOMICIO_KIND_BROKEN + 1];
};

struct atomicio_file {
	/* Read on the fast path: together in one cache line. */
	const struct sys_calls *sys;
	int fd;			   /* of the writes: the caller's, or our own (own_fd) */
	_Atomic uint32_t poisoned; /* after BROKEN or a failed sync */
	struct write_limits fast;  /* units 0 where each write needs more than one call */
	uint32_t unit_max_hw;	   /* hardware up to here, filesystem above */

	struct write_counters counters;

	struct write_limits limits; /* of the kernel path */
	int caller_fd;
	uint32_t home_align;		 /* unit of journaled pages: 1 if buffered */
	bool attached;			 /* to options.journal */
	bool own_fd;			 /* fd is ours to close */
	bool has_loss;			 /* loss is open */
	bool is_device;			 /* a block device: see write_device.c */
	uint8_t looks;			 /* around each call: WRITE_LOOK_* */
	_Atomic uint32_t inode_state;	 /* with WRITE_LOOK_INODE: see write_look.c */
	bool device_nowait;		 /* and with RWF_NOWAIT */
	bool limited;			 /* RLIMIT_FSIZE is finite: read at each write */
	bool plain_noappend;		 /* RWF_NOAPPEND (6.9) holds for this file */
	bool plain_syncs;		 /* PLAIN is made durable by a sync: see write_plain.c */
	bool always_syncs;		 /* O_DSYNC or O_SYNC was set at open: PLAIN keeps it */
	bool plain_strict;		 /* see plain_shape() */
	uint64_t size_max;		 /* largest size of the file: write_fits_limits() */
	uint32_t plain_align;		 /* of a buffer for PLAIN, else it bounces; 1: none */
	struct atomicio_options options; /* defaults filled in */
	struct atomicio_caps caps;

	struct loss loss;	  /* who lost a page, and all syncs */
	struct journal_file home; /* with a journal: its view of this file */

	pthread_mutex_t bounce_lock; /* guards the bounce buffer; never on the fast path */
	void *bounce;
};

/* Where a success alone proves nothing (struct atomicio_file, looks): see write_look.c. */
#define WRITE_LOOK_NONE 0
#define WRITE_LOOK_INODE 1
#define WRITE_LOOK_DEVICE 2

/* Calls for one attempt where a look leaves doubt. */
#define WRITE_TRIES 16

/* How a request is made (struct write_request, mode). */
#define WRITE_GUEST 0x1u      /* in the caller's ring: neither sleep nor wait, no bounce buffer */
#define WRITE_SYNC_LATER 0x2u /* a batch will sync the file: `flags` is without DSYNC */

/* One write on its way, on the caller's stack or in the caller's io_uring request. */
struct write_request {
	struct atomicio_file *file;
	const void *buffer;
	uint64_t length;
	uint64_t offset;
	uint32_t flags;
	uint32_t path;		 /* the path now tried, ATOMICIO_PATH_* but AUTO */
	uint32_t failures_here;	 /* failures so far on this path */
	uint32_t retries_used;	 /* RETRY answers so far */
	uint32_t on_disk;	 /* the worst left by an attempt, 0: no failure yet */
	int32_t error;		 /* of the worst attempt: the caller's errno */
	uint64_t mark;		 /* loss_mark() before the last call */
	uint32_t mode;		 /* WRITE_GUEST, WRITE_SYNC_LATER */
	uint64_t *size_limit;	 /* RLIMIT_FSIZE for all ops of one call, 0: unknown; NULL: ask */
	uint32_t doubtful_calls; /* with looks: calls in doubt since the policy was last asked */
	bool doubtful;		 /* with looks: a success without proof; the repeat is durable */
	bool maybe_torn;	 /* and probably through the page cache */
	bool first;		 /* ext4: a first success proves nothing */
	bool may_wait;		 /* raw device with a full request queue: no RWF_NOWAIT */
	bool broken;		 /* an attempt ended BROKEN: poison, unless a fallback heals */
};

/* How one attempt ended; kind 0: done. */
struct write_outcome {
	uint32_t kind;
	int32_t error;
	uint32_t on_disk;
	uint32_t allowed; /* by its kind alone: FALLBACK and RETRY are narrowed later */
	int32_t answer;	  /* the kernel's error for the call, 0: a success, or no call */
	bool later;	  /* of a guest: see journal_is_later(); no policy is asked */
	uint64_t reasons;
};

/* The next step after a failure (write_decide). */
enum write_action { WRITE_TRY_AGAIN, WRITE_GIVE_UP };

/* write_validate.c: pure. */
int write_misuse(const void *buffer, uint64_t length, uint64_t offset, uint32_t flags,
		 uint32_t known_flags);
uint64_t write_shape(const struct write_limits *limits, const void *buffer, uint64_t length,
		     uint64_t offset);
uint64_t write_shape_broken(const struct write_request *request, uint32_t unit_max);
uint32_t write_route(const struct write_request *request);
bool write_fits_frame(const struct write_request *request); /* with a journal */
uint64_t write_journal_shape(const struct atomicio_file *file, uint64_t length, uint64_t offset);

/* write_classify.c: pure. */
void write_fail(struct write_outcome *outcome, uint32_t kind, int32_t error, uint64_t reasons);
void write_classify(struct write_outcome *outcome, int64_t result, uint64_t length);
/* The same, with the knowledge of file and flags beyond the errno. */
void write_interpret(const struct write_request *request, int64_t result,
		     struct write_outcome *outcome);
/* The meaning of an error of journal_commit() or a checkpoint for the write. */
void write_classify_journal(const struct atomicio_file *file, struct write_outcome *outcome,
			    int error);
/* The outcome of a request left in doubt by an earlier success. */
void write_judge_doubt(const struct write_request *request, struct write_outcome *outcome);

/* write_handle.c */
void write_poison(struct atomicio_file *file);
void write_count_done(const struct write_request *request);
void write_lost(struct atomicio_file *file);
void write_was_asked(const struct atomicio_file *file);
void write_back_range(const struct write_request *request);
int write_sync_file(struct atomicio_file *file);
const void *write_take_bounce(const struct write_request *request, bool may_wait);
void write_give_bounce(struct atomicio_file *file);

/* write_policy.c */
enum write_action write_decide(struct write_request *request, struct write_outcome *outcome);

/* write_check.c: a guest's, whose journal takes guests?  Then nothing may wait. */
bool write_is_entry(const struct write_request *request);
/* False means nothing done, and the outcome says why. */
bool write_fits_limits(const struct write_request *request, struct write_outcome *outcome);
bool write_is_readable(const struct write_request *request, struct write_outcome *outcome);
bool write_retire_range(const struct write_request *request, struct write_outcome *outcome);
bool write_precheck(const struct write_request *request, struct write_outcome *outcome);

/* write_attempt.c */
void write_kernel(struct write_request *request, struct write_outcome *outcome);
/* Does a durable write with an error succeed without the flush?  For L7: see there. */
bool write_was_not_refused(const struct write_request *request, struct write_outcome *outcome);

/* write_plain.c: the PLAIN fallback. */
void write_plain(const struct write_request *request, struct write_outcome *outcome);
void write_plain_open(struct atomicio_file *file, int status);

/* write_journal.c: the journal path, of one write or of a group. */
void write_journal(const struct write_request *request, struct write_outcome *outcome);
bool write_fits_journal(const struct write_request *request, struct write_outcome *outcome);
void write_journal_group(const struct atomicio_op *ops, uint32_t count, uint32_t flags,
			 struct write_outcome *outcome);
struct journal_page write_page_of_request(const struct write_request *request);
/* The same for a frame of guests: all pages are put, or none; as journal_gather_end(). */
int write_gather_group(const struct atomicio_op *ops, uint32_t count,
		       struct journal_guest_place *place);

/* write_look.c: an untorn write with looks around the call. */
void write_look(struct write_request *request, const struct iovec *vector,
		struct write_outcome *outcome);
/* The same in steps, for writes submitted elsewhere, and for files without looks too. */
bool write_look_before(struct write_request *request, struct write_outcome *outcome);
int write_look_rwf(const struct write_request *request);
/* False: the result proves nothing, make the call again. */
bool write_look_after(struct write_request *request, int64_t result, struct write_outcome *outcome);
/* Did a sandbox refuse pwritev2(2), and not the file?  Then nothing was done. */
bool write_look_refused(const struct write_request *request, int64_t result,
			struct write_outcome *outcome);
/* At open: does this file need looks?  Not 0: the reason against any untorn write. */
uint64_t write_look_open(struct atomicio_file *file);

/* write_device.c: the looks of a raw block device. */
bool write_device_before(struct write_request *request, struct write_outcome *outcome);
int write_device_rwf(const struct write_request *request); /* its special flags */
bool write_device_after(struct write_request *request, int64_t result,
			struct write_outcome *outcome);
void write_device_note(struct write_request *request); /* dirty pages: maybe_torn */

/* write_attach.c: part of open, with the flags of the caller's descriptor. */
int write_attach(struct atomicio_file *file, int status);

/* write_open.c: atomicio_open() over any system table. */
int write_open(const struct sys_calls *sys, int fd, const struct atomicio_options *options,
	       size_t options_size, struct atomicio_file **file);

/* write_batch.c and write_queue.c: an op's result until it is answered. */
#define WRITE_PENDING 1 /* not begun; no call of the kernel returns this */
#define WRITE_UNSYNCED(path) (1 + (int32_t)(path)) /* written by this path, not yet durable */

/* Take the queue for one batch of `count` ops; false: another thread has the queue. */
bool write_queue_enter(struct atomicio_queue *queue, uint32_t count);
void write_queue_leave(struct atomicio_queue *queue);
/* The ops still pending; flags are the batch's. */
void write_queue_rest(struct atomicio_queue *queue, struct atomicio_op *ops, uint32_t count,
		      uint32_t flags);

/* write.c */
int write_run(struct write_request *request);
int write_until_done(struct write_request *request); /* the same, but a success is not counted */

static inline bool write_is_poisoned(const struct atomicio_file *file)
{
	return atomic_load_explicit(&file->poisoned, memory_order_relaxed);
}

/*
 * The error of a write to a poisoned handle: nothing more is written, and the disk holds what an
 * earlier attempt may have left.
 */
static inline int write_poisoned_error(const struct write_request *request)
{
	return request->on_disk > ATOMICIO_DISK_OLD ? request->error : -ENOTRECOVERABLE;
}

/* The flags of a write that is fast, without a branch. */
#define WRITE_FLAGS (ATOMICIO_DSYNC | ATOMICIO_NOWAIT)
/* All of atomicio_write(). */
#define WRITE_KNOWN_FLAGS (WRITE_FLAGS | ATOMICIO_BEHIND)

static_assert(ATOMICIO_DSYNC << 1 == SYS_RWF_DSYNC, "see write_fast_rwf");
static_assert(ATOMICIO_NOWAIT << 2 == SYS_RWF_NOWAIT, "see write_fast_rwf");

static inline int write_fast_rwf(uint32_t flags)
{
	return SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND | (int)((flags & ATOMICIO_DSYNC) << 1) |
	       (int)((flags & ATOMICIO_NOWAIT) << 2);
}

/*
 * The RWF_ flags of any other write, always with RWF_NOAPPEND: with O_APPEND the kernel moves an
 * untorn write to the end of file after its validation, and XFS then zeroes old bytes (seen on 6.18
 * and 7.3; fs/read_write.c:generic_write_checks).  Never with RWF_DONTCACHE.
 */
static inline int write_rwf(uint32_t flags)
{
	int rwf = SYS_RWF_NOAPPEND;

	if (flags & ATOMICIO_DSYNC)
		rwf |= SYS_RWF_DSYNC;
	if (flags & ATOMICIO_NOWAIT)
		rwf |= SYS_RWF_NOWAIT;
	return rwf;
}

/* A shape for one call and nothing else, by the rules of write_shape(). */
static inline bool write_is_fast(const struct atomicio_file *file, const void *buffer,
				 uint64_t length, uint64_t offset, uint32_t flags)
{
	const struct write_limits *fast = &file->fast;

	return length <= fast->unit_max && length >= fast->unit_min &&
	       (length & (length - 1)) == 0 && (offset & (length - 1)) == 0 &&
	       offset <= INT64_MAX - length &&
	       ((uintptr_t)buffer & (fast->memory_align - 1)) == 0 && (flags & ~WRITE_FLAGS) == 0 &&
	       buffer && !write_is_poisoned(file);
}

static inline void write_count(_Atomic uint64_t *counter, uint64_t amount)
{
	atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

#endif /* LIBATOMICIO_WRITE_H */
