/* SPDX-License-Identifier: MIT */
/*
 * A FUSE server that passes a directory through, with faults.
 *
 * A loop device turns many an errno into EIO; here every errno reaches the caller unchanged:
 * through write(2) where the file is direct or cached, through the next fsync(2) where the kernel
 * keeps dirty pages ("writeback").  A flush is FSYNC: "fault flush drop times=0" is a server that
 * never syncs.
 *
 *	stat	"writes W dsync D flushes F": D of the writes came with O_DSYNC or O_SYNC
 *
 * Flow: server.c runs it; directory_nodes.c has the names.
 */
#define _GNU_SOURCE
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum { DIRECT, CACHED, WRITEBACK } mode;
static uint64_t writes, dsyncs, flushes;

static bool command(char *words)
{
	if (strcmp(words, "stat") != 0)
		return false;
	server_answer("writes %" PRIu64 " dsync %" PRIu64 " flushes %" PRIu64, writes, dsyncs,
		      flushes);
	return true;
}

/*
 * The flags for the file behind: the kernel reads for a page that is written in part, and an
 * append is made by the kernel where it keeps pages.
 */
static int flags_behind(int flags)
{
	flags &= ~(O_NOFOLLOW | O_DIRECT | O_CREAT | O_EXCL);
	if (mode == WRITEBACK) {
		flags &= ~O_APPEND;
		if ((flags & O_ACCMODE) == O_WRONLY)
			flags = (flags & ~O_ACCMODE) | O_RDWR;
	}
	return flags | O_CLOEXEC;
}

static int open_behind(fuse_ino_t inode, struct fuse_file_info *info)
{
	char path[32];
	const int fd = open(node_path(node_of(inode), path), flags_behind(info->flags));

	info->fh = (uint64_t)fd;
	info->direct_io = mode == DIRECT;
	return fd < 0 ? errno : 0;
}

static void op_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	const int error = open_behind(inode, info);

	if (error)
		fuse_reply_err(request, error);
	else
		fuse_reply_open(request, info);
}

static void op_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t permissions,
		      struct fuse_file_info *info)
{
	const int fd = openat(node_of(parent)->fd, name,
			      O_CREAT | O_RDWR | O_CLOEXEC | (info->flags & O_EXCL), permissions);
	struct fuse_entry_param entry;
	int error = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (!error)
		error = node_look_up(parent, name, &entry);
	if (!error)
		error = open_behind(entry.ino, info);
	if (error)
		fuse_reply_err(request, error);
	else
		fuse_reply_create(request, &entry, info);
}

static void op_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	(void)inode;
	close((int)info->fh);
	fuse_reply_err(request, 0);
}

static void go_read(struct waiting *waiting)
{
	char *bytes = malloc(waiting->length);
	const ssize_t length =
		bytes ? pread(waiting->fd, bytes, waiting->length, (off_t)waiting->offset) : -1;

	if (length < 0)
		fuse_reply_err(waiting->request, bytes ? errno : ENOMEM);
	else
		fuse_reply_buf(waiting->request, bytes, (size_t)length);
	free(bytes);
}

static void op_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	const struct fault *fault =
		fault_of(&server.faults, FAULT_READ, NULL, size, (uint64_t)offset);
	struct waiting what = {.go = go_read,
			       .request = request,
			       .inode = inode,
			       .offset = (uint64_t)offset,
			       .length = size,
			       .fd = (int)info->fh};

	if (fault && fault->action == FAULT_SLOW)
		server_wait(what, NULL, fault->delay);
	else if (fault && fault->error)
		fuse_reply_err(request, fault->error);
	else
		go_read(&what);
}

static void write_behind(const struct waiting *what, const void *bytes, size_t length, int error)
{
	const ssize_t done = pwrite(what->fd, bytes, length, (off_t)what->offset);

	if (done < 0 || error)
		fuse_reply_err(what->request, done < 0 ? errno : error);
	else
		fuse_reply_write(what->request, (size_t)done);
}

static void go_write(struct waiting *waiting)
{
	write_behind(waiting, waiting->bytes, waiting->length, 0);
}

static void op_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size,
		     off_t offset, struct fuse_file_info *info)
{
	const struct fault *fault =
		fault_of(&server.faults, FAULT_WRITE, bytes, size, (uint64_t)offset);
	const struct waiting what = {.go = go_write,
				     .request = request,
				     .inode = inode,
				     .offset = (uint64_t)offset,
				     .length = size,
				     .fd = (int)info->fh};

	writes++;
	dsyncs += (info->flags & (O_DSYNC | O_SYNC)) != 0;
	if (!fault)
		write_behind(&what, bytes, size, 0);
	else if (fault->action == FAULT_SLOW)
		server_wait(what, bytes, fault->delay);
	else if (fault->action == FAULT_TEAR)
		write_behind(&what, bytes, size / 2, fault->error);
	else if (fault->action == FAULT_DROP)
		fuse_reply_write(request, size);
	else
		fuse_reply_err(request, fault->error);
}

static void go_fsync(struct waiting *waiting)
{
	fuse_reply_err(waiting->request, fdatasync(waiting->fd) < 0 ? errno : 0);
}

static void op_fsync(fuse_req_t request, fuse_ino_t inode, int datasync,
		     struct fuse_file_info *info)
{
	const struct fault *fault = fault_of(&server.faults, FAULT_FLUSH, NULL, 0, 0);
	struct waiting what = {.go = go_fsync, .request = request, .fd = (int)info->fh};

	(void)inode;
	(void)datasync;
	flushes++;
	if (!fault)
		go_fsync(&what);
	else if (fault->action == FAULT_SLOW)
		server_wait(what, NULL, fault->delay);
	else
		fuse_reply_err(request, fault->action == FAULT_DROP ? 0 : fault->error);
}

static void op_fallocate(fuse_req_t request, fuse_ino_t inode, int how, off_t offset, off_t length,
			 struct fuse_file_info *info)
{
	(void)inode;
	fuse_reply_err(request, fallocate((int)info->fh, how, offset, length) < 0 ? errno : 0);
}

static void op_init(void *context, struct fuse_conn_info *connection)
{
	(void)context;
	connection->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_WRITEBACK_CACHE);
	if (mode == WRITEBACK)
		connection->want |= connection->capable & FUSE_CAP_WRITEBACK_CACHE;
}

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.lookup = node_op_lookup,
	.forget = node_op_forget,
	.getattr = node_op_getattr,
	.setattr = node_op_setattr,
	.mkdir = node_op_mkdir,
	.unlink = node_op_unlink,
	.rmdir = node_op_rmdir,
	.rename = node_op_rename,
	.statfs = node_op_statfs,
	.readdir = node_op_readdir,
	.open = op_open,
	.create = op_create,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
};

int directory_serve(const char *source, const char *where, const char *how)
{
	int error;

	if (!strcmp(how, "direct"))
		mode = DIRECT;
	else if (!strcmp(how, "writeback"))
		mode = WRITEBACK;
	else if (strcmp(how, "cached") != 0)
		return crash_error("--mode is direct, cached or writeback");
	error = nodes_begin(source);
	if (error)
		return crash_error("%s: %s", source, strerror(-error));
	server.command = command;
	if (server_mount(&operations, sizeof(operations), where))
		return 2;
	server_answer("ready");
	return server_run();
}
