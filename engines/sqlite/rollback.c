/* SPDX-License-Identifier: MIT */
/*
 * The rollback journal of a database: memory as long as the transaction may become a group, a file
 * once it is spilled, and a file from the start if it is hot, left by a process that died.
 *
 * Flow: SQLite's pager -> here; vfs_spill() -> vfs_rollback_make_real().
 *
 * QR1 SQLite opens a rollback journal without SQLITE_OPEN_CREATE only to play the journal back
 *     (pager.c:sqlite3PagerSharedLock): such a rollback journal is a file.
 * QR2 the end of a rollback journal, in the way of journal_mode, is durable when the call returns:
 *     else a power cut would bring the rollback journal back over newer frames (SQ1).  vfs_delete()
 *     makes a deletion durable.
 * QR3 a rollback journal in memory names no super-journal to a rollback that begins.  A process
 *     that rolls back another database of the transaction deletes the super-journal, since no file
 *     names the super-journal.  SQLite would take the deletion for the commit, and leave the new
 *     pages (pager.c:pager_delsuper, pager_playback).
 * QR4 the file is open only while the file is the rollback journal.  A connection with
 *     locking_mode=EXCLUSIVE has the same rollback journal for ever, and bytes in a deleted file
 *     are no rollback journal.
 */
#include "vfs.h"

#include <assert.h>
#include <string.h>

#define HEADER_ZEROS 28 /* written by journal_mode=PERSIST at the end (pager.c:zeroJournalHdr) */

static const uint8_t journal_magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

static int open_real(struct vfs_rollback *rollback)
{
	sqlite3_vfs *vfs = vfs_base();
	int code, flags;

	rollback->database->node->is_settled = false;
	rollback->database->is_bare = false;
	if (rollback->is_open)
		return SQLITE_OK;
	code = vfs->xOpen(vfs, rollback->name, rollback->real, rollback->flags, &flags);
	rollback->is_open = code == SQLITE_OK;
	return code;
}

/* QR4.  The frames after it may delete the name (commit.c:settle_rollback). */
static void close_real(struct vfs_rollback *rollback)
{
	if (rollback->is_open)
		(void)rollback->real->pMethods->xClose(rollback->real);
	rollback->is_open = false;
}

int vfs_rollback_sync(struct vfs_rollback *rollback)
{
	int code;

	assert(rollback->is_real);
	if (!rollback->is_unsynced)
		return SQLITE_OK;
	/* The first sync of a new file syncs its directory, too (os_unix.c:unixSync). */
	code = rollback->real->pMethods->xSync(rollback->real, SQLITE_SYNC_FULL);
	if (!code)
		rollback->is_unsynced = false;
	return code;
}

int vfs_rollback_make_real(struct vfs_rollback *rollback)
{
	sqlite3_file *real = rollback->real;
	uint64_t done = 0;
	int code;

	if (rollback->is_real)
		return SQLITE_OK;
	code = open_real(rollback);
	/* Bytes behind the end, left by an earlier transaction, do not count. */
	if (!code)
		code = real->pMethods->xTruncate(real, 0);
	while (!code && done < rollback->size) {
		const uint64_t rest = rollback->size - done;
		const int part = rest < VFS_WRITE_MAX ? (int)rest : VFS_WRITE_MAX;

		code = real->pMethods->xWrite(real, rollback->bytes + done, part,
					      (sqlite3_int64)done);
		done += (uint64_t)part;
	}
	if (code) {
		if (rollback->is_open) /* half a rollback journal is of no use to anybody */
			(void)real->pMethods->xTruncate(real, 0);
		close_real(rollback);
		return code;
	}
	rollback->is_real = true;
	rollback->is_unsynced = true;
	sqlite3_free(rollback->bytes);
	rollback->bytes = NULL;
	rollback->size = 0;
	rollback->capacity = 0;
	return SQLITE_OK;
}

/* The transaction is over: the next one is in memory again. */
static int end(struct vfs_rollback *rollback)
{
	int code = SQLITE_OK;

	if (rollback->is_real) {
		rollback->is_unsynced = true;
		code = vfs_rollback_sync(rollback);
		if (code)
			return code;
		rollback->is_real = false;
		close_real(rollback);
	}
	rollback->size = 0;
	rollback->was_read = false;
	rollback->was_played = false;
	vfs_file_end(rollback->database);
	return code;
}

static int rollback_close(sqlite3_file *base)
{
	struct vfs_rollback *rollback = (struct vfs_rollback *)base;

	close_real(rollback);
	sqlite3_free(rollback->bytes);
	if (rollback->database->rollback == rollback)
		rollback->database->rollback = NULL;
	memset(rollback, 0, sizeof(*rollback));
	return SQLITE_OK;
}

/*
 * The name is before the last 16 bytes: its length, its sum, the magic
 * (pager.c:writeSuperJournal).
 */
static const char *get_super(const struct vfs_rollback *rollback)
{
	const uint8_t *tail;
	uint32_t length;

	if (rollback->is_real || rollback->size < 16)
		return NULL;
	tail = rollback->bytes + rollback->size - 16;
	if (memcmp(tail + 8, journal_magic, sizeof(journal_magic)) != 0)
		return NULL;
	length = (uint32_t)tail[0] << 24 | (uint32_t)tail[1] << 16 | (uint32_t)tail[2] << 8 |
		 tail[3];
	/* The first byte of a length that small ends the name. */
	if (!length || length >= 0x10000 || length > rollback->size - 16)
		return NULL;
	return (const char *)tail - length;
}

bool vfs_rollback_has_super(const struct vfs_rollback *rollback)
{
	return get_super(rollback) != NULL;
}

/*
 * QR3.  SQLite asks for the name before the playback, and again after the playback, to delete the
 * super-journal.  The second answer is the name, if a super-journal has to be deleted.
 */
static bool hides_super(const struct vfs_rollback *rollback, int length, uint64_t offset)
{
	sqlite3_vfs *vfs = vfs_base();
	const char *name;
	int is_there = 0;

	if (length != (int)sizeof(journal_magic) ||
	    offset + sizeof(journal_magic) != rollback->size)
		return false;
	name = get_super(rollback);
	if (!name)
		return false;
	return !rollback->was_played || vfs->xAccess(vfs, name, SQLITE_ACCESS_EXISTS, &is_there) ||
	       !is_there;
}

static int rollback_read(sqlite3_file *base, void *buffer, int length, sqlite3_int64 offset)
{
	struct vfs_rollback *rollback = (struct vfs_rollback *)base;
	const uint64_t start = (uint64_t)offset;
	uint64_t there;

	there = start < rollback->size ? rollback->size - start : 0;
	/* Before each commit SQLite looks behind the end for an old header (syncJournal()). */
	if (rollback->is_real || there)
		rollback->was_read = true;
	if (rollback->is_real)
		return rollback->real->pMethods->xRead(rollback->real, buffer, length, offset);
	if (hides_super(rollback, length, start)) {
		memset(buffer, 0, (size_t)length);
		return SQLITE_OK;
	}
	/* The name's length and sum are behind all that is played back. */
	if (there > 16)
		rollback->was_played = true;
	if (there >= (uint64_t)length) {
		memcpy(buffer, rollback->bytes + start, (size_t)length);
		return SQLITE_OK;
	}
	memset(buffer, 0, (size_t)length);
	if (there)
		memcpy(buffer, rollback->bytes + start, there);
	return SQLITE_IOERR_SHORT_READ;
}

static bool is_end(const void *buffer, int length, sqlite3_int64 offset)
{
	static const uint8_t zeros[HEADER_ZEROS];

	return offset == 0 && length == HEADER_ZEROS && memcmp(buffer, zeros, sizeof(zeros)) == 0;
}

static int keep(struct vfs_rollback *rollback, const void *buffer, uint64_t length, uint64_t offset)
{
	const uint64_t last = offset + length;

	if (last > rollback->capacity) {
		const uint64_t capacity = last + last / 2 + VFS_WRITE_MAX;
		uint8_t *bytes = sqlite3_realloc64(rollback->bytes, capacity);

		if (!bytes)
			return SQLITE_IOERR_NOMEM;
		rollback->bytes = bytes;
		rollback->capacity = capacity;
	}
	if (offset > rollback->size)
		memset(rollback->bytes + rollback->size, 0, offset - rollback->size);
	memcpy(rollback->bytes + offset, buffer, length);
	rollback->was_played = false;
	if (last > rollback->size)
		rollback->size = last;
	return SQLITE_OK;
}

static int rollback_write(sqlite3_file *base, const void *buffer, int length, sqlite3_int64 offset)
{
	struct vfs_rollback *rollback = (struct vfs_rollback *)base;
	int code = SQLITE_OK;

	if (is_end(buffer, length, offset)) {
		if (rollback->is_real)
			code = rollback->real->pMethods->xWrite(rollback->real, buffer, length,
								offset);
		return code ? code : end(rollback);
	}
	if (!rollback->is_real && !rollback->size)
		vfs_file_end(rollback->database); /* a transaction begins */
	/* The old pages alone are more than a group: the new ones will be, too. */
	if (!rollback->is_real &&
	    (uint64_t)offset + (uint64_t)length > rollback->database->node->group_max)
		code = vfs_spill(rollback->database);
	if (code)
		return code;
	if (!rollback->is_real)
		return keep(rollback, buffer, (uint64_t)length, (uint64_t)offset);
	rollback->is_unsynced = true;
	return rollback->real->pMethods->xWrite(rollback->real, buffer, length, offset);
}

static int rollback_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct vfs_rollback *rollback = (struct vfs_rollback *)base;
	int code = SQLITE_OK;

	if (rollback->is_real)
		code = rollback->real->pMethods->xTruncate(rollback->real, size);
	else if ((uint64_t)size < rollback->size)
		rollback->size = (uint64_t)size;
	if (!code && size == 0)
		code = end(rollback);
	return code;
}

static int rollback_sync(sqlite3_file *base, int flags)
{
	struct vfs_rollback *rollback = (struct vfs_rollback *)base;

	(void)flags;
	return rollback->is_real ? vfs_rollback_sync(rollback) : SQLITE_OK;
}

static int rollback_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct vfs_rollback *rollback = (struct vfs_rollback *)base;

	if (rollback->is_real)
		return rollback->real->pMethods->xFileSize(rollback->real, size);
	*size = (sqlite3_int64)rollback->size;
	return SQLITE_OK;
}

/* Nobody locks a rollback journal. */
static int rollback_lock(sqlite3_file *base, int level)
{
	(void)base;
	(void)level;
	return SQLITE_OK;
}

static int rollback_is_reserved(sqlite3_file *base, int *is_reserved)
{
	(void)base;
	*is_reserved = 0;
	return SQLITE_OK;
}

static int rollback_control(sqlite3_file *base, int operation, void *argument)
{
	(void)base;
	(void)operation;
	(void)argument;
	return SQLITE_NOTFOUND;
}

static int rollback_sector_size(sqlite3_file *base)
{
	struct vfs_file *database = ((struct vfs_rollback *)base)->database;

	return vfs_real(database)->xSectorSize(database->real);
}

static int rollback_characteristics(sqlite3_file *base)
{
	struct vfs_file *database = ((struct vfs_rollback *)base)->database;

	return vfs_real(database)->xDeviceCharacteristics(database->real);
}

const sqlite3_io_methods vfs_rollback_methods = {
	.iVersion = 1,
	.xClose = rollback_close,
	.xRead = rollback_read,
	.xWrite = rollback_write,
	.xTruncate = rollback_truncate,
	.xSync = rollback_sync,
	.xFileSize = rollback_size,
	.xLock = rollback_lock,
	.xUnlock = rollback_lock,
	.xCheckReservedLock = rollback_is_reserved,
	.xFileControl = rollback_control,
	.xSectorSize = rollback_sector_size,
	.xDeviceCharacteristics = rollback_characteristics,
};
