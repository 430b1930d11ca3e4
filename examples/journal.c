/* SPDX-License-Identifier: MIT */
/*
 * A file whose 64 pages change all or none, on any filesystem.  Kill the program, and run it again.
 *
 * Flow: recover, look at the file, then write the whole file as one group, a new letter each time.
 * Run as: journal FILE JOURNAL TIMES.  The program makes both files, and overwrites FILE.
 */
#define _GNU_SOURCE /* syncfs */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libatomicio/journal.h>

enum { PAGES = 64, PAGE_SIZE = 16384, FILE_ID = 1 };
static char data[PAGES * PAGE_SIZE];

static int find(void *context, uint64_t file_id)
{
	return file_id == FILE_ID ? *(int *)context : -ENOENT;
}

/* Count the bytes that differ from the first byte: 0 in a file written all or none. */
static int look(const char *when, int fd)
{
	const ssize_t length = pread(fd, data, sizeof(data), 0);
	int others = 0;

	for (ssize_t i = 0; i < length; i++)
		others += data[i] != data[0];
	printf("%s: '%c', and %d bytes of another\n", when, data[0] ? data[0] : '-', others);
	return others;
}

static int write_groups(struct atomicio_file *file, long times)
{
	struct atomicio_op ops[PAGES];
	int error = 0;

	for (size_t i = 0; i < PAGES; i++)
		ops[i] = (struct atomicio_op){
			.file = file, .buffer = data, .offset = i * PAGE_SIZE, .length = PAGE_SIZE};
	for (long i = 0; i < times && !error; i++) {
		memset(data, 'A' + (int)(i % 26), PAGE_SIZE); /* one letter in all pages */
		error = atomicio_write_batch(NULL, ops, PAGES, ATOMICIO_ALL_OR_NONE);
	}
	return error;
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	int journal_fd = argc == 4 ? open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct atomicio_options options = {.file_id = FILE_ID};
	struct atomicio_recovery done = {0};
	struct atomicio_file *file;
	int others, error;

	if (fd < 0 || journal_fd < 0)
		return fputs("usage: journal FILE JOURNAL TIMES\n", stderr), 2;
	look("before recovery", fd);
	error = atomicio_journal_create(journal_fd, NULL, 0); /* in an empty file only */
	error = error ? error : syncfs(journal_fd);	      /* a new journal's name, too */
	if (!error || error == -EEXIST)
		error = atomicio_journal_open(journal_fd, NULL, 0, &options.journal);
	error = error ? error
		      : atomicio_journal_recover(options.journal, find, &fd, NULL, 0, &done,
						 sizeof(done));
	printf("recovered: %llu frames\n", (unsigned long long)done.frames);
	others = look("after recovery", fd);
	error = error ? error : atomicio_open(fd, &options, sizeof(options), &file);
	if (!error)
		error = write_groups(file, strtol(argv[3], NULL, 10)) | atomicio_close(file);
	if (error)
		return fprintf(stderr, "%s, %s: %s\n", argv[1], argv[2], strerror(-error)), 2;
	atomicio_journal_close(options.journal);
	return others > 0;
}
