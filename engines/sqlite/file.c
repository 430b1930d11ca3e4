/* SPDX-License-Identifier: MIT */
/*
 * A database: SQLite's reads, locks and questions.  SQLite's writes are in file_write.c.
 *
 * Flow: SQLite's pager -> here -> the VFS below.  The first lock of a transaction takes the turn;
 * the last unlock drops pages that were not committed.
 */
#include "vfs.h"
#include "guard.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int file_close(sqlite3_file *base)
{
	struct vfs_file *file = (struct vfs_file *)base;
	int code;

	vfs_pages_clear(&file->pages);
	if (file->node)
		vfs_node_put(file);
	else
		(void)vfs_real(file)->xClose(file->real);
	code = SQLITE_OK;
	memset(file, 0, sizeof(*file));
	return code;
}

/* E1 of the journal: the newest bytes of a file whose home writes failed are in its frames. */
static int read_live(struct vfs_node *node, void *buffer, int length, sqlite3_int64 offset)
{
	int64_t count = 0;

	/* An open reads the header without a lock: another thread may recover. */
	pthread_mutex_lock(&node->mutex);
	if (node->journal)
		count = atomicio_journal_read(node->journal, VFS_FILE_ID, buffer, (size_t)length,
					      (uint64_t)offset);
	pthread_mutex_unlock(&node->mutex);
	return count < 0 ? SQLITE_IOERR_READ : SQLITE_OK;
}

/* The transaction's own pages over what the file has. */
static int read_kept(const struct vfs_file *file, int code, uint8_t *buffer, int length,
		     sqlite3_int64 offset)
{
	const struct vfs_pages *pages = &file->pages;
	const uint64_t start = (uint64_t)offset, last = start + (uint64_t)length;

	if (code && code != SQLITE_IOERR_SHORT_READ)
		return code;
	if (last > pages->start_end) {
		const uint64_t from = pages->start_end > start ? pages->start_end : start;

		memset(buffer + (from - start), 0, last - from);
	}
	vfs_pages_read(pages, buffer, (uint32_t)length, start);
	if (last <= pages->end)
		return SQLITE_OK;
	if (start < pages->end)
		memset(buffer + (pages->end - start), 0, last - pages->end);
	else
		memset(buffer, 0, (size_t)length);
	return SQLITE_IOERR_SHORT_READ;
}

static int file_read(sqlite3_file *base, void *buffer, int length, sqlite3_int64 offset)
{
	struct vfs_file *file = (struct vfs_file *)base;
	int code = vfs_real(file)->xRead(file->real, buffer, length, offset);

	if (!file->node)
		return code;
	if (file->node->has_failed && (!code || code == SQLITE_IOERR_SHORT_READ)) {
		const int live = read_live(file->node, buffer, length, offset);

		code = live ? live : code;
	}
	if (file->way == VFS_BUFFERED)
		code = read_kept(file, code, buffer, length, offset);
	if (!code || code == SQLITE_IOERR_SHORT_READ)
		guard_hide(buffer, (uint64_t)length, (uint64_t)offset);
	return code;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct vfs_file *file = (struct vfs_file *)base;
	int code;

	if (!file->node)
		return vfs_real(file)->xSync(file->real, flags);
	if (file->way == VFS_BUFFERED)
		return vfs_file_flush(file, NULL);
	if (file->way != VFS_PLAIN || !file->is_unsynced)
		return SQLITE_OK;
	code = vfs_real(file)->xSync(file->real, flags);
	if (!code)
		file->is_unsynced = false;
	return code;
}

static int file_lock(sqlite3_file *base, int level)
{
	struct vfs_file *file = (struct vfs_file *)base;
	const int before = file->level;
	int code;

	if (level <= before)
		return SQLITE_OK;
	code = vfs_real(file)->xLock(file->real, level);
	if (code || !file->node) {
		file->level = code ? before : level;
		return code;
	}
	file->level = level;
	code = vfs_turn_enter(file, before);
	if (!code)
		return SQLITE_OK;
	/* Back to the earlier lock; a PENDING left by an EXCLUSIVE goes, too. */
	if (before < SQLITE_LOCK_RESERVED)
		(void)vfs_real(file)->xUnlock(file->real, before);
	file->level = before < SQLITE_LOCK_RESERVED ? before : level;
	return code;
}

static int file_unlock(sqlite3_file *base, int level)
{
	struct vfs_file *file = (struct vfs_file *)base;

	if (file->node && level <= SQLITE_LOCK_SHARED) {
		vfs_turn_end(file);
		/* Pages still kept belong to an abandoned transaction. */
		vfs_pages_clear(&file->pages);
		file->way = VFS_IDLE;
		file->is_bare = false;
	}
	if (level == SQLITE_LOCK_NONE)
		file->has_size = false;
	if (file->node && level == SQLITE_LOCK_NONE && file->level > SQLITE_LOCK_NONE) {
		pthread_mutex_lock(&file->node->mutex);
		file->node->lockers--;
		pthread_mutex_unlock(&file->node->mutex);
	}
	if (level < file->level)
		file->level = level;
	return vfs_real(file)->xUnlock(file->real, level);
}

static int file_is_reserved(sqlite3_file *base, int *is_reserved)
{
	struct vfs_file *file = (struct vfs_file *)base;

	return vfs_real(file)->xCheckReservedLock(file->real, is_reserved);
}

/* PRAGMA atomicio: one line of counters of this process and database. */
static int pragma(const struct vfs_file *file, char **words)
{
	struct atomicio_journal_info info = {0};
	struct vfs_node *node = file->node;
	uint8_t header[GUARD_HEADER] = {0};

	if (sqlite3_stricmp(words[1], "atomicio") != 0)
		return SQLITE_NOTFOUND;
	pthread_mutex_lock(&node->mutex);
	if (node->journal)
		(void)atomicio_journal_get_info(node->journal, &info, sizeof(info));
	(void)vfs_real(file)->xRead(file->real, header, GUARD_HEADER, 0);
	words[0] = sqlite3_mprintf("commits=%llu spills=%llu recoveries=%llu flushes=%llu "
				   "written=%llu live=%llu journal=%s guard=%s",
				   node->commits, node->spills, node->recoveries, info.flushes,
				   info.bytes_written, info.live_bytes,
				   node->journal ? "open" : "closed",
				   guard_read(header) == GUARD_ON ? "on" : "off");
	pthread_mutex_unlock(&node->mutex);
	return words[0] ? SQLITE_OK : SQLITE_NOMEM;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
	struct vfs_file *file = (struct vfs_file *)base;
	int code;

	if (file->node) {
		switch (operation) {
		case SQLITE_FCNTL_SYNC:
			return vfs_file_flush(file, argument);
		case SQLITE_FCNTL_COMMIT_PHASETWO:
			vfs_file_end(file);
			return SQLITE_OK;
		case SQLITE_FCNTL_PRAGMA:
			code = pragma(file, argument);
			if (code != SQLITE_NOTFOUND)
				return code;
			break;
		case SQLITE_FCNTL_HAS_MOVED:
			*(int *)argument = !vfs_node_has_name(file->name, file->node->device,
							      file->node->inode);
			return SQLITE_OK;
		case SQLITE_FCNTL_SIZE_HINT: /* would lengthen the file past its journal */
		case SQLITE_FCNTL_CHUNK_SIZE:
			return SQLITE_OK;
		default:
			break;
		}
	}
	code = vfs_real(file)->xFileControl(file->real, operation, argument);
	if (operation == SQLITE_FCNTL_VFSNAME && code == SQLITE_OK)
		*(char **)argument = sqlite3_mprintf("atomicio/%z", *(char **)argument);
	return code;
}

static int file_sector_size(sqlite3_file *base)
{
	struct vfs_file *file = (struct vfs_file *)base;

	return vfs_real(file)->xSectorSize(file->real);
}

static int file_characteristics(sqlite3_file *base)
{
	struct vfs_file *file = (struct vfs_file *)base;
	const int all = vfs_real(file)->xDeviceCharacteristics(file->real);

	return file->node ? all & ~SQLITE_IOCAP_BATCH_ATOMIC : all;
}

static int file_shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **mapped)
{
	struct vfs_file *file = (struct vfs_file *)base;

	file->has_shm = true;
	file->has_size = false;
	return vfs_real(file)->xShmMap(file->real, page, size, extend, mapped);
}

static int file_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
	struct vfs_file *file = (struct vfs_file *)base;

	return vfs_real(file)->xShmLock(file->real, offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *base)
{
	struct vfs_file *file = (struct vfs_file *)base;

	vfs_real(file)->xShmBarrier(file->real);
}

static int file_shm_unmap(sqlite3_file *base, int is_deleted)
{
	struct vfs_file *file = (struct vfs_file *)base;

	file->has_shm = false;
	return vfs_real(file)->xShmUnmap(file->real, is_deleted);
}

/* A mapping shows the file: without kept pages and pages not home, and with the guard. */
static int file_fetch(sqlite3_file *base, sqlite3_int64 offset, int length, void **mapped)
{
	struct vfs_file *file = (struct vfs_file *)base;

	*mapped = NULL;
	if (file->node && (file->way == VFS_BUFFERED || file->node->has_failed ||
			   guard_covers((uint64_t)length, (uint64_t)offset)))
		return SQLITE_OK;
	return vfs_real(file)->xFetch(file->real, offset, length, mapped);
}

static int file_unfetch(sqlite3_file *base, sqlite3_int64 offset, void *mapped)
{
	struct vfs_file *file = (struct vfs_file *)base;

	return vfs_real(file)->xUnfetch(file->real, offset, mapped);
}

const sqlite3_io_methods vfs_file_methods = {
	.iVersion = 3,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = vfs_file_write,
	.xTruncate = vfs_file_truncate,
	.xSync = file_sync,
	.xFileSize = vfs_file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
	.xFetch = file_fetch,
	.xUnfetch = file_unfetch,
};
