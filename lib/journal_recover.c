/* SPDX-License-Identifier: MIT */
/*
 * Recovery: write every live frame home, make the pages durable, retire the frames.
 *
 * Flow: called by the application after open said that frames are live, before any file is
 * attached.  No frame is retired before all its pages are home, synced and read back: after a kill
 * the next recovery starts again from the same frames (J5).
 *
 * A file in trouble fails alone (K7): all other files are finished.  A table in the header names
 * the finished files durably (H3), and no later recovery brings an old page of a finished file
 * back.
 */
#include "journal_recover.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "abi.h"
#include "abi_first.h"
#include "sys_cancel.h"
#include "trace.h"

#define KNOWN_FLAGS                                                                                \
	(ATOMICIO_RECOVER_ANY_FILE | ATOMICIO_RECOVER_UNREADABLE | ATOMICIO_RECOVER_LOCK |         \
	 ATOMICIO_RECOVER_LINKED | ATOMICIO_RECOVER_KEEP_OPEN)

/*
 * J1: a readable frame is not always durable.  Its writer may have been killed before the flush, or
 * the flush failed.  A power cut during the home writes would then leave torn pages, and no frame.
 * Frames without a later frame to vouch for them are therefore written again, in place.
 */
static int write_again(struct journal_recovery *recovery)
{
	struct atomicio_journal *journal = recovery->journal;
	const struct journal_scan *scan = &journal->scan;

	for (uint32_t i = 0; i < scan->count; i++) {
		struct journal_frame frame;
		uint8_t *bytes;
		int error;

		if (scan->found[i].sequence < scan->durable_to)
			continue;
		error = journal_window_frame(journal, &recovery->window, &scan->found[i], &bytes,
					     &frame);
		if (!error)
			error = journal_write_durable(journal, bytes, frame.length, frame.offset);
		if (error)
			return error;
		journal->counters.flushes++;
		journal->counters.bytes_written += frame.length;
	}
	return 0;
}

/*
 * A full filesystem that copies on write has no room to write again.  A direct read and a flush
 * must be enough there (H2): a lower layer that lost the write could still show the frame.
 */
static int make_durable(struct journal_recovery *recovery)
{
	struct atomicio_journal *journal = recovery->journal;
	const int error = write_again(recovery);

	if (!journal_is_full(error) || !journal->direct)
		return error;
	journal->counters.flushes++;
	return journal->sys->fdatasync(journal->fd);
}

/*
 * H1: a header whose write failed may be on the disk nevertheless.  A header that retires these
 * frames, or calls a file done, must be replaced first: this recovery writes the pages home again.
 */
static int take_back_header(struct atomicio_journal *journal)
{
	struct journal_header *next = &journal->next_header;

	if (!journal->doubtful)
		return 0;
	*next = journal->header;
	next->generation++;
	return journal_install_header(journal, next);
}

/* Replay all live frames in sequence order. */
static int replay_all(struct journal_recovery *recovery)
{
	struct atomicio_journal *journal = recovery->journal;
	const struct journal_scan *scan = &journal->scan;
	uint64_t last = 0;

	for (uint32_t i = 0; i < scan->count; i++) {
		struct journal_frame frame;
		uint8_t *bytes;
		int error;

		if (scan->found[i].aborted) /* N2 */
			continue;
		/* The window moves on, or the ring has come round: newer data lies before older. */
		if (!journal_window_holds(&recovery->window, &scan->found[i]) ||
		    scan->found[i].offset < last)
			journal_replay_listed(recovery);
		last = scan->found[i].offset;
		error = journal_window_frame(journal, &recovery->window, &scan->found[i], &bytes,
					     &frame);
		if (!error)
			error = journal_replay_frame(recovery, bytes, &frame);
		if (error)
			return error;
		recovery->done.frames++;
		recovery->done.bytes_scanned += frame.length;
		TRACE_REPLAY(frame.sequence, frame.count, frame.length);
	}
	journal_replay_listed(recovery);
	return 0;
}

/* J2, J5: make the written pages durable. -EINTR proves nothing. */
static int sync_target(struct journal_recovery *recovery, struct journal_target *target)
{
	uint32_t interrupted = 0;
	int error;

	do {
		error = loss_sync(&target->loss, LOSS_RETIRE);
		recovery->journal->counters.flushes++;
	} while (error == -EINTR && ++interrupted < JOURNAL_EINTR_MAX);
	return error;
}

static void finish_targets(struct journal_recovery *recovery)
{
	struct atomicio_recovery *done = &recovery->done;

	for (uint32_t i = 0; i < recovery->count; i++) {
		struct journal_target *target = &recovery->targets[i];

		if (journal_is_open_target(target))
			target->fate.result = sync_target(recovery, target);
		if (target->fate.result)
			done->files_failed++;
		else if (target->is_gone)
			done->files_gone++;
		else if (!target->is_done)
			done->files++;
		if (!target->fate.result && target->fate.unverified)
			done->files_unverified++;
	}
}

/* All pages are home: a torn frame may lie at the head, and its number is not used again (J6). */
static int retire_all(struct atomicio_journal *journal)
{
	int error;

	journal->next_sequence++;
	error = journal_write_header(journal, journal->head_offset, journal->next_sequence);
	if (error)
		return error;
	journal->head_sequence = journal->next_sequence;
	journal_forget_scan(journal);
	journal_forget_rests(journal);
	if (journal->share)
		journal_shared_forget(journal);
	journal->live_bytes = 0;
	journal_uncover_all(journal);
	journal->state = ATOMICIO_JOURNAL_READY;
	journal->counters.recoveries++;
	return 0;
}

static int first_error(const struct journal_recovery *recovery)
{
	for (uint32_t i = 0; i < recovery->count; i++)
		if (recovery->targets[i].fate.result)
			return recovery->targets[i].fate.result;
	return 0;
}

static void report_all(const struct journal_recovery *recovery)
{
	for (uint32_t i = 0; i < recovery->count && recovery->options.report; i++)
		if (!recovery->targets[i].is_done)
			recovery->options.report(recovery->context, &recovery->targets[i].fate);
}

static int take_memory(struct journal_recovery *recovery)
{
	const struct sys_calls *sys = recovery->journal->sys;
	const size_t pages = recovery->window.room / JOURNAL_BLOCK;

	recovery->home =
		sys->allocate(JOURNAL_BLOCK, recovery->window.room + (size_t)2 * JOURNAL_BLOCK);
	recovery->pages =
		sys->allocate(_Alignof(struct journal_run),
			      pages * (2 * sizeof(*recovery->runs) + sizeof(struct iovec)));
	if (!recovery->home || !recovery->pages)
		return -ENOMEM;
	recovery->runs = recovery->pages + pages;
	recovery->vectors = (struct iovec *)(recovery->runs + pages);
	return 0;
}

/* Recover; the state allows it.  *ended: the recovery came to its end, even if files failed. */
static int run(struct journal_recovery *recovery, bool *ended)
{
	struct atomicio_journal *journal = recovery->journal;
	int error = journal_window_open(journal, &recovery->window);

	if (!error)
		error = take_memory(recovery);
	if (!error)
		error = journal_check_limit(journal, journal->header.size);
	if (!error)
		error = journal_settle_header(journal); /* H2 */
	if (!error)
		error = take_back_header(journal);
	if (!error)
		error = make_durable(recovery);
	if (!error)
		error = journal_open_targets(recovery);
	if (!error)
		error = replay_all(recovery);
	if (!error)
		finish_targets(recovery);
	if (!error && first_error(recovery)) {
		/*
		 * The shared page has no room for unfinished files: no process writes until all are
		 * finished.
		 */
		error = journal->share ? 0 : journal_resume(recovery);
	} else if (!error) {
		error = retire_all(journal);
	}
	*ended = !error;
	if (!error)
		report_all(recovery);
	if (!error)
		error = first_error(recovery);
	journal_close_targets(recovery);
	journal_window_close(journal, &recovery->window);
	if (recovery->home)
		journal->sys->release_memory(recovery->home);
	if (recovery->pages)
		journal->sys->release_memory(recovery->pages);
	return error;
}

/* 0: go on; 1: nothing to do. */
static int check_state(const struct journal_recovery *recovery)
{
	const struct atomicio_journal *journal = recovery->journal;

	if (journal->share ? journal_has_no_turn(journal) : journal->files != NULL)
		return -EBUSY;
	switch (journal->state) {
	case ATOMICIO_JOURNAL_UNCLEAN:
		return 0;
	case ATOMICIO_JOURNAL_READY:
		/* Shared: live frames that this process may not retire (O4). */
		return journal->rests || (journal->share && journal->live_bytes) ? 0 : 1;
	case ATOMICIO_JOURNAL_CORRUPT:
		return -EBADMSG;
	case ATOMICIO_JOURNAL_POISONED:
		return -ENOTRECOVERABLE;
	case ATOMICIO_JOURNAL_TAIL_UNREADABLE: /* H4 */
		return recovery->options.flags & ATOMICIO_RECOVER_UNREADABLE ? 0 : -EIO;
	default:
		return 1;
	}
}

static int recover(struct journal_recovery *recovery, bool *ended)
{
	struct atomicio_journal *journal = recovery->journal;
	int error;

	pthread_mutex_lock(&journal->lock);
	journal_enter(journal);
	recovery->done.tail_torn = journal->tail_torn;
	recovery->done.unreadable = journal->state == ATOMICIO_JOURNAL_TAIL_UNREADABLE;
	error = check_state(recovery);
	/* H2: before 0 is returned, the header without live frames must be durable. */
	if (error == 1) {
		const int unproved = journal_prove_header(journal);

		error = unproved ? unproved : 1;
	}
	*ended = error == 1;
	if (error == 0) {
		/*
		 * The callbacks are the caller's code, which may make any call that does not wait.
		 */
		journal_begin_callbacks(journal);
		recovery->courier = journal_take_courier(journal);
		pthread_mutex_unlock(&journal->lock);
		/*
		 * Pages left by an earlier recovery, or of files failed since: scan all live frames
		 * anew.
		 */
		if (journal->state == ATOMICIO_JOURNAL_READY)
			error = journal_scan_again(journal);
		if (!error)
			error = check_state(recovery);
		if (!error)
			error = run(recovery, ended);
		pthread_mutex_lock(&journal->lock);
		journal_give_courier(recovery->courier);
		journal_end_callbacks(journal);
	}
	journal_leave(journal);
	pthread_mutex_unlock(&journal->lock);
	return error == 1 ? 0 : error;
}

ATOMICIO_EXPORT int
atomicio_journal_recover(struct atomicio_journal *journal, atomicio_resolve *resolve, void *context,
			 const struct atomicio_recover_options *options, size_t options_size,
			 struct atomicio_recovery *recovery, size_t recovery_size)
{
	SYS_NO_CANCEL;
	struct journal_recovery ours = {.journal = journal, .resolve = resolve, .context = context};
	bool ended = false;
	int error = recovery ? abi_check(recovery, recovery_size, ABI_FIRST_RECOVERY) : 0;

	if (!error && options)
		error = abi_read(&ours.options, sizeof(ours.options), options, options_size,
				 ABI_FIRST_RECOVER);
	if (!error &&
	    (!journal || !resolve || ours.options.flags & ~KNOWN_FLAGS || ours.options.reserved))
		error = -EINVAL;
	if (!error && journal_is_callback(journal))
		error = -EDEADLK;
	if (error)
		return error;
	error = recover(&ours, &ended);
	if (ended && recovery)
		abi_write(recovery, recovery_size, &ours.done, sizeof(ours.done));
	return error;
}
