/* SPDX-License-Identifier: MIT */
/*
 * Retirement: make home files durable, then let the tail pass their frames.
 *
 * Flow: begun by whoever needs room or an empty journal; all threads that wait for it take part,
 * each with the sync of another file, so that a slow file holds up nobody's sync (K10).  Only who
 * has the role may carry (journal_carry.c).
 *
 *	idle --begin--> files of the old generation: homes done -> synced (or carried) --+
 *	  ^                                                                             |
 *	  +------------- finish: both headers written, the old generation is gone <-----+
 *
 * Frames that are written meanwhile are of the new generation and stay live.  The lock is never
 * held during a call of the kernel.
 */
#include "journal_internal.h"

#include <errno.h>

#include "trace.h"

enum step {
	STEP_DONE = 1,	/* something was done: look again */
	STEP_WAIT = 2,	/* others are at work, or slow */
	STEP_CARRY = 3, /* only failed files are left: who has the role must carry them */
};

/* All of `first` below may be changed by this file and by commit alone. */
static uint32_t old_parity(const struct atomicio_journal *journal)
{
	assert(journal->retiring);
	return (journal->generation - 1) & 1;
}

static void begin(struct atomicio_journal *journal)
{
	assert(!journal->retiring);
	journal->retiring = true;
	journal->mark_offset = journal->head_offset;
	journal->mark_sequence = journal->head_sequence;
	journal->generation++;
	journal->rests_carried = false;
	for (struct journal_file *file = journal->files; file; file = file->next) {
		assert(file->first[journal->generation & 1] == 0);
		file->synced[0] = file->synced[1] = false;
	}
}

/* J2, O4: the sync is the witness's.  A file that fails it fails alone (K7). */
static int sync_file(struct atomicio_journal *journal, struct journal_file *file, uint32_t p)
{
	const uint32_t generation = journal->generation;
	int error = 0;

	file->syncing = true;
	pthread_mutex_unlock(&journal->lock);
	for (uint32_t i = 0; i < JOURNAL_EINTR_MAX; i++) {
		error = loss_sync(file->loss, LOSS_RETIRE);
		if (error != -EINTR)
			break;
	}
	pthread_mutex_lock(&journal->lock);
	file->syncing = false;
	journal->counters.flushes++;
	journal_wake(journal);
	/* Nothing is lost, and nothing is synced: whoever came for it may come again. */
	if (error == -EINTR)
		return error;
	if (error)
		journal_fail(journal, file, error);
	/* O3: it may have been carried, and another retirement begun, while this sync hung. */
	else if (generation == journal->generation && journal->retiring)
		file->synced[p] = true;
	return STEP_DONE;
}

/* The old generation is home, durable, or carried: H1, then forget it. */
static int finish(struct atomicio_journal *journal)
{
	const uint32_t p = old_parity(journal);
	const int error = journal_move_tail(journal, journal->mark_offset, journal->mark_sequence);

	TRACE_CHECKPOINT(journal->mark_sequence, journal->live_bytes, error);
	if (error)
		return error;
	for (struct journal_file *file = journal->files; file; file = file->next) {
		file->first[p] = 0;
		file->synced[p] = false;
	}
	journal_uncover(journal, p);
	journal->retiring = false;
	journal->counters.checkpoints++;
	journal_wake(journal);
	return 0;
}

/* H2, once: the header that open read.  Nobody else may be at the headers meanwhile. */
int journal_prove_header(struct atomicio_journal *journal)
{
	int error;

	while (journal->moving_tail)
		pthread_cond_wait(&journal->changed, &journal->lock);
	if (journal->settled)
		return 0;
	journal->moving_tail = true;
	pthread_mutex_unlock(&journal->lock);
	error = journal_settle_header(journal);
	pthread_mutex_lock(&journal->lock);
	journal->moving_tail = false;
	pthread_cond_broadcast(&journal->changed);
	return error;
}

int journal_move_tail(struct atomicio_journal *journal, uint64_t offset, uint64_t sequence)
{
	struct journal_header *next = &journal->next_header;
	int error;

	assert(!journal->moving_tail);
	journal->moving_tail = true;
	journal_next_header(journal, offset, sequence, next);
	pthread_mutex_unlock(&journal->lock);
	error = journal_put_headers(journal, next);
	pthread_mutex_lock(&journal->lock);
	journal_adopt_header(journal, next, error);
	if (!error) {
		journal->live_bytes =
			sequence == journal->head_sequence
				? 0
				: journal_distance(&journal->header, offset, journal->head_offset);
		if (journal->scan.count)
			journal_count_found(journal);
	}
	journal->moving_tail = false;
	pthread_cond_broadcast(&journal->changed);
	return error;
}

/* One step of the retirement under way, or an error of the journal's own file. */
static int step(struct atomicio_journal *journal)
{
	const uint32_t p = old_parity(journal);
	bool carry = journal->rests && !journal->rests_carried, wait = false;

	for (struct journal_file *file = journal->files; file; file = file->next) {
		if (!file->first[p] || file->synced[p])
			continue;
		if (file->failed) {
			carry = true;
		} else if (file->syncing || file->homes[p]) {
			wait = true;
		} else {
			return sync_file(journal, file, p);
		}
	}
	if (wait || journal->moving_tail || journal->readers)
		return STEP_WAIT;
	if (carry)
		return STEP_CARRY;
	return finish(journal);
}

/* What a retirement is for: one handle, all of an id, or (both 0) all files but failed ones. */
struct wanted {
	const struct journal_file *file;
	uint64_t file_id;
	uint64_t before;       /* pages of frames below this number: a failed one has the head's */
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

/* The role is not ours, and may not be waited for while nobody else can go on: ask, look again. */
static int carry_with_role(struct atomicio_journal *journal)
{
	const uint64_t mark = journal->mark_sequence;
	int error = 0;

	journal_enter(journal);
	if (journal->retiring && journal->mark_sequence == mark && !journal->moving_tail)
		error = journal_carry(journal, false);
	journal_leave(journal);
	return error;
}

/* One round for who has not the role.  0: look again; or an error. */
static int take_part(struct atomicio_journal *journal)
{
	int result;

	if (!journal->retiring)
		begin(journal);
	result = step(journal);
	if (result == STEP_CARRY)
		return carry_with_role(journal);
	if (result == STEP_WAIT)
		pthread_cond_wait(&journal->changed, &journal->lock);
	return result < 0 ? result : 0;
}

/* A wanted file that failed: its own errno, if that was found out since, else the usual one. */
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

	return retire(journal, &wanted);
}

int journal_retire(struct atomicio_journal *journal, uint64_t file_id)
{
	const struct wanted wanted = {
		.file_id = file_id,
		.before = journal->head_sequence + 1,
		.failed_files = journal->counters.failed_files,
	};
	int error = journal_refused(journal);

	if (!error)
		error = journal_prove_header(journal); /* H2: that nothing is live is relied on */
	return error ? error : retire(journal, &wanted);
}

/* Can more room be had at all?  What failed files pin is carried, not retired. */
static bool may_shrink(const struct atomicio_journal *journal)
{
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (!file->failed && (file->first[0] || file->first[1]))
			return true;
	return journal->live_bytes > journal_pinned_limit(&journal->header);
}

/*
 * K10: a file that hangs is carried for writers of others; its own may as well wait.  A slow file
 * that cannot be carried (S1) is waited for: it is no failure.
 */
static int carry_slow(struct atomicio_journal *journal, const struct journal_ticket *for_whom)
{
	const uint32_t p = old_parity(journal);
	bool helps = false;
	int error;

	for (; for_whom; for_whom = for_whom->next)
		for (uint32_t i = 0; i < for_whom->range_count; i++) {
			const struct journal_file *file = for_whom->ranges[i].file;

			helps |= !file->first[p] || file->synced[p];
		}
	if (!helps || journal->moving_tail || journal->readers)
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
	for (uint32_t finished = 0;; finished += !journal->retiring) {
		int result = journal_refused(journal);

		if (result)
			return result;
		if (has_room(journal, length, offset))
			return 0;
		/* S1: what is live now is pinned. */
		if (finished > 2 || !may_shrink(journal))
			return -ENOSPC;
		if (!journal->retiring)
			begin(journal);
		result = step(journal);
		if (result == STEP_CARRY)
			result = journal_carry(journal, false);
		else if (result == STEP_WAIT &&
			 !journal_wait(journal, &journal->changed, JOURNAL_SLOW_MS))
			result = carry_slow(journal, for_whom);
		/*
		 * H1: a header that cannot be written stops retirement, and so, here, room.
		 * Only the caller can take O_APPEND away again, so that is said
		 * (journal_check_append()).
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
	error = journal_retire(journal, 0);
	pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_retire_id(struct atomicio_journal *journal, uint64_t file_id)
{
	int error;

	pthread_mutex_lock(&journal->lock);
	error = journal_retire(journal, file_id);
	pthread_mutex_unlock(&journal->lock);
	return error;
}
