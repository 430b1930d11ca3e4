/* SPDX-License-Identifier: MIT */
/*
 * After a recovery that could not finish all files: the finished files accept writes again.
 *
 * Flow: the end of such a recovery.  Unfinished files become rests, like a file that fails at run
 * time and is closed.  Unfinished files cannot be attached.  Their pages stay in live frames, and
 * are carried where the ring needs the place (K7), until a recovery finishes the files.
 *
 * H3: a table in the header names the finished files, durably in both copies, before any of them
 * can be written.
 * N1: the numbers between the last live frame and our next are void, and our frames say so, as long
 * as the last live frame is live.
 *
 * The journal stays unclean, and accepts no write of any file, where the table has too few rows,
 * too many bytes would have to be carried (C1), or a missing number may have been a frame's (H4).
 */
#include "journal_recover.h"

#include <errno.h>

#include "journal_pieces.h"
#include "sys_refused.h"

/*
 * Find the finished files with a frame in common with an unfinished one: their groups are half
 * done.
 */
static void link_targets(const struct journal_recovery *recovery, const uint8_t *bytes,
			 const struct journal_frame *frame)
{
	struct journal_identity file;
	uint32_t left = 0;

	for (uint32_t j = 0; j < frame->files; j++) {
		journal_get_file(bytes, j, &file);
		if (journal_find_target(recovery, file.file_id)->fate.result)
			left++;
	}
	for (uint32_t j = 0; j < frame->files && left; j++) {
		struct journal_target *target;

		journal_get_file(bytes, j, &file);
		target = journal_find_target(recovery, file.file_id);
		if (left > (target->fate.result != 0)) /* any but itself */
			target->fate.linked = 1;
	}
}

/* Bytes of this frame that will have to be carried. */
static int add_pinned(const struct journal_recovery *recovery, const uint8_t *bytes,
		      const struct journal_frame *frame, struct journal_pieces *pieces)
{
	int error = 0;

	for (uint32_t i = 0; i < frame->count && !error; i++) {
		const struct journal_target *target;
		struct journal_identity file;
		struct journal_entry entry;

		journal_get_entry(bytes, frame->files, i, &entry);
		journal_get_file(bytes, entry.file, &file);
		target = journal_find_target(recovery, file.file_id);
		if (!target->fate.result || frame->sequence < target->up_to)
			continue;
		error = journal_add_piece(recovery->journal->sys, pieces,
					  &(struct journal_piece){
						  .file_id = file.file_id,
						  .offset = entry.offset,
						  .end = entry.offset + entry.length,
						  .sequence = frame->sequence,
						  .data = i,
					  });
	}
	return error;
}

/* Look at all frames once more; *pinned: bytes to be carried. */
static int look(struct journal_recovery *recovery, uint64_t *pinned)
{
	const struct atomicio_journal *journal = recovery->journal;
	const struct journal_scan *scan = &journal->scan;
	struct journal_pieces pieces = {.list = NULL};
	int error = 0;

	for (uint32_t i = 0; i < scan->count && !error; i++) {
		struct journal_frame frame;
		uint8_t *bytes;

		if (scan->found[i].aborted)
			continue;
		error = journal_window_frame(journal, &recovery->window, &scan->found[i], &bytes,
					     &frame);
		if (error)
			break;
		link_targets(recovery, bytes, &frame);
		error = add_pinned(recovery, bytes, &frame, &pieces);
	}
	if (!error)
		error = journal_drop_covered(journal->sys, &pieces);
	*pinned = 0;
	for (uint32_t i = 0; i < pieces.count && !error; i++)
		*pinned += journal_padded(pieces.list[i].end - pieces.list[i].offset);
	journal_free_pieces(journal->sys, &pieces);
	return error;
}

/*
 * Fill the table; false: more files than rows.  An unfinished file keeps its row: its older frames
 * were done, and the file was written since.
 */
static bool fill_table(const struct journal_recovery *recovery, struct journal_header *next)
{
	next->done_count = 0;
	for (uint32_t i = 0; i < recovery->count; i++) {
		const struct journal_target *target = &recovery->targets[i];
		const uint64_t up_to =
			target->fate.result ? target->up_to : recovery->journal->head_sequence;

		if (!up_to)
			continue;
		if (next->done_count == JOURNAL_DONE_ROWS)
			return false;
		next->done[next->done_count++] = (struct journal_done){target->file_id, up_to};
	}
	return true;
}

static bool is_left(const struct journal_recovery *recovery, const struct journal_target *target)
{
	return target->fate.result || (target->fate.linked && !target->is_gone &&
				       !(recovery->options.flags & ATOMICIO_RECOVER_LINKED));
}

static void fill_rest(const struct journal_recovery *recovery, const struct journal_target *target,
		      struct journal_rest *rest)
{
	const struct atomicio_journal *journal = recovery->journal;
	const struct journal_row *rows = &journal->scan.rows[target->rows];
	uint32_t newest = 0;
	struct sys_statx stat;

	*rest = (struct journal_rest){
		.file_id = target->file_id,
		.is_home = !target->fate.result,
	};
	for (uint32_t i = 1; i < target->row_count; i++)
		if (rows[i].last > rows[newest].last)
			newest = i;
	rest->identity = rows[newest].identity;
	/* The file given by resolve, if the right one. */
	if (target->fd >= 0 && target->fate.result != -ESTALE &&
	    sys_stat(journal->sys, target->fd, SYS_STATX_BASIC, &stat) == 0) {
		rest->inode = stat.ino;
		rest->device_major = stat.dev_major;
		rest->device_minor = stat.dev_minor;
	}
}

/* A rest for each unfinished file; false: no memory. */
static bool make_rests(const struct journal_recovery *recovery, struct journal_rest **rests)
{
	const struct sys_calls *sys = recovery->journal->sys;

	*rests = NULL;
	for (uint32_t i = 0; i < recovery->count; i++) {
		struct journal_rest *rest;

		if (!is_left(recovery, &recovery->targets[i]))
			continue;
		rest = sys->allocate(_Alignof(struct journal_rest), sizeof(*rest));
		if (!rest) {
			while ((rest = *rests)) {
				*rests = rest->next;
				sys->release_memory(rest);
			}
			return false;
		}
		fill_rest(recovery, &recovery->targets[i], rest);
		rest->next = *rests;
		*rests = rest;
	}
	return true;
}

/* The number behind the last frame to replay. */
static uint64_t first_void(const struct atomicio_journal *journal)
{
	const struct journal_scan *scan = &journal->scan;

	for (uint32_t i = scan->count; i > 0; i--)
		if (!scan->found[i - 1].aborted)
			return scan->found[i - 1].sequence + 1;
	return journal->header.tail_sequence;
}

/* The table is durable: our own frames begin at the head, with a new number (J6). */
static void go_on(struct atomicio_journal *journal, struct journal_rest *rests, uint64_t base)
{
	journal_forget_rests(journal);
	journal->rests = rests;
	journal->rests_carried = false;
	journal->void_first = first_void(journal);
	journal->void_count = (uint32_t)(base - journal->void_first);
	journal->base_offset = journal->head_offset;
	journal->base_sequence = journal->head_sequence = journal->next_sequence = base;
	journal_uncover_all(journal); /* unfinished files cannot be written past the journal */
	journal->state = ATOMICIO_JOURNAL_READY;
}

int journal_resume(struct journal_recovery *recovery)
{
	struct atomicio_journal *journal = recovery->journal;
	const uint64_t base = journal->next_sequence + 1, last = first_void(journal);
	struct journal_header *next = &journal->next_header;
	struct journal_rest *rests = NULL;
	uint64_t pinned;
	bool resumes;
	int error = look(recovery, &pinned);

	if (error)
		return error;
	*next = journal->header;
	next->generation++;
	if (!fill_table(recovery, next))
		return 0; /* no file is done: the next recovery repeats */
	resumes = pinned <= journal_pinned_limit(&journal->header) &&
		  !journal_has_gap(journal, last) && base - last <= UINT32_MAX &&
		  make_rests(recovery, &rests);
	if (resumes) {
		next->head_offset = journal->head_offset;
		next->head_sequence = base;
	}
	error = next->done_count || resumes ? journal_install_header(journal, next) : 0;
	if (!error && resumes) {
		go_on(journal, rests, base);
		return 0;
	}
	while (rests) {
		struct journal_rest *rest = rests;

		rests = rest->next;
		journal->sys->release_memory(rest);
	}
	return error;
}
