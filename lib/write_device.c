/* SPDX-License-Identifier: MIT */
/*
 * An untorn write to a raw block device, where the kernel's success alone proves nothing.
 *
 * Flow: below write_look.c, which makes the calls and counts the tries.
 *
 * If a page of the range is in the page cache and cannot be dropped, the kernel writes through the
 * cache instead, in pieces that may tear, and reports success (block/fops.c: blkdev_direct_write
 * and blkdev_write_iter, 6.11 to 7.3; seen on 7.3 with an mmap writer: 6000 successes, 469 untorn
 * commands at the disk).  Hence W4:
 *
 * D1 the call carries RWF_NOWAIT: the kernel then answers EAGAIN, before any write, if the range
 *    has a cached page (mm/filemap.c:kiocb_invalidate_pages).
 * D2 after EAGAIN the cached pages, if any, are written back and dropped, and the call repeated, a
 *    bounded number of times.  No page cached means that the disk's request queue is full: the call
 *    is repeated without RWF_NOWAIT, unless the caller would not wait, and the range is looked at
 *    before.  A driver without RWF_NOWAIT is served in the same way from the start.
 * D3 after a success the range is looked at again: a cached page may mean that the kernel fell back
 *    after all, and the write is repeated, with RWF_DSYNC.  Only a write with nothing cached after
 *    it is reported as done.
 * D4 a page that cannot be dropped is dirty, and stays in the cache for a while.  A look at dirty
 *    pages or write-back after a success may have seen a torn write: BROKEN, if no later try is
 *    clean.  Clean pages are a reader's, who comes between the write and the look (on 6.18 after 39
 *    % of good writes): a look at clean pages alone ends BUSY, with a page old or new.
 */
#include "write.h"

#include <errno.h>

/* The page cache's contents in a range; unknown counts as the worst. */
enum cached { CACHED_NOTHING, CACHED_CLEAN, CACHED_DIRTY, CACHED_UNKNOWN };

static enum cached look(const struct write_request *request)
{
	struct sys_cachestat pages;
	const struct atomicio_file *file = request->file;

	if (file->sys->cachestat(file->fd, request->offset, request->length, &pages))
		return CACHED_UNKNOWN;
	if (pages.dirty || pages.writeback)
		return CACHED_DIRTY;
	return pages.cache ? CACHED_CLEAN : CACHED_NOTHING;
}

static void drop_cached(const struct write_request *request)
{
	const struct atomicio_file *file = request->file;

	/* Failures show in the next look, like pages left dirty by a guest, who may not wait. */
	write_back_range(request);
	(void)file->sys->drop_cache(file->fd, request->offset, request->length);
}

static void busy(struct write_outcome *outcome)
{
	write_fail(outcome, ATOMICIO_KIND_BUSY, -EAGAIN, ATOMICIO_REASON_CACHED_PAGES);
}

/* Does this try carry RWF_NOWAIT?  Then the kernel itself looks before writing. */
static bool carries_nowait(const struct write_request *request)
{
	return request->file->device_nowait && !request->may_wait;
}

/* Without RWF_NOWAIT: is the range free of cached pages, or can it be freed? */
bool write_device_before(struct write_request *request, struct write_outcome *outcome)
{
	enum cached pages;

	if (carries_nowait(request))
		return true;
	pages = look(request);
	if (pages == CACHED_CLEAN || pages == CACHED_DIRTY) {
		drop_cached(request);
		pages = look(request);
	}
	if (pages == CACHED_NOTHING)
		return true;
	/* The request queue was full, and now a page is cached: a case for D1. */
	request->may_wait = false;
	if (carries_nowait(request))
		return true;
	if (pages == CACHED_UNKNOWN)
		write_fail(outcome, ATOMICIO_KIND_UNSUPPORTED, -EOPNOTSUPP,
			   ATOMICIO_REASON_CACHED_PAGES);
	else
		busy(outcome);
	write_judge_doubt(request, outcome);
	return false;
}

int write_device_rwf(const struct write_request *request)
{
	return carries_nowait(request) ? SYS_RWF_NOWAIT : 0;
}

/* Another try is due, up to the limit. */
static bool another_try(struct write_request *request)
{
	drop_cached(request);
	return ++request->doubtful_calls < WRITE_TRIES;
}

/* EAGAIN: is another way left? */
static bool try_again(struct write_request *request, enum cached pages)
{
	const bool asked = request->flags & ATOMICIO_NOWAIT;

	if (pages != CACHED_NOTHING)
		return (request->doubtful || !asked) && another_try(request);
	if (!asked && carries_nowait(request)) {
		request->may_wait = true;
		return ++request->doubtful_calls < WRITE_TRIES;
	}
	return request->doubtful && another_try(request);
}

bool write_device_after(struct write_request *request, int64_t result,
			struct write_outcome *outcome)
{
	enum cached pages;

	write_classify(outcome, result, request->length);
	pages = look(request);
	if (!outcome->kind && pages == CACHED_NOTHING)
		return true;
	if (!outcome->kind) {
		request->doubtful = true;
		request->maybe_torn |= pages != CACHED_CLEAN;
		if (another_try(request))
			return false;
		busy(outcome);
	} else if (outcome->error == -EAGAIN) {
		if (pages != CACHED_NOTHING)
			busy(outcome);
		if (try_again(request, pages))
			return false;
	}
	write_judge_doubt(request, outcome);
	return true;
}

void write_device_note(struct write_request *request)
{
	request->maybe_torn |= look(request) >= CACHED_DIRTY;
}
