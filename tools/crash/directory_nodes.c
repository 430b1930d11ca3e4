/* SPDX-License-Identifier: MIT */
/*
 * Names of the directory that is passed through.
 *
 * Flow: directory.c puts these operations into its table.
 *
 * An inode number of the kernel is an index into a table of nodes, which grows and is never
 * reused: servers of tests live for minutes.
 */
#define _GNU_SOURCE
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct node *nodes;
static size_t node_count;

static int add(int fd, const struct stat *st, size_t *index)
{
	struct node *more = realloc(nodes, (node_count + 1) * sizeof(*nodes));

	if (!more)
		return ENOMEM;
	nodes = more;
	nodes[node_count] = (struct node){.fd = fd, .device = st->st_dev, .number = st->st_ino};
	*index = node_count++;
	return 0;
}

int nodes_begin(const char *source)
{
	const int fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	size_t index;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Number 0 is none; the root is FUSE_ROOT_ID, which is 1. */
	if (add(-1, &(struct stat){0}, &index) || add(fd, &st, &index))
		return -ENOMEM;
	return 0;
}

struct node *node_of(fuse_ino_t inode)
{
	return &nodes[inode];
}

const char *node_path(const struct node *node, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", node->fd);
	return path;
}

static int find(int fd, const struct stat *st, size_t *index)
{
	for (size_t i = 1; i < node_count; i++)
		if (nodes[i].fd >= 0 && nodes[i].number == st->st_ino &&
		    nodes[i].device == st->st_dev) {
			close(fd);
			*index = i;
			return 0;
		}
	return add(fd, st, index);
}

int node_look_up(fuse_ino_t parent, const char *name, struct fuse_entry_param *entry)
{
	const int fd = openat(node_of(parent)->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	size_t index;
	int error;

	*entry = (struct fuse_entry_param){.attr_timeout = 1, .entry_timeout = 1};
	if (fd < 0)
		return errno;
	if (fstatat(fd, "", &entry->attr, AT_EMPTY_PATH) < 0) {
		error = errno;
		close(fd);
		return error;
	}
	error = find(fd, &entry->attr, &index);
	if (error)
		return error;
	entry->ino = index;
	nodes[index].lookups++;
	return 0;
}

void node_op_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	const int error = node_look_up(parent, name, &entry);

	if (error)
		fuse_reply_err(request, error);
	else
		fuse_reply_entry(request, &entry);
}

void node_op_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count)
{
	struct node *node = node_of(inode);

	node->lookups = node->lookups > count ? node->lookups - count : 0;
	if (!node->lookups && inode != FUSE_ROOT_ID && node->fd >= 0) {
		close(node->fd);
		node->fd = -1;
	}
	fuse_reply_none(request);
}

void node_op_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct stat st;

	(void)info;
	if (fstatat(node_of(inode)->fd, "", &st, AT_EMPTY_PATH) < 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_attr(request, &st, 1);
}

static int set(const struct node *node, const struct stat *st, int what)
{
	char path[32];
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	node_path(node, path);
	if ((what & FUSE_SET_ATTR_MODE) && chmod(path, st->st_mode & 07777) < 0)
		return errno;
	if ((what & FUSE_SET_ATTR_SIZE) && truncate(path, st->st_size) < 0)
		return errno;
	if ((what & FUSE_SET_ATTR_UID) && chown(path, st->st_uid, (gid_t)-1) < 0)
		return errno;
	if ((what & FUSE_SET_ATTR_GID) && chown(path, (uid_t)-1, st->st_gid) < 0)
		return errno;
	if (what & FUSE_SET_ATTR_MTIME)
		times[1] = st->st_mtim;
	if (what & FUSE_SET_ATTR_ATIME)
		times[0] = st->st_atim;
	return utimensat(AT_FDCWD, path, times, 0) < 0 ? errno : 0;
}

void node_op_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *st, int what,
		     struct fuse_file_info *info)
{
	const int error = set(node_of(inode), st, what);

	if (error)
		fuse_reply_err(request, error);
	else
		node_op_getattr(request, inode, info);
}

void node_op_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (mkdirat(node_of(parent)->fd, name, mode) < 0)
		fuse_reply_err(request, errno);
	else
		node_op_lookup(request, parent, name);
}

void node_op_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(request, unlinkat(node_of(parent)->fd, name, 0) < 0 ? errno : 0);
}

void node_op_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(request, unlinkat(node_of(parent)->fd, name, AT_REMOVEDIR) < 0 ? errno : 0);
}

void node_op_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t to,
		    const char *new_name, unsigned flags)
{
	const int from_fd = node_of(parent)->fd, to_fd = node_of(to)->fd;

	fuse_reply_err(
		request,
		(int)syscall(SYS_renameat2, from_fd, name, to_fd, new_name, flags) < 0 ? errno : 0);
}

void node_op_statfs(fuse_req_t request, fuse_ino_t inode)
{
	struct statvfs st;
	char path[32];

	if (statvfs(node_path(node_of(inode), path), &st) < 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_statfs(request, &st);
}

void node_op_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
		     struct fuse_file_info *info)
{
	char path[32], *bytes = malloc(size);
	DIR *directory = opendir(node_path(node_of(inode), path));
	const struct dirent *entry;
	size_t length = 0;

	(void)info;
	for (off_t i = 0; directory && bytes && (entry = readdir(directory)); i++) {
		const struct stat st = {.st_ino = entry->d_ino,
					.st_mode = (mode_t)entry->d_type << 12};
		size_t more;

		if (i < offset)
			continue;
		more = fuse_add_direntry(request, bytes + length, size - length, entry->d_name, &st,
					 i + 1);
		if (more > size - length)
			break;
		length += more;
	}
	if (directory)
		closedir(directory);
	fuse_reply_buf(request, bytes, length);
	free(bytes);
}
