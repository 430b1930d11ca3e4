/* SPDX-License-Identifier: MIT */
/*
 * Guests: make room for their frames, with those steps of journal_retire.c that wait for nothing.
 *
 * Flow: journal_guest.c comes here with a frame that has no place, and from half of the ring on.
 * Syncs and headers are AIO requests.  Their completion signals the caller's event; the caller then
 * calls again, and makes the next step.
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

int journal_guest_make_room(struct atomicio_journal *journal, uint64_t length)
{
	/* JG4: there will be room after the frames on their way have ended. */
	if (journal_guest_writes(journal) &&
	    journal_place_frame(journal, length, journal_reserve(&journal->header)))
		return -EBUSY;
	if (!journal->live_bytes)
		return -ENOSPC;
	journal_begin_retirement(journal);
	switch (take_steps(journal)) {
	case JOURNAL_STEP_WAIT:
		return -EAGAIN;
	case JOURNAL_STEP_GUEST:
		return -EBUSY;
	case JOURNAL_STEP_IDLE: /* the retirement is over: come again at once */
	case JOURNAL_STEP_DONE:
		journal_guest_later(journal);
		journal_guest_wake(journal);
		return -EAGAIN;
	default:
		return journal_guest_writes(journal) ? -EBUSY : -ENOSPC;
	}
}

void journal_guest_synced(struct atomicio_journal *journal)
{
	if (!journal_has_guests(journal))
		return;
	pthread_mutex_lock(&journal->lock);
	journal_guest_wake(journal);
	pthread_mutex_unlock(&journal->lock);
}
