/* SPDX-License-Identifier: MIT */
/*
 * A change of two files that have a journal each, all or none, by a redo file.
 *
 * Flow: two_journals LEFT RIGHT COUNT.  Moves 1 from the pages of LEFT to those of RIGHT, COUNT
 * times; the journals are LEFT.journal and RIGHT.journal.  No group holds pages of both.  So the
 * new pages of RIGHT are first put into LEFT.redo, which belongs to the first journal:
 *
 *	1 commit	one group in the first journal: the pages of LEFT, the new pages of RIGHT in
 *			LEFT.redo, and a mark there.  From here on the change is made.
 *	2 carry out	one group in the second journal: the pages of RIGHT.
 *	3 clear		the mark, through the first journal.
 *
 * The next change, and any other write to RIGHT, waits for 3.  After a crash, or an error of any
 * step: recover both journals; if the mark is there, do 2 and 3.  Kill the program, and run it
 * again: the sum stays.
 */
#define _GNU_SOURCE /* syncfs */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/journal.h>

enum { PAGE = 4096, PAGES = 3 };   /* of LEFT and of RIGHT */
enum { LEFT, REDO, RIGHT, FILES }; /* their ids are 1, 2 and 3 */

union page {
	struct {
		int64_t number, visits; /* visits: RIGHT has changes of its own, too */
	};
	struct {
		int64_t mark; /* 1: the pages that follow are to be written to RIGHT */
	} redo;
	char bytes[PAGE];
};

static struct {
	const char *suffix;
	int journal; /* which of the two */
	int fd;
	struct atomicio_file *file;
} files[FILES] = {{"", 0, -1, NULL}, {".redo", 0, -1, NULL}, {"", 1, -1, NULL}};
static struct {
	int fd;
	struct atomicio_journal *handle;
} journals[2];
static union page left[PAGES], right[PAGES], redo;

static int find(void *context, uint64_t file_id)
{
	(void)context;
	return file_id && file_id <= FILES ? files[file_id - 1].fd : -ENOENT;
}

static struct atomicio_op page_of(int file, const union page *page, int number)
{
	return (struct atomicio_op){.file = files[file].file,
				    .buffer = page,
				    .offset = (uint64_t)number * PAGE,
				    .length = PAGE};
}

static int commit(void)
{
	struct atomicio_op ops[2 * PAGES + 1];
	uint32_t count = 0;

	redo.redo.mark = 1;
	ops[count++] = page_of(REDO, &redo, 0);
	for (int i = 0; i < PAGES; i++) {
		ops[count++] = page_of(LEFT, &left[i], i);
		ops[count++] = page_of(REDO, &right[i], i + 1);
	}
	return atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
}

static int carry_out(void)
{
	struct atomicio_op ops[PAGES];

	for (int i = 0; i < PAGES; i++)
		ops[i] = page_of(RIGHT, &right[i], i);
	return atomicio_write_batch(NULL, ops, PAGES, ATOMICIO_ALL_OR_NONE);
}

static int clear(void)
{
	struct atomicio_op op = page_of(REDO, &redo, 0);

	redo.redo.mark = 0;
	return atomicio_write_batch(NULL, &op, 1, ATOMICIO_ALL_OR_NONE);
}

static int move_one(void)
{
	int error;

	for (int i = 0; i < PAGES; i++) {
		left[i].number--;
		right[i].number++;
	}
	error = commit();
	if (!error)
		error = carry_out();
	return error ? error : clear();
}

/* A change of RIGHT alone needs no redo file.  An old mark would take it back after a crash. */
static int visit(void)
{
	struct atomicio_op op = page_of(RIGHT, &right[0], 0);

	right[0].visits++;
	return atomicio_write_batch(NULL, &op, 1, ATOMICIO_ALL_OR_NONE);
}

/* Zeros where a new file has nothing yet. */
static int load(int file, union page *pages, int count, int first)
{
	const size_t length = (size_t)count * PAGE;

	memset(pages, 0, length);
	return pread(files[file].fd, pages, length, (off_t)first * PAGE) < 0 ? -errno : 0;
}

/* Both journals are recovered: what was committed, and not carried out? */
static int finish(void)
{
	int error = load(REDO, &redo, 1, 0);

	if (!error && redo.redo.mark) {
		puts("a change was made, and is carried out now");
		error = load(REDO, right, PAGES, 1);
		if (!error)
			error = carry_out();
		if (!error)
			error = clear();
	}
	if (!error)
		error = load(LEFT, left, PAGES, 0);
	return error ? error : load(RIGHT, right, PAGES, 0);
}

static int start(void)
{
	struct atomicio_options options = {.path = ATOMICIO_PATH_JOURNAL};
	int error = 0;

	for (int i = 0; i < 2 && !error; i++) {
		error = atomicio_journal_create(journals[i].fd, NULL, 0);
		/* The names of all files have to be durable before the first commit. */
		if (!error)
			error = syncfs(journals[i].fd) ? -errno : 0;
		if (!error || error == -EEXIST)
			error = atomicio_journal_open(journals[i].fd, NULL, 0, &journals[i].handle);
		if (!error)
			error = atomicio_journal_recover(journals[i].handle, find, NULL, NULL, 0,
							 NULL, 0);
	}
	for (int i = 0; i < FILES && !error; i++) {
		options.journal = journals[files[i].journal].handle;
		options.file_id = (uint64_t)i + 1;
		error = atomicio_open(files[i].fd, &options, sizeof(options), &files[i].file);
	}
	return error ? error : finish();
}

static int stop(void)
{
	int error = 0;

	for (int i = 0; i < FILES; i++)
		error = atomicio_close(files[i].file) ? -EIO : error;
	for (int i = 0; i < 2; i++)
		error = atomicio_journal_close(journals[i].handle) ? -EIO : error;
	return error;
}

/* 0, or 1: a change is half there. */
static int check(void)
{
	for (int i = 0; i < PAGES; i++)
		if (left[i].number != left[0].number || right[i].number != -left[0].number)
			return 1;
	return 0;
}

static int open_file(const char *name, const char *suffix)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* The lines are promises: `atomicio crash` cuts the power, and asks for them. */
static int run(long count)
{
	int error = 0;

	for (long i = 0; i < count && !error; i++) {
		printf("TRY 0 %lld\n", (long long)right[0].number + 1);
		fflush(stdout);
		error = move_one();
		if (error)
			break;
		printf("ACK 0 %lld\nTRY 1 %lld\n", (long long)right[0].number,
		       (long long)right[0].visits + 1);
		fflush(stdout);
		error = visit();
		if (!error)
			printf("ACK 1 %lld\n", (long long)right[0].visits);
		fflush(stdout);
	}
	return error;
}

int main(int argc, char **argv)
{
	int error;

	if (argc != 4)
		return fputs("usage: two_journals LEFT RIGHT COUNT\n", stderr), 2;
	for (int i = 0; i < 2; i++)
		journals[i].fd = open_file(argv[i + 1], ".journal");
	for (int i = 0; i < FILES; i++)
		files[i].fd = open_file(argv[files[i].journal + 1], files[i].suffix);
	error = start();
	if (!error && check())
		return fputs("a change is half there\n", stderr), 1;
	if (!error)
		error = run(strtol(argv[3], NULL, 10));
	if (!error)
		error = stop();
	if (error)
		return fprintf(stderr, "%s; start again\n", strerror(-error)), 2;
	printf("left %lld, right %lld, visits %lld\n", (long long)left[0].number,
	       (long long)right[0].number, (long long)right[0].visits);
	return 0;
}
