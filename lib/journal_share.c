/* SPDX-License-Identifier: MIT */
/*
 * Open and close a journal that several processes share.
 *
 * Flow: steps of open and close (journal.c).  journal_share.h has the rules.
 *
 * The door is a lock for openers and closers, one at a time: of two processes that open or close
 * together, only one finds no other process.  A process that is alone also takes the turn's lock.
 * Where no process lives and the turn's lock is held, a forked child of a dead process still has
 * the descriptors, and may be in the middle of a turn.
 */
#define _GNU_SOURCE
#include "journal_share.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "sys_refused.h"
#include "sys_reopen.h"
#include "sys_share.h"

/* Guards the list of shared journals.  A second open of the same file would, at its close, drop the
 * record locks of the first. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
struct journal_share *journal_shares;

/* With list_lock. */
static bool is_listed(const struct sys_statx *stat, int pid)
{
	for (const struct journal_share *at = journal_shares; at; at = at->next)
		if (at->inode == stat->ino && at->device_major == stat->dev_major &&
		    at->device_minor == stat->dev_minor && at->pid == pid)
			return true;
	return false;
}

int journal_share_check(const struct sys_calls *sys, int fd)
{
	struct sys_statx stat;
	int error = sys_stat(sys, fd, SYS_STATX_BASIC, &stat);

	if (error)
		return error;
	pthread_mutex_lock(&list_lock);
	error = is_listed(&stat, sys->getpid()) ? -EBUSY : 0;
	pthread_mutex_unlock(&list_lock);
	return error;
}

/* Two threads may come together. */
static int enlist(struct journal_share *share, const struct sys_statx *stat)
{
	int error = 0;

	share->inode = stat->ino;
	share->device_major = stat->dev_major;
	share->device_minor = stat->dev_minor;
	pthread_mutex_lock(&list_lock);
	if (is_listed(stat, share->pid)) {
		error = -EBUSY;
	} else {
		share->next = journal_shares;
		journal_shares = share;
	}
	pthread_mutex_unlock(&list_lock);
	return error;
}

static void delist(const struct journal_share *share)
{
	struct journal_share **at;

	pthread_mutex_lock(&list_lock);
	for (at = &journal_shares; *at && *at != share;)
		at = &(*at)->next;
	if (*at)
		*at = share->next;
	pthread_mutex_unlock(&list_lock);
}

/* Does a mapping show another process's writes at once, and does RWF_DSYNC make durable (K9)? */
static bool can_share(const struct atomicio_journal *journal)
{
	uint32_t magic;

	if (!journal->sys->share || !journal->is_file || sys_share_page_size() != JOURNAL_BLOCK)
		return false;
	if (!journal->delegates)
		return true;
	return journal->sys->fs_magic(journal->fd, &magic) == 0 && magic == SYS_MAGIC_TMPFS;
}

/*
 * Take a lock that other processes hold only for moments; ignore signals.  The kernel looks for
 * deadlocks by process, not by thread: another thread of ours may wait for a lock of the process
 * that waits for this lock (fs/locks.c).
 */
static int lock_soon(const struct atomicio_journal *journal, uint64_t at, enum sys_lock lock)
{
	int error = 0;

	for (uint32_t i = 0; i < JOURNAL_EINTR_MAX; i++) {
		error = journal->sys->share->record_lock(journal->share->fd, at, lock, true);
		if (error == -EDEADLK)
			journal->sys->sleep_us(10000);
		else if (error != -EINTR)
			break;
	}
	return error;
}

/* With the door locked: alone, or one of several. */
static int live(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	const struct sys_share_calls *calls = journal->sys->share;
	int error = calls->record_lock(share->fd, JOURNAL_LOCK_LIVES, SYS_LOCK_WRITE, false);

	if (error == -EAGAIN)
		return lock_soon(journal, JOURNAL_LOCK_LIVES, SYS_LOCK_READ);
	if (error)
		return error;
	share->alone = true;
	return journal_share_lock_turn(journal, false);
}

int journal_share_open(struct atomicio_journal *journal)
{
	const struct sys_calls *sys = journal->sys;
	struct journal_share *share;
	struct sys_statx stat;
	int error;

	if (journal->fd == journal->caller_fd || !can_share(journal))
		return -EOPNOTSUPP;
	error = sys_stat(sys, journal->fd, SYS_STATX_BASIC, &stat);
	if (error)
		return error;
	share = sys->allocate(_Alignof(struct journal_share), sizeof(*share));
	if (!share)
		return -ENOMEM;
	journal->share = share;
	share->pid = sys->getpid();
	share->mark = sys->share->mark_process();
	share->fd = -1;
	error = enlist(share, &stat);
	if (error)
		return error;
	share->fd = sys_reopen(sys, journal->caller_fd, O_RDWR, NULL);
	if (share->fd < 0)
		return share->fd;
	error = lock_soon(journal, JOURNAL_LOCK_DOOR, SYS_LOCK_WRITE);
	return error ? error : live(journal);
}

/*
 * A mapping keeps its description open, also in a forked child: never map the description with the
 * locks.
 */
static int map_page(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	struct sys_statx stat;
	const void *page;
	int error = sys_stat(journal->sys, share->fd, SYS_STATX_BASIC, &stat);

	/* The file was cut: a page behind the end gives SIGBUS. */
	if (!error && stat.size < share->place + JOURNAL_BLOCK)
		error = -ESTALE;
	if (!error)
		error = journal->sys->share->map(journal->caller_fd, share->place, JOURNAL_BLOCK,
						 &page);
	if (!error)
		share->page = page;
	return error;
}

/*
 * Note the page's epoch.  A page with another epoch later says that another process found no
 * process alive.  A process that is alone has just written the page; if another page is read now,
 * the cache has lost the page already.
 */
static int note_epoch(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	struct journal_shared page;
	const bool good = journal_shared_read(journal, &page);

	if (share->alone)
		return good && journal_share_knows(share, &page) ? 0 : -EIO;
	if (good) /* a bad page: the first turn reads the ring */
		memcpy(share->epoch, page.epoch, sizeof(share->epoch));
	return 0;
}

int journal_share_opened(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	int error = 0;

	share->place = (journal->header.size + JOURNAL_SHARED_ALIGN - 1) / JOURNAL_SHARED_ALIGN *
		       JOURNAL_SHARED_ALIGN;
	error = journal_check_limit(journal, share->place + JOURNAL_BLOCK);
	if (!error && share->alone) /* T2 */
		error = journal_shared_publish(journal, true);
	if (!error)
		error = map_page(journal);
	if (!error)
		error = note_epoch(journal);
	if (!error && share->alone)
		error = lock_soon(journal, JOURNAL_LOCK_LIVES, SYS_LOCK_READ);
	if (!error && share->alone)
		error = journal_share_unlock_turn(journal);
	return error ? error : lock_soon(journal, JOURNAL_LOCK_DOOR, SYS_UNLOCK);
}

bool journal_share_closes_last(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	const struct sys_share_calls *calls = journal->sys->share;
	const uint64_t no_magic = 0;
	struct journal_shared page;

	if (journal_is_forked(journal))
		return false;
	if (lock_soon(journal, JOURNAL_LOCK_DOOR, SYS_LOCK_WRITE) ||
	    calls->record_lock(share->fd, JOURNAL_LOCK_LIVES, SYS_LOCK_WRITE, false) ||
	    calls->own_lock(share->fd, JOURNAL_LOCK_TURN, SYS_LOCK_WRITE, false))
		return false;
	if (!journal_shared_read(journal, &page) || page.in_turn || page.hot ||
	    page.lost != page.healed || share->trouble || !journal_share_knows(share, &page) ||
	    page.turns < share->turns)
		return false;
	journal_shared_adopt(journal, &page);
	/*
	 * A living process that has lost its lock must not believe this page: a clean header
	 * follows.
	 */
	return journal_shared_write(journal, &no_magic, 0, sizeof(no_magic)) == 0;
}

void journal_share_close(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;
	const struct sys_calls *sys = journal->sys;

	if (!share)
		return;
	delist(share);
	if (share->page)
		sys->share->unmap(share->page, JOURNAL_BLOCK);
	if (share->fd >= 0 && !journal_is_forked(journal))
		(void)journal_share_unlock_turn(journal);
	if (share->fd >= 0)
		sys->close(share->fd); /* drops the record locks, too */
	if (share->mark)
		sys->share->unmap(share->mark, SYS_SHARE_MARK);
	journal->share = NULL;
	sys->release_memory(share);
}
