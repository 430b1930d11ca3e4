/* SPDX-License-Identifier: MIT */
/*
 * A load for atomicio crash, and its check.
 *
 *	load work|check journal|atomic|naive DIRECTORY
 *
 * Four threads write durable pages, each to slots of its own: two to a direct file, one to a
 * buffered one, and one in groups over both.  "journal" goes through the journal; "atomic" through
 * RWF_ATOMIC, without groups and buffered pages; "naive" is pwrite(2) in place, the control.  The
 * ring of the journal is small, so that it goes round again and again.
 *
 * The check knows every page that a seed may have left: each is wholly of one version, that version
 * is one the lines allow, the pages of a group have the same, and what was never acknowledged may
 * also be as it was made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>

#define LENGTH 16384u
#define SLOTS 48u /* a file; a group has four of each file */
#define WORDS (LENGTH / sizeof(uint64_t))
#define GROUP 4u

enum { DIRECT, BUFFERED, FILES };
enum { JOURNAL, ATOMIC, NAIVE };

static int mode, fds[FILES], log_fd;
static struct atomicio_file *files[FILES];
static struct atomicio_journal *journal;

static void fail(const char *what, int error)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(2);
}

static int open_in(const char *directory, const char *name, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		fail(name, errno);
	return fd;
}

static void fill(uint64_t *page, uint64_t key, uint64_t version)
{
	for (uint64_t i = 0; i < WORDS; i++)
		page[i] = version ? version : 0;
	page[1] = version ? key : 0;
}

static int find(void *context, uint64_t file_id)
{
	(void)context;
	return file_id >= 1 && file_id <= FILES ? fds[file_id - 1] : -ENOENT;
}

static void start_journal(void)
{
	const struct atomicio_journal_options options = {.size = 512 << 10, .frame_max = 192 << 10};
	int error = atomicio_journal_create(log_fd, &options, sizeof(options));

	if (!error || error == -EEXIST)
		error = atomicio_journal_open(log_fd, NULL, 0, &journal);
	if (!error)
		error = atomicio_journal_recover(journal, find, NULL, NULL, 0, NULL, 0);
	if (error)
		fail("journal", error);
}

static void start(const char *directory, bool is_work)
{
	const int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t *zeroes = aligned_alloc(4096, LENGTH);

	if (!zeroes || directory_fd < 0)
		fail(directory, errno);
	memset(zeroes, 0, LENGTH);
	fds[DIRECT] = open_in(directory, "direct", mode == NAIVE ? O_DIRECT | O_DSYNC : O_DIRECT);
	fds[BUFFERED] = open_in(directory, "buffered", mode == NAIVE ? O_DSYNC : 0);
	log_fd = open_in(directory, "journal", 0);
	for (uint32_t i = 0; is_work && i < SLOTS; i++)
		for (uint32_t file = 0; file < FILES; file++)
			if (pwrite(fds[file], zeroes, LENGTH, (off_t)(i * LENGTH)) != LENGTH)
				fail("pwrite", errno);
	if (is_work && (fsync(fds[DIRECT]) || fsync(fds[BUFFERED])))
		fail("fsync", errno);
	if (mode == JOURNAL)
		start_journal();
	if (is_work && (fsync(log_fd) || fsync(directory_fd)))
		fail("fsync", errno);
	close(directory_fd);
	free(zeroes);
}

static int put(int file, const uint64_t *page, uint32_t slot)
{
	const uint64_t offset = (uint64_t)slot * LENGTH;

	if (mode != NAIVE)
		return atomicio_write(files[file], page, LENGTH, offset, ATOMICIO_DSYNC);
	return pwrite(fds[file], page, LENGTH, (off_t)offset) == LENGTH ? 0 : -errno;
}

/* One page of a file: keys "0:slot" and "1:slot". */
static void *write_pages(void *context)
{
	const uint32_t number =
		(uint32_t)(uintptr_t)context; /* 0 and 1 are direct, 2 is buffered */
	const int file = number == 2 ? BUFFERED : DIRECT;
	uint64_t *page = aligned_alloc(4096, LENGTH);

	for (uint64_t version = 1;; version++) {
		const uint32_t slot = number % 2 * 8 + (uint32_t)(version % 8);
		int error;

		fill(page, slot, version);
		printf("TRY %d:%u %" PRIu64 "\n", file, slot, version);
		error = put(file, page, slot);
		if (error)
			fail("write", error);
		printf("ACK %d:%u %" PRIu64 "\n", file, slot, version);
	}
	return NULL;
}

/* Groups over both files: keys "g:group". */
static void *write_groups(void *context)
{
	uint64_t *pages = aligned_alloc(4096, (size_t)2 * GROUP * LENGTH);

	(void)context;
	for (uint64_t version = 1;; version++) {
		const uint32_t group = (uint32_t)(version % 4), slot = 16 + group * GROUP;
		struct atomicio_op ops[2 * GROUP];
		int error;

		for (uint32_t i = 0; i < 2 * GROUP; i++) {
			uint64_t *page = pages + i * WORDS;

			fill(page, slot + i / 2, version);
			ops[i] = (struct atomicio_op){.file = files[i % 2],
						      .buffer = page,
						      .offset = (uint64_t)(slot + i / 2) * LENGTH,
						      .length = LENGTH};
		}
		printf("TRY g:%u %" PRIu64 "\n", group, version);
		error = atomicio_write_batch(NULL, ops, 2 * GROUP,
					     ATOMICIO_ALL_OR_NONE | ATOMICIO_DSYNC);
		if (error)
			fail("batch", error);
		printf("ACK g:%u %" PRIu64 "\n", group, version);
	}
	return NULL;
}

static void work(void)
{
	struct atomicio_options options = {.journal = journal,
					   .path = mode == JOURNAL ? ATOMICIO_PATH_JOURNAL
								   : ATOMICIO_PATH_KERNEL};
	pthread_t threads[4];
	uint32_t count = 0;

	for (uint32_t i = 0; mode != NAIVE && i < FILES; i++) {
		int error;

		options.file_id = i + 1;
		error = atomicio_open(fds[i], &options, sizeof(options), &files[i]);
		if (error)
			fail("open", error);
	}
	for (uintptr_t i = 0; i < (mode == ATOMIC ? 2u : 3u); i++)
		if (pthread_create(&threads[count++], NULL, write_pages, (void *)i))
			fail("thread", EAGAIN);
	if (mode == JOURNAL && pthread_create(&threads[count++], NULL, write_groups, NULL))
		fail("thread", EAGAIN);
	for (uint32_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* The version that a page wholly is of, or UINT64_MAX. */
static uint64_t version_of(int file, uint32_t slot)
{
	static uint64_t page[WORDS] __attribute__((aligned(4096)));

	if (pread(fds[file], page, LENGTH, (off_t)(slot * LENGTH)) != LENGTH)
		return UINT64_MAX;
	for (uint32_t i = 2; i < WORDS; i++)
		if (page[i] != page[0])
			return UINT64_MAX;
	return page[1] == (page[0] ? slot : 0) ? page[0] : UINT64_MAX;
}

/* What is there for a key, or UINT64_MAX: torn, or half a group. */
static uint64_t there(char kind, uint32_t number)
{
	uint64_t version;

	if (kind != 'g')
		return version_of(kind - '0', number);
	version = version_of(DIRECT, 16 + number * GROUP);
	for (uint32_t i = 0; i < 2 * GROUP; i++)
		if (version_of((int)i % 2, 16 + number * GROUP + i / 2) != version)
			return UINT64_MAX;
	return version;
}

/* What the lines of one key allow, for the message. */
struct allowed {
	char key[16], text[400];
	uint64_t found;
	bool is_there;
};

static bool say_if_bad(const struct allowed *allowed)
{
	if (!allowed->key[0] || allowed->is_there)
		return false;
	if (allowed->found == UINT64_MAX)
		printf("%s is torn; allowed:%s\n", allowed->key, allowed->text);
	else
		printf("%s has version %" PRIu64 "; allowed:%s\n", allowed->key, allowed->found,
		       allowed->text);
	return true;
}

/* Lines come by key, the ACK first. */
static int check(void)
{
	char word[8], key[16];
	uint64_t version;
	struct allowed allowed = {.is_there = true};
	bool is_bad = false;

	while (scanf("%7s %15s %" SCNu64, word, key, &version) == 3) {
		const size_t length = strlen(allowed.text);

		if (strcmp(key, allowed.key) != 0) {
			is_bad = say_if_bad(&allowed) || is_bad;
			allowed = (struct allowed){
				.found = there(key[0], (uint32_t)strtoul(key + 2, NULL, 10))};
			memcpy(allowed.key, key, sizeof(key));
			allowed.is_there = allowed.found == 0 && word[0] == 'T';
			snprintf(allowed.text, sizeof(allowed.text), " %s %" PRIu64, word, version);
		} else {
			snprintf(allowed.text + length, sizeof(allowed.text) - length,
				 " %s %" PRIu64, word, version);
		}
		allowed.is_there = allowed.is_there || allowed.found == version;
	}
	return say_if_bad(&allowed) || is_bad;
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"journal", "atomic", "naive"};

	if (argc != 4)
		return 2;
	while (mode < 2 && strcmp(argv[2], modes[mode]) != 0)
		mode++;
	start(argv[3], !strcmp(argv[1], "work"));
	if (!strcmp(argv[1], "check"))
		return check();
	work();
	return 2;
}
