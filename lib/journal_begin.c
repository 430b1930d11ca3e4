/* SPDX-License-Identifier: MIT */
/*
 * What has to be on disk before anything relies on it: the header (H2), and for a frame a header
 * of ours (H1).
 *
 * Flow: attach, retirements and turns prove the header; the first frame of a journal begins it.
 */
#include "journal_internal.h"

#include <errno.h>

void journal_await_tail(struct atomicio_journal *journal)
{
	while (journal->moving_tail) {
		journal_land(journal);
		if (journal->moving_tail)
			(void)journal_retire_wait(journal, JOURNAL_WAIT_FOREVER);
	}
}

/* H2, once: the header that open read.  Nobody else may be at the headers meanwhile. */
int journal_prove_header(struct atomicio_journal *journal)
{
	int error;

	journal_await_tail(journal);
	if (journal->settled)
		return 0;
	journal->moving_tail = true;
	pthread_mutex_unlock(&journal->lock);
	error = journal_settle_header(journal);
	pthread_mutex_lock(&journal->lock);
	journal->moving_tail = false;
	pthread_cond_broadcast(&journal->changed);
	return error;
}

/* With lock and role: from then on the header is ours, and its tail behind every used number. */
static int begin(struct atomicio_journal *journal)
{
	struct journal_header *next = &journal->next_header;
	int error;

	journal_await_tail(journal);
	if (journal->begun)
		return 0;
	error = journal_check_limit(journal, journal->header.size);
	if (error)
		return error;
	assert(journal->live_bytes == 0);
	journal->moving_tail = true;
	journal_empty_header(journal, next);
	next->flags = 0;
	pthread_mutex_unlock(&journal->lock);
	error = journal_put_headers(journal, next);
	pthread_mutex_lock(&journal->lock);
	journal_adopt_header(journal, next, error);
	if (!error)
		journal->head_sequence = journal->next_sequence;
	journal->moving_tail = false;
	pthread_cond_broadcast(&journal->changed);
	return error;
}

/* H1: before the first frame, once. */
int journal_first_frame(struct atomicio_journal *journal)
{
	int error = journal_refused(journal);

	if (error || journal->begun)
		return error;
	error = journal_prove_header(journal);
	if (!error)
		error = begin(journal);
	/* Nothing of the frame was written, and the journal is not poisoned. */
	if (!error || error == -EFBIG || error == -EINTR)
		return error;
	return journal_is_full(error) ? -ENOSPC : journal_frame_error(error);
}
