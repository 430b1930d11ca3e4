/* SPDX-License-Identifier: MIT */
/*
 * The commit of a transaction that fits: its pages are one group, durable with one flush.
 *
 * Flow: SQLITE_FCNTL_SYNC -> vfs_file_flush() -> here -> atomicio_write_batch().  The caller has
 * EXCLUSIVE, and the turn.
 */
#include "vfs.h"
#include "guard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/turns.h>

/*
 * SQ1: no old rollback journal comes back.  A file with its name is over: SQLite has looked for a
 * hot rollback journal at its first lock, and this transaction has its own in memory.  Nobody has
 * the file open outside a transaction (pager.c:pager_unlock).  The directory is synced next.
 */
static int settle_rollback(const struct vfs_node *node)
{
	return unlink(node->rollback_path) && errno != ENOENT ? -errno : 0;
}

/*
 * SQ2.  A guard may be on in the page cache alone: the process that raised the guard was killed
 * before the sync, or the sync failed, and the pages are marked clean.  The guard is therefore
 * written again.
 */
static int make_guard_durable(struct vfs_node *node, uint8_t *header, enum guard_state state)
{
	int error = 0;

	if (state == GUARD_OFF) {
		/* Somebody else may have written since: nothing of ours may come back over it. */
		error = atomicio_journal_forget(node->journal, VFS_FILE_ID);
		guard_raise(header);
	}
	if (!error && pwrite(node->fd, header, GUARD_HEADER, 0) != GUARD_HEADER)
		error = errno ? -errno : -EIO;
	if (!error)
		error = atomicio_sync(node->file);
	/* The handle repeats this error for ever: recovery opens another. */
	if (error)
		node->has_failed = true;
	return error;
}

/* Everything that has to be durable before a frame.  Cheap if all is durable: no flush. */
static int prepare(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	const enum guard_state state = guard_read(file->header);
	uint64_t spilled;
	int error;

	assert(state != GUARD_NONE);
	spilled = atomicio_journal_get_word(node->journal);
	if (state == GUARD_ON && node->is_settled && node->spilled == spilled)
		return 0;
	error = settle_rollback(node);
	if (!error)
		error = vfs_node_sync_directory(node);
	if (!error)
		error = make_guard_durable(node, file->header, state);
	node->is_settled = !error;
	node->spilled = spilled;
	return error;
}

/*
 * QG1: a rollback after the guard was raised would reset the change counter with page 1, to the
 * value in the cache of a connection without this VFS.  If only the counters of page 1 differ, page
 * 1 counts as unchanged.
 */
static bool is_same(const uint8_t *old, const uint8_t *page, uint32_t length, uint64_t offset)
{
	uint8_t header[GUARD_HEADER];

	if (offset != 0 || length < GUARD_HEADER)
		return memcmp(old, page, length) == 0;
	memcpy(header, page, GUARD_HEADER);
	guard_copy_counters(header, old);
	return memcmp(old, header, GUARD_HEADER) == 0 &&
	       memcmp(old + GUARD_HEADER, page + GUARD_HEADER, length - GUARD_HEADER) == 0;
}

/* A rollback also writes pages that the file has already: nothing to commit. */
static int drop_same(const struct vfs_file *file, struct vfs_page **sorted, uint32_t *count)
{
	const uint32_t page_size = file->pages.page_size;
	uint8_t *old = sqlite3_malloc64(page_size);
	struct vfs_page *first = NULL; /* page 1, if only its counters differ */
	uint32_t kept = 0;

	if (!old)
		return -ENOMEM;
	for (uint32_t i = 0; i < *count; i++) {
		const uint32_t length = vfs_pages_length(&file->pages, sorted[i]);
		const uint64_t offset = sorted[i]->index * page_size;
		const int code =
			vfs_real(file)->xRead(file->real, old, (int)length, (sqlite3_int64)offset);

		guard_hide(old, length, offset);
		if (code || !is_same(old, sorted[i]->bytes, length, offset))
			sorted[kept++] = sorted[i];
		else if (memcmp(old, sorted[i]->bytes, length) != 0)
			first = sorted[i];
	}
	if (first && kept) { /* a commit, after a rollback to a savepoint */
		for (uint32_t i = kept; i > 0; i--)
			sorted[i] = sorted[i - 1];
		sorted[0] = first;
		kept++;
	}
	*count = kept;
	sqlite3_free(old);
	return 0;
}

static int write_group(struct vfs_file *file, struct vfs_page **sorted, uint32_t count)
{
	struct vfs_node *node = file->node;
	struct atomicio_journal_info info;
	struct atomicio_op *ops = sqlite3_malloc64(count * sizeof(*ops));
	uint64_t carried;
	int error;

	if (!ops)
		return -ENOMEM;
	memset(ops, 0, count * sizeof(*ops));
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t offset = sorted[i]->index * file->pages.page_size;
		const uint32_t length = vfs_pages_length(&file->pages, sorted[i]);

		guard_show(sorted[i]->bytes, length, offset);
		ops[i] = (struct atomicio_op){.file = node->file,
					      .buffer = sorted[i]->bytes,
					      .offset = offset,
					      .length = length};
	}
	if (atomicio_journal_get_info(node->journal, &info, sizeof(info))) {
		sqlite3_free(ops);
		return -EIO;
	}
	node->skip_from = info.head_sequence;
	node->skip_word = atomicio_journal_get_word(node->journal);
	carried = info.pages_carried;
	do {
		error = atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
	} while (error == -EINTR);
	sqlite3_free(ops);
	/* Pages of earlier commits may have been framed again: no number tells them from ours. */
	if (error && (atomicio_journal_get_info(node->journal, &info, sizeof(info)) ||
		      info.pages_carried != carried))
		node->skip_from = UINT64_MAX;
	return error;
}

/* All of it is in the file or durable in a frame; the end of the file is not in the header. */
static int shorten(struct vfs_file *file)
{
	const sqlite3_io_methods *methods = vfs_real(file);
	int code;

	if (file->size <= file->pages.end)
		return SQLITE_OK;
	code = vfs_turn_forget(file);
	return code ? code : methods->xTruncate(file->real, (sqlite3_int64)file->pages.end);
}

/* SQ2: a page 1 that switches to WAL, or is no header at all, would take the guard off with it. */
static bool can_be_guarded(const struct vfs_file *file)
{
	uint8_t header[GUARD_HEADER];

	memcpy(header, file->header, GUARD_HEADER);
	vfs_pages_read(&file->pages, header, GUARD_HEADER, 0);
	return guard_read(header) != GUARD_NONE;
}

int vfs_commit(struct vfs_file *file)
{
	struct vfs_node *node = file->node;
	struct vfs_page **sorted = vfs_pages_sorted(&file->pages);
	uint32_t count = file->pages.count;
	int error = sorted ? 0 : -ENOMEM;

	if (!can_be_guarded(file))
		error = -EMSGSIZE;
	if (!error && file->rollback && file->rollback->was_read)
		error = drop_same(file, sorted, &count);
	if (!error && count && node->has_failed) {
		error = vfs_turn_recover(file);
		if (!error && vfs_file_look(file))
			error = -EIO;
	}
	if (!error && count)
		error = vfs_turn_begin(file);
	if (!error && count) {
		error = prepare(file);
		file->is_bare = !error;
	}
	if (!error && count)
		error = write_group(file, sorted, count);
	sqlite3_free(sorted);
	if (error == -EMSGSIZE)
		return SQLITE_TOOBIG;
	if (error) {
		/* SQLite rolls back; the kept pages stay until the rollback. */
		vfs_turn_check(node);
		if (!node->has_failed) /* nothing was framed: the next number is another's */
			node->skip_from = UINT64_MAX;
		return vfs_code(error, SQLITE_IOERR_FSYNC);
	}
	if (count) {
		node->commits++;
		node->skip_from = UINT64_MAX;
		vfs_turn_check(node);
	}
	/* SQ5: longer than its header says is no fault. */
	(void)shorten(file);
	file->has_size = false;
	vfs_pages_clear(&file->pages);
	file->way = VFS_IDLE;
	return SQLITE_OK;
}
