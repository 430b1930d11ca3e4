/* SPDX-License-Identifier: MIT */
/*
 * The end of a node: its last connection retires the frames and takes the guard off.
 *
 * Flow: vfs_node_put() -> vfs_close_node() under the list's mutex, then vfs_close_fd().
 *
 * QN1 our descriptor of the database is closed only while the process has no lock on it: a close(2)
 *     drops the POSIX locks of the whole process (fs/locks.c:locks_remove_posix).  Where a
 *     connection through another VFS has one, the descriptor is left open.
 */
#include "vfs.h"
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Where SQLite locks (os.h): PENDING_BYTE, then RESERVED_BYTE, then SHARED_SIZE bytes. */
#define LOCK_START 0x40000000
#define LOCK_LENGTH 512
#define CLOSE_TRIES 20

/*
 * A read-only connection gets no EXCLUSIVE.  No connection of this process has a lock: our own
 * descriptor can lock all of SQLite's bytes.
 */
static int lock_all(const struct vfs_node *node)
{
	struct flock all = {.l_type = F_WRLCK, .l_start = LOCK_START, .l_len = LOCK_LENGTH};

	return fcntl(node->fd, F_OFD_SETLK, &all) ? SQLITE_BUSY : SQLITE_OK;
}

static void unlock_all(const struct vfs_node *node, sqlite3_file *real)
{
	struct flock all = {.l_type = F_UNLCK, .l_start = LOCK_START, .l_len = LOCK_LENGTH};

	(void)real->pMethods->xUnlock(real, SQLITE_LOCK_NONE);
	if (node->fd >= 0)
		(void)fcntl(node->fd, F_OFD_SETLK, &all);
}

/* Take EXCLUSIVE: no other process looks at the guard during its removal. */
static int lock_for_close(const struct vfs_node *node, sqlite3_file *real)
{
	int code = real->pMethods->xLock(real, SQLITE_LOCK_SHARED);

	for (int i = 0; !code && i < CLOSE_TRIES; i++) {
		code = real->pMethods->xLock(real, SQLITE_LOCK_EXCLUSIVE);
		if (code == SQLITE_OK)
			return code;
		(void)real->pMethods->xUnlock(real, SQLITE_LOCK_NONE);
		if (code != SQLITE_BUSY && lock_all(node) == SQLITE_OK)
			return SQLITE_OK;
		(void)sqlite3_sleep(1);
		code = real->pMethods->xLock(real, SQLITE_LOCK_SHARED);
	}
	return code ? code : SQLITE_BUSY;
}

/*
 * With EXCLUSIVE.  Closing the journal may have dropped the lock for a moment.  If another process
 * has committed since, the guard belongs to that process.  A process that has the journal open,
 * without a frame of its own, checks the guard again before its next frame.
 */
static void lower_guard(const struct vfs_node *node)
{
	const int fd = open(node->journal_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t header[GUARD_HEADER];
	int live;

	if (fd < 0)
		return;
	live = atomicio_journal_peek(fd, NULL, 0);
	(void)close(fd);
	if (live || pread(node->fd, header, GUARD_HEADER, 0) != GUARD_HEADER ||
	    guard_read(header) != GUARD_ON)
		return;
	guard_lower(header);
	if (pwrite(node->fd, header, GUARD_HEADER, 0) == GUARD_HEADER)
		(void)fdatasync(node->fd);
}

/* QN1.  A lock of this process is seen by an open file description lock, which is nobody's. */
void vfs_close_fd(struct vfs_node *node)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = LOCK_START, .l_len = LOCK_LENGTH};

	if (node->fd < 0)
		return;
	if (fcntl(node->fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK || lock.l_pid != getpid())
		vfs_node_close_fds(node);
}

/* Where the lock cannot be had, or something failed, the guard stays for whoever comes next. */
void vfs_close_node(struct vfs_node *node, sqlite3_file *real)
{
	bool is_locked;
	int error;

	if (node->has_failed && vfs_share_open_anew(node))
		return;
	if (!node->journal)
		return;
	is_locked = lock_for_close(node, real) == SQLITE_OK;
	/* SQ6: only this node knows which pages were not acknowledged. */
	if (node->has_failed && is_locked && !vfs_share_make_ready(node, true))
		node->has_failed = false;
	error = vfs_turn_close(node, is_locked);
	unlock_all(node, real);
	if (!error && !node->has_failed && lock_for_close(node, real) == SQLITE_OK)
		lower_guard(node);
	unlock_all(node, real);
}
