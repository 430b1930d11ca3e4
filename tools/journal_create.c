/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal create: lay out a journal in a new file, an empty one, or one to be lost.
 *
 * Flow: called by journal.c.  This is the one place of the command that makes a file; if the
 * journal cannot be made, a file that it made is removed again.
 */
#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* Open what create may lay a journal out in, or make it; *made says which. */
static int open_for_create(const char *path, bool *made)
{
	struct stat status;
	int fd;

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
	fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int create_error(const struct journal_request *request, int error)
{
	const char *path = request->safe;

	switch (error) {
	case -EEXIST:
		return tool_error("%s: the file is not empty: name another, or type --overwrite to "
				  "lose what is in it",
				  path);
	case -EBUSY:
		tool_error("%s: the journal is in use by another process: stop it first", path);
		return TOOL_BUSY;
	case -EISDIR:
		return tool_error("%s: is a directory: name a file in it", path);
	case -EINVAL:
		return tool_error("%s: no journal can be made so: it lives in a regular file or "
				  "block device; --size and --frame-max are multiples of 4k, "
				  "frames of 8k to 64M, and two of the largest fit beside 8k of "
				  "headers",
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
		return create_error(request, fd);
	error = atomicio_journal_create(fd, &request->create, sizeof(request->create));
	close(fd);
	if (!error && made)
		error = sync_directory(request->path);
	if (error) {
		if (made)
			unlink(request->path);
		return create_error(request, error);
	}
	tool_done("%s: the journal was made", request->safe);
	status = journal_open_named(request, &opened);
	if (status) {
		tool_error("%s; it could not be shown", tool_what_is_done());
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
