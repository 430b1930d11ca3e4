/* SPDX-License-Identifier: MIT */
/*
 * Waits for a retirement: for room, for an empty journal, for one file.
 *
 * Flow: journal_retire.c makes the steps, this file repeats them.  All waiting threads take part,
 * each with the sync of another file: a slow file holds up no other file's sync (K10).  Only the
 * thread with the role may carry (journal_carry.c).
 */
#include "journal_internal.h"

#include <errno.h>

/* Steps that a writer makes after its own page, at most. */
#define HELP_MAX 4u

/* The wanted frames: of one handle, of an id, or (both 0) of all files except failed files. */
struct wanted {
	const struct journal_file *file;
	uint64_t file_id;
	uint64_t before;       /* frames below this number; with the number of a failed frame at the
			        * head */
	uint64_t failed_files; /* the count at the beginning */
};

static bool is_wanted(const struct wanted *wanted, const struct journal_file *file)
{
	if (wanted->file)
		return wanted->file == file;
	return wanted->file_id ? wanted->file_id == file->file_id : !file->failed;
}

static bool is_live(const struct atomicio_journal *journal, const struct wanted *wanted)
{
	for (const struct journal_file *file = journal->files; file; file = file->next)
		for (uint32_t i = 0; i < 2; i++)
			if (is_wanted(wanted, file) && file->first[i] &&
			    file->first[i] < wanted->before)
				return true;
	return false;
}

/* Take the role to carry.  Waiting for the role drops the lock: look again before carrying. */
static int carry_with_role(struct atomicio_journal *journal)
{
	const uint64_t mark = journal->mark_sequence;
	int error = 0;

	journal_enter(journal);
	if (journal->retiring && journal->mark_sequence == mark && !journal->moving_tail &&
	    !journal_guest_writes(journal))
		error = journal_carry(journal, false);
	journal_leave(journal);
	return error;
}

/* One round for a thread without the role. 0: look again; or an error. */
static int take_part(struct atomicio_journal *journal)
{
	int result = journal->retiring ? 0 : journal_vouch(journal, 0, false);

	if (result)
		return result;
	journal_begin_retirement(journal);
	result = journal_retire_step(journal, true);
	if (result == JOURNAL_STEP_CARRY)
		return carry_with_role(journal);
	if (result == JOURNAL_STEP_GUEST)
		return -EBUSY;
	if (result == JOURNAL_STEP_WAIT)
		(void)journal_retire_wait(journal, JOURNAL_WAIT_FOREVER);
	return result < 0 ? result : 0;
}

/*
 * The error of a wanted file that failed: its own errno for a new failure, else -ENOTRECOVERABLE.
 */
static int failure(const struct atomicio_journal *journal, const struct wanted *wanted)
{
	int error = 0;

	for (const struct journal_rest *rest = journal->rests; rest; rest = rest->next)
		if (!wanted->file && (!wanted->file_id || wanted->file_id == rest->file_id))
			error = -ENOTRECOVERABLE;
	for (const struct journal_file *file = journal->files; file; file = file->next) {
		if (!file->failed || (wanted->file && wanted->file != file) ||
		    (wanted->file_id && wanted->file_id != file->file_id))
			continue;
		error = journal->counters.failed_files == wanted->failed_files ? -ENOTRECOVERABLE
									       : file->failed;
	}
	return error;
}

static int retire(struct atomicio_journal *journal, const struct wanted *wanted)
{
	for (;;) {
		int error;

		if (!is_live(journal, wanted))
			return failure(journal, wanted);
		error = wanted->file || wanted->file_id ? failure(journal, wanted) : 0;
		if (!error)
			error = journal_refused(journal);
		if (!error)
			error = take_part(journal);
		if (error)
			return error;
	}
}

int journal_retire_file(struct atomicio_journal *journal, const struct journal_file *file)
{
	const struct wanted wanted = {
		.file = file,
		.before = journal->head_sequence + 1,
		.failed_files = journal->counters.failed_files,
	};
	const int error = journal_vouch(journal, file->file_id, false);

	return error ? error : retire(journal, &wanted);
}

/* All live frames of an id, or (0) of all files that have not failed.  With the lock. */
static int retire_frames(struct atomicio_journal *journal, uint64_t file_id)
{
	const struct wanted wanted = {
		.file_id = file_id,
		.before = journal->head_sequence + 1,
		.failed_files = journal->counters.failed_files,
	};
	int error = journal_refused(journal);

	if (!error)
		error = journal_prove_header(journal); /* H2: the caller relies on a header without
						        * live frames */
	if (!error)
		error = journal_vouch(journal, file_id, false);
	return error ? error : retire(journal, &wanted);
}

int journal_ask_live(const struct atomicio_journal *journal, uint64_t file_id)
{
	const struct wanted wanted = {
		.file_id = file_id,
		.before = UINT64_MAX,
		.failed_files = journal->counters.failed_files,
	};
	int error = journal_refused(journal);

	if (!error)
		error = failure(journal, &wanted);
	return error ? error : is_live(journal, &wanted);
}

void journal_help_retire(struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	int result = JOURNAL_STEP_DONE;

	if (journal->share) /* T1: the end of a turn would have to wait for requests on their way */
		return;
	if ((!journal->retiring && !journal_is_half_full(journal)) || journal->tail_failed ||
	    journal_refused(journal)) {
		journal_land(journal);
		return;
	}
	journal_begin_retirement(journal);
	if (ticket && journal_spread(journal, ticket)) {
		journal_land(journal);
		return;
	}
	for (uint32_t i = 0; i < HELP_MAX && result == JOURNAL_STEP_DONE; i++)
		result = journal_retire_step(journal, true);
	if (result < 0 && result != -EINTR) /* R4 */
		journal->tail_failed = true;
}

/* Can a retirement make room at all?  Pages of failed files are carried, not retired. */
static bool may_shrink(const struct atomicio_journal *journal)
{
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (!file->failed && journal_file_is_live(file))
			return true;
	return journal->live_bytes > journal_pinned_limit(&journal->header);
}

/*
 * K10: pages of a file that hangs are carried for writers of other files; writers of the hanging
 * file may as well wait.  Where a slow file cannot be carried (C1), the writer waits: slow is no
 * failure.
 */
static int carry_slow(struct atomicio_journal *journal, const struct journal_ticket *for_whom)
{
	const uint32_t p = (journal->generation - 1) & 1;
	bool helps = false;
	int error;

	if (!journal->retiring)
		return 0;
	for (; for_whom; for_whom = for_whom->next)
		for (uint32_t i = 0; i < for_whom->range_count; i++) {
			const struct journal_file *file = for_whom->ranges[i].file;

			helps |= !file->first[p] || file->synced[p];
		}
	if (!helps || journal->moving_tail || journal->readers || journal_guest_writes(journal))
		return 0;
	error = journal_carry(journal, true);
	return error == -ENOSPC || error == -ENOMEM ? 0 : error;
}

static bool has_room(const struct atomicio_journal *journal, uint64_t length, uint64_t *offset)
{
	const uint64_t keep = journal_reserve(&journal->header);
	const uint64_t ring = journal->header.size - JOURNAL_RING_START;

	if (!offset)
		return journal->live_bytes + length + keep <= ring;
	*offset = journal_place_frame(journal, length, keep);
	return *offset;
}

int journal_make_room(struct atomicio_journal *journal, const struct journal_ticket *for_whom,
		      uint64_t length, uint64_t *offset)
{
	const uint64_t before = journal->counters.checkpoints;

	for (;;) {
		int result = journal_refused(journal);

		if (result)
			return result;
		if (has_room(journal, length, offset))
			return 0;
		/* C1: all live pages are pinned. */
		if (journal->counters.checkpoints - before > 2 || !may_shrink(journal))
			return -ENOSPC;
		if (!journal->retiring && journal_vouch(journal, 0, true))
			return -ENOSPC;
		journal_begin_retirement(journal);
		result = journal_retire_step(journal, true);
		if (result == JOURNAL_STEP_GUEST)
			return -EBUSY;
		if (result == JOURNAL_STEP_CARRY)
			result = journal_carry(journal, false);
		else if (result == JOURNAL_STEP_WAIT &&
			 !journal_retire_wait(journal, JOURNAL_SLOW_MS))
			result = carry_slow(journal, for_whom);
		/*
		 * H1: a header that cannot be written stops the retirement, and the journal has no
		 * room.  Exception: -EOPNOTSUPP (journal_check_append()) is returned, because only
		 * the caller can take O_APPEND away again.
		 */
		if (result < 0 && result != -EINTR && result != -EOPNOTSUPP &&
		    !journal_refused(journal))
			result = -ENOSPC;
		if (result < 0)
			return journal_refused(journal) ? journal_refused(journal) : result;
	}
}

int journal_checkpoint(struct atomicio_journal *journal)
{
	int error;

	pthread_mutex_lock(&journal->lock);
	error = retire_frames(journal, 0);
	pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_retire_id(struct atomicio_journal *journal, uint64_t file_id)
{
	int error;

	pthread_mutex_lock(&journal->lock);
	error = retire_frames(journal, file_id);
	pthread_mutex_unlock(&journal->lock);
	return error;
}
