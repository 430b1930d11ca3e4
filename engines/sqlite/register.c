/* SPDX-License-Identifier: MIT */
/*
 * The VFS "atomicio": registered when the extension is loaded, never the default by itself.
 *
 * Flow: sqlite3_extension_init() -> sqlite3_vfs_register(); sqlite3_open_v2(..., "atomicio") or
 * file:x.db?vfs=atomicio -> vfs_open().  Databases and rollback journals have methods of their own;
 * everything else is opened by the VFS below.
 */
#include "vfs.h"
#include "guard.h"

#include <string.h>

SQLITE_EXTENSION_INIT1

#ifndef ATOMICIO_SQLITE_JOURNAL
#define ATOMICIO_SQLITE_JOURNAL (64 << 20) /* bytes; URI parameter atomicio_size */
#endif
#define JOURNAL_LEAST (1 << 20)
#define JOURNAL_MOST ((sqlite3_int64)1 << 36)
#define SQLITE_NEEDED 3031000 /* sqlite3_filename_database() */

static sqlite3_vfs *base;

sqlite3_vfs *vfs_base(void)
{
	return base;
}

static sqlite3_file *after(void *file, size_t size)
{
	return (sqlite3_file *)((char *)file + ((size + 15) & ~(size_t)15));
}

static uint64_t journal_size(const char *name)
{
	const sqlite3_int64 size =
		sqlite3_uri_int64(name, "atomicio_size", ATOMICIO_SQLITE_JOURNAL);

	if (size < JOURNAL_LEAST)
		return JOURNAL_LEAST;
	return (uint64_t)(size > JOURNAL_MOST ? JOURNAL_MOST : size) & ~(uint64_t)4095;
}

/*
 * Nobody locks an immutable file, or a file opened with nolock.  The VFS then makes no frames, and
 * refuses a guarded database.
 */
static int open_unlocked(struct vfs_file *file)
{
	uint8_t header[GUARD_HEADER] = {0};

	(void)vfs_real(file)->xRead(file->real, header, GUARD_HEADER, 0);
	if (guard_read(header) != GUARD_ON)
		return SQLITE_OK;
	(void)vfs_real(file)->xClose(file->real);
	sqlite3_log(SQLITE_CANTOPEN, "atomicio: a guarded database is not opened without locks");
	return SQLITE_CANTOPEN;
}

/* Did another file take the name between its open and vfs_node_get()? */
static bool has_moved(const struct vfs_file *file)
{
	int has_moved = 0;

	(void)vfs_real(file)->xFileControl(file->real, SQLITE_FCNTL_HAS_MOVED, &has_moved);
	return has_moved;
}

static int open_database(const char *name, struct vfs_file *file, int flags, int *given)
{
	int code, out = flags;

	memset(file, 0, sizeof(*file));
	file->real = after(file, sizeof(*file));
	code = base->xOpen(base, name, file->real, flags, &out);
	if (code)
		return code;
	file->is_readonly = (out & SQLITE_OPEN_READONLY) != 0;
	if (sqlite3_uri_boolean(name, "immutable", 0) || sqlite3_uri_boolean(name, "nolock", 0)) {
		code = open_unlocked(file);
	} else if (vfs_real(file)->iVersion >= 3) {
		file->name = name;
		code = vfs_node_get(file, journal_size(name));
		if (!code && has_moved(file)) {
			vfs_node_put(file);
			return SQLITE_CANTOPEN;
		}
		if (code)
			(void)vfs_real(file)->xClose(file->real);
	}
	if (code)
		return code;
	if (given)
		*given = out;
	file->base.pMethods = &vfs_file_methods;
	return SQLITE_OK;
}

/* QR1: without SQLITE_OPEN_CREATE: a hot rollback journal, to be played back. */
static int open_rollback(const char *name, struct vfs_rollback *rollback, int flags, int *given)
{
	/* By the name's place in memory, which is the pager's own: another VFS may lie above. */
	struct vfs_file *database = vfs_node_find_file(sqlite3_filename_database(name));
	int code = SQLITE_OK, out = flags;

	if (!database) /* opened without locks */
		return base->xOpen(base, name, &rollback->base, flags, given);
	memset(rollback, 0, sizeof(*rollback));
	rollback->real = after(rollback, sizeof(*rollback));
	rollback->database = database;
	rollback->name = name;
	rollback->flags = flags | SQLITE_OPEN_CREATE;
	if (!(flags & SQLITE_OPEN_CREATE)) {
		database->node->is_settled = false;
		code = base->xOpen(base, name, rollback->real, flags, &out);
		rollback->is_open = !code;
		rollback->is_real = !code;
	}
	if (code)
		return code;
	if (given)
		*given = out;
	database->rollback = rollback;
	database->rollback_name = name;
	database->is_bare = false;
	rollback->base.pMethods = &vfs_rollback_methods;
	return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
	int code;

	(void)vfs;
	file->pMethods = NULL;
	if (name && flags & SQLITE_OPEN_MAIN_DB)
		code = open_database(name, (struct vfs_file *)file, flags, given);
	else if (name && flags & SQLITE_OPEN_MAIN_JOURNAL && !(flags & SQLITE_OPEN_READONLY))
		code = open_rollback(name, (struct vfs_rollback *)file, flags, given);
	else /* also a rollback journal opened only for the super-journal's name */
		return base->xOpen(base, name, file, flags, given);
	if (code)
		file->pMethods = NULL;
	return code;
}

/*
 * QR2.  A rollback journal that was never a file is deleted too, unless no file is known to exist.
 */
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	static const char suffix[] = "-journal";
	const size_t length = strlen(name), tail = sizeof(suffix) - 1;
	int code;

	(void)vfs;
	if (vfs_node_is_bare(name))
		return SQLITE_OK;
	if (length < tail || strcmp(name + length - tail, suffix) != 0)
		return base->xDelete(base, name, sync_directory);
	code = base->xDelete(base, name, 1);
	return code == SQLITE_IOERR_DELETE_NOENT ? SQLITE_OK : code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
	(void)vfs;
	return base->xAccess(base, name, flags, result);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *path)
{
	(void)vfs;
	return base->xFullPathname(base, name, size, path);
}

static void *vfs_dl_open(sqlite3_vfs *vfs, const char *name)
{
	(void)vfs;
	return base->xDlOpen(base, name);
}

static void vfs_dl_error(sqlite3_vfs *vfs, int size, char *text)
{
	(void)vfs;
	base->xDlError(base, size, text);
}

static void (*vfs_dl_sym(sqlite3_vfs *vfs, void *library, const char *name))(void)
{
	(void)vfs;
	return base->xDlSym(base, library, name);
}

static void vfs_dl_close(sqlite3_vfs *vfs, void *library)
{
	(void)vfs;
	base->xDlClose(base, library);
}

static int vfs_random(sqlite3_vfs *vfs, int size, char *bytes)
{
	(void)vfs;
	return base->xRandomness(base, size, bytes);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return base->xSleep(base, microseconds);
}

static int vfs_time(sqlite3_vfs *vfs, double *now)
{
	(void)vfs;
	return base->xCurrentTime(base, now);
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *text)
{
	(void)vfs;
	return base->xGetLastError(base, size, text);
}

static int vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
	(void)vfs;
	return base->xCurrentTimeInt64(base, now);
}

static sqlite3_vfs vfs_atomicio = {
	.iVersion = 2,
	.zName = "atomicio",
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_path,
	.xDlOpen = vfs_dl_open,
	.xDlError = vfs_dl_error,
	.xDlSym = vfs_dl_sym,
	.xDlClose = vfs_dl_close,
	.xRandomness = vfs_random,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_time,
	.xGetLastError = vfs_last_error,
	.xCurrentTimeInt64 = vfs_time64,
};

static int refuse(char **message, const char *why)
{
	if (message)
		*message = sqlite3_mprintf("atomicio: %s", why);
	return SQLITE_ERROR;
}

__attribute__((visibility("default"))) int
sqlite3_atomicio_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api);
__attribute__((visibility("default"))) int
sqlite3_extension_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api);

int sqlite3_atomicio_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api)
{
	const size_t larger = sizeof(struct vfs_file) > sizeof(struct vfs_rollback)
				      ? sizeof(struct vfs_file)
				      : sizeof(struct vfs_rollback);

	(void)connection;
	(void)api;
	SQLITE_EXTENSION_INIT2(api);
	if (sqlite3_libversion_number() < SQLITE_NEEDED)
		return refuse(message, "SQLite 3.31 or later is needed");
	if (sqlite3_vfs_find(vfs_atomicio.zName))
		return SQLITE_OK_LOAD_PERMANENTLY;
	base = sqlite3_vfs_find(NULL);
	if (!base || base->iVersion < 2 || !base->xCurrentTimeInt64)
		return refuse(message, "the default VFS is too old");
	vfs_atomicio.szOsFile = base->szOsFile + (int)((larger + 15) & ~(size_t)15);
	vfs_atomicio.mxPathname = base->mxPathname;
	return sqlite3_vfs_register(&vfs_atomicio, 0) ? SQLITE_ERROR : SQLITE_OK_LOAD_PERMANENTLY;
}

/* The entry point that SQLite looks for first, for every file name. */
int sqlite3_extension_init(sqlite3 *connection, char **message, const sqlite3_api_routines *api)
{
	return sqlite3_atomicio_init(connection, message, api);
}
