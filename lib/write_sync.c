/* SPDX-License-Identifier: MIT */
/*
 * One attempt of a synchronous write: check it, submit it, classify the result.
 *
 * Flow: called by write.c for the kernel path; the call itself, and what is looked at around it, is
 * in write_look.c.  The PLAIN fallback (write_plain.c) shares the checks.
 *
 * Every write carries RWF_NOAPPEND: with O_APPEND the kernel moves an untorn write to the end
 * of file after it was validated, and XFS then zeroes old bytes (seen on 6.18 and 7.3;
 * fs/read_write.c:generic_write_checks).  RWF_DONTCACHE is never passed.
 */
#include "write.h"

#include <errno.h>
#include <string.h>

#include "trace.h"

int write_rwf(uint32_t flags)
{
	int rwf = SYS_RWF_NOAPPEND;

	if (flags & ATOMICIO_DSYNC)
		rwf |= SYS_RWF_DSYNC;
	if (flags & ATOMICIO_NOWAIT)
		rwf |= SYS_RWF_NOWAIT;
	return rwf;
}

/*
 * Refuse a range that the kernel would cut short.  RLIMIT_FSIZE is applied after the kernel
 * validated the write: it would write a part of the page, and on XFS zero bytes behind it (seen
 * on 6.18; fs/read_write.c:generic_write_check_limits).  Block devices have no such limit but
 * an end, at which 6.11 and early 6.12 cut writes too.
 */
bool write_fits_limits(const struct write_request *request, struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	const uint64_t end = request->offset + request->length;
	uint64_t limit;
	int error;

	if (file->is_device) {
		error = file->sys->device_size(file->fd, &limit);
		if (!error && end > limit) {
			write_fail(outcome, ATOMICIO_KIND_SPACE, -ENOSPC,
				   ATOMICIO_REASON_DEVICE_END);
			return false;
		}
	} else if (file->limited) {
		error = file->sys->file_size_limit(&limit);
		if (!error && end > limit) {
			write_fail(outcome, ATOMICIO_KIND_SPACE, -EFBIG,
				   ATOMICIO_REASON_FILE_SIZE_LIMIT);
			return false;
		}
	} else {
		return true;
	}
	/* A limit that cannot be read cannot be kept: nothing was written. */
	if (error)
		write_fail(outcome, ATOMICIO_KIND_SPACE, error, 0);
	return !error;
}

/*
 * Could the kernel write a part of a buffer that cannot be read as a whole?  A raw disk takes the
 * pages that it can get (block/fops.c:__blkdev_direct_IO_simple, 6.11 to 7.3).  A filesystem with
 * one bio for the write refuses a short one (fs/iomap/direct-io.c); XFS's copy on write fails, too,
 * if the part that can be read ends with a block, but a write beyond the end of the file that is
 * cut inside a block reports what it has written, and keeps it (seen on 6.18).  Memory ends with a
 * page, so that takes a buffer that is not aligned to the block, or a block of several pages.
 */
static bool may_be_cut(const struct write_request *request)
{
	const struct atomicio_file *file = request->file;
	const uint32_t block = file->limits.unit_min; /* of a filesystem, that or more */

	return file->is_device || block > WRITE_PAGE_MIN ||
	       ((uintptr_t)request->buffer & (block - 1)) != 0;
}

/* Can all of the buffer be read?  Where not, it is not begun.  Before 5.14 nobody can tell. */
bool write_is_readable(const struct write_request *request, struct write_outcome *outcome)
{
	const struct sys_calls *sys = request->file->sys;

	switch (sys->populate(request->buffer, request->length)) {
	case -EINVAL: /* not readable memory, or unknown advice */
		if (sys->populate(NULL, 0))
			return true;
		break;
	case -EFAULT:
	case -ENOMEM: /* a hole */
	case -EHWPOISON:
		break;
	default:
		return true;
	}
	write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, -EFAULT, 0);
	outcome->allowed = ATOMICIO_FAIL;
	return false;
}

/* All that is known before the call.  False: the outcome says why not. */
bool write_precheck(const struct write_request *request, struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	uint64_t broken;

	if (file->limits.unit_max == 0) {
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP, file->caps.reasons);
		return false;
	}
	broken = write_shape_broken(request, file->limits.unit_max);
	if (broken) {
		write_fail(outcome, ATOMICIO_KIND_SHAPE, -EINVAL, broken);
		return false;
	}
	if (may_be_cut(request) && !write_is_readable(request, outcome))
		return false;
	return write_fits_limits(request, outcome);
}

/* Classify a result, and add what this file and these flags tell beyond the errno. */
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

static void submit(struct write_request *request, const void *buffer, struct write_outcome *outcome)
{
	const struct iovec vector = {
		.iov_base = (void *)(uintptr_t)buffer, /* only read; iovec has no const */
		.iov_len = request->length,
	};

	write_look(request, &vector, outcome);
}

/* The lock of the bounce buffer; with NOWAIT nobody waits for the writes of others. */
static bool take_bounce(const struct write_request *request, struct write_outcome *outcome)
{
	pthread_mutex_t *lock = &request->file->bounce_lock;

	if (!(request->flags & ATOMICIO_NOWAIT)) {
		pthread_mutex_lock(lock);
		return true;
	}
	if (pthread_mutex_trylock(lock) == 0)
		return true;
	write_fail(outcome, ATOMICIO_KIND_BUSY, -EAGAIN, 0);
	write_judge_doubt(request, outcome);
	return false;
}

/* The kernel path: one untorn write. */
void write_kernel(struct write_request *request, struct write_outcome *outcome)
{
	struct atomicio_file *file = request->file;

	if (!write_precheck(request, outcome) || !write_retire_range(request, outcome))
		return;
	if (((uintptr_t)request->buffer & (file->limits.memory_align - 1)) == 0) {
		submit(request, request->buffer, outcome);
		return;
	}
	assert(file->bounce && request->length <= file->options.bounce_max);
	if (!take_bounce(request, outcome))
		return;
	memcpy(file->bounce, request->buffer, request->length);
	submit(request, file->bounce, outcome);
	pthread_mutex_unlock(&file->bounce_lock);
	write_count(&file->counters.bounces, 1);
}

/*
 * For L7 of loss.h: only where a success alone is proof of an untorn write (no looks), and where
 * the repeat really does not sync.  The page may be there after the error anyway (W6), and the
 * repeat writes the same.  If it is the repeat that tears, *outcome becomes its outcome.
 */
bool write_was_not_refused(const struct write_request *request, struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	struct write_request again = *request;
	struct write_outcome repeated;

	if (request->path != ATOMICIO_PATH_KERNEL || !(request->flags & ATOMICIO_DSYNC) ||
	    file->looks || loss_always_syncs(&file->loss, file->fd, true))
		return false;
	again.flags &= ~ATOMICIO_DSYNC;
	write_kernel(&again, &repeated);
	if (repeated.kind == ATOMICIO_KIND_BROKEN)
		*outcome = repeated;
	return repeated.kind == 0;
}
