/* SPDX-License-Identifier: MIT */
/*
 * Whose turn: the library's journal, shared by all processes that have the database open.
 *
 * Flow: a connection's lock -> vfs_turn_enter() -> atomicio_journal_open(), recovery;
 *	 commit.c, spill.c -> vfs_turn_begin(); a connection's unlock -> vfs_turn_end().
 * SQLite's own locks keep readers and writers apart; a turn lies within RESERVED or EXCLUSIVE.
 *
 * QT1 a process opens the journal at its first lock on a guarded database, or its first RESERVED.
 *     At each first lock the process asks whether the journal is hot: another process died in a
 *     turn, or failed.  If hot, the process recovers under EXCLUSIVE, and keeps open the
 *     descriptors that recovery opened (SQ4).
 * QT2 a guard is refused if no journal lies beside the database, or the journal's frames are
 *     another file's: pages may be missing.
 * QT3 frames without a guard are refused for writing: a backup replaced the file,
 *     or the guard was taken off by force.
 * QT4 a journal or handle that failed in this process is closed and opened anew while no connection
 *     of the process has a lock, because a close drops locks (SQ4).  The journal is hot meanwhile,
 *     for all processes.
 * QT5 a connection that keeps EXCLUSIVE over its transactions (locking_mode) recovers before its
 *     next page is written, and closes nothing.  The journal and our old descriptor of the database
 *     stay open until the locks are gone.
 * QT6 frames are in the journal beside one name.  A database with several names (hard links) gets
 *     no frames.  A guarded database is opened only by the name whose journal is in use or has
 *     frames.
 */
#include "vfs.h"
#include "guard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/turns.h>

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
	case -EOWNERDEAD: /* the owner's exit is under way, or a child of the owner has to end */
		return SQLITE_BUSY;
	case -EROFS:
		return SQLITE_READONLY;
	default:
		return otherwise;
	}
}

/* Why it was refused, for people: SQLite's codes are too few. */
static int refuse(const struct vfs_node *node, int error)
{
	const char *why = NULL;

	switch (error) {
	case -EBUSY:
	case -EOWNERDEAD:
		return SQLITE_BUSY;
	case -ENOENT:
	case -ENODATA:
		why = "the database is guarded, so it may lack pages, and its journal is not there";
		break;
	case -ESTALE:
		why = "the journal beside it has commits of another file, or of an earlier copy";
		break;
	case -EMLINK:
		why = "the database is guarded and has several names, and its commits may "
		      "be beside another one";
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

/* QT4 */
static int open_anew(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	const sqlite3_io_methods *methods = vfs_real(file);
	int code, error;

	if (node->lockers)
		return SQLITE_BUSY;
	code = methods->xUnlock(file->real, SQLITE_LOCK_NONE);
	if (code)
		return code;
	error = vfs_share_open_anew(node);
	if (error)
		return refuse(node, error);
	node->has_failed = false;
	return methods->xLock(file->real, SQLITE_LOCK_SHARED);
}

/* QT5.  With EXCLUSIVE: no other connection has a lock. */
int vfs_turn_recover(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	int error = -EIO;

	assert(file->level == SQLITE_LOCK_EXCLUSIVE);
	vfs_turn_end(file); /* a turn that recovers begins hot */
	pthread_mutex_lock(&node->mutex);
	if (node->journal && node->lockers == 1)
		error = vfs_share_recover(node);
	if (!error)
		node->has_failed = false;
	pthread_mutex_unlock(&node->mutex);
	return error;
}

/* With SHARED.  EXCLUSIVE is taken for a recovery: nobody reads meanwhile. */
static int prepare_readers(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	const sqlite3_io_methods *methods = vfs_real(file);
	int code, error;

	if (node->file && !vfs_share_is_hot(node))
		return SQLITE_OK;
	if (!vfs_share_is_hot(node)) {
		error = vfs_share_make_ready(node, true);
		return error ? refuse(node, error) : SQLITE_OK;
	}
	if (file->is_readonly)
		return SQLITE_READONLY_ROLLBACK;
	code = methods->xLock(file->real, SQLITE_LOCK_EXCLUSIVE);
	if (code)
		return code;
	error = vfs_share_make_ready(node, true);
	code = error ? refuse(node, error) : SQLITE_OK;
	if (!code)
		code = methods->xUnlock(file->real, SQLITE_LOCK_SHARED);
	return code;
}

static int enter_shared(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	uint8_t header[GUARD_HEADER] = {0};
	int code, error;

	if (node->has_failed) {
		code = open_anew(file);
		return code ? code : prepare_readers(file);
	}
	if (node->journal && node->file && !vfs_share_is_hot(node))
		return SQLITE_OK;
	code = vfs_real(file)->xRead(file->real, header, GUARD_HEADER, 0);
	if (code && code != SQLITE_IOERR_SHORT_READ)
		return code;
	if (guard_read(header) != GUARD_ON)
		return SQLITE_OK; /* nobody has frames, whatever became of a turn */
	if (!node->journal) {
		if (file->is_readonly)
			return SQLITE_READONLY_ROLLBACK;
		error = vfs_share_open(node, true);
		if (!error && vfs_node_is_linked(node) && vfs_share_is_unused(node)) {
			vfs_share_close(node);
			error = -EMLINK; /* QT6 */
		}
		if (error)
			return refuse(node, error);
	}
	return prepare_readers(file);
}

/* A writer without a guard: nobody has frames.  Without a journal, SQLite's own way. */
static int enter_reserved(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	int error = 0;

	if (node->has_failed)
		return SQLITE_BUSY; /* till all locks are gone, and SHARED recovers */
	if (node->journal && node->file && !vfs_share_is_hot(node))
		return SQLITE_OK;
	if (!node->journal)
		error = vfs_share_open(node, false);
	if (!error)
		error = vfs_share_make_ready(node, false);
	if (!error)
		return SQLITE_OK;
	if (error == -EBUSY || error == -EOWNERDEAD || error == -ENOMEM)
		return vfs_code(error, SQLITE_IOERR_LOCK);
	if (error == -ESTALE || error == -EBADMSG || error == -EUCLEAN || node->journal)
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

int vfs_turn_begin(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	int result;

	assert(file->level >= SQLITE_LOCK_RESERVED);
	if (file->has_turn)
		return 0;
	result = atomicio_journal_turn_begin(node->journal, ATOMICIO_TURN_WAIT);
	if (result < 0)
		return result;
	file->has_turn = true;
	/*
	 * Deleted or replaced: nobody finds a frame in this journal, and others may use a new one.
	 */
	if (!vfs_share_has_name(node))
		return -ESTALE;
	/* The journal was not hot under this lock: no process can have died in a turn since. */
	return result ? -EIO : 0;
}

void vfs_turn_end(struct vfs_file *file)
{
	if (file->has_turn && atomicio_journal_turn_end(file->node->journal))
		file->node->has_failed = true;
	file->has_turn = false;
}

int vfs_turn_forget(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	int error;

	if (file->level < SQLITE_LOCK_RESERVED)
		return SQLITE_OK; /* a checkpoint in WAL mode: the frames were forgotten before */
	if (node->has_failed)
		return SQLITE_IOERR_WRITE;
	if (!node->journal || !node->file)
		return SQLITE_OK; /* the guard is off, and no frame is live */
	error = vfs_turn_begin(file);
	if (!error)
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

/*
 * The last connection of this process ends, and has EXCLUSIVE if is_locked.  If no other process
 * has the journal open, the connection retires the frames, and the close marks the journal clean;
 * else the other processes keep the journal.
 */
int vfs_turn_close(struct vfs_node *node, bool is_locked)
{
	int error = 0, state = -EBUSY;

	if (is_locked && node->file && !node->has_failed && vfs_share_has_name(node))
		state = atomicio_journal_turn_begin(node->journal, 0);
	if (state == 0 && atomicio_journal_is_alone(node->journal) == 1)
		error = atomicio_journal_checkpoint(node->journal);
	if (state >= 0 && atomicio_journal_turn_end(node->journal))
		error = -EIO;
	vfs_share_close(node);
	return state ? -EBUSY : error;
}
