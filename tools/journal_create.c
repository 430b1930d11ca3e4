/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal create: lay out a journal in a new file, an empty file, or a file to be
 * overwritten.
 *
 * Flow: called by journal.c.  No other action of the command makes a file.  If the journal cannot
 * be made, a new file is removed again.
 *
 * Rule: C1 nothing in use by the kernel is overwritten, even on request.
 */
#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* Does a loop device, perhaps mounted, show this file?  -EBUSY, or 0. */
static int check_loops(const struct stat *status)
{
	glob_t names;
	int error = 0;

	if (glob("/sys/block/loop*/loop/backing_file", GLOB_NOSORT, NULL, &names))
		return 0;
	for (size_t i = 0; i < names.gl_pathc && !error; i++) {
		FILE *file = fopen(names.gl_pathv[i], "re");
		char path[PATH_MAX + 1];
		struct stat backing;

		if (file && fgets(path, sizeof(path), file)) {
			path[strcspn(path, "\n")] = '\0';
			if (!stat(path, &backing) && backing.st_dev == status->st_dev &&
			    backing.st_ino == status->st_ino)
				error = -EBUSY;
		}
		if (file)
			fclose(file);
	}
	globfree(&names);
	return error;
}

/*
 * Is this block device mounted, used for swap, or a part of another device?  If so, O_EXCL fails
 * (block/bdev.c:bd_prepare_to_claim(), 6.18); wipefs(8) and mkfs(8) ask in the same way.  The
 * library claims the device again during its writes.  The check here only serves the message.
 * -EBUSY, or 0.
 */
static int check_claim(const char *path)
{
	const int fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == EBUSY ? -EBUSY : 0;
	close(fd);
	return 0;
}

/* Open the file for the journal, or make it; *made says which. */
static int open_for_create(const char *path, bool *made)
{
	struct stat status;
	int fd, error;

	*made = false;
	if (stat(path, &status)) {
		if (errno != ENOENT)
			return -errno;
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		*made = fd >= 0;
		return fd < 0 ? -errno : fd;
	}
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return -EINVAL;
	error = S_ISREG(status.st_mode) ? check_loops(&status) : check_claim(path);
	if (error)
		return error;
	fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

#define RING 16384u /* the space before the frames: headers, and reserved blocks */

/* The rule broken by these options; NULL: none. */
static const char *broken_rule(const struct atomicio_journal_options *create)
{
	const uint64_t size = create->size ? create->size : 64u << 20;

	if (create->frame_max && create->frame_max <= 4096)
		return "--frame-max is below 8k, which one page of up to 4k needs";
	if (create->frame_max > 64u << 20)
		return "--frame-max is above 64M";
	if (size > UINT64_C(1) << 40)
		return "--size is above 1024G";
	if (size < RING + 2 * 8192)
		return "--size is below 32k, which two of the smallest frames and 16k of headers "
		       "need";
	if (create->frame_max > (size - RING) / 2)
		return "two frames of --frame-max do not fit beside 16k of headers: type a larger "
		       "--size, or a smaller --frame-max";
	return NULL;
}

static int create_error(const struct journal_request *request, int error, bool opened)
{
	const char *rule = broken_rule(&request->create);
	const char *path = request->safe;

	switch (error) {
	case -EEXIST:
		return tool_error("%s: the file is not empty: name another file, or type "
				  "--overwrite to replace its contents",
				  path);
	case -EBUSY:
		if (opened)
			tool_error("%s: the journal is in use by another process: first stop that "
				   "process",
				   path);
		else
			tool_error(
				"%s: the device is in use (mounted, or a part of another device): "
				"name another device, or find the user with lsblk and findmnt",
				path);
		return TOOL_BUSY;
	case -EISDIR:
		return tool_error("%s: is a directory: name a file in it", path);
	case -EINVAL:
		if (rule)
			return tool_error("%s: no journal can be made with these options: %s", path,
					  rule);
		return tool_error(
			"%s: no journal can be made here: name a regular file or a block device",
			path);
	case -ENOSPC:
	case -EDQUOT:
		return tool_error("%s: no room for the journal: free some space, or type a smaller "
				  "--size",
				  path);
	default:
		return tool_error("%s: the journal cannot be made: %s: check the path with ls -l",
				  path, strerror(-error));
	}
}

/* The name of a new file is durable only when its directory is. */
static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, error = 0;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		error = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return error;
}

int action_create(const struct journal_request *request)
{
	char size[32], frame_max[32];
	struct journal_opened opened;
	int fd, error, status;
	bool made;

	fd = open_for_create(request->path, &made);
	if (fd < 0)
		return create_error(request, fd, false);
	error = atomicio_journal_create(fd, &request->create, sizeof(request->create));
	close(fd);
	if (!error && made)
		error = sync_directory(request->path);
	if (error) {
		if (made)
			unlink(request->path);
		return create_error(request, error, true);
	}
	tool_done("%s: the journal was made", request->safe);
	status = journal_open_named(request, &opened);
	if (status) {
		tool_error("%s; the result could not be shown", tool_what_is_done());
		return TOOL_UNSAID;
	}
	journal_close_named(&opened);
	text_size(opened.info.size, size, sizeof(size));
	text_size(opened.info.frame_max, frame_max, sizeof(frame_max));
	if (request->json)
		journal_put_json(request, &opened.info);
	else
		printf("%s: made a journal of %s, frames of up to %s\n", request->safe, size,
		       frame_max);
	return TOOL_YES;
}
