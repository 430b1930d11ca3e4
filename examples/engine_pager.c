/* SPDX-License-Identifier: MIT */
/*
 * An engine like SQLite: pages of 4 KiB, and transactions over several pages of two files.  A
 * transaction happens wholly or not at all, without a rollback journal, with one flush a commit.
 *
 * Flow: recover, check the books, then move money between accounts.  The accounts lie in FILE, the
 * last transfers in FILE-history.  Every pager meets three more tasks:
 *
 *	a second file	attached to the same journal, under an id of its own: one group over both.
 *	a long one	more pages than a group can hold: atomicio_group_length() tells in advance.
 *			The engine then works as without the library, here with old pages in
 *			FILE-undo, after atomicio_journal_forget().
 *	a truncation	first a commit that needs the end of the file no more, then forget, then
 *			ftruncate(2).
 *
 * Run as: engine_pager FILE JOURNAL TRANSFERS.  Kill the program, and run it again: the sum stays.
 */
#define _GNU_SOURCE /* syncfs */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <libatomicio/journal.h>

enum { ACCOUNTS = 200, START = 500, STAFF = 60, MONTH = 10, QUARTER = 20, YEAR = 50 };
enum { PAGE = 4096, PAGES_MAX = ACCOUNTS + 2, BOOK = 0, HISTORY = 1 };

union page {
	struct {
		int64_t transfers; /* since the beginning */
		int64_t entries;   /* pages of the history that count */
	} head;
	int64_t balance;
	struct {
		int64_t transfer, account, balance; /* of the account, afterwards */
	} entry;
	char bytes[PAGE];
};

static struct {
	int fd;
	struct atomicio_file *file;
} files[2]; /* their ids are 1 and 2 */

/* The cache.  FILE has the head in page 0, then the accounts; FILE-history has the entries. */
static union page head, accounts[ACCOUNTS], entry;
static struct atomicio_journal *journal;
static uint32_t frame_max;
static long in_frames, in_chains, too_long; /* transactions, by their length */

/* The transaction in preparation. */
static struct atomicio_op ops[PAGES_MAX];
static uint32_t count;

/* Old pages of a transaction too long for a group, valid if the sum is right. */
static int undo_fd;
static struct undo {
	uint64_t sum, count;
	int64_t sizes[2];
	struct {
		uint64_t id, offset;
		char bytes[PAGE];
	} saved[PAGES_MAX];
} undo;

static uint64_t sum_of_undo(void)
{
	const unsigned char *bytes = (const unsigned char *)&undo;
	uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = sizeof(undo.sum); i < sizeof(undo); i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static int put(int fd, const void *bytes, size_t length, uint64_t offset)
{
	const ssize_t result = pwrite(fd, bytes, length, (off_t)offset);

	return result < 0 ? -errno : (size_t)result == length ? 0 : -ENOSPC;
}

static int save_undo(void)
{
	struct stat stat;

	memset(&undo, 0, sizeof(undo));
	undo.count = count;
	for (int i = 0; i < 2; i++) {
		if (fstat(files[i].fd, &stat))
			return -errno;
		undo.sizes[i] = stat.st_size;
	}
	for (uint32_t i = 0; i < count; i++) {
		undo.saved[i].id = ops[i].file == files[BOOK].file ? BOOK : HISTORY;
		undo.saved[i].offset = ops[i].offset;
		/* A page behind the end: the file is cut again. */
		if (pread(files[undo.saved[i].id].fd, undo.saved[i].bytes, PAGE,
			  (off_t)ops[i].offset) < 0)
			return -errno;
	}
	undo.sum = sum_of_undo();
	return put(undo_fd, &undo, sizeof(undo), 0) || fsync(undo_fd) ? -EIO : 0;
}

/* Durably, or the old pages would be played back over later transactions. */
static int drop_undo(void)
{
	return ftruncate(undo_fd, 0) || fsync(undo_fd) ? -errno : 0;
}

/* At start, after the journal's recovery: take back a long transaction that was interrupted. */
static int play_undo(void)
{
	if (pread(undo_fd, &undo, sizeof(undo), 0) != sizeof(undo) || undo.sum != sum_of_undo())
		return 0;
	for (uint64_t i = 0; i < undo.count; i++)
		if (put(files[undo.saved[i].id].fd, undo.saved[i].bytes, PAGE,
			undo.saved[i].offset))
			return -EIO;
	for (int i = 0; i < 2; i++)
		if (ftruncate(files[i].fd, (off_t)undo.sizes[i]) || fsync(files[i].fd))
			return -errno;
	return drop_undo();
}

/*
 * The engine's own protocol: save the old pages, write the new pages in place, drop the old pages.
 */
static int commit_with_undo(void)
{
	int error = save_undo();

	/* The next writes go past the journal: no frame may come back over them. */
	for (int i = 0; i < 2 && !error; i++)
		error = atomicio_journal_forget(journal, (uint64_t)i + 1);
	for (uint32_t i = 0; i < count && !error; i++)
		error = put(ops[i].file == files[BOOK].file ? files[BOOK].fd : files[HISTORY].fd,
			    ops[i].buffer, PAGE, ops[i].offset);
	/* Not fsync(2): the journal must receive the error of a lost page. */
	for (int i = 0; i < 2 && !error; i++)
		error = atomicio_sync(files[i].file);
	return error ? error : drop_undo(); /* which is the commit */
}

static void add(int file, const union page *page, uint64_t number)
{
	ops[count++] = (struct atomicio_op){
		.file = files[file].file, .buffer = page, .offset = number * PAGE, .length = PAGE};
}

/* All pages, or none; after an error a new start decides. */
static int commit(void)
{
	/* At most two runs of pages: first of one file, then of the other. */
	const int64_t length = atomicio_group_length(journal, count, PAGE, 2);
	int error;

	if (length == -EMSGSIZE) {
		too_long++;
		error = commit_with_undo();
	} else {
		/* A longer group takes a chain of frames, automatically, with one flush. */
		if (length > frame_max)
			in_chains++;
		else
			in_frames++;
		error = atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE);
	}
	count = 0;
	return error;
}

static void change(unsigned int account, int64_t amount)
{
	accounts[account].balance += amount;
	add(BOOK, &accounts[account], account + 1);
}

/* From one account to one, or at the end of a month to many; and the entry, in the other file. */
static int transfer(void)
{
	const int64_t number = ++head.head.transfers;
	const unsigned int from = (unsigned int)(number * 7 % ACCOUNTS);
	const unsigned int to = number % MONTH ? 1 : STAFF;

	add(BOOK, &head, 0);
	change(from, -(int64_t)to * (1 + number % 9));
	for (unsigned int i = 1; i <= to; i++)
		change((from + i + (unsigned int)(number % 50)) % ACCOUNTS, 1 + number % 9);
	entry = (union page){.entry = {number, (int64_t)from, accounts[from].balance}};
	add(HISTORY, &entry, (uint64_t)head.head.entries++);
	return commit();
}

/* Shorten the history: no committed transaction needs the cut pages. */
static int cut_history(void)
{
	/* A live frame could write a cut page again, over a later page. */
	int error = atomicio_journal_forget(journal, HISTORY + 1);

	if (!error && ftruncate(files[HISTORY].fd, (off_t)(head.head.entries * PAGE)))
		error = -errno;
	return error ? error : atomicio_sync(files[HISTORY].file);
}

static int begin_quarter(void)
{
	int error;

	head.head.entries = 0;
	add(BOOK, &head, 0);
	error = commit();
	return error ? error : cut_history();
}

/*
 * Every account starts again: all pages, too many for a group.  A new file starts in the same way.
 */
static int begin_year(void)
{
	head.head.entries = 0;
	add(BOOK, &head, 0);
	for (unsigned int i = 0; i < ACCOUNTS; i++)
		change(i, START - accounts[i].balance);
	return commit();
}

static int find(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 || file_id == 2 ? files[file_id - 1].fd : -ENOENT;
}

static int start(int journal_fd)
{
	const struct atomicio_journal_options layout = {.size = 1 << 20, .frame_max = 64 << 10};
	struct atomicio_options options = {.file_id = 0};
	struct atomicio_journal_info info;
	int error = atomicio_journal_create(journal_fd, &layout, sizeof(layout));

	/* The names of all files have to be durable before the first commit. */
	if (!error)
		error = syncfs(journal_fd) || syncfs(undo_fd) ? -errno : 0;
	if (!error || error == -EEXIST)
		error = atomicio_journal_open(journal_fd, NULL, 0, &journal);
	if (!error)
		error = atomicio_journal_recover(journal, find, NULL, NULL, 0, NULL, 0);
	if (!error)
		error = play_undo();
	options.journal = journal;
	for (int i = 0; i < 2 && !error; i++) {
		options.file_id = (uint64_t)i + 1;
		error = atomicio_open(files[i].fd, &options, sizeof(options), &files[i].file);
	}
	if (!error)
		error = atomicio_journal_get_info(journal, &info, sizeof(info));
	frame_max = error ? 0 : info.frame_max;
	return error;
}

/* 0, 1: the books are wrong, or an error. */
static int check(void)
{
	struct stat stat;
	int64_t sum = 0;

	if (pread(files[BOOK].fd, &head, PAGE, 0) != PAGE ||
	    pread(files[BOOK].fd, accounts, sizeof(accounts), PAGE) != sizeof(accounts) ||
	    fstat(files[HISTORY].fd, &stat))
		return -EIO;
	for (int i = 0; i < ACCOUNTS; i++)
		sum += accounts[i].balance;
	printf("%lld in all, %lld transfers, %lld in the history of %lld pages\n", (long long)sum,
	       (long long)head.head.transfers, (long long)head.head.entries,
	       (long long)stat.st_size / PAGE);
	for (int64_t i = 0; i < head.head.entries; i++)
		if (pread(files[HISTORY].fd, &entry, PAGE, (off_t)(i * PAGE)) != PAGE ||
		    entry.entry.transfer != head.head.transfers - head.head.entries + 1 + i)
			return 1;
	if (head.head.entries && entry.entry.balance != accounts[entry.entry.account].balance)
		return 1;
	return sum != (int64_t)ACCOUNTS * START;
}

static int run(long transfers)
{
	struct stat stat;
	int error = fstat(files[BOOK].fd, &stat) ? -errno : 0;

	if (!error && stat.st_size == 0)
		error = begin_year();
	if (!error)
		error = check();
	if (!error)
		error = cut_history(); /* an interrupted cut left the file longer */
	for (long i = 0; i < transfers && !error; i++) {
		error = transfer();
		if (!error && head.head.transfers % YEAR == 0)
			error = begin_year();
		else if (!error && head.head.transfers % QUARTER == 0)
			error = begin_quarter();
	}
	return error;
}

static int open_file(const char *name, const char *suffix)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

int main(int argc, char **argv)
{
	int journal_fd, error;

	if (argc != 4)
		return fputs("usage: engine_pager FILE JOURNAL TRANSFERS\n", stderr), 2;
	files[BOOK].fd = open_file(argv[1], "");
	files[HISTORY].fd = open_file(argv[1], "-history");
	undo_fd = open_file(argv[1], "-undo");
	journal_fd = open_file(argv[2], "");
	if (files[BOOK].fd < 0 || files[HISTORY].fd < 0 || undo_fd < 0 || journal_fd < 0)
		return perror(argv[1]), 2;
	error = start(journal_fd);
	if (!error)
		error = run(strtol(argv[3], NULL, 10));
	for (int i = 0; i < 2 && !error; i++)
		error = atomicio_close(files[i].file);
	if (!error)
		error = check();
	if (error)
		return fprintf(stderr, "%s, %s: %s\n", argv[1], argv[2],
			       error > 0 ? "the books are wrong" : strerror(-error)),
		       error > 0 ? 1 : 2;
	printf("%ld in a frame, %ld in a chain, %ld too long\n", in_frames, in_chains, too_long);
	return atomicio_journal_close(journal) ? 2 : 0;
}
