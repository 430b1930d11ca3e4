/* SPDX-License-Identifier: MIT */
/*
 * The server of a directory of another filesystem, passed through.
 *
 * Flow: directory.c has the operations on open files, directory_nodes.c the operations on names.
 */
#ifndef CRASH_DIRECTORY_H
#define CRASH_DIRECTORY_H

#include "server.h"

#include <sys/stat.h>

/*
 * Serve `source` at `where`.  how: "direct" (FOPEN_DIRECT_IO), "cached", or "writeback" (the
 * kernel keeps dirty pages).  Returns an exit status.
 */
int directory_serve(const char *source, const char *where, const char *how);

/* directory_nodes.c: a name of the source that the kernel knows. */
struct node {
	int fd; /* O_PATH */
	dev_t device;
	ino_t number;
	uint64_t lookups;
};

/* Open the root: 0 or a negative errno. */
int nodes_begin(const char *source);
struct node *node_of(fuse_ino_t inode);
/* "/proc/self/fd/N" of it, which opens the file again. */
const char *node_path(const struct node *node, char path[32]);

/* Find a name and answer with it, or fill an entry: 0 or a positive errno. */
int node_look_up(fuse_ino_t parent, const char *name, struct fuse_entry_param *entry);

void node_op_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void node_op_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count);
void node_op_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void node_op_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *st, int what,
		     struct fuse_file_info *info);
void node_op_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void node_op_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void node_op_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void node_op_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t to,
		    const char *new_name, unsigned flags);
void node_op_statfs(fuse_req_t request, fuse_ino_t inode);
void node_op_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
		     struct fuse_file_info *info);

#endif /* CRASH_DIRECTORY_H */
