/* SPDX-License-Identifier: MIT */
/*
 * An untorn write to a raw block device, where the kernel's success alone proves nothing.
 *
 * Flow: the submit step of write_sync.c for block devices.
 *
 * If a page of the range is in the page cache and cannot be dropped, the kernel writes through
 * the cache instead, in pieces that may tear, and reports success (block/fops.c:
 * blkdev_direct_write and blkdev_write_iter, 6.11 to 7.3; seen on 7.3 with an mmap writer: 6000
 * successes, 469 untorn commands at the disk).  Hence W4:
 *
 * D1 the call carries RWF_NOWAIT: the kernel then answers EAGAIN, before any write, if the range
 *    has a cached page (mm/filemap.c:kiocb_invalidate_pages).
 * D2 after EAGAIN the cached pages, if any, are written back and dropped, and the call repeated,
 *    a bounded number of times; no page cached means a full queue: that is for the policy.
 * D3 after a success the range is looked at again: a page there may mean that the kernel fell
 *    back after all, so the write is repeated, with RWF_DSYNC.  Only a write with nothing
 *    cached after it is reported as done; one that was never seen so is BROKEN.
 *
 * A device whose driver cannot do RWF_NOWAIT is looked at before the call instead of D1.
 */
#include "write.h"

#include <errno.h>

#define DEVICE_TRIES 16

/* Pages of the range in the page cache, or a negative errno. */
static int64_t cached(const struct write_request *request)
{
	struct sys_cachestat pages;
	const struct atomicio_file *file = request->file;
	const int error = file->sys->cachestat(file->fd, request->offset, request->length, &pages);

	return error ? error : (int64_t)pages.cache;
}

static void drop_cached(const struct write_request *request)
{
	struct atomicio_file *file = request->file;

	/* Failures show in the next look, but the journal would not hear of them again. */
	if (file->sys->write_back(file->fd, request->offset, request->length))
		write_sync_failed(file);
	(void)file->sys->drop_cache(file->fd, request->offset, request->length);
}

static void busy(struct write_outcome *outcome)
{
	write_fail(outcome, ATOMICIO_KIND_BUSY, -EAGAIN, ATOMICIO_REASON_CACHED_PAGES);
}

/* Without RWF_NOWAIT: is the range free of cached pages, or can it be made so? */
static bool clear_before(const struct write_request *request, struct write_outcome *outcome)
{
	int64_t pages = cached(request);

	if (pages > 0) {
		drop_cached(request);
		pages = cached(request);
	}
	if (pages > 0)
		busy(outcome);
	else if (pages < 0)
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP,
			   ATOMICIO_REASON_CACHED_PAGES);
	return pages == 0;
}

/* One call, and what is cached after it (D1, D3). */
static int64_t try_device(const struct write_request *request, const struct iovec *vector, int rwf,
			  struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	const int64_t result = file->sys->pwritev2(file->fd, vector, 1, request->offset, rwf);

	write_classify(outcome, result, request->length);
	return cached(request);
}

void write_device(const struct write_request *request, const struct iovec *vector,
		  struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	int rwf = SYS_RWF_ATOMIC | write_rwf(request->flags);
	bool doubtful = false; /* an earlier try may have gone through the cache */

	if (file->device_nowait)
		rwf |= SYS_RWF_NOWAIT;
	for (int i = 0; i < DEVICE_TRIES; i++) {
		int64_t pages;

		if (!file->device_nowait && !clear_before(request, outcome))
			break;
		pages = try_device(request, vector, rwf, outcome);
		if (!outcome->kind && pages == 0)
			return;
		if (outcome->kind && outcome->error != -EAGAIN)
			break;
		if (!outcome->kind) {
			doubtful = true;
			rwf |= SYS_RWF_DSYNC;
		} else if (pages > 0) {
			busy(outcome);
		}
		/* A full queue, or a caller who would not wait: nothing to do here. */
		if (!doubtful && (pages == 0 || (request->flags & ATOMICIO_NOWAIT)))
			break;
		drop_cached(request);
	}
	if (doubtful)
		write_fail(outcome, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_CACHED_PAGES);
}
