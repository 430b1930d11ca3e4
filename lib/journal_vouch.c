/* SPDX-License-Identifier: MIT */
/*
 * Which frames of other processes may this process retire (O4)?
 *
 * Flow: before a retirement in a turn (journal_checkpoint.c).  Does nothing for an unshared
 * journal.
 *
 * A sync receives the error of a lost page only if its description was open when the write-back
 * failed.  A description opened later gets 0, with none of the pages on the disk (seen on 6.18;
 * errseq_t, lib/errseq.c).  A file attached after its live frames were written therefore gets all
 * its live pages once more, in their order, and is then synced as usual.  A file that is not
 * attached stops the retirement: a process that has the file open may retire its frames, or a
 * recovery.  During these home writes older pages lie over newer pages.  All obstacles that can be
 * known are therefore looked at before the first write.  A write that fails makes all these files
 * fail (K7): the journal is then hot, and a recovery writes the newest pages last.
 */
#include "journal_share.h"

#include <errno.h>

/* Some live frames of the file were written before the file was open in this process. */
static bool is_unvouched(const struct journal_file *file)
{
	return !file->failed && ((file->first[0] && file->first[0] < file->since) ||
				 (file->first[1] && file->first[1] < file->since));
}

static const struct journal_file *unvouched(const struct atomicio_journal *journal,
					    uint64_t file_id)
{
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if ((!file_id || file->file_id == file_id) && is_unvouched(file))
			return file;
	return NULL;
}

static bool anything_live(const struct atomicio_journal *journal, uint64_t file_id)
{
	const struct journal_share *share = journal->share;

	if (share->some)
		return true;
	for (uint32_t i = 0; i < share->other_count; i++)
		if (!file_id || share->others[i].file_id == file_id)
			return true;
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if ((!file_id || file->file_id == file_id) && journal_file_is_live(file))
			return true;
	return false;
}

static const struct journal_file *being_written(const struct atomicio_journal *journal,
						uint64_t file_id)
{
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (file->file_id == file_id && file->again)
			return file;
	return NULL;
}

/* K4: the frame belongs to another file that had this id. */
static bool is_another(const struct journal_file *file, const struct journal_identity *then)
{
	struct journal_identity now;

	journal_decode_file(file->row, &now);
	return journal_differences(then, &now) & ~ATOMICIO_DIFFERS_UNKNOWN;
}

/* A direct description accepts no odd page; a recovery can write the page. */
static bool is_odd(const struct journal_file *file, const struct journal_entry *entry)
{
	return file->direct && (entry->offset | entry->length) % 512 != 0;
}

/* Check one page, or (with `data`) write the page. */
static int take_page(const struct atomicio_journal *journal, const struct journal_identity *row,
		     const struct journal_entry *entry, const uint8_t *data)
{
	const struct journal_file *file = being_written(journal, row->file_id);

	if (!file)
		return 0;
	if (!data) /* K4: a recovery will report the file */
		return is_another(file, row) || is_odd(file, entry) ? -EBUSY : 0;
	return journal_write_all(journal->sys, file->fd, file->rwf, data, entry->length,
				 entry->offset);
}

/* Take the pages of one frame, for the files being written again. */
static int take_frame(const struct atomicio_journal *journal, const uint8_t *bytes,
		      const struct journal_frame *frame, bool writes)
{
	const uint8_t *page = bytes + frame->header_length;
	int error = 0;

	for (uint32_t i = 0; i < frame->count && !error; i++) {
		struct journal_identity row;
		struct journal_entry entry;

		journal_get_entry(bytes, frame->files, i, &entry);
		journal_get_file(bytes, entry.file, &row);
		error = take_page(journal, &row, &entry, writes ? page : NULL);
		page += journal_padded(entry.length);
	}
	return error;
}

static int take_frames(const struct atomicio_journal *journal, uint64_t head, uint8_t *bytes,
		       bool writes)
{
	struct journal_cursor cursor;
	struct journal_frame frame;
	int result;

	journal_cursor_begin(journal, &cursor);
	while ((result = journal_cursor_next(journal, &cursor, head, bytes, &frame)) > 0) {
		result = take_frame(journal, bytes, &frame, writes);
		if (result)
			break;
	}
	return result;
}

/* After *wrote is set, a failure leaves older pages over newer pages. */
static int write_homes(const struct atomicio_journal *journal, uint64_t head, bool *wrote)
{
	uint8_t *bytes = journal->sys->allocate(JOURNAL_BLOCK, journal->header.frame_max);
	int error;

	if (!bytes)
		return -ENOMEM;
	error = take_frames(journal, head, bytes, false);
	if (!error) {
		*wrote = true;
		error = take_frames(journal, head, bytes, true);
	}
	journal->sys->release_memory(bytes);
	return error;
}

/* With lock and role: no frame is written, and no other page goes home. */
static int go_home_again(struct atomicio_journal *journal)
{
	const uint32_t now = journal->generation & 1;
	const uint64_t head = journal->head_sequence;
	bool wrote = false;
	int error;

	while (journal->homing)
		pthread_cond_wait(&journal->changed, &journal->lock);
	journal_await_tail(journal);
	journal->readers++; /* the tail stays in place */
	for (struct journal_file *file = journal->files; file; file = file->next)
		if (is_unvouched(file)) {
			file->again = true;
			file->homes[now]++; /* a close waits */
		}
	pthread_mutex_unlock(&journal->lock);
	error = write_homes(journal, head, &wrote);
	pthread_mutex_lock(&journal->lock);
	for (struct journal_file *file = journal->files; file; file = file->next) {
		if (!file->again)
			continue;
		file->again = false;
		file->homes[now]--;
		if (error && wrote)
			journal_fail(journal, file, error);
		else if (!error)
			file->since = journal->header.tail_sequence;
	}
	journal->readers--;
	journal_wake(journal);
	return error;
}

int journal_vouch(struct atomicio_journal *journal, uint64_t file_id, bool has_role)
{
	const struct journal_share *share = journal->share;
	int error = 0;

	/* The lock is dropped for the writes, and a file may be closed: ask anew. */
	while (!error && share && anything_live(journal, file_id)) {
		if (share->other_count || share->some)
			return -EBUSY;
		if (!unvouched(journal, 0))
			return 0;
		if (!has_role)
			journal_enter(journal);
		if (unvouched(journal, 0))
			error = go_home_again(journal);
		if (!has_role)
			journal_leave(journal);
	}
	return error;
}
