/* SPDX-License-Identifier: MIT */
/*
 * The files attached to a journal, and the calls that the application makes between writes.
 *
 * Flow: attach and detach are called when a handle is opened and closed.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"
#include "sys_refused.h"

static bool same_inode(const struct journal_file *a, const struct journal_file *b)
{
	return a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor;
}

void journal_begin_callbacks(struct atomicio_journal *journal)
{
	journal->caller = pthread_self();
	atomic_store_explicit(&journal->in_callback, true, memory_order_release);
}

void journal_end_callbacks(struct atomicio_journal *journal)
{
	atomic_store_explicit(&journal->in_callback, false, memory_order_release);
}

bool journal_is_callback(const struct atomicio_journal *journal)
{
	return atomic_load_explicit(&journal->in_callback, memory_order_acquire) &&
	       pthread_equal(journal->caller, pthread_self());
}

int journal_attach(struct atomicio_journal *journal, struct journal_file *file)
{
	struct journal_identity identity = {.file_id = file->file_id};
	struct sys_statx stat;
	int error = 0;

	journal_identify(journal->sys, file->fd, &identity);
	memcpy(identity.tag, file->tag, sizeof(file->tag));
	for (size_t i = 0; i < sizeof(file->tag); i++)
		if (file->tag[i])
			identity.known |= JOURNAL_KNOWS_TAG;
	journal_encode_file(file->row, &identity);
	if (journal_is_callback(journal))
		return -EDEADLK;
	if (sys_stat(journal->sys, file->fd, SYS_STATX_BASIC, &stat) == 0 &&
	    journal_is_own_file(journal, &stat))
		return -EINVAL;
	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	/* One id, one file, and the other way round: replay and J3 both go by the id. */
	for (const struct journal_file *other = journal->files; other; other = other->next)
		if ((other->file_id == file->file_id) != same_inode(other, file))
			error = -EEXIST;
	/* What is written past the journal relies on what the header says (H2). */
	if (!error && journal->state == ATOMICIO_JOURNAL_READY)
		error = journal_settle_header(journal);
	if (!error) {
		file->dirty = false;
		file->next = journal->files;
		journal->files = file;
	}
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_detach(struct atomicio_journal *journal, struct journal_file *file)
{
	struct journal_file **at;
	int error = 0;

	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	if (file->dirty)
		error = journal_checkpoint_locked(journal); /* J10 */
	for (at = &journal->files; *at != file;)
		at = &(*at)->next;
	*at = file->next;
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	return error;
}

bool journal_fits(const struct atomicio_journal *journal, uint64_t count, uint64_t room)
{
	return journal_frame_length(count, room) <= journal->header.frame_max;
}

uint64_t journal_room(uint64_t length)
{
	return journal_padded(length);
}

void journal_file_lost(struct atomicio_journal *journal, const struct journal_file *file)
{
	pthread_mutex_lock(&journal->lock);
	for (const struct journal_file *other = journal->files; other; other = other->next)
		if (other->file_id == file->file_id && other->dirty)
			journal_poison(journal); /* J9 */
	pthread_mutex_unlock(&journal->lock);
}

bool journal_is_poisoned(struct atomicio_journal *journal)
{
	bool poisoned;

	pthread_mutex_lock(&journal->lock);
	poisoned = journal->state == ATOMICIO_JOURNAL_POISONED;
	pthread_mutex_unlock(&journal->lock);
	return poisoned;
}

ATOMICIO_EXPORT int atomicio_journal_checkpoint(struct atomicio_journal *journal)
{
	SYS_NO_CANCEL;
	if (!journal)
		return -EINVAL;
	return journal_is_callback(journal) ? -EDEADLK : journal_checkpoint(journal);
}

ATOMICIO_EXPORT int atomicio_journal_forget(struct atomicio_journal *journal, uint64_t file_id)
{
	SYS_NO_CANCEL;
	bool dirty = false;
	int error;

	if (!journal || file_id == 0)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (file->file_id == file_id && file->dirty)
			dirty = true;
	error = journal->state == ATOMICIO_JOURNAL_READY || dirty ? 0 : journal_refused(journal);
	if (!error)
		error = journal_settle_header(journal); /* H2 */
	if (!error && dirty)
		error = journal_checkpoint_locked(journal); /* J10 */
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	return error;
}

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
	if (!journal->direct)
		notes |= ATOMICIO_JOURNAL_NOTE_BUFFERED;
	return notes;
}

ATOMICIO_EXPORT int atomicio_journal_get_info(const struct atomicio_journal *journal,
					      struct atomicio_journal_info *info, size_t info_size)
{
	SYS_NO_CANCEL;
	/* The lock is the journal's own affair: reading it changes nothing of what it is. */
	struct atomicio_journal *open = (struct atomicio_journal *)(uintptr_t)journal;
	struct atomicio_journal_info ours;
	const int error = abi_check(info, info_size, ABI_FIRST_JOURNAL_INFO);

	if (error)
		return error;
	if (!journal)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	pthread_mutex_lock(&open->lock);
	ours = (struct atomicio_journal_info){
		.version = JOURNAL_VERSION,
		.state = open->state,
		.size = open->header.size,
		.block_size = JOURNAL_BLOCK,
		.frame_max = open->header.frame_max,
		.tail_offset = open->header.tail_offset,
		.tail_sequence = open->header.tail_sequence,
		.head_offset = open->head_offset,
		.head_sequence = open->head_sequence,
		.live_frames = open->head_sequence - open->header.tail_sequence,
		.live_bytes = open->live_bytes,
		.corrupt_offset = open->corrupt_offset,
		.notes = all_notes(open),
		.unreadable = unreadable_blocks(open),
		.frames = open->counters.frames,
		.pages = open->counters.pages,
		.bytes = open->counters.bytes,
		.bytes_written = open->counters.bytes_written,
		.flushes = open->counters.flushes,
		.checkpoints = open->counters.checkpoints,
		.group_max = open->counters.group_max,
		.recoveries = open->counters.recoveries,
		.writers = open->counters.writers,
	};
	memcpy(ours.group_sizes, open->counters.group_sizes, sizeof(ours.group_sizes));
	memcpy(ours.id, open->header.id, sizeof(ours.id));
	pthread_mutex_unlock(&open->lock);
	abi_write(info, info_size, &ours, sizeof(ours));
	return 0;
}
