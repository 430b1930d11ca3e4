/* SPDX-License-Identifier: MIT */
/*
 * One attempt of a plain write: all bytes are written, in as many pieces as the kernel likes.
 *
 * Flow: called by write.c for the PLAIN fallback; the checks are in write_check.c.
 *
 * A plain write may tear: a failure leaves the range unknown, unless nothing was begun.  The write
 * goes through the caller's descriptor; a buffered descriptor accepts any shape.
 *
 * RWF_DSYNC, or O_DSYNC, is relied on only where the descriptor is direct and the filesystem is
 * known to keep the flag (sys_keeps_dsync).  A buffered descriptor is synced instead: without a
 * witness the error of an earlier page would count as this page's.
 */
#include "write.h"

#include <errno.h>
#include <fcntl.h>

#include "sys_refused.h"

/* No disk's sector is smaller. */
#define SECTOR_MIN 512u

/*
 * The rules of a direct write broken by this shape, where the kernel refuses the write each time:
 * XFS and a block device (fs/xfs/xfs_file.c:xfs_file_dio_write, block/fops.c:blkdev_dio_invalid,
 * 4.7 to 7.3).  For memory alignment no kernel is sure: a device asked piece by piece may refuse
 * the first and take the next (fs/iomap/direct-io.c, 6.18); statx's word is kept.  On all other
 * filesystems the kernel writes through the page cache instead.
 */
static uint64_t plain_shape(const struct write_request *request, const void *buffer)
{
	const struct atomicio_file *file = request->file;
	uint64_t broken = 0;

	if (!file->plain_strict)
		return 0;
	if (request->length & (SECTOR_MIN - 1))
		broken |= ATOMICIO_REASON_LENGTH_UNALIGNED;
	if (request->offset & (SECTOR_MIN - 1))
		broken |= ATOMICIO_REASON_OFFSET_UNALIGNED;
	if ((uintptr_t)buffer & (file->limits.memory_align - 1))
		broken |= ATOMICIO_REASON_MEMORY_UNALIGNED;
	return broken;
}

/* False: nothing is begun, because the descriptor, direct at this moment, would refuse it. */
static bool plain_fits(const struct write_request *request, const void *buffer,
		       struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	const uint64_t broken = plain_shape(request, buffer);
	int status;

	if (!broken)
		return true;
	status = file->sys->getfl(file->caller_fd);
	if (status >= 0 && !(status & O_DIRECT))
		return true;
	write_fail(outcome, ATOMICIO_KIND_SHAPE, -EINVAL, broken);
	return false;
}

/*
 * The RWF_ flags of one call, or a negative errno.  Kernels before 6.9 do not know RWF_NOAPPEND,
 * and overlayfs loses it.  On these the write may go out without the flag, unless O_APPEND would
 * move the write.
 */
static int plain_rwf(const struct write_request *request)
{
	const struct atomicio_file *file = request->file;
	/* A fallback blocks; a buffered write with RWF_NOWAIT may fail each time, or half way. */
	const uint32_t left_out = ATOMICIO_NOWAIT | (file->plain_syncs ? ATOMICIO_DSYNC : 0);
	const int rwf = write_rwf(request->flags & ~left_out);
	int status;

	if (file->plain_noappend)
		return rwf;
	status = file->sys->getfl(file->caller_fd);
	if (status < 0)
		return status;
	return status & O_APPEND ? -EOPNOTSUPP : rwf & ~SYS_RWF_NOAPPEND;
}

/* The error of a plain write, or of its sync. */
static void plain_failed(const struct write_request *request, int64_t error, bool by_sync,
			 struct write_outcome *outcome)
{
	/* The handle or the journal was poisoned before: no news of the medium. */
	const bool refused = by_sync && error == -ENOTRECOVERABLE;

	if (refused)
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, -ENOTRECOVERABLE, 0);
	else
		write_classify(outcome, error, request->length);
	if (by_sync)
		outcome->answer = 0; /* who lost a page was asked already */
	outcome->on_disk = ATOMICIO_DISK_UNKNOWN;
	outcome->allowed &=
		refused || write_is_poisoned(request->file) ? ATOMICIO_FAIL : ~ATOMICIO_FALLBACK;
}

/* All bytes, piece by piece.  False: the outcome says why not. */
static bool plain_pieces(const struct write_request *request, const void *buffer,
			 struct write_outcome *outcome)
{
	struct iovec vector = {
		.iov_base = (void *)(uintptr_t)buffer, /* only read; iovec has no const */
		.iov_len = request->length,
	};
	uint64_t done = 0;

	if (!plain_fits(request, buffer, outcome))
		return false;
	while (done < request->length) {
		const int rwf = plain_rwf(request);
		const ssize_t result =
			rwf < 0 ? rwf
				: sys_write_at(request->file->sys, request->file->caller_fd,
					       &vector, 1, request->offset + done, rwf);

		if (result <= 0) {
			plain_failed(request, result < 0 ? result : -EIO, false, outcome);
			if (rwf < 0 && done == 0) { /* nothing was begun */
				outcome->on_disk = ATOMICIO_DISK_OLD;
				outcome->answer = 0;
			}
			return false;
		}
		done += (uint64_t)result;
		vector.iov_base = (char *)vector.iov_base + result;
		vector.iov_len -= (size_t)result;
	}
	assert(done == request->length);
	return true;
}

/*
 * Does the buffer have to be copied for alignment?  A direct descriptor's alignment unknown to
 * statx (before 6.1, and many filesystems since) is taken for a page's.  For a guest, too: its
 * fallback is a call like any other.
 */
static bool must_bounce(const struct write_request *request)
{
	const struct atomicio_file *file = request->file;

	return file->bounce && file->plain_align > 1 &&
	       request->length <= file->options.bounce_max &&
	       ((uintptr_t)request->buffer & (file->plain_align - 1)) != 0;
}

static bool plain_bytes(const struct write_request *request, struct write_outcome *outcome)
{
	bool done;

	if (!must_bounce(request))
		return plain_pieces(request, request->buffer, outcome);
	done = plain_pieces(request, write_take_bounce(request, true), outcome);
	write_give_bounce(request->file);
	return done;
}

void write_plain(const struct write_request *request, struct write_outcome *outcome)
{
	struct atomicio_file *file = request->file;

	if (!write_is_readable(request, outcome) || !write_fits_limits(request, outcome) ||
	    !write_retire_range(request, outcome) || !plain_bytes(request, outcome))
		return;
	if (file->plain_syncs && (request->flags & ATOMICIO_DSYNC || file->always_syncs)) {
		const int error = write_sync_file(file);

		if (error) {
			plain_failed(request, error, true, outcome);
			return;
		}
	}
	*outcome = (struct write_outcome){.kind = 0};
}

/* At open, with the flags of the caller's descriptor. */
void write_plain_open(struct atomicio_file *file, int status)
{
	const struct atomicio_caps *caps = &file->caps;
	const bool told = caps->statx_mask & SYS_STATX_DIOALIGN;
	uint32_t magic;

	file->plain_syncs = file->attached || !(status & O_DIRECT) ||
			    !sys_keeps_dsync(file->sys, file->caller_fd);
	file->always_syncs = status & O_DSYNC;
	file->plain_align = 1;
	if (!(status & O_DIRECT))
		return;
	/* An alignment of 0 means written buffered, whatever the descriptor says. */
	file->plain_align = told ? file->limits.memory_align : WRITE_BOUNCE_ALIGN;
	file->plain_strict =
		told && caps->memory_align &&
		(file->is_device ||
		 (file->sys->fs_magic(file->caller_fd, &magic) == 0 && magic == SYS_MAGIC_XFS));
}
