/* SPDX-License-Identifier: MIT */
/*
 * Who lives, and has the turn: what the locks of a shared journal say.
 *
 * Flow: asked by all of the family, and by the write family; nothing of theirs is called here.
 * journal_share.h has the rules.
 */
#include "journal_share.h"

#include <errno.h>

#include "sys_share.h"

bool journal_is_forked(const struct atomicio_journal *journal)
{
	return journal->share && journal->share->pid != journal->sys->getpid();
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

int journal_share_lock_turn(const struct atomicio_journal *journal, bool wait)
{
	const struct sys_share_calls *calls = journal->sys->share;
	const int fd = journal->share->fd;
	int error, alone = 0;

	/*
	 * An exit drops record locks first, and locks of descriptions some time later (6.18:
	 * do_exit() calls exit_files() for the first, and then __fput() as task work).
	 */
	for (uint32_t i = 0; i < JOURNAL_EXIT_MS; i++) {
		error = calls->own_lock(fd, JOURNAL_LOCK_TURN, SYS_LOCK_WRITE, false);
		if (error != -EAGAIN)
			return error;
		alone = journal_share_is_alone(journal);
		if (alone != 1)
			break;
		journal->sys->sleep_us(1000);
	}
	if (alone)
		return alone < 0 ? alone : -EOWNERDEAD;
	return wait ? calls->own_lock(fd, JOURNAL_LOCK_TURN, SYS_LOCK_WRITE, true) : -EBUSY;
}

int journal_share_unlock_turn(const struct atomicio_journal *journal)
{
	return journal->sys->share->own_lock(journal->share->fd, JOURNAL_LOCK_TURN, SYS_UNLOCK,
					     false);
}
