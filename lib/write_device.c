/* SPDX-License-Identifier: MIT */
/*
 * An untorn write to a raw block device, where the kernel's success alone proves nothing.
 *
 * Flow: the submit step of write_sync.c for block devices; the same in steps for entries of an
 * io_uring (write_entry.c), whose tries are counted in the request.
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

#include "trace.h"

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
	const struct atomicio_file *file = request->file;

	/* Failures show in the next look; so does what a guest, who may not wait, leaves dirty. */
	write_back_range(request);
	(void)file->sys->drop_cache(file->fd, request->offset, request->length);
}

static void busy(struct write_outcome *outcome)
{
	write_fail(outcome, ATOMICIO_KIND_BUSY, -EAGAIN, ATOMICIO_REASON_CACHED_PAGES);
}

/* An earlier try may have torn the page, and no later one was seen to be whole. */
static void judge(const struct write_request *request, struct write_outcome *outcome)
{
	if (request->doubtful)
		write_fail(outcome, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_REASON_CACHED_PAGES);
}

/* Without RWF_NOWAIT: is the range free of cached pages, or can it be made so? */
bool write_device_before(const struct write_request *request, struct write_outcome *outcome)
{
	int64_t pages;

	if (request->file->device_nowait)
		return true;
	pages = cached(request);
	if (pages > 0) {
		drop_cached(request);
		pages = cached(request);
	}
	if (pages > 0)
		busy(outcome);
	else if (pages < 0)
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP,
			   ATOMICIO_REASON_CACHED_PAGES);
	if (pages)
		judge(request, outcome);
	return pages == 0;
}

int write_device_rwf(const struct write_request *request)
{
	int rwf = SYS_RWF_ATOMIC | write_rwf(request->flags);

	if (request->file->device_nowait)
		rwf |= SYS_RWF_NOWAIT;
	if (request->doubtful)
		rwf |= SYS_RWF_DSYNC;
	return rwf;
}

/* One more try is due, unless there were enough of them. */
static bool another_try(struct write_request *request)
{
	drop_cached(request);
	return ++request->tries < DEVICE_TRIES;
}

bool write_device_after(struct write_request *request, int64_t result,
			struct write_outcome *outcome)
{
	int64_t pages;

	write_classify(outcome, result, request->length);
	write_doubt_space(request, outcome);
	pages = cached(request);
	if (!outcome->kind && pages == 0)
		return true;
	if (!outcome->kind) {
		request->doubtful = true;
		if (another_try(request))
			return false;
	} else if (outcome->error == -EAGAIN) {
		if (pages > 0)
			busy(outcome);
		/* A full queue, or a caller who would not wait: nothing to do here. */
		if ((request->doubtful || (pages != 0 && !(request->flags & ATOMICIO_NOWAIT))) &&
		    another_try(request))
			return false;
	}
	judge(request, outcome);
	return true;
}

void write_device(struct write_request *request, const struct iovec *vector,
		  struct write_outcome *outcome)
{
	const struct atomicio_file *file = request->file;
	int64_t result;

	request->tries = 0;
	do {
		if (!write_device_before(request, outcome))
			return;
		TRACE_SUBMIT(file->fd, request->offset, request->length, request->flags);
		result = file->sys->pwritev2(file->fd, vector, 1, request->offset,
					     write_device_rwf(request));
	} while (!write_device_after(request, result, outcome));
}
