/* SPDX-License-Identifier: MIT */
/*
 * A FUSE server of one disk, `image`, with a volatile cache, and of its cuts.
 *
 * The mounted directory has `image`.  Each cut N adds `cut-N`, the disk after the cut, which may be
 * written, too, and `cut-N.lines`, the work's promises at the cut (oracle.h).
 *
 * Flow: server.c runs it; cache.c has the disk, image_cuts.c the cuts.
 */
#define _GNU_SOURCE
#include "image.h"

#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "words.h"

static bool attributes(fuse_ino_t inode, struct stat *st)
{
	const struct cut *cut = image_cut(inode);

	*st = (struct stat){.st_ino = inode, .st_nlink = 1, .st_mode = S_IFREG | 0600};
	if (inode == INODE_ROOT) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
	} else if (inode == INODE_IMAGE) {
		st->st_size = (off_t)image_cache.current.size;
	} else if (!cut) {
		return false;
	} else {
		st->st_size = (off_t)(inode % 2 ? cut->text.length : cut->table.size);
	}
	return true;
}

static void op_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct stat st;

	(void)info;
	if (attributes(inode, &st))
		fuse_reply_attr(request, &st, 1);
	else
		fuse_reply_err(request, ENOENT);
}

static fuse_ino_t inode_of(const char *name)
{
	uint64_t number;

	if (!strcmp(name, "image"))
		return INODE_IMAGE;
	if (!words_take(&name, "cut-") || !words_number(&name, &number))
		return 0;
	if (!*name)
		return INODE_CUTS + 2 * number;
	return strcmp(name, ".lines") != 0 ? 0 : INODE_CUTS + 2 * number + 1;
}

static void op_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = inode_of(name), .entry_timeout = 1};

	entry.attr_timeout = 1;
	if (parent == INODE_ROOT && entry.ino && attributes(entry.ino, &entry.attr))
		fuse_reply_entry(request, &entry);
	else
		fuse_reply_err(request, ENOENT);
}

static void op_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	struct stat st;
	char entry[64];
	size_t length = 0;

	(void)info;
	if (inode != INODE_ROOT) {
		fuse_reply_err(request, ENOTDIR);
		return;
	}
	if (offset == 0 && attributes(INODE_IMAGE, &st))
		length = fuse_add_direntry(request, entry, sizeof(entry), "image", &st, 1);
	fuse_reply_buf(request, entry, length < size ? length : 0);
}

static void op_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct stat st;

	if (inode == INODE_ROOT || !attributes(inode, &st)) {
		fuse_reply_err(request, inode == INODE_ROOT ? EISDIR : ENOENT);
		return;
	}
	info->direct_io = 1;
	fuse_reply_open(request, info);
}

static void read_it(fuse_req_t request, fuse_ino_t inode, size_t size, uint64_t offset)
{
	const struct cut *cut = image_cut(inode);
	const struct table *table = inode == INODE_IMAGE ? &image_cache.current
				    : cut		 ? &cut->table
							 : NULL;
	static uint8_t bytes[1 << 20];

	if (inode >= INODE_CUTS && inode % 2 && cut) {
		const size_t end = cut->text.length;

		offset = offset < end ? offset : end;
		size = size < end - offset ? size : end - offset;
		fuse_reply_buf(request, cut->text.bytes + offset, size);
		return;
	}
	if (!table || size > sizeof(bytes)) {
		fuse_reply_err(request, table ? EINVAL : ENOENT);
		return;
	}
	offset = offset < table->size ? offset : table->size;
	size = size < table->size - offset ? size : table->size - offset;
	table_read(table, bytes, size, offset);
	fuse_reply_buf(request, (const char *)bytes, size);
}

static void go_read(struct waiting *waiting)
{
	read_it(waiting->request, waiting->inode, waiting->length, waiting->offset);
}

static void op_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	const uint64_t at = (uint64_t)offset;
	const struct fault *fault =
		inode == INODE_IMAGE ? fault_of(&server.faults, FAULT_READ, NULL, size, at) : NULL;

	(void)info;
	if (fault && fault->action == FAULT_SLOW)
		server_wait((struct waiting){.go = go_read,
					     .request = request,
					     .inode = inode,
					     .length = size,
					     .offset = at},
			    NULL, fault->delay);
	else if (fault && fault->error)
		fuse_reply_err(request, fault->error);
	else
		read_it(request, inode, size, at);
}

static int put(fuse_ino_t inode, const void *bytes, uint64_t length, uint64_t offset)
{
	struct cut *cut = image_cut(inode);
	const uint64_t size = image_cache.current.size;
	int error;

	if (offset > size || length > size - offset)
		return -EFBIG;
	if (cut && inode % 2 == 0)
		return bytes ? table_write(&cut->table, bytes, length, offset)
			     : table_clear(&cut->table, length, offset);
	if (inode != INODE_IMAGE)
		return -EBADF;
	error = bytes ? cache_write(&image_cache, bytes, length, offset)
		      : cache_clear(&image_cache, length, offset);
	if (!error)
		image_event_write();
	return error;
}

static void go_write(struct waiting *waiting)
{
	const int error = put(waiting->inode, waiting->bytes, waiting->length, waiting->offset);

	if (error || !waiting->bytes)
		fuse_reply_err(waiting->request, -error);
	else
		fuse_reply_write(waiting->request, waiting->length);
}

/*
 * A write or a discard of the image meets this fault.  True: the request has been answered, or will
 * be.
 */
static bool meets(const struct fault *fault, const struct waiting *what, const void *bytes)
{
	if (!fault)
		return false;
	switch (fault->action) {
	case FAULT_SLOW:
		server_wait(*what, bytes, fault->delay);
		return true;
	case FAULT_TEAR:
		(void)put(what->inode, bytes, what->length / 2 / 512 * 512, what->offset);
		break;
	case FAULT_DROP:
		if (bytes)
			fuse_reply_write(what->request, what->length);
		else
			fuse_reply_err(what->request, 0);
		return true;
	default:
		break;
	}
	fuse_reply_err(what->request, fault->error);
	return true;
}

static void op_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size,
		     off_t offset, struct fuse_file_info *info)
{
	const uint64_t at = (uint64_t)offset;
	const struct waiting what = {
		.go = go_write, .request = request, .inode = inode, .length = size, .offset = at};
	int error;

	(void)info;
	if (inode == INODE_IMAGE &&
	    meets(fault_of(&server.faults, FAULT_WRITE, bytes, size, at), &what, bytes))
		return;
	error = put(inode, bytes, size, at);
	if (error)
		fuse_reply_err(request, -error);
	else
		fuse_reply_write(request, size);
}

/* A discard punches a hole, and zeroes are holes too. */
static void op_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
			 struct fuse_file_info *info)
{
	const struct waiting what = {.go = go_write,
				     .request = request,
				     .inode = inode,
				     .length = (uint64_t)length,
				     .offset = (uint64_t)offset};

	(void)info;
	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))) {
		fuse_reply_err(request, EOPNOTSUPP);
		return;
	}
	if (inode == INODE_IMAGE &&
	    meets(fault_of(&server.faults, FAULT_DISCARD, NULL, what.length, what.offset), &what,
		  NULL))
		return;
	fuse_reply_err(request, -put(inode, NULL, what.length, what.offset));
}

static void go_flush(struct waiting *waiting)
{
	image_event_flush();
	fuse_reply_err(waiting->request, -cache_flush(&image_cache));
}

static void op_fsync(fuse_req_t request, fuse_ino_t inode, int datasync,
		     struct fuse_file_info *info)
{
	const struct fault *fault =
		inode == INODE_IMAGE ? fault_of(&server.faults, FAULT_FLUSH, NULL, 0, 0) : NULL;
	struct waiting what = {.go = go_flush, .request = request};

	(void)datasync;
	(void)info;
	if (inode != INODE_IMAGE) {
		fuse_reply_err(request, 0);
	} else if (!fault) {
		go_flush(&what);
	} else if (fault->action == FAULT_SLOW) {
		server_wait(what, NULL, fault->delay);
	} else {
		/*
		 * A lying flush is an event, too: else a disk that always lies would never be cut.
		 */
		if (fault->action == FAULT_DROP)
			image_event_flush();
		fuse_reply_err(request, fault->action == FAULT_DROP ? 0 : fault->error);
	}
}

static void op_init(void *context, struct fuse_conn_info *connection)
{
	(void)context;
	/* Else pages of the image would lie dirty in the cache of the kernel under test. */
	connection->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ);
	connection->max_background = 128;
	connection->congestion_threshold = 96;
}

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.readdir = op_readdir,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
};

/* What the images may take: half of the machine's memory. */
static uint64_t memory_limit(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
}

int image_serve(const char *where, uint64_t size, uint32_t sector)
{
	struct store *store = store_create(memory_limit());

	server.command = image_command;
	if (!store || cache_create(&image_cache, store, size, sector))
		return crash_error("there is not enough memory for an image of that size");
	if (server_mount(&operations, sizeof(operations), where))
		return 2;
	server_answer("ready");
	return server_run();
}
