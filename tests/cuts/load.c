/* SPDX-License-Identifier: MIT */
/*
 * A load for atomicio crash, and its check.
 *
 *	load work|check journal|raw|faulty|faulty-raw|behind|entries|atomic|naive DIRECTORY
 *
 * Five threads write durable pages, each thread to its own slots: two to a direct file, one to a
 * buffered file, one in groups over both files, and one in groups longer than a frame, which are
 * chains.  The modes:
 *
 *	journal		through the journal
 *	raw		as journal, and the direct file is a loop device
 *	faulty		as journal, on a disk with faults: a failed page is reported as on_disk
 *			says, and the work may be started again
 *	faulty-raw	as raw, on a disk with faults
 *	behind		as journal, with ATOMICIO_BEHIND
 *	entries		one thread, frames and homes are entries of its io_uring (load_ring.c)
 *	atomic		through RWF_ATOMIC, without groups and buffered pages
 *	naive		pwrite(2) in place, the control
 *
 * The log area of the journal is small, and wraps again and again.
 *
 * The check knows every page that a seed may have left.  Each page is wholly of one version, and
 * the lines allow this version.  The pages of a group have the same version.  A page that was never
 * acknowledged may also be in its first state.  Before the check a recovery is killed, twice.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>

#define AGAIN 3 /* the status of a work that is to be started again */
#define FAILURES_MAX 20u

static enum {
	JOURNAL,
	RAW,
	FAULTY,
	FAULTY_RAW,
	BEHIND,
	ENTRIES,
	ATOMIC,
	NAIVE,
	MODES,
} mode;

int load_fds[FILES];
static int log_fd;
static struct atomicio_file *files[FILES];
static struct atomicio_journal *journal;
static uint64_t first_version; /* later than those of a work before */
static __thread uint32_t on_disk;

static bool has_journal(void)
{
	return mode <= ENTRIES;
}

static bool is_faulty(void)
{
	return mode == FAULTY || mode == FAULTY_RAW;
}

void load_fail(const char *what, int error)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(error < 0 ? -error : error));
	_exit(2);
}

static int open_in(const char *directory, const char *name, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		load_fail(name, errno);
	return fd;
}

/* Word 2 is text, for faults that are chosen by content. */
void load_fill(uint64_t *page, uint64_t key, uint64_t version)
{
	for (uint64_t i = 0; i < WORDS; i++)
		page[i] = version;
	page[1] = key;
	memcpy(page + 2, "CUTSLOAD", 8);
}

static int find(void *context, uint64_t file_id)
{
	(void)context;
	return file_id >= 1 && file_id <= FILES ? load_fds[file_id - 1] : -ENOENT;
}

static int start_journal(void)
{
	const struct atomicio_journal_options options = {.size = 1 << 20, .frame_max = 192 << 10};
	int error = atomicio_journal_create(log_fd, &options, sizeof(options));

	if (!error || error == -EEXIST)
		error = atomicio_journal_open(log_fd, NULL, 0, &journal);
	if (!error)
		error = atomicio_journal_recover(journal, find, NULL, NULL, 0, NULL, 0);
	return error;
}

/* The next recovery repairs the leftovers of a killed recovery. */
static void kill_a_recovery(void)
{
	struct timespec now;
	const pid_t pid = fork();

	if (pid == 0) {
		(void)start_journal();
		_exit(0);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	usleep((useconds_t)(now.tv_nsec / 1000 % 2000));
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* The files of a new disk: zeroes, and durable, with the name of the journal's. */
static void make_files(const char *directory)
{
	const int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t *zeroes = aligned_alloc(4096, LENGTH);

	if (!zeroes || directory_fd < 0) {
		load_fail(directory, errno);
		return;
	}
	memset(zeroes, 0, LENGTH);
	for (uint32_t i = 0; i < SLOTS; i++)
		for (uint32_t file = 0; file < FILES; file++)
			if (pwrite(load_fds[file], zeroes, LENGTH, (off_t)(i * LENGTH)) != LENGTH)
				load_fail("pwrite", errno);
	if (fsync(load_fds[DIRECT]) || fsync(load_fds[BUFFERED]) || fsync(log_fd) ||
	    fsync(directory_fd))
		load_fail("fsync", errno);
	close(directory_fd);
	free(zeroes);
}

static void open_files(const char *directory, bool is_new)
{
	const int dsync = mode == NAIVE ? O_DSYNC : 0;
	char path[4096];

	load_fds[DIRECT] = open_in(directory, "direct", O_DIRECT | dsync);
	load_fds[BUFFERED] = open_in(directory, "buffered", dsync);
	log_fd = open_in(directory, "journal", 0);
	if (is_new && lseek(load_fds[BUFFERED], 0, SEEK_END) == 0)
		make_files(directory);
	if (mode == RAW || mode == FAULTY_RAW) {
		close(load_fds[DIRECT]);
		snprintf(path, sizeof(path), "%s/direct", directory);
		load_fds[DIRECT] = load_raw(path);
	}
}

static void start(const char *directory, bool is_work)
{
	int error;

	open_files(directory, is_work);
	for (int i = 0; has_journal() && !is_work && i < 2; i++)
		kill_a_recovery();
	error = has_journal() ? start_journal() : 0;
	if (error && is_work && is_faulty())
		_exit(AGAIN);
	if (error)
		load_fail("journal", error);
}

static uint32_t policy(void *context, const struct atomicio_failure *failure)
{
	(void)context;
	on_disk = failure->on_disk;
	return atomicio_policy_default(NULL, failure);
}

/* A write of this thread is over. */
static void told(const char *key, uint64_t version, int error)
{
	static __thread uint32_t failures;

	if (!error) {
		printf("ACK %s %" PRIu64 "\n", key, version);
		failures = 0;
		return;
	}
	if (!is_faulty())
		load_fail("write", error);
	if (on_disk == ATOMICIO_DISK_OLD)
		printf("OLD %s %" PRIu64 "\n", key, version);
	/* Poisoned, or no room at all: only a recovery helps. */
	if (on_disk != ATOMICIO_DISK_OLD || ++failures == FAILURES_MAX)
		_exit(AGAIN);
}

static void tries(const char *key, uint64_t version)
{
	on_disk = 0;
	printf("TRY %s %" PRIu64 "\n", key, version);
}

static uint32_t write_flags(void)
{
	return ATOMICIO_DSYNC | (mode == BEHIND ? ATOMICIO_BEHIND : 0);
}

static int put(int file, const uint64_t *page, uint32_t slot)
{
	const uint64_t offset = (uint64_t)slot * LENGTH;

	if (mode != NAIVE)
		return atomicio_write(files[file], page, LENGTH, offset, write_flags());
	return pwrite(load_fds[file], page, LENGTH, (off_t)offset) == LENGTH ? 0 : -errno;
}

/* One page of a file: keys "0:slot" and "1:slot". */
static void *write_pages(void *context)
{
	const uint32_t number =
		(uint32_t)(uintptr_t)context; /* 0 and 1 are direct, 2 is buffered */
	const int file = number == 2 ? BUFFERED : DIRECT;
	uint64_t *page = aligned_alloc(4096, LENGTH);
	char key[16];

	for (uint64_t version = first_version;; version++) {
		const uint32_t slot = number % 2 * 8 + (uint32_t)(version % 8);

		load_fill(page, slot, version);
		snprintf(key, sizeof(key), "%d:%u", file, slot);
		tries(key, version);
		told(key, version, put(file, page, slot));
	}
	return NULL;
}

/* `pages` pages of each file, all or none, from this slot on. */
static int put_group(uint64_t *memory, uint32_t slot, uint32_t pages, uint64_t version)
{
	struct atomicio_op ops[2 * CHAIN];

	for (uint32_t i = 0; i < 2 * pages; i++) {
		uint64_t *page = memory + i * WORDS;

		load_fill(page, slot + i / 2, version);
		ops[i] = (struct atomicio_op){.file = files[i % 2],
					      .buffer = page,
					      .offset = (uint64_t)(slot + i / 2) * LENGTH,
					      .length = LENGTH};
	}
	return atomicio_write_batch(NULL, ops, 2 * pages, ATOMICIO_ALL_OR_NONE | write_flags());
}

/* Groups over both files: keys "g:group"; or the chain, "c:0". */
static void *write_groups(void *context)
{
	const bool is_chain = context != NULL;
	uint64_t *memory = aligned_alloc(4096, (size_t)2 * CHAIN * LENGTH);
	char key[16];

	for (uint64_t version = first_version;; version++) {
		const uint32_t group = is_chain ? 0 : (uint32_t)(version % GROUPS);
		const uint32_t slot = is_chain ? CHAIN_SLOT : GROUP_SLOT + group * GROUP;

		snprintf(key, sizeof(key), "%c:%u", is_chain ? 'c' : 'g', group);
		tries(key, version);
		told(key, version, put_group(memory, slot, is_chain ? CHAIN : GROUP, version));
	}
	return NULL;
}

static void open_handles(void)
{
	struct atomicio_options options = {.policy = policy,
					   .journal = journal,
					   .path = has_journal() ? ATOMICIO_PATH_JOURNAL
								 : ATOMICIO_PATH_KERNEL};

	for (uint32_t i = 0; mode != NAIVE && i < FILES; i++) {
		int error;

		options.file_id = i + 1;
		error = atomicio_open(load_fds[i], &options, sizeof(options), &files[i]);
		if (error && is_faulty())
			_exit(AGAIN);
		if (error)
			load_fail("open", error);
	}
}

static void work(void)
{
	struct timespec now;
	pthread_t threads[5];
	uint32_t count = 0;

	clock_gettime(CLOCK_BOOTTIME, &now);
	first_version = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	open_handles();
	if (mode == ENTRIES)
		load_ring(journal, files, first_version);
	for (uintptr_t i = 0; i < (mode == ATOMIC ? 2u : 3u); i++)
		if (pthread_create(&threads[count++], NULL, write_pages, (void *)i))
			load_fail("thread", EAGAIN);
	for (uintptr_t i = 0; i < (has_journal() ? 2u : 0u); i++)
		if (pthread_create(&threads[count++], NULL, write_groups, (void *)i))
			load_fail("thread", EAGAIN);
	for (uint32_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"journal", "raw",	  "faulty", "faulty-raw",
					    "behind",  "entries", "atomic", "naive"};

	if (argc != 4)
		return 2;
	while (mode < MODES && strcmp(argv[2], modes[mode]) != 0)
		mode++;
	if (mode == MODES)
		return 2;
	start(argv[3], !strcmp(argv[1], "work"));
	if (!strcmp(argv[1], "check"))
		return load_check();
	work();
	return 2;
}
