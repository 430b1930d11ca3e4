/* SPDX-License-Identifier: MIT */
/*
 * What a journal tells of itself.
 *
 * Flow: whoever changes the journal publishes a snapshot, under the lock; a reader takes it
 * without (A4): info waits for no disk, and a callback of recovery may ask.
 *
 * A seqlock: odd while the words are written.  Each word is released behind the odd number, so who
 * acquires a new word sees that number, too.  All words are atomics, so a reader that comes in
 * between reads rubbish, sees that, and reads again; it waits for a few stores at most.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"

static_assert(sizeof(struct atomicio_journal_info) == 8 * JOURNAL_INFO_WORDS, "whole words");

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

static void fill(const struct atomicio_journal *journal, struct atomicio_journal_info *info)
{
	const struct journal_counters *counters = &journal->counters;
	/* Numbers are missing only in what open found (N1). */
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
		.notes = all_notes(journal),
		.unreadable = unreadable_blocks(journal),
	};
	memcpy(info->group_sizes, counters->group_sizes, sizeof(info->group_sizes));
	memcpy(info->id, journal->header.id, sizeof(info->id));
}

void journal_publish(struct atomicio_journal *journal)
{
	struct journal_snapshot *snapshot = &journal->snapshot;
	const uint64_t number = atomic_load_explicit(&snapshot->number, memory_order_relaxed);
	uint64_t words[JOURNAL_INFO_WORDS];
	struct atomicio_journal_info info;

	fill(journal, &info);
	memcpy(words, &info, sizeof(words));
	atomic_store_explicit(&snapshot->number, number + 1, memory_order_relaxed);
	for (uint32_t i = 0; i < JOURNAL_INFO_WORDS; i++)
		atomic_store_explicit(&snapshot->words[i], words[i], memory_order_release);
	atomic_store_explicit(&snapshot->number, number + 2, memory_order_release);
}

static void read_snapshot(const struct atomicio_journal *journal,
			  struct atomicio_journal_info *info)
{
	const struct journal_snapshot *snapshot = &journal->snapshot;
	uint64_t words[JOURNAL_INFO_WORDS] = {0}, before, after;

	do {
		before = atomic_load_explicit(&snapshot->number, memory_order_acquire);
		for (uint32_t i = 0; i < JOURNAL_INFO_WORDS; i++)
			words[i] = atomic_load_explicit(&snapshot->words[i], memory_order_acquire);
		after = atomic_load_explicit(&snapshot->number, memory_order_relaxed);
	} while (before & 1 || before != after);
	memcpy(info, words, sizeof(words));
}

bool journal_is_poisoned(const struct atomicio_journal *journal)
{
	return atomic_load_explicit(&journal->poisoned, memory_order_relaxed);
}

ATOMICIO_EXPORT int atomicio_journal_get_info(const struct atomicio_journal *journal,
					      struct atomicio_journal_info *info, size_t info_size)
{
	SYS_NO_CANCEL;
	struct atomicio_journal_info ours;
	const int error = abi_check(info, info_size, ABI_FIRST_JOURNAL_INFO);

	if (error)
		return error;
	if (!journal)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	read_snapshot(journal, &ours);
	abi_write(info, info_size, &ours, sizeof(ours));
	return 0;
}
