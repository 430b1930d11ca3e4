/* SPDX-License-Identifier: MIT */
/*
 * The checkpoint: make home files durable, then retire their frames.
 *
 * Flow: called by commit when the ring is full, and by close, forget and the application.
 */
#include "journal_internal.h"

#include <errno.h>

#include "trace.h"

static int sync_files(struct atomicio_journal *journal)
{
	for (struct journal_file *file = journal->files; file; file = file->next) {
		int error;

		if (!file->dirty)
			continue;
		error = loss_sync(file->loss, LOSS_RETIRE);
		journal->counters.flushes++;
		if (error)
			return error;
	}
	return 0;
}

/*
 * Retire all live frames.  The caller holds the lock and the role; the lock is kept, because
 * nobody could do anything but wait.
 */
int journal_checkpoint_locked(struct atomicio_journal *journal)
{
	int error;

	journal_await_homes(journal);
	error = journal_refused(journal);
	if (!error)
		error = journal_settle_header(journal); /* H2: that nothing is live is relied on */
	if (error || journal->live_bytes == 0)
		return error;
	error = sync_files(journal); /* J2 */
	if (!error)
		error = journal_write_header(journal, journal->head_offset, journal->head_sequence);
	TRACE_CHECKPOINT(journal->head_sequence, journal->live_bytes, error);
	if (error) {
		journal_poison(journal); /* J9 */
		return error;
	}
	journal->live_bytes = 0;
	journal->counters.checkpoints++;
	for (struct journal_file *file = journal->files; file; file = file->next)
		file->dirty = false;
	journal_uncover_all(journal);
	return 0;
}

int journal_checkpoint(struct atomicio_journal *journal)
{
	int error;

	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	error = journal_checkpoint_locked(journal);
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	return error;
}
