/* SPDX-License-Identifier: MIT */
/*
 * The meaning of a result: the kind of failure, the state of the disk, the answers that help.
 *
 * Flow: after every submission, by call or through io_uring; pure.
 *
 * One table leads from errno to kind, a second one from kind to meaning.  The errnos were read in
 * Linux 6.12 to 7.3 and observed on 6.18 and 7.3.  An errno outside the table is MEDIA, the kind
 * that assumes least.  ENOTBLK and EIO are both in the table because kernels differ between them
 * for one cause.
 */
#include "write.h"

#include "abi.h"

#include <errno.h>
#include <stddef.h>

struct errno_row {
	int error;
	uint32_t kind;
	uint32_t allowed; /* 0: as the kind allows */
};

static const struct errno_row errno_table[] = {
	{EOPNOTSUPP, ATOMICIO_KIND_UNSUPPORTED, 0}, /* no FMODE_CAN_ATOMIC_WRITE, or not O_DIRECT */
	{ENOSYS, ATOMICIO_KIND_UNSUPPORTED, 0},	    /* no pwritev2, or a seccomp filter */
	{ENOTBLK, ATOMICIO_KIND_NOT_DIRECT, 0},	    /* fs/iomap: go on buffered, if you like */
	{EINVAL, ATOMICIO_KIND_LAYOUT, 0},	    /* the shape was valid: extents, segments */
	{EAGAIN, ATOMICIO_KIND_BUSY, 0},	    /* NOWAIT; or cached pages cannot be dropped */
	{EINTR, ATOMICIO_KIND_BUSY, 0},
	{ENOSPC, ATOMICIO_KIND_SPACE, 0}, /* XFS copy on write allocates for an overwrite too */
	{EDQUOT, ATOMICIO_KIND_SPACE, 0},
	{EFBIG, ATOMICIO_KIND_SPACE, 0},
	/* Never started: the link before broke, and the place in the chain is gone.  But Q5. */
	{ECANCELED, ATOMICIO_KIND_BUSY, ATOMICIO_FAIL},
	/* Closed under the write: the number may name another file by now. */
	{EBADF, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_FAIL},
	/* The buffer cannot be read, and will not be at a second try. */
	{EFAULT, ATOMICIO_KIND_UNSUPPORTED, ATOMICIO_FAIL},
	/* A filter (seccomp) set after open; or the file is immutable or sealed now. */
	{EPERM, ATOMICIO_KIND_UNSUPPORTED, 0},
	{EACCES, ATOMICIO_KIND_UNSUPPORTED, 0},
	{ENOMEM, ATOMICIO_KIND_BUSY, 0}, /* of the kernel: a bio, pinned pages */
};

struct kind_row {
	uint32_t on_disk;
	uint32_t allowed;
};

static const struct kind_row kind_table[] = {
	[ATOMICIO_KIND_SHAPE] = {ATOMICIO_DISK_OLD, ATOMICIO_FAIL | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_UNSUPPORTED] = {ATOMICIO_DISK_OLD, ATOMICIO_FAIL | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_NOT_DIRECT] = {ATOMICIO_DISK_OLD,
				      ATOMICIO_FAIL | ATOMICIO_RETRY | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_LAYOUT] = {ATOMICIO_DISK_OLD, ATOMICIO_FAIL | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_BUSY] = {ATOMICIO_DISK_OLD,
				ATOMICIO_FAIL | ATOMICIO_RETRY | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_SPACE] = {ATOMICIO_DISK_OLD, ATOMICIO_FAIL},
	[ATOMICIO_KIND_MEDIA] = {ATOMICIO_DISK_OLD_OR_NEW,
				 ATOMICIO_FAIL | ATOMICIO_RETRY | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_BROKEN] = {ATOMICIO_DISK_UNKNOWN, ATOMICIO_FAIL},
};

static const char *const kind_names[] = {
	[ATOMICIO_KIND_SHAPE] = "shape",
	[ATOMICIO_KIND_UNSUPPORTED] = "unsupported",
	[ATOMICIO_KIND_NOT_DIRECT] = "not-direct",
	[ATOMICIO_KIND_LAYOUT] = "layout",
	[ATOMICIO_KIND_BUSY] = "busy",
	[ATOMICIO_KIND_SPACE] = "space",
	[ATOMICIO_KIND_MEDIA] = "media",
	[ATOMICIO_KIND_BROKEN] = "broken",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Fill an outcome with a failure of one kind. */
void write_fail(struct write_outcome *outcome, uint32_t kind, int32_t error, uint64_t reasons)
{
	assert(kind >= ATOMICIO_KIND_SHAPE && kind <= ATOMICIO_KIND_BROKEN && error < 0);
	*outcome = (struct write_outcome){
		.kind = kind,
		.error = error,
		.on_disk = kind_table[kind].on_disk,
		.allowed = kind_table[kind].allowed,
		.reasons = reasons,
	};
}

/* Fill an outcome from the result of an untorn write of `length` bytes (W2). */
void write_classify(struct write_outcome *outcome, int64_t result, uint64_t length)
{
	if (result >= 0 && (uint64_t)result == length) {
		*outcome = (struct write_outcome){.kind = 0};
		return;
	}
	if (result >= 0) {
		write_fail(outcome, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_SHORT_WRITE);
		return;
	}
	for (size_t i = 0; i < COUNT(errno_table); i++) {
		if (errno_table[i].error == -result) {
			write_fail(outcome, errno_table[i].kind, (int32_t)result, 0);
			if (errno_table[i].allowed)
				outcome->allowed = errno_table[i].allowed;
			outcome->answer = result == -ECANCELED ? 0 : (int32_t)result;
			return;
		}
	}
	write_fail(outcome, ATOMICIO_KIND_MEDIA, (int32_t)result, 0);
	outcome->answer = (int32_t)result;
}

/* Classify a result, with the knowledge of file and flags beyond the errno. */
void write_interpret(const struct write_request *request, int64_t result,
		     struct write_outcome *outcome)
{
	write_classify(outcome, result, request->length);
	if (outcome->kind != ATOMICIO_KIND_BUSY || outcome->error != -EAGAIN)
		return;
	/* XFS's copy on write cannot do without blocking: fs/xfs/xfs_file.c, 6.16 to 7.3. */
	if ((request->flags & ATOMICIO_NOWAIT) && request->length > request->file->unit_max_hw)
		outcome->reasons |= ATOMICIO_REASON_NOWAIT_NEVER;
	else if (!(request->flags & ATOMICIO_NOWAIT))
		outcome->reasons |= ATOMICIO_REASON_CACHED_PAGES;
}

/* The frame may be durable or not: recovery makes the page old or new, whole. */
static void classify_frame_error(const struct atomicio_file *file, struct write_outcome *outcome,
				 int error)
{
	write_fail(outcome, ATOMICIO_KIND_MEDIA, error, ATOMICIO_REASON_JOURNAL_POISONED);
	outcome->allowed = ATOMICIO_FAIL;
	if (journal_is_poisoned(file->options.journal))
		return;
	/* Or the write was never begun: the journal's header could not be written. */
	outcome->reasons = 0;
	outcome->on_disk = ATOMICIO_DISK_OLD;
}

/* The meaning of an error of journal_commit() or a checkpoint for the write. */
void write_classify_journal(const struct atomicio_file *file, struct write_outcome *outcome,
			    int error)
{
	uint64_t poisoned = ATOMICIO_REASON_JOURNAL_POISONED;

	if (atomic_load_explicit(&file->home.failed, memory_order_relaxed))
		poisoned = ATOMICIO_REASON_HOME_FAILED;
	switch (error) {
	case -EMSGSIZE:
		write_fail(outcome, ATOMICIO_KIND_SHAPE, error, ATOMICIO_REASON_FRAME_TOO_LARGE);
		return;
	case -EINVAL: /* two pages of a group overlap */
		write_fail(outcome, ATOMICIO_KIND_SHAPE, error, ATOMICIO_REASON_BAD_ARGUMENT);
		outcome->allowed = ATOMICIO_FAIL;
		return;
	case -EUCLEAN:
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, error,
			   ATOMICIO_REASON_JOURNAL_UNCLEAN);
		return;
	case -ENOTRECOVERABLE:
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, error, poisoned);
		return;
	case -ENOSPC:
		write_fail(outcome, ATOMICIO_KIND_SPACE, error, ATOMICIO_REASON_JOURNAL_FULL);
		return;
	case -EFBIG:
		write_fail(outcome, ATOMICIO_KIND_SPACE, error, ATOMICIO_REASON_FILE_SIZE_LIMIT);
		return;
	case -ENOMEM:
	case -EINTR:
		write_fail(outcome, ATOMICIO_KIND_BUSY, error, 0);
		return;
	case -EBUSY: /* only the caller's own ring can end the wait (JG1): no retry; or no turn */
		if (journal_has_no_turn(file->options.journal))
			write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, error,
				   ATOMICIO_REASON_NO_TURN);
		else
			write_fail(outcome, ATOMICIO_KIND_BUSY, error, 0);
		outcome->allowed = ATOMICIO_FAIL;
		return;
	default:
		classify_frame_error(file, outcome, error);
	}
}

/* Something was amiss after a success: correct the outcome by D4 or E4. */
void write_judge_doubt(const struct write_request *request, struct write_outcome *outcome)
{
	const uint64_t why = request->file->looks == WRITE_LOOK_INODE
				     ? ATOMICIO_REASON_DATA_JOURNALED
				     : ATOMICIO_REASON_CACHED_PAGES;
	const int32_t answer = outcome->answer;

	if (!request->doubtful)
		return;
	if (!request->maybe_torn) {
		if (outcome->on_disk < ATOMICIO_DISK_OLD_OR_NEW)
			outcome->on_disk = ATOMICIO_DISK_OLD_OR_NEW;
		return;
	}
	write_fail(outcome, ATOMICIO_KIND_BROKEN, -EIO, why);
	outcome->answer = answer;
	if (request->file->options.fallback == ATOMICIO_FALLBACK_JOURNAL)
		outcome->allowed |= ATOMICIO_FALLBACK;
}

ATOMICIO_EXPORT const char *atomicio_kind_name(uint32_t kind)
{
	return kind < COUNT(kind_names) ? kind_names[kind] : NULL;
}
