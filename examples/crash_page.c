/* SPDX-License-Identifier: MIT */
/*
 * A writer that loses pages at a power cut, a writer that does not, and the instrument that shows
 * the difference: atomicio crash.
 *
 *	sudo atomicio crash run --fs ext4 --work './crash_page work naive {}' \
 *		--check './crash_page check naive {}'
 *	sudo atomicio crash run --fs ext4 --work './crash_page work journal {}' \
 *		--check './crash_page check journal {}'
 *
 * Both writers write pages of 16 KiB in place, durably.  "naive" uses pwrite(2) with O_DSYNC, and
 * is caught with half a page within the first cuts.  "journal" gives its pages to atomicio_write()
 * with a journal.  The work prints TRY before a write and ACK after the write.  The check reads
 * these lines on its standard input: each page must have the last acknowledged version, or a
 * version tried later.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>

#define PAGE_SIZE 16384
#define PAGES 32u

static int data, log_file;
static unsigned page[PAGE_SIZE / sizeof(unsigned)];

static int open_in(const char *directory, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_DSYNC, 0600);
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? data : -ENOENT;
}

/* Make the journal if necessary, open it, and recover pages interrupted by a cut. */
static int open_journal(struct atomicio_journal **journal)
{
	const struct atomicio_journal_options options = {.size = 4 << 20};
	int error = atomicio_journal_create(log_file, &options, sizeof(options));

	if (error && error != -EEXIST)
		return error;
	error = atomicio_journal_open(log_file, NULL, 0, journal);
	return error ? error : atomicio_journal_recover(*journal, resolve, NULL, NULL, 0, NULL, 0);
}

/* Fill a page with its version. file NULL: an ordinary write. */
static int write_page(struct atomicio_file *file, unsigned number, unsigned version)
{
	for (size_t i = 0; i < PAGE_SIZE / sizeof(unsigned); i++)
		page[i] = version;
	if (file)
		return atomicio_write(file, page, PAGE_SIZE, (uint64_t)number * PAGE_SIZE,
				      ATOMICIO_DSYNC);
	return pwrite(data, page, PAGE_SIZE, (off_t)number * PAGE_SIZE) == PAGE_SIZE ? 0 : -EIO;
}

static int work(struct atomicio_journal *journal)
{
	const struct atomicio_options options = {.journal = journal, .file_id = 1};
	struct atomicio_file *file = NULL;
	int error = journal ? atomicio_open(data, &options, sizeof(options), &file) : 0;

	for (unsigned version = 1; !error; version++) {
		const unsigned number = version * 7 % PAGES;

		printf("TRY page%u %u\n", number, version);
		error = write_page(file, number, version);
		if (!error)
			printf("ACK page%u %u\n", number, version);
	}
	return error;
}

/* Is this page whole, with the given version? */
static int holds(unsigned number, unsigned version)
{
	if (pread(data, page, PAGE_SIZE, (off_t)number * PAGE_SIZE) != PAGE_SIZE)
		return 0;
	for (size_t i = 0; i < PAGE_SIZE / sizeof(unsigned); i++)
		if (page[i] != version)
			return 0;
	return 1;
}

static int check(void)
{
	enum { FREE, DEMANDED, FOUND } pages[PAGES] = {FREE};
	char line[128];

	while (fgets(line, sizeof(line), stdin)) { /* "ACK page7 123" */
		char *at = line + strlen("ACK page");
		const unsigned long number = strtoul(at, &at, 10);
		const unsigned long version = strtoul(at, &at, 10);

		if (number >= PAGES)
			return 2;
		if (line[0] == 'A')
			pages[number] = DEMANDED;
		if (pages[number] == DEMANDED && holds((unsigned)number, (unsigned)version))
			pages[number] = FOUND;
	}
	for (unsigned number = 0; number < PAGES; number++)
		if (pages[number] == DEMANDED)
			return printf("page %u is torn or lost\n", number), 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct atomicio_journal *journal = NULL;
	int error = 0;

	if (argc != 4)
		return fputs("usage: crash_page work|check naive|journal DIRECTORY\n", stderr), 2;
	data = open_in(argv[3], "data");
	log_file = open_in(argv[3], "journal");
	if (data < 0 || log_file < 0)
		return perror(argv[3]), 2;
	if (!strcmp(argv[2], "journal"))
		error = open_journal(&journal);
	if (!error && !strcmp(argv[1], "work"))
		error = work(journal);
	else if (!error)
		return check();
	return fprintf(stderr, "%s\n", strerror(-error)), 2;
}
