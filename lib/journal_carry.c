/* SPDX-License-Identifier: MIT */
/*
 * Carrying: frame the pages of files in trouble again at the head, and let the tail pass.
 *
 * Flow: a step of retirement (journal_checkpoint.c), by a thread with the role.  A durable frame is
 * a commit (K11): when its home write or the sync after fails or hangs, its pages must stay live,
 * but their place in the ring must not (K7).
 *
 * C1 at most the pinned limit is carried; journal_place_frame() keeps the room free.
 * C2 only bytes not covered by a later live frame are carried, or replay would bring an old page
 *    back over a newer page: v5 of frame 5 carried to frame 20 comes after v9 of frame 9.
 */
#include "journal_internal.h"

#include <errno.h>
#include <string.h>

#include "journal_crc.h"
#include "journal_pieces.h"

struct carry {
	struct atomicio_journal *journal;
	uint64_t *ids; /* of the carried files */
	uint32_t id_count;
	struct journal_pieces pieces;
	uint8_t *source; /* the frame being read */
	struct journal_frame source_frame;
	uint8_t *target; /* the frame being made */
	struct journal_frame frame;
};

static bool is_carried(const struct carry *carry, uint64_t file_id)
{
	for (uint32_t i = 0; i < carry->id_count; i++)
		if (carry->ids[i] == file_id)
			return true;
	return false;
}

/* Does this file keep the old generation from being retired? */
static bool is_stuck(const struct journal_file *file, uint32_t p, bool slow)
{
	if (!file->first[p] || file->synced[p])
		return false;
	return file->failed || (slow && (file->syncing || file->homes[p]));
}

static int choose(struct carry *carry, bool slow)
{
	struct atomicio_journal *journal = carry->journal;
	const uint32_t p = (journal->generation - 1) & 1;
	uint32_t count = 0;

	for (const struct journal_file *file = journal->files; file; file = file->next)
		count += is_stuck(file, p, slow);
	for (const struct journal_rest *rest = journal->rests; rest; rest = rest->next)
		count += !journal->rests_carried && !rest->is_home;
	if (count == 0)
		return 0;
	carry->ids = journal->sys->allocate(_Alignof(uint64_t), count * sizeof(uint64_t));
	if (!carry->ids)
		return -ENOMEM;
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (is_stuck(file, p, slow))
			carry->ids[carry->id_count++] = file->file_id;
	for (const struct journal_rest *rest = journal->rests; rest; rest = rest->next)
		if (!journal->rests_carried && !rest->is_home)
			carry->ids[carry->id_count++] = rest->file_id;
	return 0;
}

static int add_frame(struct carry *carry, uint64_t tail_offset, uint64_t tail_sequence)
{
	const struct journal_frame *frame = &carry->source_frame;
	uint64_t data = frame->header_length;

	for (uint32_t i = 0; i < frame->count; i++) {
		struct journal_identity file;
		struct journal_entry entry;
		int error = 0;

		journal_get_entry(carry->source, frame->files, i, &entry);
		journal_get_file(carry->source, entry.file, &file);
		if (is_carried(carry, file.file_id) &&
		    frame->sequence >= journal_done_up_to(&carry->journal->header, file.file_id))
			error = journal_add_piece(carry->journal->sys, &carry->pieces,
						  &(struct journal_piece){
							  .file_id = file.file_id,
							  .offset = entry.offset,
							  .end = entry.offset + entry.length,
							  .sequence = frame->sequence,
							  .frame = frame->offset,
							  .data = data,
							  .row = entry.file,
							  .tail_offset = tail_offset,
							  .tail_sequence = tail_sequence,
						  });
		if (error)
			return error;
		data += journal_padded(entry.length);
	}
	return 0;
}

/* The pieces of all live frames; the role keeps the head, and we the tail, in place. */
static int collect(struct carry *carry)
{
	const struct atomicio_journal *journal = carry->journal;
	struct journal_frame *frame = &carry->source_frame;
	struct journal_cursor cursor;
	uint64_t tail = 0, first = 0;
	int result;

	journal_cursor_begin(journal, &cursor);
	while ((result = journal_cursor_next(journal, &cursor, journal->head_sequence,
					     carry->source, frame)) > 0) {
		if (frame->chain_index == 0) {
			tail = frame->offset;
			first = frame->sequence;
		}
		result = add_frame(carry, tail, first);
		if (result)
			return result;
	}
	return result ? result : journal_drop_covered(journal->sys, &carry->pieces);
}

/* Count the pieces, from the first on, for one frame; all from frames below the mark. */
static uint32_t fill(struct carry *carry, uint32_t from)
{
	const struct atomicio_journal *journal = carry->journal;
	uint64_t data = 0;
	uint32_t count = 0;

	while (from + count < carry->pieces.count) {
		const struct journal_piece *piece = &carry->pieces.list[from + count];
		const uint64_t room = journal_padded(piece->end - piece->offset);

		if (piece->sequence >= journal->mark_sequence ||
		    journal_frame_length((uint64_t)count + 1, data + room) >
			    journal->header.frame_max)
			break;
		data += room;
		count++;
	}
	carry->frame = (struct journal_frame){
		.flags = JOURNAL_CARRY,
		.files = count,
		.count = count,
		.header_length = (uint32_t)journal_header_length(count, count),
		.length = (uint32_t)journal_frame_length(count, data),
	};
	journal_number(journal, &carry->frame, journal->head_sequence);
	return count;
}

static int stage_piece(struct carry *carry, const struct journal_piece *piece, uint32_t index,
		       uint64_t *at)
{
	const uint32_t length = (uint32_t)(piece->end - piece->offset);
	const uint64_t padded = journal_padded(length);
	uint8_t *page = carry->target + *at, row[JOURNAL_FILE_SIZE];
	struct journal_identity file;
	struct journal_entry entry;

	if (carry->source_frame.sequence != piece->sequence) {
		const int error = journal_read_live(carry->journal, carry->source, piece->frame,
						    piece->sequence, &carry->source_frame);

		if (error)
			return error;
	}
	memcpy(page, carry->source + piece->data, length);
	memset(page + length, 0, padded - length);
	entry = (struct journal_entry){
		.offset = piece->offset,
		.length = length,
		.crc = journal_crc32c(0, page, length),
		.file = index,
		.escape = journal_escape_key(page, padded),
	};
	journal_escape(page, padded, entry.escape);
	journal_get_file(carry->source, piece->row, &file);
	journal_encode_file(row, &file);
	journal_put_row(carry->target, index, row);
	journal_put_entry(carry->target, carry->frame.files, index, &entry);
	*at += padded;
	return 0;
}

/* Write one carrying frame.  The lock is held, and dropped for the work. */
static int write_one(struct carry *carry, uint32_t from, uint32_t count)
{
	struct atomicio_journal *journal = carry->journal;
	uint64_t at = carry->frame.header_length;
	int error = 0;

	pthread_mutex_unlock(&journal->lock);
	for (uint32_t i = 0; i < count && !error; i++)
		error = stage_piece(carry, &carry->pieces.list[from + i], i, &at);
	if (error) {
		pthread_mutex_lock(&journal->lock);
		return error; /* nothing was written: live frames stay in place */
	}
	error = journal_write_frame(journal, carry->target, &carry->frame);
	pthread_mutex_lock(&journal->lock);
	for (uint32_t i = 0; i < count; i++) {
		const struct journal_piece *piece = &carry->pieces.list[from + i];

		journal_cover(journal, piece->file_id, piece->offset, piece->end - piece->offset);
	}
	if (error) {
		journal_poison(journal); /* J9 */
		return error;
	}
	journal_advance_head(journal, &carry->frame);
	journal->counters.frames++;
	journal->counters.carried += count;
	return 0;
}

/* Carry all pieces, in steps: each lets the tail pass and makes room for the next. */
static int write_all(struct carry *carry)
{
	struct atomicio_journal *journal = carry->journal;
	uint32_t from = 0, count;

	while ((count = fill(carry, from)) > 0) {
		const struct journal_piece *next = &carry->pieces.list[from];
		int error;

		carry->frame.offset = journal_place_frame(journal, carry->frame.length, 0);
		if (carry->frame.offset) {
			error = write_one(carry, from, count);
			from += count;
		} else if (next->tail_sequence > journal->header.tail_sequence) {
			while (journal->readers > 1) /* we are the one */
				pthread_cond_wait(&journal->changed, &journal->lock);
			error = journal_move_tail(journal, next->tail_offset, next->tail_sequence);
		} else {
			error = -ENOSPC;
		}
		if (error)
			return error;
	}
	return 0;
}

static uint64_t pinned(const struct carry *carry)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < carry->pieces.count; i++)
		bytes += journal_padded(carry->pieces.list[i].end - carry->pieces.list[i].offset);
	return bytes;
}

/* The old generation is theirs no more; how old the pages are is remembered. */
static void move_on(const struct carry *carry)
{
	struct atomicio_journal *journal = carry->journal;
	const uint32_t now = journal->generation & 1;

	for (struct journal_file *file = journal->files; file; file = file->next) {
		if (!is_carried(carry, file->file_id) || !file->first[!now])
			continue;
		file->first[now] = file->first[!now];
		file->first[!now] = 0;
		file->homes[now] += file->homes[!now];
		file->homes[!now] = 0;
		file->generation = journal->generation;
	}
	journal->rests_carried = true;
}

int journal_carry(struct atomicio_journal *journal, bool slow)
{
	const struct sys_calls *sys = journal->sys;
	struct carry carry = {.journal = journal};
	int error = choose(&carry, slow);

	if (error || carry.id_count == 0)
		return error;
	journal->readers++; /* nobody else moves the tail */
	pthread_mutex_unlock(&journal->lock);
	carry.source = sys->allocate(JOURNAL_BLOCK, journal->header.frame_max);
	carry.target = sys->allocate(JOURNAL_BLOCK, journal->header.frame_max);
	error = carry.source && carry.target ? collect(&carry) : -ENOMEM;
	if (!error && pinned(&carry) > journal_pinned_limit(&journal->header))
		error = -ENOSPC; /* C1 */
	pthread_mutex_lock(&journal->lock);
	if (!error)
		error = write_all(&carry);
	if (!error)
		move_on(&carry);
	journal->readers--;
	pthread_cond_broadcast(&journal->changed);
	journal_free_pieces(sys, &carry.pieces);
	sys->release_memory(carry.ids);
	if (carry.source)
		sys->release_memory(carry.source);
	if (carry.target)
		sys->release_memory(carry.target);
	return error;
}
