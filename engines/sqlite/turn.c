/* SPDX-License-Identifier: MIT */
/*
 * Whose turn: which process has the journal, and recovery.
 *
 * Flow: a connection's lock -> vfs_turn_enter() -> atomicio_journal_open(), _recover().  One
 * process has the journal, from its first lock on a guarded database or its first RESERVED, until
 * its last connection is closed.  Others get SQLITE_BUSY while the guard is on.
 *
 * QT1 recovery runs while no connection of this process has a lock, since it closes descriptors of
 *     the database (SQ4).  Nobody else reads meanwhile: the guard is on, the journal ours (SQ3).
 * QT2 a guard without a journal beside it, or with one whose frames are another file's, is refused:
 *     pages may be missing.
 * QT3 frames without a guard are refused for writing: a backup was put in the place of the file,
 *     or the guard was taken off by force.
 */
#include "vfs.h"
#include "guard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int vfs_code(int error, int otherwise)
{
	switch (error) {
	case 0:
		return SQLITE_OK;
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return SQLITE_FULL;
	case -ENOMEM:
		return SQLITE_IOERR_NOMEM;
	case -EBUSY:
		return SQLITE_BUSY;
	case -EROFS:
		return SQLITE_READONLY;
	default:
		return otherwise;
	}
}

static int resolve(void *context, uint64_t file_id)
{
	const struct vfs_node *node = context;

	return file_id == VFS_FILE_ID ? node->fd : -ESTALE;
}

/* SQ6 */
static int choose(void *context, const struct atomicio_live_page *page)
{
	const struct vfs_node *node = context;

	return page->sequence >= node->skip_from ? ATOMICIO_CHOOSE_SKIP : ATOMICIO_CHOOSE_REPLAY;
}

static int attach(struct vfs_node *node)
{
	/* fd is ours alone, so nobody else uses up its reports; a witness would be closed (SQ4). */
	const struct atomicio_options options = {.journal = node->journal,
						 .file_id = VFS_FILE_ID,
						 .path = ATOMICIO_PATH_JOURNAL,
						 .flags = ATOMICIO_OPEN_NO_WITNESS};

	return atomicio_open(node->fd, &options, sizeof(options), &node->file);
}

static void release(struct vfs_node *node)
{
	/* Their errors say again what failed: recovery is the answer to them. */
	(void)atomicio_close(node->file);
	node->file = NULL;
	(void)atomicio_journal_close(node->journal);
	node->journal = NULL;
	if (node->journal_fd >= 0)
		(void)close(node->journal_fd);
	node->journal_fd = -1;
}

static int open_journal(struct vfs_node *node, bool is_guarded)
{
	/* Without a guard nothing is in it: the rest of a creation that was cut short may go. */
	const struct atomicio_journal_options options = {.size = node->journal_size,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};
	const int flags = O_RDWR | O_CLOEXEC | (is_guarded ? 0 : O_CREAT);
	int error;

	node->journal_fd = open(node->journal_path, flags, 0600);
	if (node->journal_fd < 0)
		return -errno;
	error = atomicio_journal_open(node->journal_fd, NULL, 0, &node->journal);
	if (error == -ENODATA && !is_guarded) {
		error = vfs_node_copy_rights(node);
		if (!error)
			error = atomicio_journal_create(node->journal_fd, &options,
							sizeof(options));
		if (!error)
			error = vfs_node_sync_directory(node);
		if (!error)
			error = atomicio_journal_open(node->journal_fd, NULL, 0, &node->journal);
	}
	return error;
}

static bool has_frames(const struct vfs_node *node)
{
	struct atomicio_journal_info info;

	return atomicio_journal_get_info(node->journal, &info, sizeof(info)) ||
	       info.state != ATOMICIO_JOURNAL_READY || info.live_frames;
}

/* Make the journal this process's.  The guard says whether it may have frames. */
static int take(struct vfs_node *node, bool is_guarded)
{
	const struct atomicio_recover_options options = {
		.choose = node->skip_from == UINT64_MAX ? NULL : choose};
	struct atomicio_recovery recovery = {0};
	int error = vfs_node_open_fd(node);

	if (!error)
		error = open_journal(node, is_guarded);
	if (!error && !is_guarded && has_frames(node))
		error = -ESTALE; /* QT3 */
	if (!error && is_guarded) {
		assert(!node->lockers); /* QT1 */
		error = atomicio_journal_recover(node->journal, resolve, node, &options,
						 sizeof(options), &recovery, sizeof(recovery));
	}
	if (!error)
		error = attach(node);
	if (error) {
		release(node);
		return error;
	}
	if (recovery.frames) {
		node->recoveries++;
		sqlite3_log(SQLITE_NOTICE, "atomicio: %s: recovered %llu pages of %llu commits",
			    node->path, recovery.pages, recovery.frames);
	}
	node->skip_from = UINT64_MAX;
	node->is_settled = false;
	node->has_failed = false;
	return 0;
}

/* Why it was refused, for people: SQLite's codes are too few. */
static int refuse(const struct vfs_node *node, int error)
{
	const char *why = NULL;

	switch (error) {
	case -EBUSY:
		return SQLITE_BUSY;
	case -ENOENT:
	case -ENODATA:
		why = "the database is guarded, so it may lack pages, and its journal is not there";
		break;
	case -ESTALE:
		why = "the journal beside it has commits of another file, or of an earlier copy";
		break;
	case -EUCLEAN:
	case -EBADMSG:
		why = "the journal beside it is damaged";
		break;
	default:
		break;
	}
	sqlite3_log(SQLITE_CANTOPEN, "atomicio: %s: %s (error %d); see atomicio-sqlite", node->path,
		    why ? why : "the journal beside it cannot be used", -error);
	return vfs_code(error, why ? SQLITE_CANTOPEN : SQLITE_IOERR_LOCK);
}

/* With no lock of this process on the database: recovery closes descriptors of it (QT1). */
static int take_unlocked(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	const sqlite3_io_methods *methods = file->real->pMethods;
	int code, error;

	if (node->lockers)
		return SQLITE_BUSY;
	code = methods->xUnlock(file->real, SQLITE_LOCK_NONE);
	if (code)
		return code;
	if (node->journal) /* it has failed */
		release(node);
	if (node->fd >= 0) {
		/* A description is told of a lost page once: that one's reports are used up. */
		(void)close(node->fd);
		node->fd = -1;
	}
	error = take(node, true);
	if (error)
		return refuse(node, error);
	return methods->xLock(file->real, SQLITE_LOCK_SHARED);
}

static int enter_shared(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	uint8_t header[GUARD_HEADER] = {0};
	int code;

	if (node->journal && !node->has_failed)
		return SQLITE_OK;
	code = file->real->pMethods->xRead(file->real, header, GUARD_HEADER, 0);
	if (code && code != SQLITE_IOERR_SHORT_READ)
		return code;
	if (guard_read(header) != GUARD_ON && !node->has_failed)
		return SQLITE_OK;
	return file->is_readonly ? SQLITE_READONLY_ROLLBACK : take_unlocked(file);
}

/* A writer without a guard: nobody has frames.  Without a journal it takes SQLite's own way. */
static int enter_reserved(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	int error;

	if (node->has_failed)
		return SQLITE_BUSY; /* till all locks are gone, and SHARED recovers */
	if (node->journal)
		return SQLITE_OK;
	error = take(node, false);
	if (!error)
		return SQLITE_OK;
	if (error == -EBUSY || error == -ENOMEM)
		return vfs_code(error, SQLITE_IOERR_LOCK);
	if (error == -ESTALE || error == -EBADMSG || error == -EUCLEAN)
		return refuse(node, error);
	sqlite3_log(SQLITE_WARNING, "atomicio: %s: no journal (error %d): SQLite's own is used",
		    node->path, -error);
	return SQLITE_OK;
}

int vfs_turn_enter(struct vfs_file *file, int before)
{
	struct vfs_node *node = file->node;
	int code = SQLITE_OK;

	pthread_mutex_lock(&node->mutex);
	if (before == SQLITE_LOCK_NONE) {
		code = enter_shared(file);
		if (!code)
			node->lockers++;
	}
	if (!code && before < SQLITE_LOCK_RESERVED && file->level == SQLITE_LOCK_RESERVED)
		code = enter_reserved(file);
	pthread_mutex_unlock(&node->mutex);
	return code;
}

int vfs_turn_forget(struct vfs_node *node)
{
	int error;

	if (!node->journal)
		return SQLITE_OK; /* then the guard is off, and there are none */
	if (node->has_failed)
		return SQLITE_IOERR_WRITE;
	error = atomicio_journal_forget(node->journal, VFS_FILE_ID);
	if (error)
		vfs_turn_check(node);
	return vfs_code(error, SQLITE_IOERR_FSYNC);
}

/* After a call that may have failed: must this process recover? */
void vfs_turn_check(struct vfs_node *node)
{
	struct atomicio_journal_info info;

	if (!node->journal || (!atomicio_journal_get_info(node->journal, &info, sizeof(info)) &&
			       info.state == ATOMICIO_JOURNAL_READY && !info.files_failed))
		return;
	if (!node->has_failed)
		sqlite3_log(SQLITE_WARNING, "atomicio: %s: a write failed: recovery follows",
			    node->path);
	node->has_failed = true;
}

/* The last connection goes: retire the frames and mark the journal clean. */
int vfs_turn_close(struct vfs_node *node)
{
	int error;

	if (!node->journal)
		return 0;
	error = atomicio_close(node->file);
	node->file = NULL;
	if (!error)
		error = has_frames(node) ? -EUCLEAN : 0;
	if (!error)
		error = atomicio_journal_close(node->journal);
	else
		(void)atomicio_journal_close(node->journal);
	node->journal = NULL;
	(void)close(node->journal_fd);
	node->journal_fd = -1;
	return error;
}
