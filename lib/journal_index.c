/* SPDX-License-Identifier: MIT */
/*
 * Ranges of files that live frames may cover.
 *
 * Flow: filled when a frame is durable; emptied when its generation is retired (O3: a single filter
 * would fill up for ever); asked by every write that would bypass the journal (J3), without a lock.
 *
 * A flag for each hash of a file and a piece of it: the answer may be a wrong yes, at the price of
 * a journal write or a checkpoint, and is never a wrong no.
 */
#include "journal_internal.h"

static uint32_t filter_slot(uint64_t file_id, uint64_t chunk)
{
	const uint64_t mixed =
		(file_id + UINT64_C(0x9E3779B97F4A7C15)) ^ (chunk * UINT64_C(0xD6E8FEB86659FD93));

	return (uint32_t)((mixed * UINT64_C(0xD6E8FEB86659FD93)) >> (64 - JOURNAL_FILTER_BITS));
}

void journal_cover(struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
		   uint64_t length)
{
	const uint64_t last = (offset + length - 1) >> JOURNAL_CHUNK_SHIFT;
	_Atomic uint8_t *filter = journal->filter[journal->generation & 1];

	for (uint64_t chunk = offset >> JOURNAL_CHUNK_SHIFT; chunk <= last; chunk++)
		atomic_store_explicit(&filter[filter_slot(file_id, chunk)], 1,
				      memory_order_release);
}

bool journal_may_cover(const struct atomicio_journal *journal, uint64_t file_id, uint64_t offset,
		       uint64_t length)
{
	const uint64_t first = offset >> JOURNAL_CHUNK_SHIFT;
	const uint64_t last = (offset + length - 1) >> JOURNAL_CHUNK_SHIFT;

	/* T1: frames of other processes' turns are not known here. */
	if (journal_has_no_turn(journal))
		return true;
	/* A long range asks about every slot, sooner or later. */
	if (last - first >= 1u << JOURNAL_FILTER_BITS)
		return true;
	for (uint64_t chunk = first; chunk <= last; chunk++) {
		const uint32_t slot = filter_slot(file_id, chunk);

		if (atomic_load_explicit(&journal->filter[0][slot], memory_order_acquire) ||
		    atomic_load_explicit(&journal->filter[1][slot], memory_order_acquire))
			return true;
	}
	return false;
}

static void set_all(_Atomic uint8_t *filter, uint8_t value)
{
	for (uint32_t i = 0; i < 1u << JOURNAL_FILTER_BITS; i++)
		atomic_store_explicit(&filter[i], value, memory_order_release);
}

void journal_uncover(struct atomicio_journal *journal, uint32_t parity)
{
	set_all(journal->filter[parity], 0);
}

void journal_cover_all(struct atomicio_journal *journal)
{
	set_all(journal->filter[journal->generation & 1], 1);
}

void journal_uncover_all(struct atomicio_journal *journal)
{
	set_all(journal->filter[0], 0);
	set_all(journal->filter[1], 0);
}
