/* SPDX-License-Identifier: MIT */
/*
 * A file fails alone (K7).
 *
 * Flow: home writes, syncs and the write family report failures here.
 *
 * The handles of a failed file are poisoned, its frames stay live, and the file is neither written
 * nor synced any more, until recovery.
 */
#include "journal_internal.h"

#include <errno.h>

void journal_fail_quietly(struct atomicio_journal *journal, const struct journal_file *file,
			  int error)
{
	assert(error < 0);
	for (struct journal_file *other = journal->files; other; other = other->next) {
		if (other->file_id != file->file_id || other->failed)
			continue;
		other->failed = error;
		if (other->poisoned)
			atomic_store_explicit(other->poisoned, 1, memory_order_relaxed);
		journal->counters.failed_files++;
	}
}

void journal_fail(struct atomicio_journal *journal, const struct journal_file *file, int error)
{
	journal_fail_quietly(journal, file, error);
	journal_share_note_trouble(journal);
	journal_wake(journal);
}

void journal_home_failed(struct atomicio_journal *journal, const struct journal_file *file,
			 int error)
{
	pthread_mutex_lock(&journal->lock);
	journal_fail(journal, file, error); /* K7 */
	pthread_mutex_unlock(&journal->lock);
}

void journal_file_lost(struct atomicio_journal *journal, const struct journal_file *file)
{
	bool live = false;

	pthread_mutex_lock(&journal->lock);
	live = journal->share; /* other processes may have framed pages of the file */
	for (const struct journal_file *other = journal->files; other; other = other->next)
		live |= other->file_id == file->file_id && journal_file_is_live(other);
	if (live)
		journal_fail(journal, file, -EIO);
	pthread_mutex_unlock(&journal->lock);
}
