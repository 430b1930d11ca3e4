/* SPDX-License-Identifier: MIT */
/*
 * A group over two files, all or none, and the steps after a failure.
 *
 * Flow: group LEFT RIGHT JOURNAL.  Moves 1 from a number in LEFT to a number in RIGHT.  An error
 * leaves the group whole or absent, never half.  Only recovery tells which: close everything, open
 * and recover, read back, and then either go on or repeat the group.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/journal.h>

#define PAGE 4096

struct side {
	int fd;
	struct atomicio_file *file;
	union {
		int64_t number;
		char bytes[PAGE];
	} page;
};

static struct side sides[2]; /* their ids are 1 and 2 */
static struct atomicio_journal *journal;

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 || file_id == 2 ? sides[file_id - 1].fd : -ENOENT;
}

/* At start, and after a failure: recover before any read of the files. */
static int start(int journal_fd)
{
	struct atomicio_options options = {.path = ATOMICIO_PATH_JOURNAL};
	int error = atomicio_journal_create(journal_fd, NULL, 0);

	if (error && error != -EEXIST)
		return error;
	error = atomicio_journal_open(journal_fd, NULL, 0, &journal);
	if (!error)
		error = atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0);
	options.journal = journal;
	for (unsigned int i = 0; i < 2 && !error; i++) {
		options.file_id = i + 1;
		error = atomicio_open(sides[i].fd, &options, sizeof(options), &sides[i].file);
		memset(&sides[i].page, 0, sizeof(sides[i].page));
		if (!error && pread(sides[i].fd, &sides[i].page, PAGE, 0) < 0)
			error = -errno;
	}
	return error;
}

/* Close calls repeat the error: ignore it, and recover. */
static void stop(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		(void)atomicio_close(sides[i].file);
		sides[i].file = NULL;
	}
	(void)atomicio_journal_close(journal);
	journal = NULL;
}

static int move_one(void)
{
	struct atomicio_op ops[2];

	sides[0].page.number--;
	sides[1].page.number++;
	for (unsigned int i = 0; i < 2; i++)
		ops[i] = (struct atomicio_op){
			.file = sides[i].file, .buffer = &sides[i].page, .length = PAGE};
	return atomicio_write_batch(NULL, ops, 2, ATOMICIO_ALL_OR_NONE);
}

int main(int argc, char **argv)
{
	const int journal_fd = argc == 4 ? open(argv[3], O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
	int64_t wanted;
	int error;

	for (int i = 0; i < 2; i++)
		sides[i].fd =
			argc == 4 ? open(argv[i + 1], O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
	error = start(journal_fd);
	if (error) {
		fprintf(stderr, "group LEFT RIGHT JOURNAL: %s\n", strerror(-error));
		return 2;
	}
	wanted = sides[1].page.number + 1;
	for (int tries = 0; tries < 3 && sides[1].page.number < wanted; tries++) {
		error = move_one();
		if (!error)
			break;
		printf("the group failed: %s; recovering\n", strerror(-error));
		stop();
		error = start(journal_fd);
		if (error)
			break;
		printf("it was %s\n", sides[1].page.number == wanted ? "made" : "not made");
	}
	if (error) {
		fprintf(stderr, "group: %s: its frames stay; mend that and start again\n",
			strerror(-error));
		return 1;
	}
	printf("left %lld, right %lld\n", (long long)sides[0].page.number,
	       (long long)sides[1].page.number);
	stop();
	return 0;
}
