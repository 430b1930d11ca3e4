/* SPDX-License-Identifier: MIT */
/*
 * Write pages home in recovery, and check the pages on the disk.
 *
 * Flow: recovery lists the pages of all frames in its window, in their order, and has them written
 * together: of several versions of a page the newest.  All frames stay until all pages are home
 * (J5).  Pages that overlap otherwise, and pages that somebody chooses, go one after the other.
 *
 * Rule K8: the page cache is not believed.  After a failed write-back the cache holds pages, marked
 * clean, that the disk does not have, and a write of equal bytes changes nothing (ext4 after ENOSPC
 * of a thin device, seen on 6.18).  Whole blocks are therefore written direct, and all other bytes
 * after the cache was dropped.  Written bytes are read back: direct, which makes the kernel write
 * the cache out first; or else through a dropped cache, proven by cachestat.  Where neither is
 * possible the file is unverified.
 */
#include "journal_recover.h"

#include <errno.h>
#include <string.h>

/*
 * Read at least `length` bytes, in units of `align`; bytes behind the file's end are missing.
 * Returns the number of bytes, or an error.
 */
static int64_t read_home(const struct sys_calls *sys, int fd, uint8_t *buffer, uint64_t length,
			 uint64_t offset, uint32_t align)
{
	uint64_t have = 0;
	uint32_t interrupted = 0;

	while (have < length) {
		const ssize_t result = sys->pread(fd, buffer + have, length - have, offset + have);

		if (result == -EINTR && ++interrupted < JOURNAL_EINTR_MAX)
			continue;
		if (result < 0)
			return result;
		have += (uint64_t)result;
		if (result == 0 || have % align) /* the end of the file */
			break;
	}
	return (int64_t)have;
}

static bool drop(const struct sys_calls *sys, int fd, uint64_t offset, uint64_t length)
{
	struct sys_cachestat cached;

	return sys->drop_cache && sys->cachestat && sys->drop_cache(fd, offset, length) == 0 &&
	       sys->cachestat(fd, offset, length, &cached) == 0 && cached.cache == 0 &&
	       cached.dirty == 0 && cached.writeback == 0;
}

/*
 * Read the disk's bytes of this range into recovery->home; *from is the start of the range in the
 * buffer.  *uncached: the bytes are the disk's, not the cache's.  No read ends behind INT64_MAX.
 */
static int64_t look(struct journal_recovery *recovery, struct journal_target *target,
		    uint64_t offset, uint64_t length, uint64_t *from, bool *uncached)
{
	const struct sys_calls *sys = recovery->journal->sys;
	uint64_t start = offset, end = offset + length;
	uint32_t align = 1;
	int fd = target->plain;
	int64_t have;

	*uncached = false;
	if (target->direct >= 0 && end <= (uint64_t)INT64_MAX + 1 - target->align) {
		fd = target->direct;
		align = target->align;
		start -= start % align;
		end += (align - end % align) % align;
		*uncached = !target->loss.delegates;
	} else {
		*uncached = drop(sys, fd, journal_padded(offset + 1) - JOURNAL_BLOCK,
				 journal_padded(length) + JOURNAL_BLOCK) &&
			    !target->loss.delegates;
	}
	*from = offset - start;
	have = read_home(sys, fd, recovery->home, end - start, start, align);
	if (have < 0)
		return have;
	have -= (int64_t)*from;
	if (have < 0)
		have = 0;
	return have < (int64_t)length ? have : (int64_t)length;
}

static bool is_equal(const struct journal_run *run, const uint8_t *bytes)
{
	for (uint32_t i = 0; i < run->count; i++) {
		if (memcmp(bytes, run->vector[i].iov_base, run->vector[i].iov_len) != 0)
			return false;
		bytes += run->vector[i].iov_len;
	}
	return true;
}

/* K8: read back. */
static int verify(struct journal_recovery *recovery, struct journal_target *target,
		  const struct journal_run *run)
{
	bool uncached;
	uint64_t from;
	int64_t have = look(recovery, target, run->offset, run->length, &from, &uncached);

	if (have < 0 && target->direct < 0 && have == -EBADF) {
		target->fate.unverified = 1; /* the caller's, and not open for reading */
		return 0;
	}
	if (have < 0)
		return (int)have;
	if ((uint64_t)have != run->length || !is_equal(run, recovery->home + from))
		return -EIO;
	if (!uncached)
		target->fate.unverified = 1;
	return 0;
}

static int write_cached(struct journal_recovery *recovery, struct journal_target *target,
			const struct journal_run *run)
{
	const struct sys_calls *sys = recovery->journal->sys;
	int error;

	if (sys->drop_cache) /* a cache that stays is seen by the reading back */
		(void)sys->drop_cache(target->plain,
				      journal_padded(run->offset + 1) - JOURNAL_BLOCK,
				      journal_padded(run->length) + JOURNAL_BLOCK);
	error = journal_write_vector(sys, target->plain, target->rwf, run->vector, run->count,
				     run->offset);
	if (!error)
		error = loss_write_back(&target->loss, run->offset, run->length);
	return error;
}

static bool fits_limit(const struct sys_calls *sys, const struct journal_target *target,
		       uint64_t offset, uint64_t length)
{
	uint64_t limit;

	return !journal_is_regular(target) || sys->file_size_limit(&limit) ||
	       (offset <= limit && length <= limit - offset);
}

/* Runs left by AIO or a direct call, and buffered runs; then read back. */
static int finish_run(struct journal_recovery *recovery, struct journal_target *target,
		      const struct journal_run *run)
{
	int error = run->direct ? run->error : -EINVAL;

	/* Too long for a stripe, or the filesystem refuses direct I/O since: write cached. */
	if (error == -EINVAL || error == -ENOTBLK)
		error = write_cached(recovery, target, run);
	return error ? error : verify(recovery, target, run);
}

static void finish_runs(struct journal_recovery *recovery, struct journal_run *runs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct journal_target *target = runs[i].owner;
		const int error = runs[i].verified ? 0 : finish_run(recovery, target, &runs[i]);

		if (error) {
			target->fate.result = error;
			continue;
		}
		target->fate.pages += runs[i].pages;
		recovery->done.pages += runs[i].pages;
		recovery->done.bytes += runs[i].length + runs[i].older;
	}
}

static bool is_direct(const struct journal_run *run)
{
	return run->direct;
}

/* Written direct, on a filesystem whose direct reads come from the disk. */
static bool is_to_be_read(const struct journal_run *run)
{
	const struct journal_target *target = run->owner;

	return run->direct && !run->error && !target->loss.delegates;
}

/* Those that are wanted first; how many there are. */
static uint32_t put_first(struct journal_run *runs, uint32_t count,
			  bool (*is_wanted)(const struct journal_run *))
{
	uint32_t wanted = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct journal_run run = runs[i];

		if (!is_wanted(&run))
			continue;
		runs[i] = runs[wanted];
		runs[wanted++] = run;
	}
	return wanted;
}

/*
 * K8, for all direct runs at the same time: a disk answers many reads as fast as one.  They have
 * room in recovery->home, because their pages have it in the window.
 */
static void read_back(struct journal_recovery *recovery, struct journal_run *runs, uint32_t count)
{
	uint8_t *into = recovery->home;

	for (uint32_t i = 0; i < count; i++) {
		runs[i].into = into;
		into += journal_padded(runs[i].length);
	}
	assert(into <= recovery->home + recovery->window.room);
	journal_read_runs(recovery->journal->sys, recovery->courier, runs, count);
	for (uint32_t i = 0; i < count; i++) {
		if (runs[i].state != JOURNAL_RUN_DONE)
			continue; /* by call: finish_run() */
		runs[i].verified = is_equal(&runs[i], runs[i].into);
		runs[i].error = runs[i].verified ? 0 : -EIO;
	}
}

/* Write runs[0..count), which do not overlap. */
static void write_pages(struct journal_recovery *recovery, uint32_t count)
{
	struct journal_run *runs = recovery->runs;

	count = journal_merge_runs(runs, count, recovery->vectors);
	journal_write_runs(recovery->journal->sys, recovery->courier, runs,
			   put_first(runs, count, is_direct));
	read_back(recovery, runs, put_first(runs, count, is_to_be_read));
	finish_runs(recovery, runs, count);
}

void journal_replay_listed(struct journal_recovery *recovery)
{
	const struct journal_run *pages = recovery->pages;
	uint32_t count = recovery->listed;

	recovery->listed = 0;
	memcpy(recovery->runs, pages, count * sizeof(*pages));
	if (journal_keep_newest(recovery->runs, &count)) {
		write_pages(recovery, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		recovery->runs[0] = pages[i];
		if (journal_is_open_target(pages[i].owner))
			write_pages(recovery, 1);
	}
}

/* Ask the caller, with old and new page: 1 to write, 0 to leave, or an error. */
static int ask(struct journal_recovery *recovery, struct journal_target *target,
	       const struct journal_entry *entry, const uint8_t *data,
	       const struct journal_frame *frame, const struct journal_identity *file)
{
	struct atomicio_live_page page = {
		.file_id = file->file_id,
		.offset = entry->offset,
		.length = entry->length,
		.page = data,
		.sequence = frame->sequence,
	};
	bool uncached;
	uint64_t from;
	int64_t have;
	int answer;

	if (!recovery->options.choose)
		return 1;
	memcpy(page.tag, file->tag, sizeof(page.tag));
	have = look(recovery, target, entry->offset, entry->length, &from, &uncached);
	if (have < 0) {
		target->fate.result = (int32_t)have;
		return 0;
	}
	page.home = recovery->home + from;
	page.home_length = (uint64_t)have;
	answer = recovery->options.choose(recovery->context, &page);
	if (answer < 0)
		return answer;
	if (answer == ATOMICIO_CHOOSE_REPLAY)
		return 1;
	target->fate.pages_skipped++;
	recovery->done.pages_skipped++;
	return 0;
}

/* How to write a page: false, not at all, as the kernel would kill us with SIGXFSZ. */
static bool list_page(const struct journal_recovery *recovery, struct journal_target *target,
		      const struct journal_entry *entry, const uint8_t *data,
		      struct journal_run *run)
{
	const bool direct = target->direct >= 0 && entry->offset % target->align == 0 &&
			    entry->length % target->align == 0;

	*run = (struct journal_run){
		.owner = target,
		.offset = entry->offset,
		.length = entry->length,
		.data = data,
		.pages = 1,
		.fd = direct ? target->direct : target->plain,
		.rwf = direct ? 0 : target->rwf,
		.direct = direct,
	};
	return fits_limit(recovery->journal->sys, target, entry->offset, entry->length);
}

int journal_replay_frame(struct journal_recovery *recovery, uint8_t *bytes,
			 const struct journal_frame *frame)
{
	const uint8_t *page = bytes + frame->header_length;

	journal_unescape(bytes, frame);
	for (uint32_t i = 0; i < frame->count; i++) {
		const uint8_t *data = page;
		struct journal_target *target;
		struct journal_identity file;
		struct journal_entry entry;
		int answer;

		journal_get_entry(bytes, frame->files, i, &entry);
		journal_get_file(bytes, entry.file, &file);
		page += journal_padded(entry.length);
		target = journal_find_target(recovery, file.file_id);
		if (target->is_gone) {
			target->fate.pages_skipped++;
			recovery->done.pages_skipped++;
		}
		if (!journal_is_open_target(target) || frame->sequence < target->up_to)
			continue;
		answer = ask(recovery, target, &entry, data, frame, &file);
		if (answer < 0)
			return answer;
		if (!answer)
			continue;
		if (list_page(recovery, target, &entry, data, &recovery->pages[recovery->listed]))
			recovery->listed++;
		else
			target->fate.result = -EFBIG;
	}
	if (recovery->singly)
		journal_replay_listed(recovery);
	return 0;
}
