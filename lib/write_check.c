/* SPDX-License-Identifier: MIT */
/*
 * Conditions of this very call: limits, the buffer, the live frames of a journal (J3).
 *
 * Flow: before each attempt on any path, after the shape (write_validate.c).  Nothing is written to
 * the file in this step.
 */
#include "write.h"

#include <errno.h>

/*
 * No part of a block is written in the last 64 KiB below INT64_MAX.  XFS takes a direct write of a
 * part of the last block, answers with its length, and makes nothing of the write (seen on 6.18,
 * blocks of 4 KiB; the largest block has 64 KiB).
 */
#define LAST_BLOCK 65536u

static bool is_part_of_last_block(const struct write_request *request)
{
	const uint32_t unit_min = request->file->limits.unit_min; /* the block, or more */
	const uint32_t block = unit_min ? unit_min : LAST_BLOCK;

	return request->offset + request->length > (uint64_t)INT64_MAX + 1 - LAST_BLOCK &&
	       ((request->offset | request->length) & (block - 1)) != 0;
}

/*
 * Refuse a range that the kernel would cut short.  RLIMIT_FSIZE is applied after the kernel
 * validated the write: the kernel would write a part of the page, and on XFS zero the bytes behind
 * (seen on 6.18; fs/read_write.c:generic_write_check_limits).  The filesystem's largest size cuts
 * in the same way.  Block devices have no such limit but an end, where 6.11 and early 6.12 cut
 * writes too.
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
	} else if (end > file->size_max || is_part_of_last_block(request)) {
		write_fail(outcome, ATOMICIO_KIND_SPACE, -EFBIG, ATOMICIO_REASON_FILE_SIZE_LIMIT);
		return false;
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
	/* An unreadable limit cannot be kept: nothing was written. */
	if (error)
		write_fail(outcome, ATOMICIO_KIND_SPACE, error, 0);
	return !error;
}

/*
 * Could the kernel write a part of a buffer with an unreadable rest?  A raw disk takes all readable
 * pages (block/fops.c:__blkdev_direct_IO_simple, 6.11 to 7.3).  A filesystem with one bio for the
 * write refuses a short bio (fs/iomap/direct-io.c).  XFS's copy on write fails, too, if the
 * readable part ends with a block.  But a write beyond the end of the file, cut inside a block,
 * reports and keeps the written part (seen on 6.18).  Memory ends with a page: only a buffer not
 * aligned to the block, or a block of several pages, can be cut inside a block.
 */
static bool may_be_cut(const struct write_request *request)
{
	const struct atomicio_file *file = request->file;
	const uint32_t block = file->limits.unit_min; /* of a filesystem: this or more */

	return file->is_device || block > WRITE_PAGE_MIN ||
	       ((uintptr_t)request->buffer & (block - 1)) != 0;
}

/* Can all of the buffer be read?  Where not, nothing is begun.  Before 5.14 nobody can tell. */
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

/* For a fallback by call, the caller of a guest has to wait. */
bool write_is_entry(const struct write_request *request)
{
	const struct atomicio_options *options = &request->file->options;

	return request->mode & WRITE_GUEST && request->path != ATOMICIO_PATH_PLAIN &&
	       options->journal && journal_has_guests(options->journal);
}

/*
 * J3: a write past the journal may not touch a range covered by a live frame, or recovery would
 * bring the frame's page back over it.  Retire the frames first.
 */
bool write_retire_range(const struct write_request *request, struct write_outcome *outcome)
{
	const struct atomicio_options *options = &request->file->options;
	bool comes_again;
	int error;

	if (!options->journal || !journal_may_cover(options->journal, options->file_id,
						    request->offset, request->length))
		return true;
	comes_again = write_is_entry(request);
	error = comes_again ? journal_guest_retire_id(options->journal, options->file_id)
			    : journal_retire_id(options->journal, options->file_id);
	if (!error)
		return true;
	/* No byte of this write was written. */
	write_classify_journal(request->file, outcome, error);
	outcome->kind = ATOMICIO_KIND_UNSUPPORTED;
	outcome->on_disk = ATOMICIO_DISK_OLD;
	outcome->allowed = ATOMICIO_FAIL;
	outcome->later = comes_again && journal_is_later(error);
	return false;
}

/* All checks known before the call.  False: the outcome says why not. */
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
