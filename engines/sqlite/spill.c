/* SPDX-License-Identifier: MIT */
/*
 * SQLite's own way, for a transaction that cannot be a group: too large, one of several databases,
 * a database that is new or in WAL mode, or no room for a journal.
 *
 * Flow: vfs_file_write(), vfs_file_flush(), rollback.c -> here -> the VFS below.  The order is
 * SQ1's: forget the frames, then the rollback journal as a file, durably, then the pages.
 */
#include "vfs.h"
#include "guard.h"

#include <assert.h>
#include <string.h>

#include <libatomicio/turns.h>

/* A rollback journal is about to be a file: who commits next, in any process, settles its end. */
static int tell_others(struct vfs_file *file)
{
	struct vfs_node *node = file->node;

	node->is_settled = false;
	file->is_bare = false;
	if (!file->has_turn)
		return SQLITE_OK; /* no journal */
	return atomicio_journal_set_word(node->journal,
					 atomicio_journal_get_word(node->journal) + 1)
		       ? SQLITE_IOERR_WRITE
		       : SQLITE_OK;
}

/* Conditions before a page is written over the page that a rollback needs. */
int vfs_plain_begin(struct vfs_file *file)
{
	struct vfs_rollback *rollback = file->rollback;
	int code = SQLITE_OK;

	if (file->way != VFS_PLAIN || (rollback && !rollback->is_real && rollback->size)) {
		code = vfs_turn_forget(file);
		/* With a super-journal named, BUSY would leave a commit half way (vdbeCommit). */
		if (code == SQLITE_BUSY && rollback && vfs_rollback_has_super(rollback))
			code = SQLITE_IOERR_WRITE;
		if (!code)
			code = tell_others(file);
		if (!code && rollback && rollback->size)
			code = vfs_rollback_make_real(rollback);
		if (code)
			return code;
		file->way = VFS_PLAIN;
	}
	if (rollback && rollback->is_real)
		code = vfs_rollback_sync(rollback);
	return code;
}

int vfs_plain_write(struct vfs_file *file, const void *buffer, uint32_t length, uint64_t offset)
{
	uint8_t before[GUARD_HEADER] = {0};
	uint8_t *copy = NULL;
	int code = vfs_plain_begin(file);

	/* A guard stays for the next commit; a format other than 1 has no guard. */
	if (!code && guard_covers(length, offset)) {
		code = vfs_real(file)->xRead(file->real, before, GUARD_HEADER, 0);
		code = code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
		if (!code && guard_read(before) == GUARD_ON) {
			copy = sqlite3_malloc64(length);
			if (!copy)
				return SQLITE_NOMEM;
			memcpy(copy, buffer, length);
			guard_show(copy, length, offset);
		}
	}
	if (!code)
		code = vfs_real(file)->xWrite(file->real, copy ? copy : buffer, (int)length,
					      (sqlite3_int64)offset);
	file->has_size = false;
	file->is_unsynced = true;
	sqlite3_free(copy);
	return code;
}

static int write_kept(struct vfs_file *file)
{
	struct vfs_page **sorted = vfs_pages_sorted(&file->pages);
	sqlite3_int64 size;
	int code;

	if (!sorted)
		return SQLITE_NOMEM;
	code = vfs_real(file)->xFileSize(file->real, &size);
	if (!code && (uint64_t)size > file->pages.start_end) {
		code = vfs_real(file)->xTruncate(file->real, (sqlite3_int64)file->pages.start_end);
		file->is_unsynced = true;
	}
	for (uint32_t i = 0; i < file->pages.count && !code; i++)
		code = vfs_plain_write(file, sorted[i]->bytes,
				       vfs_pages_length(&file->pages, sorted[i]),
				       sorted[i]->index * file->pages.page_size);
	sqlite3_free(sorted);
	return code;
}

int vfs_spill(struct vfs_file *file)
{
	const bool is_kept = file->way == VFS_BUFFERED;
	int code;

	/* From here on reads see the file: rollback is SQLite's, by its journal. */
	file->way = is_kept ? VFS_IDLE : file->way;
	code = vfs_plain_begin(file);
	if (is_kept && !code)
		code = write_kept(file);
	if (is_kept && file->way == VFS_IDLE) {
		file->way = VFS_BUFFERED; /* nothing was written: the pages are still kept */
		return code;
	}
	vfs_pages_clear(&file->pages);
	file->node->spills++;
	return code;
}
