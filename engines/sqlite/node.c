/* SPDX-License-Identifier: MIT */
/*
 * Shared by all connections of this process to one database: a list, and our own descriptor.
 *
 * Flow: vfs_open() -> vfs_node_get(); a connection's end -> vfs_node_put(), the last of which
 * goes through close.c.
 *
 * QN2 a database is open by one name at a time: the name makes the names of the journals, and
 *     a journal beside an earlier name may be another database's.
 */
#include "vfs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct vfs_node *nodes;
static struct vfs_file *files; /* of all nodes */

static void free_node(struct vfs_node *node)
{
	sqlite3_free(node->kept_fds);
	sqlite3_free(node->path);
	sqlite3_free(node->journal_path);
	sqlite3_free(node->rollback_path);
	sqlite3_free(node);
}

static struct vfs_node *make(const char *path, const struct stat *stat, uint64_t journal_size)
{
	struct vfs_node *node = sqlite3_malloc64(sizeof(*node));

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->device = stat->st_dev;
	node->inode = stat->st_ino;
	node->path = sqlite3_mprintf("%s", path);
	node->journal_path = sqlite3_mprintf("%s-atomicio", path);
	node->rollback_path = sqlite3_mprintf("%s-journal", path);
	node->journal_size = journal_size;
	node->group_max = journal_size / 4;
	node->process = getpid();
	node->fd = -1;
	node->journal_fd = -1;
	node->skip_from = UINT64_MAX;
	if (node->path && node->journal_path && node->rollback_path &&
	    !pthread_mutex_init(&node->mutex, NULL))
		return node;
	free_node(node);
	return NULL;
}

/*
 * Only the inode is asked for: if the times are asked for, the next write sets a new time
 * and dirties the inode (fs/inode.c:inode_set_ctime_current, 6.13).
 */
bool vfs_node_has_name(const char *path, dev_t device, ino_t inode)
{
	struct statx named;

	return !statx(AT_FDCWD, path, 0, STATX_INO, &named) && named.stx_ino == inode &&
	       makedev(named.stx_dev_major, named.stx_dev_minor) == device;
}

bool vfs_node_is_linked(const struct vfs_node *node)
{
	struct statx links;

	return statx(node->fd, "", AT_EMPTY_PATH, STATX_NLINK, &links) || links.stx_nlink > 1;
}

/* QN2.  One directory may have several names, too. */
static bool is_same_place(const char *one, const char *other)
{
	const char *tail = strrchr(one, '/'), *end = strrchr(other, '/');
	char path[2][PATH_MAX];
	struct stat directory[2];

	if (strcmp(one, other) == 0)
		return true;
	if (!tail || !end || strcmp(tail, end) != 0)
		return false;
	(void)snprintf(path[0], PATH_MAX, "%.*s/", (int)(tail - one), one);
	(void)snprintf(path[1], PATH_MAX, "%.*s/", (int)(end - other), other);
	return !stat(path[0], &directory[0]) && !stat(path[1], &directory[1]) &&
	       directory[0].st_dev == directory[1].st_dev &&
	       directory[0].st_ino == directory[1].st_ino;
}

int vfs_node_get(struct vfs_file *file, uint64_t journal_size)
{
	struct stat found;
	struct vfs_node *one;

	if (stat(file->name, &found))
		return SQLITE_CANTOPEN;
	pthread_mutex_lock(&list_mutex);
	for (one = nodes; one; one = one->next)
		if (one->device == found.st_dev && one->inode == found.st_ino &&
		    one->process == getpid()) /* a child opens it anew */
			break;
	if (one && !is_same_place(one->path, file->name)) {
		pthread_mutex_unlock(&list_mutex);
		sqlite3_log(SQLITE_CANTOPEN, "atomicio: %s: it is open by its other name, %s",
			    file->name, one->path);
		return SQLITE_CANTOPEN;
	}
	if (!one) {
		one = make(file->name, &found, journal_size);
		if (one) {
			one->next = nodes;
			nodes = one;
		}
	}
	if (one) {
		one->users++;
		file->next = files;
		files = file;
	}
	pthread_mutex_unlock(&list_mutex);
	file->node = one;
	return one ? SQLITE_OK : SQLITE_NOMEM;
}

/*
 * Another file may have taken the name, and another connection of this process may have locks
 * on that file.  O_PATH is safe: close(2) of such a descriptor drops no lock
 * (fs/open.c:filp_close).
 */
int vfs_node_open_fd(struct vfs_node *node)
{
	struct stat named;
	char link[32];
	int fd, error = 0;

	if (node->fd >= 0)
		return 0;
	fd = open(node->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &named) || named.st_dev != node->device || named.st_ino != node->inode)
		error = -ESTALE;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (!error)
		node->fd = open(link, O_RDWR | O_CLOEXEC);
	if (!error && node->fd < 0)
		error = errno == ENOENT ? -ENOSYS : -errno; /* no /proc */
	(void)close(fd);
	return error;
}

int vfs_node_keep_fd(struct vfs_node *node)
{
	int *more = sqlite3_realloc64(node->kept_fds, (node->kept + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	node->kept_fds = more;
	if (node->fd >= 0)
		more[node->kept++] = node->fd;
	node->fd = -1;
	return 0;
}

void vfs_node_close_fds(struct vfs_node *node)
{
	if (node->fd >= 0)
		(void)close(node->fd);
	node->fd = -1;
	while (node->kept)
		(void)close(node->kept_fds[--node->kept]);
}

int vfs_node_sync_directory(const struct vfs_node *node)
{
	const char *slash = strrchr(node->path, '/');
	const int length = slash ? (int)(slash - node->path) + 1 : 0;
	char path[PATH_MAX];
	int error = 0, fd;

	if (snprintf(path, sizeof(path), "%.*s.", length, node->path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		error = -errno;
	if (fd >= 0)
		(void)close(fd);
	return error;
}

int vfs_node_copy_rights(const struct vfs_node *node)
{
	struct stat stat;

	if (fstat(node->fd, &stat))
		return -errno;
	/* As SQLite does for its journals: the owner only if we may (os_unix.c:robustFchown). */
	if (geteuid() == 0 && fchown(node->journal_fd, stat.st_uid, stat.st_gid))
		return -errno;
	return fchmod(node->journal_fd, stat.st_mode & 0777) ? -errno : 0;
}

struct vfs_file *vfs_node_find_file(const char *name)
{
	struct vfs_file *file;

	pthread_mutex_lock(&list_mutex);
	for (file = files; file && file->name != name; file = file->next)
		continue;
	pthread_mutex_unlock(&list_mutex);
	return file;
}

bool vfs_node_is_bare(const char *rollback_name)
{
	const struct vfs_file *file;
	bool is_bare;

	pthread_mutex_lock(&list_mutex);
	for (file = files; file && file->rollback_name != rollback_name; file = file->next)
		continue;
	is_bare = file && file->is_bare;
	pthread_mutex_unlock(&list_mutex);
	return is_bare;
}

void vfs_node_put(struct vfs_file *file)
{
	struct vfs_node *node = file->node, **link = &nodes;
	struct vfs_file **place = &files;
	sqlite3_file *real = file->real;

	pthread_mutex_lock(&list_mutex);
	while (*place != file)
		place = &(*place)->next;
	*place = file->next;
	/* In a child the journal, its frames and the guard are the parent's. */
	if (node->process != getpid() || --node->users) {
		pthread_mutex_unlock(&list_mutex);
		(void)real->pMethods->xClose(real);
		return;
	}
	assert(!node->lockers);
	/* Under the list's mutex: a new connection finds the file as any other would. */
	vfs_close_node(node, real);
	(void)real->pMethods->xClose(real);
	vfs_close_fd(node);
	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	pthread_mutex_unlock(&list_mutex);
	pthread_mutex_destroy(&node->mutex);
	free_node(node);
}
