/* SPDX-License-Identifier: MIT */
/*
 * The command atomicio-sqlite: what is to be done with a guarded database where the extension is
 * not at hand.  The command is linked with libatomicio, and with no SQLite.
 *
 * Flow: main() -> status() or unguard(): lock, recover, close the journal, take the guard off.
 */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libatomicio/journal.h>

#define LOCK_START 0x40000000 /* all bytes that SQLite locks (os.h) */
#define LOCK_LENGTH 512

static const char usage[] =
	"usage: atomicio-sqlite status DATABASE\n"
	"       atomicio-sqlite unguard [--force] DATABASE\n"
	"\n"
	"status: is the database guarded, and has its journal commits that it lacks?\n"
	"unguard: write these commits home, and take the guard off, so that any SQLite reads it.\n"
	"--force: take it off although the journal is missing, or not of this file; what was\n"
	"committed there is lost, and the database may be damaged.\n";

static int complain(const char *name, const char *what, int error)
{
	fprintf(stderr, "atomicio-sqlite: %s: %s%s%s\n", name, what, error ? ": " : "",
		error ? strerror(-error) : "");
	return 1;
}

static int resolve(void *context, uint64_t file_id)
{
	(void)file_id;
	return *(const int *)context;
}

static void report(void *context, const struct atomicio_recovered_file *file)
{
	(void)context;
	if (file->result == -ESTALE)
		fprintf(stderr, "atomicio-sqlite: the journal's commits are another file's: a copy "
				"or a backup was put in its place\n");
}

static bool is_linked(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) || stat.st_nlink > 1;
}

/* Write the journal's pages home, and close the journal clean.  0 or a negative errno. */
static int recover(const char *name, int database)
{
	const struct atomicio_recover_options options = {.report = report};
	struct atomicio_recovery recovery = {0};
	struct atomicio_journal *journal;
	char path[4096];
	int fd, error;

	if (snprintf(path, sizeof(path), "%s-atomicio", name) >= (int)sizeof(path)) {
		complain(name, "the name is too long", 0);
		return -ENAMETOOLONG;
	}
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		error = -errno;
		complain(path, "the journal", error);
		return error;
	}
	error = atomicio_journal_open(fd, NULL, 0, &journal);
	if (!error) {
		error = atomicio_journal_recover(journal, resolve, &database, &options,
						 sizeof(options), &recovery, sizeof(recovery));
		if (error)
			(void)atomicio_journal_close(journal);
		else
			error = atomicio_journal_close(journal);
	}
	(void)close(fd);
	if (error) {
		complain(path, "the journal", error);
		return error;
	}
	/* QT6 of turn.c: frames beside the other name may be missing. */
	if (!recovery.frames && is_linked(database)) {
		complain(name,
			 "it has several names (hard links); its commits may be beside another", 0);
		return -EMLINK;
	}
	printf("%s: %llu commits of %llu pages written home\n", name,
	       (unsigned long long)recovery.frames, (unsigned long long)recovery.pages);
	return 0;
}

/* An open file description lock of all of SQLite's bytes: nobody else has one of them. */
static int lock(int fd)
{
	struct flock all = {.l_type = F_WRLCK, .l_start = LOCK_START, .l_len = LOCK_LENGTH};

	return fcntl(fd, F_OFD_SETLK, &all) ? -errno : 0;
}

static int read_header(const char *name, int fd, uint8_t *header)
{
	const ssize_t count = pread(fd, header, GUARD_HEADER, 0);

	if (count != GUARD_HEADER || (guard_read(header) == GUARD_NONE && header[0] != 'S'))
		return complain(name, "this is no SQLite database", 0);
	return 0;
}

static int unguard(const char *name, bool is_forced)
{
	uint8_t header[GUARD_HEADER];
	const int fd = open(name, O_RDWR | O_CLOEXEC);
	int error;

	if (fd < 0)
		return complain(name, "open", -errno);
	error = lock(fd);
	if (error)
		return complain(name, "in use by another process", 0);
	if (read_header(name, fd, header))
		return 1;
	if (guard_read(header) != GUARD_ON) {
		printf("%s: there is no guard\n", name);
		return 0;
	}
	error = recover(name, fd);
	if (error == -EBUSY) /* a living process has commits in the journal: no force is right */
		return complain(name, "in use by another process; the guard stays", 0);
	if (error && !is_forced)
		return complain(name, "the guard stays; --force takes it off", 0);
	if (read_header(name, fd, header))
		return 1;
	guard_lower(header);
	if (pwrite(fd, header, GUARD_HEADER, 0) != GUARD_HEADER || fdatasync(fd))
		return complain(name, "the header", errno ? -errno : -EIO);
	printf("%s: the guard is off\n", name);
	return close(fd) ? 1 : 0;
}

/* The journal lies beside the file itself, as SQLite's does, and not beside a link to it. */
static int unguard_file(const char *link, bool is_forced)
{
	char *name = realpath(link, NULL);
	int result = name ? unguard(name, is_forced) : complain(link, "open", -errno);

	free(name);
	return result;
}

static int status(const char *name)
{
	uint8_t header[GUARD_HEADER];
	const int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain(name, "open", -errno);
	if (read_header(name, fd, header))
		return 1;
	if (guard_read(header) == GUARD_ON)
		printf("%s: guarded: open it with the VFS atomicio, or see unguard\n", name);
	else
		printf("%s: not guarded: any SQLite reads it\n", name);
	return close(fd) ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "status") == 0)
		return status(argv[2]);
	if (argc == 3 && strcmp(argv[1], "unguard") == 0)
		return unguard_file(argv[2], false);
	if (argc == 4 && strcmp(argv[1], "unguard") == 0 && strcmp(argv[2], "--force") == 0)
		return unguard_file(argv[3], true);
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	fputs(usage, stderr);
	return 2;
}
