/* SPDX-License-Identifier: MIT */
/*
 * The journal's answers about itself.
 *
 * Flow: called by the application at any time.
 *
 * The answer is of one moment, read under the lock, which nobody holds while a disk works
 * (K10).  Info waits for no disk, and a write pays nothing for info.  A recovery works alone,
 * without the lock; meanwhile info answers with the state before.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"

static uint32_t unreadable_blocks(const struct atomicio_journal *journal)
{
	uint64_t blocks = 0;

	for (uint32_t i = 0; i < journal->scan.bad_count; i++)
		blocks += journal->scan.bad[i].length / JOURNAL_BLOCK;
	return (uint32_t)blocks;
}

static uint32_t all_notes(const struct atomicio_journal *journal)
{
	uint32_t notes = journal->notes | journal->damaged; /* K2: the first two bits */

	if (journal->scan.bad_count)
		notes |= ATOMICIO_JOURNAL_NOTE_UNREADABLE;
	if (!journal->settled)
		notes |= ATOMICIO_JOURNAL_NOTE_UNSETTLED;
	if (!journal_reserve(&journal->header))
		notes |= ATOMICIO_JOURNAL_NOTE_SMALL;
	if (!journal->direct)
		notes |= ATOMICIO_JOURNAL_NOTE_BUFFERED;
	return notes;
}

void journal_fill_info(const struct atomicio_journal *journal, struct atomicio_journal_info *info)
{
	const struct journal_counters *counters = &journal->counters;
	/* Numbers are missing only between frames found at open (N1). */
	const uint64_t ours =
		journal->scan.count ? journal->base_sequence : journal->header.tail_sequence;

	*info = (struct atomicio_journal_info){
		.version = JOURNAL_VERSION,
		.state = journal->state,
		.size = journal->header.size,
		.block_size = JOURNAL_BLOCK,
		.frame_max = journal->header.frame_max,
		.tail_offset = journal->header.tail_offset,
		.tail_sequence = journal->header.tail_sequence,
		.head_offset = journal->head_offset,
		.head_sequence = journal->head_sequence,
		.live_frames = journal->live_bytes
				       ? journal->scan.live + journal->head_sequence - ours
				       : 0,
		.live_bytes = journal->live_bytes,
		.corrupt_offset = journal->corrupt_offset,
		.frames = counters->frames,
		.pages = counters->pages,
		.bytes = counters->bytes,
		.bytes_written = counters->bytes_written,
		.flushes = counters->flushes,
		.checkpoints = counters->checkpoints,
		.group_max = counters->group_max,
		.recoveries = counters->recoveries,
		.writers = counters->writers,
		.files_failed = counters->failed_files,
		.pages_carried = counters->carried,
		.memory = journal->memory,
		.notes = all_notes(journal),
		.unreadable = unreadable_blocks(journal),
	};
	memcpy(info->group_sizes, counters->group_sizes, sizeof(info->group_sizes));
	memcpy(info->id, journal->header.id, sizeof(info->id));
}

bool journal_is_poisoned(const struct atomicio_journal *journal)
{
	return atomic_load_explicit(&journal->poisoned, memory_order_relaxed);
}

void journal_begin_callbacks(struct atomicio_journal *journal)
{
	journal_fill_info(journal, &journal->at_callbacks);
	journal->caller = pthread_self();
	atomic_store_explicit(&journal->in_callback, true, memory_order_release);
}

ATOMICIO_EXPORT int atomicio_journal_get_info(const struct atomicio_journal *journal,
					      struct atomicio_journal_info *info, size_t info_size)
{
	SYS_NO_CANCEL;
	pthread_mutex_t *lock = journal ? (pthread_mutex_t *)(uintptr_t)&journal->lock : NULL;
	struct atomicio_journal_info ours;
	const int error = abi_check(info, info_size, ABI_FIRST_JOURNAL_INFO);

	if (error)
		return error;
	if (!journal)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	/* Reading changes nothing but the lock. */
	pthread_mutex_lock(lock);
	if (atomic_load_explicit(&journal->in_callback, memory_order_acquire))
		ours = journal->at_callbacks;
	else
		journal_fill_info(journal, &ours);
	pthread_mutex_unlock(lock);
	abi_write(info, info_size, &ours, sizeof(ours));
	return 0;
}
