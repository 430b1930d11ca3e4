/* SPDX-License-Identifier: MIT */
/*
 * The library's journal of a database: created, opened, recovered, closed.
 *
 * Flow: turn.c, which knows the locks -> here -> the library.
 */
#include "vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libatomicio/turns.h>

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
	/* fd is ours alone: nobody else uses up its reports; a witness would be closed (SQ4). */
	const struct atomicio_options options = {.journal = node->journal,
						 .file_id = VFS_FILE_ID,
						 .path = ATOMICIO_PATH_JOURNAL,
						 .flags = ATOMICIO_OPEN_NO_WITNESS};

	return atomicio_open(node->fd, &options, sizeof(options), &node->file);
}

void vfs_share_close(struct vfs_node *node)
{
	/* Their errors repeat the failure: recovery is the answer. */
	(void)atomicio_close(node->file);
	node->file = NULL;
	(void)atomicio_journal_close(node->journal);
	node->journal = NULL;
	if (node->journal_fd >= 0)
		(void)close(node->journal_fd);
	node->journal_fd = -1;
}

static const struct atomicio_journal_open_options shared = {.flags = ATOMICIO_JOURNAL_OPEN_SHARED};

/*
 * The rest of an interrupted creation may go; another file with the name stays.  With OVERWRITE a
 * journal may go, too.
 */
static int make_journal(struct vfs_node *node, uint32_t flags)
{
	const struct atomicio_journal_options options = {.size = node->journal_size,
							 .flags = flags};
	struct stat there;
	int error = fstat(node->journal_fd, &there) ? -errno : 0;

	(void)atomicio_journal_close(node->journal);
	node->journal = NULL;
	/*
	 * First: a kill leaves no journal without its owner and mode.  A file with bytes has its
	 * own.
	 */
	if (!error && there.st_size == 0)
		error = vfs_node_copy_rights(node);
	if (!error)
		error = atomicio_journal_create(node->journal_fd, &options, sizeof(options));
	if (!error)
		error = vfs_node_sync_directory(node);
	if (!error)
		error = atomicio_journal_open(node->journal_fd, &shared, sizeof(shared),
					      &node->journal);
	return error;
}

static bool has_frames(const struct vfs_node *node)
{
	struct atomicio_journal_info info;

	return atomicio_journal_get_info(node->journal, &info, sizeof(info)) || info.live_frames;
}

/*
 * Every frame is of a file that had a header at the time of the frame (SQ2).  Frames beside an
 * empty file therefore belong to a deleted file.  SQLite does the same with a rollback journal
 * (pager.c:hasHotJournal).
 */
static bool is_empty(const struct vfs_node *node)
{
	struct stat stat;

	return !fstat(node->fd, &stat) && stat.st_size == 0;
}

static int open_journal(struct vfs_node *node, bool is_guarded)
{
	/* Like SQLite (os_unix.c:unixOpen): somebody else may have put a link there. */
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (is_guarded ? 0 : O_CREAT);
	struct stat opened;
	int error;

	node->journal_fd = open(node->journal_path, flags, 0600);
	if (node->journal_fd < 0 || fstat(node->journal_fd, &opened))
		return -errno;
	node->journal_device = opened.st_dev;
	node->journal_inode = opened.st_ino;
	error = atomicio_journal_open(node->journal_fd, &shared, sizeof(shared), &node->journal);
	if (error == -ENODATA && !is_guarded)
		error = make_journal(node, 0);
	else if (!error && !is_guarded && has_frames(node) && is_empty(node) &&
		 atomicio_journal_is_alone(node->journal) == 1)
		error = make_journal(node, ATOMICIO_JOURNAL_OVERWRITE);
	return error;
}

/* No frames, and no other process has it open: nothing ties this journal to the guard. */
bool vfs_share_is_unused(const struct vfs_node *node)
{
	return !has_frames(node) && atomicio_journal_is_alone(node->journal) == 1;
}

bool vfs_share_has_name(const struct vfs_node *node)
{
	return vfs_node_has_name(node->journal_path, node->journal_device, node->journal_inode);
}

bool vfs_share_is_hot(const struct vfs_node *node)
{
	struct atomicio_journal_info info;

	return atomicio_journal_is_hot(node->journal) != 0 ||
	       atomicio_journal_get_info(node->journal, &info, sizeof(info)) ||
	       info.state != ATOMICIO_JOURNAL_READY;
}

/* Make the journal this process's, too. */
int vfs_share_open(struct vfs_node *node, bool is_guarded)
{
	int error = vfs_node_open_fd(node);

	if (!error)
		error = open_journal(node, is_guarded);
	if (error)
		vfs_share_close(node);
	node->is_settled = false;
	return error;
}

/*
 * SQ6.  After another process recovered, frames from that number on may be its acknowledged ones.
 */
static void check_skip(struct vfs_node *node)
{
	if (!node->journal || atomicio_journal_get_word(node->journal) != node->skip_word)
		node->skip_from = UINT64_MAX;
}

int vfs_share_open_anew(struct vfs_node *node)
{
	int error;

	check_skip(node);
	vfs_share_close(node);
	vfs_node_close_fds(node); /* a lost page was reported to them, once */
	error = vfs_share_open(node, true);
	if (!error) /* the word starts again at 0 if nobody else lives */
		node->skip_word = atomicio_journal_get_word(node->journal);
	return error;
}

/* In a turn whose begin said 1. */
static int recover(struct vfs_node *node)
{
	const struct atomicio_recover_options options = {.choose = choose,
							 .flags = ATOMICIO_RECOVER_KEEP_OPEN};
	struct atomicio_recovery recovery = {0};
	int error;

	check_skip(node);
	error = atomicio_journal_recover(node->journal, resolve, node, &options, sizeof(options),
					 &recovery, sizeof(recovery));
	if (!error) /* before the next frame of anybody */
		error = atomicio_journal_set_word(node->journal,
						  atomicio_journal_get_word(node->journal) + 1);
	if (error)
		return error;
	node->skip_from = UINT64_MAX;
	if (!recovery.frames)
		return 0;
	node->recoveries++;
	sqlite3_log(SQLITE_NOTICE, "atomicio: %s: recovered %llu pages of %llu commits", node->path,
		    recovery.pages, recovery.frames);
	return 0;
}

/* Recover, if needed, and open the file.  Frames are allowed where the guard is on. */
int vfs_share_make_ready(struct vfs_node *node, bool is_guarded)
{
	int error, state = 0;

	if (vfs_share_is_hot(node)) {
		state = atomicio_journal_turn_begin(node->journal, 0);
		error = state < 0 ? state : 0;
		if (!error && !is_guarded && has_frames(node))
			error = -ESTALE; /* QT3 */
		if (!error && state == 1)
			error = recover(node);
		if (state >= 0) {
			const int ended = atomicio_journal_turn_end(node->journal);

			error = error ? error : ended;
		}
		if (error)
			return error;
	} else if (!is_guarded && !node->file && has_frames(node)) {
		return -ESTALE;
	}
	node->skip_from = UINT64_MAX; /* not hot: all frames were acknowledged */
	return node->file ? 0 : attach(node);
}

/* QT5.  A turn reads the ring again where a frame has failed; a file that has failed is another. */
int vfs_share_recover(struct vfs_node *node)
{
	int error = vfs_node_keep_fd(node);

	if (error)
		return error;
	(void)atomicio_close(node->file); /* the error repeats the failure */
	node->file = NULL;
	node->is_settled = false;
	error = vfs_node_open_fd(node);
	return error ? error : vfs_share_make_ready(node, true);
}
