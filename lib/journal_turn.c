/* SPDX-License-Identifier: MIT */
/*
 * Begin and end turns.
 *
 * Flow: called by the application, between its own locks, around all writes.  The work of other
 * processes is taken over at the beginning; our own work is published at the end. journal_share.h
 * has the rules.
 *
 *	out --begin--> lock, in_turn set --+--> page adopted, or as it was left --> in a turn
 *	  ^                                 \-> ring read again: recover first ------^   |
 *	  +---- in_turn taken back, unlock <---- nothing is in flight (T1) <-----end-----+
 */
#include "journal_share.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "abi.h"
#include "libatomicio/turns.h"
#include "sys_cancel.h"
#include "sys_refused.h"
#include "sys_share.h"

/*
 * Does the file still exist?  Take the lock of the living again: a close of the file elsewhere in
 * this process may have dropped the lock.
 */
static int check_file(const struct atomicio_journal *journal)
{
	const struct journal_share *share = journal->share;
	struct sys_statx stat;
	/* A question for the times gives the next write a new one, and that dirties the inode: each
	 * turn would (fs/inode.c:inode_set_ctime_current, 6.13). */
	int error = sys_stat(journal->sys, share->fd, SYS_STATX_LINKS_SIZE, &stat);

	if (error)
		return error;
	if (stat.nlink == 0 || stat.size < share->place + JOURNAL_BLOCK)
		return -ESTALE;
	return journal->sys->share->record_lock(share->fd, JOURNAL_LOCK_LIVES, SYS_LOCK_READ, true);
}

/* T3: read headers and ring as at open; no other process is in a turn. */
static int read_again(struct atomicio_journal *journal)
{
	const struct journal_header before = journal->header;
	int error;

	journal->damaged = journal->first_copy = 0;
	journal->uneven = journal->doubtful = journal->begun = false;
	journal->settled = false;
	error = journal_read_header(journal);
	if (!error &&
	    (memcmp(before.id, journal->header.id, JOURNAL_ID_SIZE) != 0 ||
	     before.size != journal->header.size || before.frame_max != journal->header.frame_max))
		error = -ESTALE; /* the journal was created anew */
	if (error) {
		journal->header = before;
		return error;
	}
	journal->live_bytes = journal->corrupt_offset = 0;
	journal->tail_torn = journal->tail_failed = journal->tail_by_call = false;
	journal_uncover_all(journal);
	return journal_scan_again(journal);
}

/* The lock is dropped for the reading; info gives the state before. */
static int reload(struct atomicio_journal *journal)
{
	int error;

	journal_enter(journal);
	journal_begin_callbacks(journal);
	pthread_mutex_unlock(&journal->lock);
	error = read_again(journal);
	pthread_mutex_lock(&journal->lock);
	journal_end_callbacks(journal);
	journal_leave(journal);
	journal->share->trouble = error != 0;
	if (error)
		return error;
	atomic_store_explicit(&journal->poisoned, false, memory_order_relaxed);
	journal_forget_rests(journal);
	journal_shared_forget(journal);
	for (struct journal_file *file = journal->files; file; file = file->next)
		file->since = UINT64_MAX;
	return 0;
}

/* Take over the work of other processes since our last turn. */
static int catch_up(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	struct journal_shared page;
	const bool whole = journal_shared_read(journal, &page);
	/*
	 * Another epoch: another process found no process alive, not even us, and may have closed
	 * the journal since.
	 */
	const bool known = whole && journal_share_knows(share, &page);
	/* An older turn: the kernel lost the page, and read an old page from the disk. */
	const bool good = whole && (!known || page.turns >= share->turns);
	const bool same = known && share->turns == page.turns;
	int error = 0;

	if (good)
		error = journal_shared_flag(journal, offsetof(struct journal_shared, in_turn), 1);
	if (error)
		return error;
	share->saw_lost = good ? page.lost : 0;
	if (good && known && !page.in_turn && page.lost == page.healed && !share->trouble &&
	    (same || !page.hot)) {
		journal_shared_adopt(journal, &page);
		return 0;
	}
	/* Before the ring is read: the reading need not cover a loss noted later. */
	if (!good)
		error = journal_shared_publish(journal, true);
	if (!error)
		error = reload(journal);
	if (!error && good) {
		share->turns = page.turns;
		memcpy(share->epoch, page.epoch, sizeof(share->epoch));
	}
	return error;
}

/* T5: another process has framed pages of another file under the same id. */
static void fail_strangers(struct atomicio_journal *journal)
{
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (!file->failed && journal_shared_left_another(journal, file))
			journal_fail_quietly(journal, file, -ESTALE);
}

/* With the locks.  A failure leaves in_turn set: the next process will read the ring. */
static int begin(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	int error = check_file(journal);

	if (!error)
		error = catch_up(journal);
	if (error)
		return error;
	fail_strangers(journal);
	for (struct journal_file *file = journal->files; file; file = file->next)
		if (file->since == UINT64_MAX)
			file->since = journal->head_sequence; /* O4 */
	/* Writes past the journal rely on the header (H2). */
	if (journal->state == ATOMICIO_JOURNAL_READY)
		error = journal_prove_header(journal);
	if (error) {
		(void)journal_shared_publish(journal, false);
		return error;
	}
	atomic_store_explicit(&share->in_turn, true, memory_order_release);
	return journal->state != ATOMICIO_JOURNAL_READY;
}

static int turn_begin(struct atomicio_journal *journal, bool wait)
{
	struct journal_share *share = journal->share;
	int result;

	if (journal_is_forked(journal))
		return -EPERM;
	pthread_mutex_lock(&journal->lock);
	if (share->in_turn || share->on_turn) {
		pthread_mutex_unlock(&journal->lock);
		return -EALREADY;
	}
	share->on_turn = true;
	pthread_mutex_unlock(&journal->lock);
	result = journal_share_lock_turn(journal, wait);
	pthread_mutex_lock(&journal->lock);
	if (!result) {
		result = begin(journal);
		if (result < 0)
			(void)journal_share_unlock_turn(journal);
	}
	share->on_turn = false;
	pthread_mutex_unlock(&journal->lock);
	return result;
}

static bool is_quiet(const struct atomicio_journal *journal)
{
	if (journal->busy || journal->waiting || journal->homing || journal->moving_tail ||
	    journal->readers)
		return false;
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (file->syncing || file->homes[0] || file->homes[1])
			return false;
	return true;
}

/* Give up a retirement that was begun: all live frames are of one generation again. */
static void give_up_retirement(struct atomicio_journal *journal)
{
	const uint32_t now = journal->generation & 1;

	if (!journal->retiring)
		return;
	journal->retiring = false;
	for (struct journal_file *file = journal->files; file; file = file->next) {
		const uint64_t old = file->first[!now];

		if (old && (!file->first[now] || old < file->first[now]))
			file->first[now] = old;
		file->first[!now] = 0;
		file->synced[0] = file->synced[1] = false;
	}
	journal_uncover(journal, !now);
	journal_cover_all(journal);
}

int journal_turn_end(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	int error = 0;

	if (journal_is_forked(journal))
		return -EPERM;
	pthread_mutex_lock(&journal->lock);
	if (!share->in_turn) {
		pthread_mutex_unlock(&journal->lock);
		return -EINVAL;
	}
	share->on_turn = true;
	atomic_store_explicit(&share->in_turn, false, memory_order_release);
	journal_land(journal);
	while (!is_quiet(journal)) { /* T1 */
		(void)journal_retire_wait(journal, JOURNAL_WAIT_FOREVER);
		journal_land(journal);
	}
	give_up_retirement(journal);
	if (journal->state == ATOMICIO_JOURNAL_POISONED)
		share->trouble = true; /* the failed frame may be on the disk: the ring has to be
				        * read */
	if (share->saw_lost != share->page->healed && journal->state == ATOMICIO_JOURNAL_READY &&
	    !share->trouble)
		error = journal_shared_flag(journal, offsetof(struct journal_shared, healed),
					    share->saw_lost);
	if (!error)
		error = journal_shared_publish(journal, false);
	if (error)
		share->trouble = true; /* and in_turn stays set */
	(void)journal_share_unlock_turn(journal);
	share->on_turn = false;
	pthread_mutex_unlock(&journal->lock);
	return error;
}

ATOMICIO_EXPORT int atomicio_journal_turn_begin(struct atomicio_journal *journal, uint32_t flags)
{
	SYS_NO_CANCEL;

	if (!journal || !journal->share || flags & ~ATOMICIO_TURN_WAIT)
		return -EINVAL;
	if (journal_is_callback(journal))
		return -EDEADLK;
	return turn_begin(journal, flags & ATOMICIO_TURN_WAIT);
}

ATOMICIO_EXPORT int atomicio_journal_turn_end(struct atomicio_journal *journal)
{
	SYS_NO_CANCEL;

	if (!journal || !journal->share)
		return -EINVAL;
	return journal_is_callback(journal) ? -EDEADLK : journal_turn_end(journal);
}

ATOMICIO_EXPORT int atomicio_journal_is_hot(const struct atomicio_journal *journal)
{
	const struct journal_share *share = journal ? journal->share : NULL;
	const struct journal_shared *page;

	if (!share)
		return -EINVAL;
	page = share->page;
	/* Our own turn does not make the journal hot. */
	if (atomic_load_explicit(&share->in_turn, memory_order_acquire))
		return journal->state != ATOMICIO_JOURNAL_READY || share->trouble;
	return page->magic != JOURNAL_SHARED_MAGIC ||
	       atomic_load_explicit(&page->in_turn, memory_order_acquire) ||
	       atomic_load_explicit(&page->hot, memory_order_acquire) ||
	       atomic_load_explicit(&page->lost, memory_order_acquire) !=
		       atomic_load_explicit(&page->healed, memory_order_acquire);
}

ATOMICIO_EXPORT int atomicio_journal_is_alone(const struct atomicio_journal *journal)
{
	SYS_NO_CANCEL;

	return journal && journal->share ? journal_share_is_alone(journal) : -EINVAL;
}

ATOMICIO_EXPORT uint64_t atomicio_journal_get_word(const struct atomicio_journal *journal)
{
	if (!journal || !journal->share)
		return 0;
	return atomic_load_explicit(&journal->share->page->word, memory_order_acquire);
}

ATOMICIO_EXPORT int atomicio_journal_set_word(struct atomicio_journal *journal, uint64_t word)
{
	SYS_NO_CANCEL;

	if (!journal || !journal->share)
		return -EINVAL;
	if (journal_has_no_turn(journal))
		return -EBUSY;
	return journal_shared_write(journal, &word, offsetof(struct journal_shared, word),
				    sizeof(word));
}
