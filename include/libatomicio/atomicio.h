/* SPDX-License-Identifier: MIT */
/*
 * libatomicio: untorn writes on Linux.
 *
 * An untorn write puts one page on the disk so that a crash or a power cut leaves the page either
 * wholly new or wholly old, never a mixture.  The promise ends here.  Durability is asked for with
 * ATOMICIO_DSYNC or atomicio_sync(); the order of two writes, and the view of a concurrent reader,
 * are not promised at all.  The GLOSSARY of man/atomicio.7 has the words of this header (frame,
 * live, witness, poisoned).
 *
 * The library has three acts:
 *
 *	probe	atomicio_probe() says what one open file can do, and why not more.
 *	write	atomicio_write() checks the shape of a write, issues it with RWF_ATOMIC and,
 *		when the kernel says no, asks a policy of yours: retry, fall back, or fail.
 *	journal	where no hardware helps, a double-write journal (journal.h) makes the same promise
 *		on any file, direct or buffered, with one flush.
 *
 * A first program:
 *
 *	struct atomicio_options options = { .policy = atomicio_policy_default };
 *	struct atomicio_file *file;
 *	int fd = open("data", O_RDWR | O_DIRECT);
 *	int error = atomicio_open(fd, &options, sizeof(options), &file);
 *
 *	if (!error) {
 *		error = atomicio_write(file, page, 16384, 0, ATOMICIO_DSYNC);
 *		atomicio_close(file);
 *	}
 *	if (error)
 *		fprintf(stderr, "not written: %s\n", strerror(-error));
 *
 * Rules for every call
 * --------------------
 * Returns: 0, or a negative errno.  Never a byte count: an untorn write has no short result.
 * Outputs are untouched when a call fails.  No call prints, reads the environment, installs a
 * signal handler, keeps global state or changes errno.
 *
 * Memory is taken in the open and create calls and by a recovery.  A write by hardware or
 * filesystem costs one system call, no allocation and no lock.  On ext4 a write costs two system
 * calls, on raw block devices three, because a success alone proves nothing on them.  A journal
 * takes more memory, until the call returns, for a batch, for a page or a group longer than the
 * frames in memory, for a checkpoint, for a walk and for atomicio_journal_read().
 *
 * Threads: several threads may use a handle at once.  Closing a handle may not overlap any other
 * use of the handle.  The order of two writes that overlap in the file and in time is yours to
 * keep.
 *
 * Cancellation (pthread_cancel): no call is a cancellation point.  Calls, and the policy in them,
 * run with cancellation off and restore the state on return.  A request acts at the thread's next
 * cancellation point outside the library.  A call that waits for a disk cannot be cancelled.
 *
 * Structs that you fill or read are followed by their size as the next argument, and may grow in
 * later releases.  Zero the struct first, and pass its sizeof.  A struct of yours that is shorter
 * than the library's reads as if its tail were zero.  A longer struct is refused with -E2BIG if the
 * unknown tail is not zero.  A struct shorter than the first release's is refused with -EINVAL.
 *
 * Lengths, offsets and units are in bytes unless a name says otherwise.
 */
#ifndef LIBATOMICIO_ATOMICIO_H
#define LIBATOMICIO_ATOMICIO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATOMICIO_VERSION_MAJOR 0
#define ATOMICIO_VERSION_MINOR 1
#define ATOMICIO_VERSION_PATCH 0

struct atomicio_file;	 /* one open file, made by atomicio_open() */
struct atomicio_queue;	 /* an io_uring of the library's own for batches, see uring.h */
struct atomicio_journal; /* a double-write journal, see journal.h */

/* Version of the loaded library, as major * 10000 + minor * 100 + patch. */
uint32_t atomicio_version(void);

/*
 * Probe: the abilities of a file
 * ==============================
 */

/* Who makes a write untorn (struct atomicio_limits, mechanism). */
#define ATOMICIO_MECHANISM_NONE 0	/* nobody: use a journal */
#define ATOMICIO_MECHANISM_HARDWARE 1	/* the device, in one command */
#define ATOMICIO_MECHANISM_FILESYSTEM 2 /* the filesystem, by copy on write */
#define ATOMICIO_MECHANISM_MIXED 3	/* device up to unit_max_hw, filesystem above it */

/*
 * Limits of one way of writing.  A write is untorn if its length is a power of two from unit_min to
 * unit_max and its offset is a multiple of its length.  All fields are zero where the mechanism is
 * NONE.
 */
struct atomicio_limits {
	uint32_t mechanism;    /* ATOMICIO_MECHANISM_* */
	uint32_t unit_min;     /* smallest untorn write, a power of two */
	uint32_t unit_max;     /* largest untorn write, a power of two */
	uint32_t unit_max_hw;  /* part of unit_max that the device takes alone, 0: none */
	uint32_t segments_max; /* buffers a write may have: 1 on every kernel up to 7.3 */
	uint32_t reserved;     /* zero */
};

/* Sources that answered the probe (struct atomicio_caps, evidence). */
#define ATOMICIO_EVIDENCE_STATX 0x1u   /* statx(2) knows STATX_WRITE_ATOMIC */
#define ATOMICIO_EVIDENCE_QUEUE 0x2u   /* the queue limits in sysfs were read */
#define ATOMICIO_EVIDENCE_BLKID 0x4u   /* libblkid identified the device's contents */
#define ATOMICIO_EVIDENCE_CONFIRM 0x8u /* the kernel answered the confirming call */
#define ATOMICIO_EVIDENCE_DISK 0x10u   /* the disk below is known by name */

/*
 * The answer of atomicio_probe(): the verdict, the reasons, and the evidence behind them.  Missing
 * evidence is zero, and `evidence` and `reasons` say so.
 */
struct atomicio_caps {
	struct atomicio_limits direct; /* through O_DIRECT */
	struct atomicio_limits
		buffered;      /* through the page cache: NONE on every kernel up to 7.3 */
	uint32_t memory_align; /* multiple for the buffer address of a direct write */
	uint32_t offset_align; /* multiple for its offset and length */
	uint64_t reasons;      /* ATOMICIO_REASON_*: why not more */

	uint32_t evidence;		/* ATOMICIO_EVIDENCE_* */
	int32_t confirm_result;		/* the confirming call's result: -EINVAL means capable */
	uint64_t statx_mask;		/* stx_mask */
	uint64_t statx_attributes;	/* stx_attributes */
	uint64_t statx_attributes_mask; /* stx_attributes_mask */
	uint32_t statx_unit_min;	/* stx_atomic_write_unit_min */
	uint32_t statx_unit_max;	/* stx_atomic_write_unit_max */
	uint32_t statx_unit_max_opt;	/* stx_atomic_write_unit_max_opt, since Linux 6.16 */
	uint32_t queue_unit_min;	/* queue/atomic_write_unit_min_bytes */
	uint32_t queue_unit_max;	/* queue/atomic_write_unit_max_bytes */
	uint32_t queue_max;		/* queue/atomic_write_max_bytes */
	uint32_t queue_boundary;	/* queue/atomic_write_boundary_bytes, 0: none */
	uint32_t logical_block;		/* queue/logical_block_size */
	uint32_t physical_block;	/* queue/physical_block_size */
	uint32_t file_mode;		/* the file's type, as in stat(2): S_IFREG or S_IFBLK */
	uint64_t partition_offset;	/* where the partition starts on the disk, 0: whole disk */
	uint32_t device_major;		/* the device that holds the file, or is the file */
	uint32_t device_minor;
	uint32_t kernel_major; /* of the running kernel, from uname(2) */
	uint32_t kernel_minor;
	uint32_t kernel_patch;
	uint32_t is_partition;	  /* 1: the device is a partition of the disk */
	char disk_name[32];	  /* "nvme0n1", "" where unknown */
	char filesystem_type[16]; /* "xfs", "ext4", "overlay", "" where unknown */
	char filesystem_uuid[40]; /* "" where unknown */
};

/*
 * Why a file cannot do more: one bit each.  Every bit has a stable short name, a sentence and,
 * where something can be done, the command or option that would help.  The values are plain
 * numbers, because generators of bindings for other languages drop a macro that calls another
 * macro.
 */
#define ATOMICIO_REASON_KERNEL_TOO_OLD 0x1ULL
#define ATOMICIO_REASON_NOT_DIRECT 0x2ULL
#define ATOMICIO_REASON_FS_UNSUPPORTED 0x4ULL
#define ATOMICIO_REASON_DEVICE_UNSUPPORTED 0x8ULL
#define ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC 0x10ULL
#define ATOMICIO_REASON_XFS_NEEDS_REFLINK 0x20ULL
#define ATOMICIO_REASON_XFS_SOFTWARE 0x40ULL
#define ATOMICIO_REASON_XFS_SUSPECT_KERNEL 0x80ULL
#define ATOMICIO_REASON_PARTITION_MISALIGNED 0x100ULL
#define ATOMICIO_REASON_LAYER_BLOCKS 0x200ULL
#define ATOMICIO_REASON_OVERLAY 0x400ULL
#define ATOMICIO_REASON_DATA_JOURNALED 0x800ULL
#define ATOMICIO_REASON_DAX 0x1000ULL
#define ATOMICIO_REASON_APPEND_ONLY 0x2000ULL
#define ATOMICIO_REASON_READ_ONLY 0x4000ULL
#define ATOMICIO_REASON_UNCONFIRMED 0x8000ULL
#define ATOMICIO_REASON_NVME_AWUPF_IGNORED 0x10000ULL
#define ATOMICIO_REASON_NOT_REGULAR 0x20000ULL
#define ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL 0x40000ULL
#define ATOMICIO_REASON_IMMUTABLE 0x80000ULL
#define ATOMICIO_REASON_CONTRADICTED 0x100000ULL
#define ATOMICIO_REASON_DISK_UNKNOWN 0x200000ULL
#define ATOMICIO_REASON_QUEUE_UNREADABLE 0x400000ULL
#define ATOMICIO_REASON_CONTENTS_UNKNOWN 0x800000ULL
#define ATOMICIO_REASON_REOPEN_FAILED 0x1000000ULL
#define ATOMICIO_REASON_STATX_REFUSED 0x2000000ULL
#define ATOMICIO_REASON_NO_RECHECK 0x4000000ULL
#define ATOMICIO_REASON_NO_WITNESS 0x8000000ULL
#define ATOMICIO_REASON_CONTENTS_AMBIGUOUS 0x10000000ULL
/* Bits of one write, not of the file: see atomicio_check() and struct atomicio_failure. */
#define ATOMICIO_REASON_LENGTH_NOT_POWER_OF_TWO 0x100000000ULL
#define ATOMICIO_REASON_LENGTH_TOO_SMALL 0x200000000ULL
#define ATOMICIO_REASON_LENGTH_TOO_LARGE 0x400000000ULL
#define ATOMICIO_REASON_OFFSET_UNALIGNED 0x800000000ULL
#define ATOMICIO_REASON_MEMORY_UNALIGNED 0x1000000000ULL
#define ATOMICIO_REASON_FILE_SIZE_LIMIT 0x2000000000ULL
#define ATOMICIO_REASON_DEVICE_END 0x4000000000ULL
#define ATOMICIO_REASON_REGISTERED_BUFFER 0x8000000000ULL
#define ATOMICIO_REASON_NOWAIT_NEVER 0x10000000000ULL
#define ATOMICIO_REASON_CACHED_PAGES 0x20000000000ULL
#define ATOMICIO_REASON_SHORT_WRITE 0x40000000000ULL
#define ATOMICIO_REASON_HANDLE_POISONED 0x80000000000ULL
#define ATOMICIO_REASON_LENGTH_UNALIGNED 0x100000000000ULL
#define ATOMICIO_REASON_FRAME_TOO_LARGE 0x200000000000ULL
#define ATOMICIO_REASON_JOURNAL_UNCLEAN 0x400000000000ULL
#define ATOMICIO_REASON_JOURNAL_POISONED 0x800000000000ULL
#define ATOMICIO_REASON_BAD_ARGUMENT 0x1000000000000ULL
#define ATOMICIO_REASON_HOME_FAILED 0x2000000000000ULL
#define ATOMICIO_REASON_JOURNAL_FULL 0x4000000000000ULL
#define ATOMICIO_REASON_NO_TURN 0x8000000000000ULL

/*
 * Probe an open descriptor: fill *caps with the abilities of the file, and the reasons why not
 * more.  The file may be a regular file, a block device or a partition, open in any mode.  No
 * privilege is needed, and nothing is written; the reasons name what a missing privilege hides.
 * `direct` describes O_DIRECT writes even if fd is buffered; NOT_DIRECT in the reasons says that fd
 * is buffered.  The answer holds for this open descriptor: a remount may change the answer for the
 * next one.
 *
 * Safe from any thread.  The library allocates nothing.  A regular file costs 16 system calls on a
 * disk without untorn writes and 25 on a disk with them; a partition costs 3 more, and each layer
 * below (device-mapper, md) some more.  On a block device, and before Linux 6.9, libblkid reads the
 * device to identify the contents: some milliseconds, and clean pages in the device's page cache.
 * Closing the device node then drops the process's POSIX record locks on the device, as every
 * close(2) does.  On a frozen filesystem (fsfreeze) the probe of a writable descriptor waits for
 * the thaw, as every write does.
 *
 * Returns 0 or:
 *	-EBADF		fd is not open, or was opened with O_PATH
 *	-EISDIR		a directory
 *	-ESPIPE		a pipe, FIFO or socket
 *	-EINVAL		neither a regular file nor a block device; caps_size is too small
 *	-EFAULT		caps is NULL
 *	others		from statx(2)
 */
int atomicio_probe(int fd, struct atomicio_caps *caps, size_t caps_size);

/*
 * Name and explain one reason bit.  The name is stable and short ("xfs-needs-reflink").  The text
 * is one sentence.  The fix is the command or option that would help, or NULL where nothing would.
 * All are constant strings, never freed; NULL for anything but one known bit.
 */
const char *atomicio_reason_name(uint64_t reason);
const char *atomicio_reason_text(uint64_t reason);
const char *atomicio_reason_fix(uint64_t reason);

/*
 * Take the lowest known bit out of *reasons and return the bit, 0 when none is left.  A loop over
 * all reasons:
 *
 *	while ((reason = atomicio_reason_next(&reasons)))
 *		puts(atomicio_reason_text(reason));
 *
 * Bits unknown to this library are dropped, and every returned bit has a name and a text.
 */
uint64_t atomicio_reason_next(uint64_t *left);

/*
 * Policy: the answer to a failed write
 * ====================================
 */

/*
 * What went wrong (struct atomicio_failure, kind), and the state of the range on disk after a call
 * without a sync.
 *
 *	SHAPE		our own check; no call was made.  Old.
 *	UNSUPPORTED	EOPNOTSUPP, ENOSYS, EPERM, EACCES: this file cannot.  EBADF, EFAULT: the
 *			descriptor or the buffer is gone, and nothing would help.  Old.
 *	NOT_DIRECT	ENOTBLK: no direct write is possible here.  Old.
 *	LAYOUT		EINVAL on a valid shape: the extents do not allow it.  Old.
 *	BUSY		EAGAIN, EINTR, ENOMEM: cached pages, a full queue or memory in the way.
 *			ECANCELED: a failed write linked before it in an io_uring.  Old; on a raw
 *			block device with readers beside it old or new, whole.
 *	SPACE		ENOSPC, EDQUOT, EFBIG: no room.  Old.
 *	MEDIA		EIO and every unknown error.  Old or new, whole.
 *	BROKEN		a short count, or a write that bypassed the untorn path.  Unknown; the
 *			handle is poisoned, unless the fallback is a journal, which heals the page.
 */
#define ATOMICIO_KIND_SHAPE 1
#define ATOMICIO_KIND_UNSUPPORTED 2
#define ATOMICIO_KIND_NOT_DIRECT 3
#define ATOMICIO_KIND_LAYOUT 4
#define ATOMICIO_KIND_BUSY 5
#define ATOMICIO_KIND_SPACE 6
#define ATOMICIO_KIND_MEDIA 7
#define ATOMICIO_KIND_BROKEN 8

/*
 * The state of the range on disk (on_disk): the worst that the attempts of this write may have left
 * so far.  `kind` describes the last attempt alone, and its list above holds for a call without a
 * sync.  After any error of a call that may have synced the file (ATOMICIO_DSYNC; O_DSYNC or O_SYNC
 * on the descriptor; chattr +S on the file; a mount with sync) the range is old or new: the call
 * can write the page and then return the error of its flush, or of another page's write-back.
 */
#define ATOMICIO_DISK_OLD 1	   /* the old bytes, all of them */
#define ATOMICIO_DISK_OLD_OR_NEW 2 /* all old or all new, undefined which */
#define ATOMICIO_DISK_UNKNOWN 3	   /* anything: treat the range as lost */

/* The answers of a policy: one bit of `allowed`. */
#define ATOMICIO_RETRY 1u    /* the same write again, by the same path */
#define ATOMICIO_FALLBACK 2u /* the fallback named by the options */
#define ATOMICIO_FAIL 4u     /* give the error to the caller */

/* Where a write went, or should go (atomicio_options.path, atomicio_failure.path). */
#define ATOMICIO_PATH_AUTO 0	/* hardware if it fits, else journal if it fits, else filesystem */
#define ATOMICIO_PATH_KERNEL 1	/* RWF_ATOMIC, by device or filesystem */
#define ATOMICIO_PATH_JOURNAL 2 /* the double-write journal */
#define ATOMICIO_PATH_PLAIN 3	/* a plain write that may tear: only ever as a fallback */

/* One failure, as the policy sees it. */
struct atomicio_failure {
	uint32_t size;	  /* of this struct */
	uint32_t kind;	  /* ATOMICIO_KIND_* */
	int32_t error;	  /* negative errno returned by FAIL; belongs to on_disk */
	uint32_t on_disk; /* ATOMICIO_DISK_* */
	uint32_t allowed; /* ATOMICIO_RETRY | ...: any other answer counts as FAIL */
	uint32_t attempt; /* 1 for the first failure of this write on this path */
	uint32_t path;	  /* ATOMICIO_PATH_* of the failed attempt */
	uint32_t flags;	  /* the write's flags */
	uint64_t offset;  /* the write's offset */
	uint64_t length;  /* and length */
	uint64_t reasons; /* ATOMICIO_REASON_* known of the cause, or 0 */
};

/*
 * Decide about one failure: answer ATOMICIO_RETRY, ATOMICIO_FALLBACK or ATOMICIO_FAIL.  Called on
 * the writing thread, with no lock held.  The answer is masked with failure->allowed, and anything
 * but one allowed bit counts as FAIL: a wrong policy costs an error, never a torn page.  A policy
 * must return: a longjmp or a C++ exception leaves a write without result, a queue busy for ever
 * (-EBUSY), and the thread's cancellation off; all else goes on.  The library bounds RETRY with
 * options.retries_max and, before a retry of BUSY, writes back the cached pages in the way.
 */
typedef uint32_t atomicio_policy(void *context, const struct atomicio_failure *failure);

/*
 * Retry what may pass (BUSY without ATOMICIO_NOWAIT, NOT_DIRECT once, MEDIA once), then fall back
 * if a fallback is configured, else fail.  The context is ignored.
 */
uint32_t atomicio_policy_default(void *context, const struct atomicio_failure *failure);

/* Fail at once, always. */
uint32_t atomicio_policy_strict(void *context, const struct atomicio_failure *failure);

/* "busy", "layout", ...; "hardware", "none", ...: constant strings, NULL if unknown. */
const char *atomicio_kind_name(uint32_t kind);
const char *atomicio_mechanism_name(uint32_t mechanism);

/*
 * Write
 * =====
 */

/* What FALLBACK means for a file (struct atomicio_options, fallback). */
#define ATOMICIO_FALLBACK_DEFAULT 0 /* the journal if one is given, else none */
#define ATOMICIO_FALLBACK_NONE 1    /* nothing: FALLBACK is never allowed */
#define ATOMICIO_FALLBACK_JOURNAL 2 /* the journal: still untorn */
#define ATOMICIO_FALLBACK_PLAIN 3   /* a plain write, which MAY TEAR: never a default */

/*
 * Flags of atomicio_open(): where the caller's fd is buffered, open an O_DIRECT description of the
 * same file for the library's writes.  Needs /proc.  Without the description the handle opens
 * nevertheless, with REOPEN_FAILED in its reasons.  Closing the handle drops the process's POSIX
 * record locks on the file, as every close(2) does; OFD locks stay.
 */
#define ATOMICIO_OPEN_REOPEN_DIRECT 0x1u
/*
 * Flag of atomicio_open(): hold a shared flock(2) on every description that the library writes
 * through, the caller's and its own.  Reason: a process may be killed with io_uring writes on their
 * way, in a queue or in an io_uring of its own.  The process and its record locks (POSIX and OFD)
 * are then gone at once.  The pages land later, after seconds on a slow disk, over the successor's
 * pages.  The kernel holds a flock on the written description until the last write is done.  A
 * successor with LOCK_EX on the file therefore knows that no write is on its way any more.
 *
 * A description has one flock and no count of holders, therefore the library never gives up the
 * flock of fd, neither in atomicio_close() nor in an atomicio_open() that fails later.  The flock
 * ends with the last copy of fd (dup(), fork()), or by your LOCK_UN when no handle is left and no
 * write is on its way.  Do not use flock(2) on fd before.  -EBUSY from atomicio_open(): somebody
 * holds the file exclusively.
 */
#define ATOMICIO_OPEN_LOCK 0x4u

/*
 * Flag of atomicio_open(): open no witness.  The witness is a description of the file of the
 * library's own, used for syncs alone.  The kernel reports a lost page once to each description.
 * After an error of a durable write the witness therefore tells a page lost earlier from a failure
 * of this write.  atomicio_close() closes the witness, which drops the process's POSIX record locks
 * on the file, as every close(2) does; OFD locks and flock(2) stay.  Set this flag if you need
 * POSIX locks.
 *
 * Without a witness (also without /proc, without the right to open the file again, without a free
 * descriptor; NO_WITNESS in the handle's reasons) every error of a durable write counts as a
 * possible loss: the next atomicio_sync() fails.  The report of a lost page then goes to the first
 * caller only.  Your own fsync(), fdatasync(), sync_file_range() with a wait, or syncing write, on
 * fd or on a duplicate (dup(), fork(), SCM_RIGHTS), uses the report up, and atomicio_sync() returns
 * 0 for the lost page.  Without a witness make no such call, or treat its error as the loss.
 */
#define ATOMICIO_OPEN_NO_WITNESS 0x2u

/* How a file is opened.  Zero is the default of every field. */
struct atomicio_options {
	atomicio_policy *policy;	  /* NULL: atomicio_policy_default */
	void *policy_context;		  /* handed to the policy */
	struct atomicio_journal *journal; /* NULL: none.  Must outlive the file */
	uint64_t file_id;		  /* with a journal: your name for this file, not 0 */
	uint32_t fallback;		  /* ATOMICIO_FALLBACK_* */
	uint32_t path;			  /* ATOMICIO_PATH_AUTO, _KERNEL or _JOURNAL */
	uint32_t retries_max;		  /* RETRY answers allowed per write, 0: 8; at most 1000 */
	uint32_t bounce_max;  /* copy unaligned buffers up to this size; at most 64 MiB */
	uint32_t flags;	      /* ATOMICIO_OPEN_* */
	uint32_t reserved;    /* zero */
	uint8_t file_tag[16]; /* with a journal: your mark, shown in recovery; 0: none */
};

/*
 * Probe fd and make a handle to write through.  fd stays the caller's, and must stay open on the
 * same file until atomicio_close(): the library does not duplicate fd (closing a duplicate would
 * drop the process's POSIX record locks).  The handle keeps the capability of this moment, as the
 * kernel does at open(2), and an unlimited RLIMIT_FSIZE.
 *
 * A file without any ability opens too: its writes go to the policy with UNSUPPORTED.  options may
 * be NULL for all defaults (options_size is then ignored).
 *
 * Returns 0 or:
 *	-EFAULT		file is NULL
 *	-EBADF		fd is not open for writing
 *	-EINVAL		an option is out of range; a journal without file_id; fallback or path
 *			JOURNAL without a journal
 *	-EPERM		the file is immutable, or append-only with a journal
 *	-EEXIST		the journal knows the file_id as another file, or the file by another id
 *	-ENOTRECOVERABLE  pages of the file are in live frames of the journal and not at home,
 *			because the file failed, or recovery left it: recover first (journal.h)
 *	-EOPNOTSUPP	a journal, and fd has O_APPEND, and every write would go to the end:
 *			before Linux 6.9, and on overlay, FUSE, 9p and ecryptfs
 *	-EBUSY		ATOMICIO_OPEN_LOCK, and the file is locked exclusively
 *	-ENOMEM
 *	others		from flock(2), with that flag, or from atomicio_probe()
 */
int atomicio_open(int fd, const struct atomicio_options *options, size_t options_size,
		  struct atomicio_file **file);

/*
 * Free a handle.  NULL is fine.  fd stays open.  With a journal, the file is synced first, for the
 * retirement of its frames.  Without a journal nothing is synced: call atomicio_sync().  Returns 0,
 * or the negative errno of the sync; the handle is gone in either case.
 */
int atomicio_close(struct atomicio_file *file);

/* Write flags. */
#define ATOMICIO_DSYNC 0x1u /* durable on return, with the metadata needed to find it */
/* -EAGAIN rather than block.  A fallback blocks, and so does a frozen filesystem (fsfreeze). */
#define ATOMICIO_NOWAIT 0x2u
#define ATOMICIO_ALL_OR_NONE 0x4u /* batches only: the whole batch is one group */
/*
 * A write through the journal returns when its frame is durable, with the page still on its way to
 * the file.  Until atomicio_settle() or atomicio_sync() a reader of any kind (another descriptor or
 * process, a mapping, a direct read) sees the old page, the new page or a mixture.  After a crash
 * or a kill recovery finishes the page.  Every write of this library over the page waits for the
 * page's home write.  An error of the home write is returned by atomicio_settle(), atomicio_sync()
 * and atomicio_close(), and by every later write of the handle (HOME_FAILED).  A call after the
 * first to receive the error gives -ENOTRECOVERABLE.  A child after fork(2) must not use the
 * handle.
 *
 * The flag is a permission.  A buffered file, a file that has a direct handle and a buffered one, a
 * group longer than a frame, a journal that processes share in turns, and a page for which AIO has
 * no room are home on return, as without the flag.
 * Other paths ignore the flag.
 */
#define ATOMICIO_BEHIND 0x10u

/*
 * Write `length` bytes at `offset`, untorn.
 *
 * On return 0 the page is written as the options allow: untorn, unless the options name
 * ATOMICIO_FALLBACK_PLAIN and the policy chose this fallback (see writes_plain in the statistics).
 * On an error:
 *
 *	- refused by our own check, or kinds SHAPE to SPACE without a sync: the old page is there.
 *	  Exception: BUSY on a raw block device with readers of the page leaves it old or new;
 *	- kind MEDIA, and any error of a durable write (see ATOMICIO_DISK_OLD_OR_NEW): old or new,
 *	  but whole.  If a retry or a fallback fails too, the error of the last attempt is returned;
 *	- the PLAIN fallback was taken and failed: anything may be there, whatever the error.
 *
 * A durable write may return the error of another page of the file, lost earlier, with any errno.
 * After each error of a durable write the library therefore asks its witness (see
 * ATOMICIO_OPEN_NO_WITNESS), at the price of an fdatasync.  If a page was lost, the handle is
 * poisoned, and with live frames in a journal the file fails in the journal.  If not, the policy
 * may retry or fall back.  With ATOMICIO_NOWAIT the library does not ask, and the next sync reports
 * the loss.  The buffer is only read.
 *
 * Returns 0 or:
 *	-EINVAL		NULL buffer, zero length, an end beyond INT64_MAX, an unknown flag, or
 *			a shape that this file refuses (atomicio_check() names the rule)
 *	-EOPNOTSUPP	no untorn writes to this file (atomicio_file_get_caps() has the reasons)
 *	-ENOTBLK	the kernel cannot do this write direct
 *	-EPERM, -EACCES	denied
 *	-EAGAIN		ATOMICIO_NOWAIT would block; another writer holds the range dirty in the
 *			page cache; or, on a raw block device, a page of the range stays in the
 *			page cache, for example while another process has it mapped
 *	-ENOMEM
 *	-ENOSPC, -EDQUOT, -EFBIG  no room
 *	-EFAULT		a part of the buffer cannot be read; nothing is written, not even in part
 *			(the journal copies the buffer, and raises SIGSEGV)
 *	-EIO, others	from the device: old or new, whole
 *	-EIO		with kind BROKEN: a torn result was caught
 *	-ENOTRECOVERABLE  the handle was poisoned by a torn result or a lost page: close, reopen
 *
 * Through the journal also, and always with the old page on the disk:
 *	-EMSGSIZE	longer than the largest frame, and not for the kernel either
 *	-EUCLEAN	live frames of an earlier run: recover first
 *	-ENOTRECOVERABLE  the journal is poisoned, or this file has failed (journal.h)
 *	-ENOSPC, -EDQUOT, -EFBIG, -EPERM  no room for the page, or in the journal
 *	-ENOMEM
 *	-EINTR		try again
 *	-EBUSY		an entry of a caller's io_uring must complete first (uring.h); or the
 *			journal is shared, and no turn is under way (turns.h)
 *
 * A write through the journal blocks, even with ATOMICIO_NOWAIT.  Any error not listed poisons the
 * journal, and the page is old or new, whole, once recovery has run.  0 says that the page is
 * durable, and in the file unless the file failed.
 */
int atomicio_write(struct atomicio_file *file, const void *buffer, size_t length, uint64_t offset,
		   uint32_t flags);

/*
 * Check a write without writing: 0 if the kernel path would use RWF_ATOMIC.  Else the bits of all
 * broken rules (ATOMICIO_REASON_LENGTH_... and on), or the file's own reasons if no untorn write to
 * the file is possible.  BAD_ARGUMENT stands for a NULL file or buffer, a zero length, an end
 * beyond INT64_MAX.  No system call.
 */
uint64_t atomicio_check(const struct atomicio_file *file, const void *buffer, size_t length,
			uint64_t offset);

/* One write of a batch.  Filled by the caller, except `result`. */
struct atomicio_op {
	struct atomicio_file *file;
	const void *buffer;
	uint64_t offset;
	uint64_t length;
	int32_t result;	   /* out: 0 or a negative errno, as from atomicio_write() */
	uint32_t reserved; /* zero */
};

/*
 * Write several pages, each untorn on its own, in no promised order: ops of one batch must not
 * overlap.  With a NULL queue the ops run on this thread: first the ops of a journal, in shared
 * frames, then the other ops one by one.  With a queue the other ops go through its io_uring.  Ops
 * of a journal never go through the io_uring (journal.h says why); their home writes go out
 * together with or without a queue.  Flags as for atomicio_write(): with ATOMICIO_DSYNC all are
 * durable on return.  With ATOMICIO_ALL_OR_NONE the batch is one group, which a crash leaves whole
 * or absent (all files need the same journal).
 *
 * A failed op does not stop the other ops (except with ALL_OR_NONE): each op has its own result.
 *
 * Returns 0 if every op returned 0, else the result of the first failed op, by index.  Errors that
 * touch no result:
 *	-EINVAL		NULL or zero count, an op without a file, non-zero reserved, an unknown
 *			flag, two ops of a group overlap
 *	-EOPNOTSUPP	ALL_OR_NONE without a journal
 *	-EXDEV		ALL_OR_NONE over files of several journals
 *	-EMSGSIZE	an op of a group is longer than the journal's largest frame, or a group
 *			takes more than half of the journal's log area, not counting the part kept
 *			for failed files
 *	-EBUSY		another thread uses the queue
 *	others		for a group: from atomicio_write() before anything is written
 */
int atomicio_write_batch(struct atomicio_queue *queue, struct atomicio_op *ops, uint32_t count,
			 uint32_t flags);

/*
 * Make all writes that returned 0 before this call durable (fdatasync).  Threads that sync at once
 * share a call.  The sync asks the library's own witness, and receives the error of every page of
 * the file lost since atomicio_open(), even if somebody else received the error before: another
 * process, a durable write, or your own fsync(2).  On FUSE, 9p, overlay and filesystems unknown to
 * the library, your descriptor is synced too.
 *
 * A child after fork(2) leaves the witness to the parent, and has none: an error of a durable write
 * fails its next sync, and a loss reported through your descriptor to the parent is not reported
 * again.  Processes are told apart by pid: the first child of a new pid namespace, made by the
 * first process of its own namespace, is taken for the parent.
 *
 * The kernel reports a flush that failed in the disk to one call alone.  If a write of this handle
 * receives the report, the next sync fails.  If another process, another handle on the file (also
 * of this process) or your own fsync(2) receives the report, nobody else can know.
 *
 * Returns 0 or a negative errno.  A failed sync, whatever its errno, poisons the handle, because
 * the kernel reports a loss only once.  Later calls, and calls that waited for the failed sync,
 * give -ENOTRECOVERABLE until the file is reopened.  With live frames of this file in a journal,
 * the file fails in the journal, too: recovery brings back what went through the journal.  A
 * poisoned journal gives -ENOTRECOVERABLE.  -EINTR with a handle not poisoned: signals, or a FUSE
 * server, cut the sync short again and again; nothing is lost, call again.  Without a witness a
 * sync also fails if an earlier call of this handle received an error that may have been a loss.
 * Use one handle per descriptor then, and no fsync(2) beside the handle, which would use up the
 * report.
 */
int atomicio_sync(struct atomicio_file *file);

/*
 * After writes with ATOMICIO_BEHIND: wait until the pages that touch the `length` bytes at `offset`
 * are in the file, for all handles of the file in this process.  Length 0: to the end of the file.
 * Nothing is synced, and without such writes nothing is waited for: a write in the caller's
 * io_uring (uring.h) is in the file at the completion that says so.
 *
 * Returns 0 or:
 *	-EINVAL
 *	-ENOTRECOVERABLE  the handle is poisoned
 *	others		from a home write: the file has failed, its frames stay live, and recovery
 *			writes the page
 */
int atomicio_settle(struct atomicio_file *file, uint64_t offset, uint64_t length);

/* The capability kept in the handle.  Returns 0, -EFAULT or -EINVAL as atomicio_probe(). */
int atomicio_file_get_caps(const struct atomicio_file *file, struct atomicio_caps *caps,
			   size_t caps_size);

/*
 * The work of a handle since atomicio_open().  Each count is exact; all together are no snapshot.
 */
struct atomicio_stats {
	uint64_t writes_hardware;   /* done by RWF_ATOMIC, within unit_max_hw */
	uint64_t writes_filesystem; /* done by RWF_ATOMIC, above unit_max_hw */
	uint64_t writes_journal;    /* done through the journal */
	uint64_t writes_plain;	    /* done by the PLAIN fallback: may be torn */
	uint64_t writes_failed;	    /* gave an error to the caller */
	uint64_t bytes;		    /* in the writes done */
	uint64_t retries;	    /* RETRY answers taken */
	uint64_t fallbacks;	    /* FALLBACK answers taken */
	uint64_t bounces;	    /* buffers copied to be aligned */
	uint64_t writebacks;	    /* cached ranges written back before a retry */
	uint64_t syncs;		    /* fdatasync calls */
	uint64_t failures[9];	    /* failures shown to the policy, by ATOMICIO_KIND_* */
};

/* Read the counters of a handle: cheap enough to poll.  Returns 0, -EFAULT or -EINVAL. */
int atomicio_file_get_stats(const struct atomicio_file *file, struct atomicio_stats *stats,
			    size_t stats_size);

#ifdef __cplusplus
}
#endif

#endif /* LIBATOMICIO_ATOMICIO_H */
