/* SPDX-License-Identifier: MIT */
/*
 * Guests: make room for their frames, and for writes past the journal, with the steps of
 * journal_retire.c that wait for nothing.
 *
 * Flow: journal_guest.c comes here with a frame that has no place, and from half of the ring on;
 * write_check.c with a write whose range a live frame covers.  Syncs and headers are AIO requests.
 * Their completion signals the caller's event; the caller then calls again, and makes the next
 * step.
 */
#include "journal_guest.h"

#include <errno.h>

/* Most steps of one call: files to be synced, and the headers. */
#define STEPS_MAX 8u

static int take_steps(struct atomicio_journal *journal)
{
	int result = JOURNAL_STEP_DONE;

	for (uint32_t i = 0; i < STEPS_MAX && result == JOURNAL_STEP_DONE; i++)
		result = journal_retire_step(journal, false);
	return result;
}

void journal_guest_help(struct atomicio_journal *journal)
{
	if ((journal->retiring || journal_is_half_full(journal)) && !journal_refused(journal))
		(void)take_steps(journal); /* R4 */
}

/* Call again at once. */
static int again(struct atomicio_journal *journal)
{
	journal_guest_later(journal);
	journal_guest_wake(journal);
	return -EAGAIN;
}

/*
 * Go on with the retirement: JG5 says when to call again.  The steps drop the journal's lock where
 * they ask for a file's lock (loss_begin_sync, loss_end_sync).  A thread that had the file's lock
 * may come with its signal before we have the journal's lock again, when nobody is told to come
 * later yet; no other signal need follow.
 */
static int go_on(struct atomicio_journal *journal)
{
	const uint64_t synced = journal->guests->synced;

	journal_begin_retirement(journal);
	switch (take_steps(journal)) {
	case JOURNAL_STEP_WAIT:
		return synced == journal->guests->synced ? -EAGAIN : again(journal);
	case JOURNAL_STEP_GUEST:
		return -EBUSY;
	case JOURNAL_STEP_IDLE: /* the retirement is over */
	case JOURNAL_STEP_DONE:
		return again(journal);
	default:
		return journal_guest_writes(journal) ? -EBUSY : -ENOSPC;
	}
}

int journal_guest_make_room(struct atomicio_journal *journal, uint64_t length)
{
	/* JG4: room will exist after the frames on their way have ended. */
	if (journal_guest_writes(journal) &&
	    journal_place_frame(journal, length, journal_reserve(&journal->header)))
		return -EBUSY;
	return journal->live_bytes ? go_on(journal) : -ENOSPC;
}

/*
 * The caller asks for a range, and calls again as long as a live frame may cover the range (J3).
 * Frames of other ranges go on: the present live frames are retired by this retirement, or by the
 * next.
 */
int journal_guest_retire_id(struct atomicio_journal *journal, uint64_t file_id)
{
	int result;

	pthread_mutex_lock(&journal->lock);
	assert(journal->settled); /* H2: by journal_guests_begin() */
	journal_land(journal);
	result = journal_ask_live(journal, file_id);
	if (result > 0)
		result = go_on(journal);
	if (result == -EAGAIN)
		journal_guest_later(journal);
	pthread_mutex_unlock(&journal->lock);
	return result;
}

void journal_guest_synced(struct atomicio_journal *journal)
{
	if (!journal_has_guests(journal))
		return;
	pthread_mutex_lock(&journal->lock);
	journal->guests->synced++;
	journal_guest_wake(journal);
	pthread_mutex_unlock(&journal->lock);
}
