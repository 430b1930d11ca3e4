/* SPDX-License-Identifier: MIT */
/*
 * Who lives, and has the turn: the answers of a shared journal's locks.
 *
 * Flow: asked by all of the family, and by the write family; nothing of theirs is called here.
 * journal_share.h has the rules.
 */
#include "journal_share.h"

#include <errno.h>

#include "sys_share.h"

bool journal_is_forked(const struct atomicio_journal *journal)
{
	const struct journal_share *share = journal->share;

	if (!share)
		return false;
	return share->mark ? !*share->mark : share->pid != journal->sys->getpid();
}

bool journal_has_no_turn(const struct atomicio_journal *journal)
{
	return journal->share &&
	       (!atomic_load_explicit(&journal->share->in_turn, memory_order_acquire) ||
		journal_is_forked(journal));
}

int journal_share_is_alone(const struct atomicio_journal *journal)
{
	const int others =
		journal->sys->share->is_record_locked(journal->share->fd, JOURNAL_LOCK_LIVES);

	return others < 0 ? others : !others;
}

/*
 * Be the owner of the turn.  The kernel looks for a deadlock by process: another thread of ours may
 * hold a lock for which a thread of the owner waits (fs/locks.c).  The owner ends its turn
 * nevertheless.
 */
static int lock_owner(const struct atomicio_journal *journal, bool wait)
{
	int error;

	do {
		error = journal->sys->share->record_lock(journal->share->fd, JOURNAL_LOCK_OWNER,
							 SYS_LOCK_WRITE, wait);
		if (error == -EDEADLK)
			journal->sys->sleep_us(10000);
	} while (error == -EDEADLK);
	return error == -EAGAIN ? -EBUSY : error;
}

static int unlock_owner(const struct atomicio_journal *journal)
{
	return journal->sys->share->record_lock(journal->share->fd, JOURNAL_LOCK_OWNER, SYS_UNLOCK,
						false);
}

int journal_share_lock_turn(const struct atomicio_journal *journal, bool wait)
{
	const struct sys_share_calls *calls = journal->sys->share;
	const int fd = journal->share->fd;
	int error = lock_owner(journal, wait);

	if (error)
		return error;
	/*
	 * No living process is in its turn.  An exit drops record locks first, and locks of
	 * descriptions some time later (6.18: do_exit() calls exit_files() for the first, and then
	 * __fput() as task work).
	 */
	for (uint32_t i = 0; i < JOURNAL_EXIT_MS; i++) {
		error = calls->own_lock(fd, JOURNAL_LOCK_TURN, SYS_LOCK_WRITE, false);
		if (error != -EAGAIN)
			break;
		journal->sys->sleep_us(1000);
	}
	if (error)
		(void)unlock_owner(journal);
	return error == -EAGAIN ? -EOWNERDEAD : error;
}

int journal_share_unlock_turn(const struct atomicio_journal *journal)
{
	const int error = journal->sys->share->own_lock(journal->share->fd, JOURNAL_LOCK_TURN,
							SYS_UNLOCK, false);
	const int second = unlock_owner(journal);

	return error ? error : second;
}
