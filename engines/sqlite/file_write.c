/* SPDX-License-Identifier: MIT */
/*
 * A database: what SQLite writes, and when that becomes a commit.
 *
 * Flow: SQLite's pager -> vfs_file_write() -> pages.c or spill.c;
 *	 SQLITE_FCNTL_SYNC -> vfs_file_flush() -> commit.c or spill.c.
 *
 * Ways of a transaction: IDLE -> BUFFERED -> IDLE by a commit; IDLE or BUFFERED -> PLAIN by a
 * spill; PLAIN -> IDLE when its rollback journal has ended, at COMMIT_PHASETWO, or by the unlock.
 */
#include "vfs.h"
#include "guard.h"

#include <assert.h>

void vfs_file_end(struct vfs_file *file)
{
	/* Kept pages stay: SQLite may still roll back. */
	if (file->way == VFS_PLAIN)
		file->way = VFS_IDLE;
}

static int fill(void *context, uint8_t *bytes, uint32_t length, uint64_t offset)
{
	const struct vfs_file *file = context;
	const int code =
		vfs_real(file)->xRead(file->real, bytes, (int)length, (sqlite3_int64)offset);

	guard_hide(bytes, length, offset);
	return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

int vfs_file_look(struct vfs_file *file)
{
	return vfs_real(file)->xRead(file->real, file->header, VFS_HEADER, 0);
}

/* May this transaction become a group?  Only a database that can be guarded has frames (SQ2). */
static int may_keep(struct vfs_file *file, bool *may)
{
	enum guard_state state;
	int code;

	*may = false;
	if (!file->node->file || file->node->has_failed || file->has_shm ||
	    file->level < SQLITE_LOCK_EXCLUSIVE || (file->rollback && file->rollback->is_real))
		return SQLITE_OK;
	code = vfs_file_look(file);
	state = code ? GUARD_NONE : guard_read(file->header);
	/* QT6: before the first frame; existing frames stay. */
	*may = state == GUARD_ON || (state == GUARD_OFF && !vfs_node_is_linked(file->node));
	return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

/* SQ7.  In WAL mode a checkpoint makes the file longer without EXCLUSIVE. */
static int learn_size(struct vfs_file *file)
{
	sqlite3_int64 size;
	int code;

	if (file->has_size)
		return SQLITE_OK;
	code = vfs_real(file)->xFileSize(file->real, &size);
	if (code)
		return code;
	file->size = (uint64_t)size;
	file->has_size = file->level >= SQLITE_LOCK_SHARED && !file->has_shm;
	return SQLITE_OK;
}

/* The first write of a transaction: which way? */
static int begin(struct vfs_file *file, uint32_t length, uint64_t offset)
{
	bool may;
	int code;

	if (file->way != VFS_IDLE)
		return SQLITE_OK;
	if (file->node->has_failed && file->level == SQLITE_LOCK_EXCLUSIVE &&
	    vfs_turn_recover(file))
		return SQLITE_IOERR_WRITE;
	code = may_keep(file, &may);
	if (code || !may)
		return code ? code : vfs_plain_begin(file);
	code = learn_size(file);
	if (code)
		return code;
	if (length < 512 || length > 65536 || (length & (length - 1)) || offset % length)
		length = 4096;
	vfs_pages_begin(&file->pages, length, file->size);
	file->way = VFS_BUFFERED;
	return SQLITE_OK;
}

int vfs_file_write(sqlite3_file *base, const void *buffer, int length, sqlite3_int64 offset)
{
	struct vfs_file *file = (struct vfs_file *)base;
	int code;

	if (!file->node)
		return vfs_real(file)->xWrite(file->real, buffer, length, offset);
	code = begin(file, (uint32_t)length, (uint64_t)offset);
	if (!code && file->way == VFS_BUFFERED)
		code = vfs_pages_put(&file->pages, buffer, (uint32_t)length, (uint64_t)offset, fill,
				     file);
	if (code)
		return code;
	if (file->way == VFS_PLAIN)
		return vfs_plain_write(file, buffer, (uint32_t)length, (uint64_t)offset);
	if ((uint64_t)file->pages.count * file->pages.page_size > file->node->group_max)
		return vfs_spill(file);
	return SQLITE_OK;
}

/* The file itself, without the kept pages. */
static int truncate_real(struct vfs_file *file, sqlite3_int64 size)
{
	file->has_size = false;
	file->is_unsynced = true;
	return vfs_real(file)->xTruncate(file->real, size);
}

int vfs_file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct vfs_file *file = (struct vfs_file *)base;
	sqlite3_int64 now;
	int code;

	if (!file->node)
		return vfs_real(file)->xTruncate(file->real, size);
	if (file->way == VFS_IDLE && file->rollback && !file->rollback->is_real &&
	    file->rollback->size) {
		/* In a transaction: a rollback undoes the truncation, too. */
		code = begin(file, 0, 0);
		if (code)
			return code;
	}
	if (file->way == VFS_BUFFERED)
		return vfs_pages_truncate(&file->pages, (uint64_t)size, fill, file);
	code = vfs_real(file)->xFileSize(file->real, &now);
	if (code || now == size)
		return code;
	/* Idle: between transactions, after a commit that made the file shorter. */
	code = file->way == VFS_IDLE ? vfs_turn_forget(file) : vfs_plain_begin(file);
	return code ? code : truncate_real(file, size);
}

int vfs_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct vfs_file *file = (struct vfs_file *)base;
	int code = SQLITE_OK;

	if (!file->node)
		return vfs_real(file)->xFileSize(file->real, size);
	if (file->way != VFS_BUFFERED)
		code = learn_size(file);
	*size = (sqlite3_int64)(file->way == VFS_BUFFERED ? file->pages.end : file->size);
	return code;
}

/* The commit.  A super-journal needs rollback journals that outlive this process. */
int vfs_file_flush(struct vfs_file *file, const char *super_journal)
{
	int code = SQLITE_OK;

	if (file->way == VFS_IDLE)
		return SQLITE_OK;
	if (file->way == VFS_BUFFERED) {
		code = super_journal ? SQLITE_TOOBIG : vfs_commit(file);
		if (code != SQLITE_TOOBIG)
			return code;
		code = vfs_spill(file);
		if (code)
			return code;
	}
	assert(file->way == VFS_PLAIN);
	/* Durable for every `synchronous`: later frames build on this page. */
	if (file->is_unsynced)
		code = vfs_real(file)->xSync(file->real, SQLITE_SYNC_FULL);
	if (!code)
		file->is_unsynced = false;
	return code;
}
