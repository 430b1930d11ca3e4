/* SPDX-License-Identifier: MIT */
/*
 * Retirement: make home files durable, then let the tail pass their frames; in steps.
 *
 * Flow: begun when half of the ring is live, by a writer whose page is home; or by a thread that
 * waits for room or for an empty journal (journal_checkpoint.c).  Each writing, syncing or waiting
 * thread makes the next step; the library has no thread of its own.
 *
 *	idle --begin--> files of the old generation: homes done -> synced (or carried) --+
 *	  ^                                                                             |
 *	  +------------- retired: both headers written, the old generation is gone <----+
 *
 * Frames written during a retirement are of the new generation and stay live.  The lock is never
 * held during a call of the kernel.
 *
 * R1 frames go on during a retirement, until the ring is really full: only a thread that waits for
 *    room makes a step with the role.
 * R2 syncs and headers are AIO requests where possible: a step sends requests, or takes results,
 *    and waits for nothing.  Where AIO is not possible (no AIO, no witness, a filesystem that
 *    delegates, a journal in the page cache), a step is one call that waits.  One writer makes the
 *    call, after its own page, and no other writer waits for the call.
 * R3 a sync is sent after all homes of its generation and file are done, and its result counts for
 *    that generation alone (O3): the file may have been carried meanwhile.
 * R4 an error of a step in the background has no caller: the next thread that needs room gets the
 *    error.
 */
#include "journal_internal.h"

#include <errno.h>

#include "trace.h"

static uint32_t old_parity(const struct atomicio_journal *journal)
{
	assert(journal->retiring);
	return (journal->generation - 1) & 1;
}

bool journal_is_half_full(const struct atomicio_journal *journal)
{
	const uint64_t ring = journal->header.size - JOURNAL_RING_START;

	return journal->live_bytes >= (ring - journal_reserve(&journal->header)) / 2;
}

void journal_begin_retirement(struct atomicio_journal *journal)
{
	if (journal->retiring)
		return;
	journal->retiring = true;
	journal->mark_offset = journal->head_offset;
	journal->mark_sequence = journal->head_sequence;
	journal->generation++;
	journal->rests_carried = false;
	for (struct journal_file *file = journal->files; file; file = file->next) {
		assert(file->first[journal->generation & 1] == 0);
		file->synced[0] = file->synced[1] = false;
		file->pieces = 0;
	}
}

/* J2, O4: a sync of the witness has ended.  A file whose sync fails, fails alone (K7). */
static void note_sync(struct atomicio_journal *journal, struct journal_file *file, int error)
{
	const uint32_t generation = file->sync_generation;

	file->syncing = false;
	journal->counters.flushes++;
	journal_wake(journal);
	/* No page is lost, and none is synced: a waiting thread may try again. */
	if (error == -EINTR)
		return;
	if (error)
		journal_fail(journal, file, error);
	else if (generation == journal->generation && journal->retiring) /* R3 */
		file->synced[(generation - 1) & 1] = true;
}

static int sync_by_call(struct atomicio_journal *journal, struct journal_file *file)
{
	int error = 0;

	file->syncing = true;
	file->sync_generation = journal->generation;
	pthread_mutex_unlock(&journal->lock);
	for (uint32_t i = 0; i < JOURNAL_EINTR_MAX; i++) {
		error = loss_sync(file->loss, LOSS_RETIRE);
		if (error != -EINTR)
			break;
	}
	pthread_mutex_lock(&journal->lock);
	note_sync(journal, file, error);
	return error == -EINTR ? error : JOURNAL_STEP_DONE;
}

/* R2; a sync that cannot be sent is done by a call. */
static void send_sync(struct atomicio_journal *journal, struct journal_file *file, uint64_t step)
{
	int error;

	file->syncing = true;
	file->sync_generation = journal->generation;
	file->step = step;
	pthread_mutex_unlock(&journal->lock);
	error = loss_begin_sync(file->loss, &journal->flights);
	pthread_mutex_lock(&journal->lock);
	file->flying = error == 0;
	file->syncing = file->flying;
	journal->syncs_out += file->flying;
	journal->look_again |= error == -EBUSY;
	if (error == -ENOTRECOVERABLE)
		journal_fail(journal, file, error);
	file->by_call = error && error != -EBUSY && error != -ENOTRECOVERABLE;
	pthread_cond_broadcast(&journal->changed);
}

static struct journal_file *find_ended(const struct atomicio_journal *journal)
{
	for (struct journal_file *file = journal->files; file; file = file->next)
		if (file->flying && loss_sync_ended(file->loss))
			return file;
	return NULL;
}

static void land_syncs(struct atomicio_journal *journal)
{
	struct journal_file *file;
	int error = 0;

	while (journal->syncs_out && error != -EBUSY && (file = find_ended(journal))) {
		file->flying = false;
		journal->syncs_out--;
		pthread_mutex_unlock(&journal->lock);
		error = loss_end_sync(file->loss);
		pthread_mutex_lock(&journal->lock);
		if (error == -EBUSY) {
			file->flying = true;
			journal->syncs_out++;
			journal->look_again |= loss_sync_ended(file->loss);
			pthread_cond_broadcast(&journal->changed);
		} else {
			note_sync(journal, file, error);
		}
	}
}

/* Both headers are durable: the old generation is gone. */
static void retired(struct atomicio_journal *journal)
{
	const uint32_t p = old_parity(journal);

	for (struct journal_file *file = journal->files; file; file = file->next) {
		file->first[p] = 0;
		file->synced[p] = false;
		file->span[p].end = 0;
	}
	journal_uncover(journal, p);
	journal->retiring = false;
	journal->tail_failed = false;
	journal->counters.checkpoints++;
	journal_wake(journal);
}

/*
 * The old generation is home and durable, or carried: write the headers (H1), then forget the
 * generation.
 */
static int finish(struct atomicio_journal *journal, bool may_call)
{
	int error;

	if (journal_send_tail(journal, journal->mark_offset, journal->mark_sequence))
		return JOURNAL_STEP_WAIT;
	if (!may_call)
		return JOURNAL_STEP_CALL;
	error = journal_move_tail(journal, journal->mark_offset, journal->mark_sequence);
	TRACE_CHECKPOINT(journal->mark_sequence, journal->live_bytes, error);
	if (error)
		return error;
	retired(journal);
	return JOURNAL_STEP_DONE;
}

void journal_land(struct atomicio_journal *journal)
{
	if (!journal_has_requests(journal))
		return;
	if (!journal->collecting) {
		pthread_mutex_unlock(&journal->lock);
		(void)sys_flights_poll(&journal->flights);
		pthread_mutex_lock(&journal->lock);
	}
	journal_land_behind(journal);
	land_syncs(journal);
	if (journal_land_tail(journal)) {
		TRACE_CHECKPOINT(journal->mark_sequence, journal->live_bytes, 0);
		retired(journal);
	}
}

int journal_retire_step(struct atomicio_journal *journal, bool may_call)
{
	const uint64_t step = ++journal->step;
	uint32_t generation;
	bool carry, wait, call, guest;

	journal_land(journal);
	/* O4: a process of several begins a retirement only after journal_vouch(). */
	if (!journal->retiring && (journal->share || !journal_is_half_full(journal)))
		return JOURNAL_STEP_IDLE;
	journal_begin_retirement(journal);
	generation = journal->generation;
again:
	if (!journal->retiring || journal->generation != generation)
		return JOURNAL_STEP_DONE;
	carry = journal->rests && !journal->rests_carried;
	wait = call = guest = false;
	for (struct journal_file *file = journal->files; file; file = file->next) {
		const uint32_t p = old_parity(journal);

		if (!file->first[p] || file->synced[p])
			continue;
		if (file->failed) {
			carry = true;
		} else if (file->syncing || file->homes[p]) {
			wait = true;
			guest |= journal_guest_has_homes(journal, file, p);
		} else if (file->step < step) {
			send_sync(journal, file, step);
			goto again; /* the list may have changed */
		} else if (!file->by_call) {
			wait = true;
		} else if (may_call) {
			return sync_by_call(journal, file);
		} else {
			call = true;
		}
	}
	if (guest || (carry && journal_guest_writes(journal)))
		return JOURNAL_STEP_GUEST;
	if (wait || journal->moving_tail || journal->readers)
		return JOURNAL_STEP_WAIT;
	if (call)
		return JOURNAL_STEP_CALL;
	return carry ? JOURNAL_STEP_CARRY : finish(journal, may_call);
}
