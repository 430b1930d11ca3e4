/* SPDX-License-Identifier: MIT */
/*
 * An engine like SQLite: pages of 4 KiB, and transactions over several of them that happen wholly
 * or not at all, without a rollback journal of its own and with one flush a commit.
 *
 * Flow: recover, add up the accounts, then move money between two pages many times.
 * Run it as: engine_pager FILE JOURNAL TRANSACTIONS; kill it, run it again: the sum stays.
 */
#define _GNU_SOURCE /* syncfs */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libatomicio/journal.h>

enum { PAGES = 100, PAGE = 4096, FILE_ID = 1, START = 1000 };
static struct page {
	long balance;
	char rest[PAGE - sizeof(long)];
} pages[PAGES];

static int find(void *context, uint64_t file_id)
{
	return file_id == FILE_ID ? *(int *)context : -ENOENT;
}

/* All pages, or none: of a new file, and of a transfer. */
static int commit(struct atomicio_file *file, const unsigned int *numbers, unsigned int count)
{
	struct atomicio_op ops[PAGES];

	for (unsigned int i = 0; i < count; i++)
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = &pages[numbers[i]],
					      .offset = (uint64_t)numbers[i] * PAGE,
					      .length = PAGE};
	return atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
}

static long sum(void)
{
	long total = 0;

	for (int i = 0; i < PAGES; i++)
		total += pages[i].balance;
	return total;
}

static int transfer(struct atomicio_file *file, long number)
{
	const unsigned int from = (unsigned int)(number * 7 % PAGES);
	const unsigned int both[] = {from, (from + 1 + (unsigned int)(number % 50)) % PAGES};

	pages[both[0]].balance -= 1 + number % 9;
	pages[both[1]].balance += 1 + number % 9;
	return commit(file, both, 2);
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	int journal_fd = argc == 4 ? open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct atomicio_options options = {.file_id = FILE_ID};
	unsigned int all[PAGES];
	struct atomicio_file *file;
	int error;

	if (fd < 0 || journal_fd < 0)
		return fputs("usage: engine_pager FILE JOURNAL TRANSACTIONS\n", stderr), 2;
	error = atomicio_journal_create(journal_fd, NULL, 0);
	if (!error)
		error = syncfs(journal_fd) ? -errno : 0; /* a new journal's name, too */
	if (!error || error == -EEXIST)
		error = atomicio_journal_open(journal_fd, NULL, 0, &options.journal);
	if (!error)
		error = atomicio_journal_recover(options.journal, find, &fd, NULL, 0, NULL, 0);
	if (!error)
		error = atomicio_open(fd, &options, sizeof(options), &file);
	if (!error && pread(fd, pages, sizeof(pages), 0) == 0) { /* a new file */
		for (unsigned int i = 0; i < PAGES; i++)
			pages[all[i] = i].balance = START;
		error = commit(file, all, PAGES);
	}
	printf("%ld in all\n", sum());
	for (long i = 0; i < strtol(argv[3], NULL, 10) && !error; i++)
		error = transfer(file, i);
	if (!error && (error = atomicio_close(file)) == 0)
		atomicio_journal_close(options.journal);
	if (error)
		fprintf(stderr, "%s, %s: %s\n", argv[1], argv[2], strerror(-error));
	return error ? 2 : sum() != (long)PAGES * START;
}
