/* SPDX-License-Identifier: MIT */
/*
 * Open the user's path, as writable and as direct as possible, and leave no trace.
 *
 * Flow: called first by every subcommand; the descriptor goes to the library.
 *
 * Rules:
 * TO1 stat(2) comes before open(2), because opening a FIFO blocks, and opening some character
 *     devices (a watchdog, a tape) does something.
 * TO2 never O_CREAT or O_TRUNC on the user's path.  A directory is probed through O_TMPFILE; where
 *     the filesystem has no O_TMPFILE, through a file that is unlinked at once, with signals
 *     blocked: an interrupt leaves no file behind.
 */
#define _GNU_SOURCE
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK guards against a FIFO put in the path's place after stat(2), and is taken off. */
#define TARGET_OPEN_FLAGS (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* In order of worth.  A later way is tried only after a refusal for the mode. */
static const int target_modes[2][5] = {
	[TARGET_FOR_PROBE] = {O_RDWR | O_DIRECT, O_RDWR, O_WRONLY | O_DIRECT, O_RDONLY | O_DIRECT,
			      O_RDONLY},
	[TARGET_FOR_WRITE] = {O_RDWR | O_DIRECT, O_WRONLY | O_DIRECT, O_RDWR, O_WRONLY, -1},
};

static bool target_try_next(int error)
{
	return error == EINVAL || error == EOPNOTSUPP || error == EACCES || error == EPERM ||
	       error == EROFS || error == ETXTBSY;
}

/* Open a regular file or block device: the descriptor or a negative errno. */
static int target_open_file(const char *path, int purpose, mode_t type, int *flags)
{
	struct stat status;
	int first = 0;

	for (int i = 0; i < 5 && target_modes[purpose][i] >= 0; i++) {
		const int mode = target_modes[purpose][i];
		const int fd = open(path, mode | TARGET_OPEN_FLAGS);

		if (fd < 0) {
			/* The first refusal is about the mode that was wanted: report that one. */
			first = first ? first : -errno;
			if (!target_try_next(errno))
				return -errno;
			continue;
		}
		if (fstat(fd, &status) || (status.st_mode & S_IFMT) != type ||
		    fcntl(fd, F_SETFL, mode & O_DIRECT)) {
			close(fd);
			return -ESTALE;
		}
		*flags = mode;
		return fd;
	}
	return first;
}

/* A named file in a directory whose filesystem has no O_TMPFILE, unlinked before anyone looks. */
static int target_unlinked(const char *path)
{
	static const char suffix[] = "/.atomicio-XXXXXX";
	char name[PATH_MAX];
	sigset_t all, saved;
	int fd;

	if (strlen(path) + sizeof(suffix) > sizeof(name))
		return -ENAMETOOLONG;
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &saved);
	fd = mkostemp(name, O_CLOEXEC | O_DIRECT);
	if (fd < 0 && errno == EINVAL) {
		/* Some filesystems create the file and then refuse O_DIRECT; the name is in place.
		 */
		if (strcmp(name + strlen(name) - 6, "XXXXXX") != 0)
			unlink(name);
		snprintf(name, sizeof(name), "%s%s", path, suffix);
		fd = mkostemp(name, O_CLOEXEC);
	}
	if (fd < 0)
		fd = -errno;
	else if (unlink(name)) {
		const int error = errno;

		close(fd);
		fd = -error;
	}
	sigprocmask(SIG_SETMASK, &saved, NULL);
	return fd;
}

int target_temporary(const char *path, int *flags)
{
	int fd = open(path, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
		return -errno;
	if (fd < 0)
		fd = target_unlinked(path);
	if (fd >= 0)
		*flags = fcntl(fd, F_GETFL) & (O_ACCMODE | O_DIRECT);
	return fd;
}

/* Advice for an errno of stat(2) or open(2). */
static const char *target_advice(int error, int purpose, bool directory)
{
	switch (error) {
	case ENOENT:
		if (directory)
			return "no file can be made in this directory: name a file in it";
		return purpose == TARGET_FOR_WRITE
			       ? "make the file first, for example with truncate -s 1M FILE"
			       : "check the path with ls -l";
	case EACCES:
	case EPERM:
		return directory ? "name a file in it that you can open, or use sudo"
				 : "use sudo, or change the permissions with chmod or chattr";
	case EROFS:
		return directory ? "name a file in it, or remount with mount -o remount,rw"
				 : "remount with mount -o remount,rw";
	case ETXTBSY:
		return "the file is a running program or a swap file: name another file";
	case ENXIO:
	case ENODEV:
	case ENOMEDIUM:
		return "no device answers under this name: check with lsblk";
	case ENOSPC:
	case EDQUOT:
		return "free some space, or name a file in it";
	case ESTALE:
		return "the file changed during the open: try again";
	default:
		return directory ? "name a file in it" : "check the path with ls -l";
	}
}

static const char *target_wrong_type(mode_t mode, int purpose)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return purpose == TARGET_FOR_WRITE ? "is a directory: name a file in it" : NULL;
	case S_IFIFO:
		return "is a pipe: name a regular file, a block device or a directory";
	case S_IFSOCK:
		return "is a socket: name a regular file, a block device or a directory";
	case S_IFCHR:
		return "is a character device: name a regular file, a block device (lsblk lists "
		       "them) or a directory";
	default:
		return NULL;
	}
}

int target_open(const char *path, int purpose, struct target *target, char *sentence, size_t size)
{
	struct target opened = {.fd = -1};
	struct stat status;
	const char *wrong;
	int error = 0;
	bool directory = false;

	if (stat(path, &status)) {
		error = errno;
	} else {
		wrong = target_wrong_type(status.st_mode, purpose);
		if (wrong) {
			snprintf(sentence, size, "%s", wrong);
			return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
		}
		directory = S_ISDIR(status.st_mode);
		opened.temporary = directory;
		opened.fd = directory ? target_temporary(path, &opened.flags)
				      : target_open_file(path, purpose, status.st_mode & S_IFMT,
							 &opened.flags);
		error = opened.fd < 0 ? -opened.fd : 0;
	}
	if (error) {
		snprintf(sentence, size, "%s: %s",
			 error == ESTALE ? "not the file that was named" : strerror(error),
			 target_advice(error, purpose, directory));
		return -error;
	}
	*target = opened;
	return 0;
}

void target_close(struct target *target)
{
	if (target->fd >= 0)
		close(target->fd);
	target->fd = -1;
}
