/* SPDX-License-Identifier: MIT */
/*
 * An engine like PostgreSQL: pages of 8 KiB through the page cache, and checkpoints without
 * full-page images in the log, because no page can be torn.
 *
 * Flow: recover (before the log is replayed), look at the pages, then make checkpoints: dirty pages
 * go out in batches of 64, each batch in one frame of the journal.  Run as: engine_buffered FILE
 * JOURNAL CHECKPOINTS.  Kill the program, and run it again.
 */
#define _GNU_SOURCE /* syncfs */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libatomicio/journal.h>

enum { PAGES = 512, PAGE = 8192, BATCH = 64, FILE_ID = 16384 };
static char cache[PAGES][PAGE]; /* the engine's shared buffers */

static int find(void *context, uint64_t file_id)
{
	return file_id == FILE_ID ? *(int *)context : -ENOENT;
}

/* A page is whole if all its bytes have one version; a real engine uses a checksum. */
static int count_torn(int fd)
{
	int torn = 0;

	for (int i = 0; i < PAGES; i++) {
		const ssize_t length = pread(fd, cache[i], PAGE, (off_t)i * PAGE);

		if (length > 0)
			torn += length != PAGE || memcmp(cache[i], cache[i] + 1, PAGE - 1) != 0;
	}
	return torn;
}

/* Result 0: all dirty pages are durable and whole, and the older log can go. */
static int checkpoint(struct atomicio_file *file)
{
	struct atomicio_op ops[BATCH];
	int error = 0;

	for (unsigned int first = 0; first < PAGES && !error; first += BATCH) {
		for (unsigned int i = 0; i < BATCH; i++)
			ops[i] = (struct atomicio_op){.file = file,
						      .buffer = cache[first + i],
						      .offset = (uint64_t)(first + i) * PAGE,
						      .length = PAGE};
		error = atomicio_write_batch(NULL, ops, BATCH, ATOMICIO_DSYNC);
	}
	return error;
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	int journal_fd = argc == 4 ? open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct atomicio_options options = {.file_id = FILE_ID};
	struct atomicio_file *file;
	int error;

	if (fd < 0 || journal_fd < 0)
		return fputs("usage: engine_buffered FILE JOURNAL CHECKPOINTS\n", stderr), 2;
	error = atomicio_journal_create(journal_fd, NULL, 0);
	if (!error)
		error = syncfs(journal_fd) ? -errno : 0; /* a new journal's name, too */
	if (!error || error == -EEXIST)
		error = atomicio_journal_open(journal_fd, NULL, 0, &options.journal);
	if (!error)
		error = atomicio_journal_recover(options.journal, find, &fd, NULL, 0, NULL, 0);
	if (!error)
		error = atomicio_open(fd, &options, sizeof(options), &file);
	if (error)
		return fprintf(stderr, "no start: %s\n", strerror(-error)), 2;
	printf("%d torn pages\n", count_torn(fd));
	for (long i = 0; i < strtol(argv[3], NULL, 10) && !error; i++) {
		memset(cache, 'a' + (int)(i % 26), sizeof(cache));
		error = checkpoint(file);
	}
	if (error)
		fprintf(stderr, "checkpoint: %s\n", strerror(-error));
	else if ((error = atomicio_close(file)) == 0)
		atomicio_journal_close(options.journal);
	return error ? 2 : count_torn(fd) > 0;
}
