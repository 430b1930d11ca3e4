/* SPDX-License-Identifier: MIT */
/*
 * Guests, second half: give out entries, and take completions.
 *
 * Flow: see journal_guest.h.  A completion is believed, because only the caller has it: a frame
 * whose entry "was cancelled" is void, and its place is used again after the tail has passed the
 * place.
 */
#include "journal_guest.h"

#include <errno.h>

#include "trace.h"

/* Fill *io with the next entry of the frame. */
static void fill(const struct atomicio_journal *journal, const struct journal_guest_frame *frame,
		 struct journal_guest_io *io)
{
	*io = (struct journal_guest_io){
		.fd = journal->fd,
		.rwf = SYS_RWF_DSYNC | (frame->noappend ? SYS_RWF_NOAPPEND : 0),
		.bytes = frame->bytes,
		.length = frame->frame.length,
		.offset = frame->frame.offset,
		.sync = frame->state == JOURNAL_GUEST_SYNCING,
	};
}

/* NULL: no frame is in use under this serial. */
static struct journal_guest_frame *find(const struct atomicio_journal *journal, uint64_t serial)
{
	const struct journal_guests *guests = journal->guests;
	struct journal_guest_frame *frame = &guests->frames[serial % guests->count];

	return frame->serial == serial && frame->state != JOURNAL_GUEST_FREE ? frame : NULL;
}

int journal_guest_next(struct atomicio_journal *journal, uint64_t serial,
		       struct journal_guest_io *io)
{
	struct journal_guest_frame *frame;
	int error = -EINVAL;

	pthread_mutex_lock(&journal->lock);
	frame = find(journal, serial);
	if (frame && (frame->state == JOURNAL_GUEST_DUE || frame->state == JOURNAL_GUEST_SYNCING)) {
		error = journal_check_append(journal);
		if (!error && frame->state == JOURNAL_GUEST_DUE)
			frame->state = JOURNAL_GUEST_WRITING;
		fill(journal, frame, io);
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}

/* A page's home write is no longer on its way. */
static void land(const struct journal_guest_frame *frame, struct journal_guest_page *page)
{
	struct journal_file *file = page->file;
	const uint32_t p = journal_file_parity(file, frame->generation);

	assert(file->homes[p]);
	file->homes[p]--;
	page->state = JOURNAL_GUEST_HOME;
}

static void give_up(struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	for (uint32_t i = 0; i < frame->frame.count; i++)
		land(frame, &frame->pages[i]);
	frame->state = JOURNAL_GUEST_FREE;
	journal_guest_note_doubt(journal);
	journal_wake(journal);
}

/* J9: the frame may be on the disk or not. */
static int fail(struct atomicio_journal *journal, struct journal_guest_frame *frame, int error)
{
	error = journal_frame_error(error);
	TRACE_FRAME_COMMIT(frame->frame.sequence, frame->frame.count, frame->frame.length, error);
	journal_poison(journal);
	give_up(journal, frame);
	return error;
}

/* An entry that wrote nothing leaves a hole (N1).  An entry that may have written poisons (J9). */
static int cancel(struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	struct journal_guests *guests = journal->guests;

	if (frame->begun)
		return fail(journal, frame, -EIO);
	assert(guests->hole_count < JOURNAL_HOLES);
	guests->holes[guests->hole_count++] = (struct journal_hole){
		.sequence = frame->frame.sequence,
		.end = frame->frame.offset + frame->frame.length,
	};
	give_up(journal, frame);
	return -ECANCELED;
}

static int publish(struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	struct journal_counters *counters = &journal->counters;

	TRACE_FRAME_COMMIT(frame->frame.sequence, frame->frame.count, frame->frame.length, 0);
	journal_unescape(frame->bytes, &frame->frame); /* N3 */
	frame->state = JOURNAL_GUEST_DURABLE;
	counters->frames++;
	counters->pages += frame->frame.count;
	counters->writers++;
	counters->group_sizes[0]++;
	if (!counters->group_max)
		counters->group_max = 1;
	counters->flushes++;
	counters->bytes_written += frame->frame.length;
	for (uint32_t i = 0; i < frame->frame.count; i++) {
		counters->bytes += frame->pages[i].length;
		frame->pages[i].state = JOURNAL_GUEST_READY;
	}
	journal_note_whole(journal, &frame->frame);
	journal_guest_note_doubt(journal);
	journal_wake(journal);
	return 0;
}

/* Write the same bytes at the same place again (N1). */
static int again(struct atomicio_journal *journal, struct journal_guest_frame *frame)
{
	if (++frame->tries > JOURNAL_GUEST_TRIES)
		return fail(journal, frame, -EIO);
	if (frame->state == JOURNAL_GUEST_WRITING)
		frame->state = JOURNAL_GUEST_DUE;
	return -EAGAIN;
}

static int written(struct atomicio_journal *journal, struct journal_guest_frame *frame,
		   int64_t result)
{
	if (result == frame->frame.length) {
		if (!journal->delegates)
			return publish(journal, frame);
		frame->state = JOURNAL_GUEST_SYNCING; /* K9 */
		return -EAGAIN;
	}
	/*
	 * More bytes may be on the disk than the result says.  After a direct write that was cut
	 * short, bytes that went through the page cache are not counted if their write-back fails
	 * (6.6, fs/libfs.c, direct_write_fallback()).  A signal may have cut short the sync alone.
	 */
	frame->begun |= result >= 0 || result == -EINTR;
	if (result >= 0 || result == -EAGAIN || result == -EINTR)
		return again(journal, frame);
	if (result == -EOPNOTSUPP && frame->noappend) { /* before 6.9 */
		frame->noappend = false;
		return again(journal, frame);
	}
	return result == -ECANCELED ? cancel(journal, frame) : fail(journal, frame, (int)result);
}

int journal_guest_framed(struct atomicio_journal *journal, uint64_t serial, int64_t result)
{
	struct journal_guest_frame *frame;
	int error = -EINVAL;

	pthread_mutex_lock(&journal->lock);
	frame = find(journal, serial);
	if (frame && frame->state == JOURNAL_GUEST_WRITING)
		error = written(journal, frame, result);
	else if (frame && frame->state == JOURNAL_GUEST_SYNCING && result == 0)
		error = publish(journal, frame);
	/* A cancelled sync proves neither success nor failure. */
	else if (frame && frame->state == JOURNAL_GUEST_SYNCING)
		error = result == -EAGAIN || result == -EINTR || result == -ECANCELED
				? again(journal, frame)
				: fail(journal, frame, result < 0 ? (int)result : -EIO);
	pthread_mutex_unlock(&journal->lock);
	return error;
}

/* A frame whose sync is due is on the disk, or will be. */
int journal_guest_give_up(struct atomicio_journal *journal, uint64_t serial)
{
	struct journal_guest_frame *frame;
	int error = -EINVAL;

	pthread_mutex_lock(&journal->lock);
	frame = find(journal, serial);
	if (frame && frame->state == JOURNAL_GUEST_DUE)
		error = cancel(journal, frame);
	else if (frame && frame->state == JOURNAL_GUEST_SYNCING)
		error = fail(journal, frame, -EIO);
	pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_guest_look(struct atomicio_journal *journal, uint64_t serial)
{
	const struct journal_guest_frame *frame;
	int error;

	pthread_mutex_lock(&journal->lock);
	frame = find(journal, serial);
	if (frame)
		error = frame->state == JOURNAL_GUEST_DURABLE ? 0 : -EINPROGRESS;
	else
		/* The frame never became durable: cancelled, or (poisoned) uncertain. */
		error = journal_is_poisoned(journal) ? -EIO : -ECANCELED;
	pthread_mutex_unlock(&journal->lock);
	return error;
}

static struct journal_guest_page *find_page(const struct atomicio_journal *journal,
					    const struct journal_guest_place *place,
					    struct journal_guest_frame **frame)
{
	*frame = find(journal, place->serial);
	return *frame && (*frame)->state == JOURNAL_GUEST_DURABLE ? &(*frame)->pages[place->page]
								  : NULL;
}

int journal_guest_home(struct atomicio_journal *journal, const struct journal_guest_place *place,
		       struct journal_guest_io *io)
{
	struct journal_guest_frame *frame;
	struct journal_guest_page *page;
	int error = -EINVAL;

	pthread_mutex_lock(&journal->lock);
	page = find_page(journal, place, &frame);
	if (page && page->state == JOURNAL_GUEST_READY) {
		error = journal_home_refusal(journal, page->file);
		if (error < 0)
			journal_fail(journal, page->file, error); /* K7 */
		*io = (struct journal_guest_io){
			.fd = page->file->fd,
			.rwf = page->file->rwf,
			.bytes = page->data,
			.length = page->length,
			.offset = page->offset,
			.nothing = error != 0,
		};
		page->state = JOURNAL_GUEST_FLYING;
		error = 0;
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_guest_homed(struct atomicio_journal *journal, const struct journal_guest_place *place,
			int64_t result)
{
	struct journal_guest_frame *frame;
	struct journal_guest_page *page;
	int error = -EINVAL;

	pthread_mutex_lock(&journal->lock);
	page = find_page(journal, place, &frame);
	if (page && page->state == JOURNAL_GUEST_FLYING) {
		const bool cancelled = result == -ECANCELED;
		const bool partly = result == -EAGAIN || result == -EINTR ||
				    (result >= 0 && result < page->length);

		error = 0;
		if (!page->file->failed &&
		    (cancelled || (partly && ++page->tries <= JOURNAL_GUEST_TRIES))) {
			page->state = JOURNAL_GUEST_READY;
			error = -EAGAIN;
		} else if (result != page->length && !page->file->failed) {
			journal_fail(journal, page->file, result < 0 ? (int)result : -EIO);
		}
	}
	if (!error) {
		land(frame, page);
		if (--frame->left == 0) {
			frame->state = JOURNAL_GUEST_FREE;
			journal_guest_help(journal);
		}
		journal_wake(journal);
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}
