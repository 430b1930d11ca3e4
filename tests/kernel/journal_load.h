/* SPDX-License-Identifier: MIT */
/*
 * A load of writes through a journal, which may end at any moment.
 *
 * Flow: journal_crash.c makes the files and lets a child write until the child or the filesystem
 * dies; notes that survive the child name the acknowledged writes; journal_verify.h compares.
 *
 * Five threads write, each to its own slots: the last acknowledgement of each slot is known.  The
 * threads write direct pages, buffered pages of odd shapes, groups over all files, batches without
 * a group, and pages now through the journal and now past the journal.  Half of the pages and
 * groups are left behind: acknowledged with their frame, before they are home (ATOMICIO_BEHIND).
 */
#ifndef JOURNAL_LOAD_H
#define JOURNAL_LOAD_H

#include "journal_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define LOAD_FILES 3
#define LOAD_SLOTS 38

/* Shared memory.  Written by the writers; the checks move it on from round to round. */
struct load_notes {
	atomic_uint tried[LOAD_SLOTS];	 /* the last seed given to the library */
	atomic_uint durable[LOAD_SLOTS]; /* the last one acknowledged */
	uint32_t base[LOAD_SLOTS];	 /* found by the last recovery */
	uint32_t floor[LOAD_SLOTS];	 /* the last seed tried before */
	atomic_uint written;		 /* acknowledged, in all */
	atomic_int error;		 /* of a write that should not have failed */
	atomic_bool dying;		 /* the filesystem is being shut down: errors are fine */
};

#define PITCH (128 * KIB) /* from slot to slot in a file */
#define FILE_SIZE (20 * PITCH)
#define FILLER 0xAB
#define JOURNAL_SIZE (3 * MIB)

enum { DIRECT, BUFFERED, APPEND };
enum { PAGES_DIRECT, PAGES_ODD, GROUPS, BATCHES, MIXED, WRITERS };

#define GROUP_SIZE 6u
#define BATCH_SIZE 6u

static const char *const names[LOAD_FILES] = {"load-direct", "load-buffered", "load-append"};
static int flags_of(uint32_t file)
{
	const int flags[LOAD_FILES] = {O_RDWR | O_DIRECT, O_RDWR, O_RDWR | journal_append()};

	return flags[file];
}

/* The first slot of each writer. */
static const uint32_t first[WRITERS + 1] = {0, 8, 16, 28, 34, LOAD_SLOTS};

struct slot {
	uint32_t file, length;
	uint64_t offset;
};

/* A number that depends on nothing but the state: the next of a sequence. */
static inline uint64_t load_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9E3779B97F4A7C15);

	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

/* Each slot has a place of its own: number `place` of its file. */
static struct slot slot_of(uint32_t number)
{
	static const uint32_t even[4] = {4 * KIB, 16 * KIB, 64 * KIB, 128 * KIB};
	static const uint32_t odd[4] = {511, 10000, 65537, 100001};
	uint32_t file, place, length;

	if (number < first[PAGES_ODD]) {
		file = DIRECT, place = number, length = even[number % 4];
	} else if (number < first[GROUPS]) {
		file = BUFFERED, place = number - first[PAGES_ODD], length = odd[number % 4];
	} else if (number < first[BATCHES]) {
		const uint32_t i = number - first[GROUPS];

		file = i % 3, place = 8 + i / 3, length = i < 6 ? 16 * KIB : 64 * KIB;
	} else if (number < first[MIXED]) {
		file = BUFFERED + number % 2, place = 12 + (number - first[BATCHES]);
		length = number % 2 ? 16 * KIB : 60000;
	} else {
		file = DIRECT, place = 12 + (number - first[MIXED]), length = 16 * KIB;
	}
	return (struct slot){.file = file,
			     .length = length,
			     .offset = (uint64_t)place * PITCH + (file == DIRECT ? 0 : 333)};
}

static void fill(uint8_t *buffer, uint32_t length, uint32_t slot, uint32_t seed)
{
	for (uint32_t i = 0; i < length; i += 8) {
		const uint64_t word =
			((uint64_t)slot << 32 | i) * UINT64_C(0x9E3779B97F4A7C15) + seed;

		memcpy(buffer + i, &word, length - i < 8 ? length - i : 8);
	}
}

static int open_file(const char *directory, const char *name, int how)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, how | O_CLOEXEC, 0600);
	MUST(fd);
	return fd;
}

/* Make the files and the journal in `directory`, durably. */
static void load_make(const char *directory, struct load_notes *notes)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_SIZE};
	uint8_t *bytes = kernel_memory(FILE_SIZE);
	int fd;

	memset(notes, 0, sizeof(*notes));
	for (uint32_t i = 0; i < LOAD_FILES; i++) {
		memset(bytes, FILLER, FILE_SIZE);
		for (uint32_t j = 0; j < LOAD_SLOTS; j++)
			if (slot_of(j).file == i)
				fill(bytes + slot_of(j).offset, slot_of(j).length, j, 0);
		fd = open_file(directory, names[i], O_RDWR | O_CREAT | O_TRUNC);
		CHECK_EQ(write(fd, bytes, FILE_SIZE), FILE_SIZE);
		MUST(fsync(fd));
		close(fd);
	}
	fd = open_file(directory, "load-journal", O_RDWR | O_CREAT | O_TRUNC);
	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), 0);
	MUST(syncfs(fd));
	close(fd);
	free(bytes);
}

struct writer {
	struct load_notes *notes;
	struct atomicio_file *files[LOAD_FILES], *past;
	uint8_t *buffer;
	uint64_t random;
	uint32_t number;
};

static uint32_t behind_or_not(struct writer *writer)
{
	return load_random(&writer->random) % 2 ? ATOMICIO_BEHIND : 0;
}

static int write_one(struct writer *writer, uint32_t number)
{
	const struct slot slot = slot_of(number);
	struct atomicio_file *file = writer->files[slot.file];
	const uint32_t seed = atomic_load(&writer->notes->tried[number]) + 1;
	int error;

	if (writer->past && load_random(&writer->random) % 2)
		file = writer->past;
	fill(writer->buffer, slot.length, number, seed);
	atomic_store(&writer->notes->tried[number], seed);
	error = atomicio_write(file, writer->buffer, slot.length, slot.offset,
			       ATOMICIO_DSYNC | behind_or_not(writer));
	/*
	 * A sync that meets a shutdown of XFS may return 0 and still be lost (seen on 6.18).  After
	 * a power cut no process is left to see such a 0.
	 */
	if (!error && !atomic_load(&writer->notes->dying))
		atomic_store(&writer->notes->durable[number], seed);
	return error;
}

static int write_many(struct writer *writer, uint32_t number, uint32_t count, uint32_t how)
{
	struct atomicio_op ops[GROUP_SIZE > BATCH_SIZE ? GROUP_SIZE : BATCH_SIZE];
	uint32_t seeds[GROUP_SIZE > BATCH_SIZE ? GROUP_SIZE : BATCH_SIZE];
	int error;

	for (uint32_t i = 0; i < count; i++) {
		const struct slot slot = slot_of(number + i);

		ops[i] = (struct atomicio_op){.file = writer->files[slot.file],
					      .buffer = writer->buffer + i * PITCH,
					      .offset = slot.offset,
					      .length = slot.length};
		seeds[i] = atomic_load(&writer->notes->tried[number + i]) + 1;
		fill(writer->buffer + i * PITCH, slot.length, number + i, seeds[i]);
	}
	for (uint32_t i = 0; i < count; i++)
		atomic_store(&writer->notes->tried[number + i], seeds[i]);
	error = atomicio_write_batch(NULL, ops, count, how);
	for (uint32_t i = 0; !error && i < count; i++)
		if (!atomic_load(&writer->notes->dying))
			atomic_store(&writer->notes->durable[number + i], seeds[i]);
	return error;
}

static void *write_on(void *context)
{
	struct writer *writer = context;
	const uint32_t from = first[writer->number], count = first[writer->number + 1] - from;
	int error = 0;

	while (!error) {
		const uint32_t which = (uint32_t)(load_random(&writer->random) % count);

		if (writer->number == GROUPS)
			error = write_many(writer, from + which / GROUP_SIZE * GROUP_SIZE,
					   GROUP_SIZE,
					   ATOMICIO_ALL_OR_NONE | behind_or_not(writer));
		else if (writer->number == BATCHES)
			error = write_many(writer, from, BATCH_SIZE, ATOMICIO_DSYNC);
		else
			error = write_one(writer, from + which);
		if (!error)
			atomic_fetch_add(&writer->notes->written, 1);
		else if (!atomic_load(&writer->notes->dying))
			atomic_store(&writer->notes->error, error);
	}
	return NULL;
}

/* Write until killed, or until every writer has failed.  `mixed`: some past the journal, too. */
static void load_run(const char *directory, struct load_notes *notes, uint64_t seed, bool mixed)
{
	struct atomicio_journal *journal =
		journal_start(open_file(directory, "load-journal", O_RDWR));
	struct atomicio_options past = {
		.journal = journal, .file_id = 1, .path = ATOMICIO_PATH_KERNEL};
	static struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct atomicio_file *files[LOAD_FILES];
	int fds[LOAD_FILES];

	CHECK_EQ(journal_look(journal).state, ATOMICIO_JOURNAL_READY);
	for (uint32_t i = 0; i < LOAD_FILES; i++) {
		fds[i] = open_file(directory, names[i], flags_of(i));
		files[i] = journal_attached(journal, fds[i], i + 1, ATOMICIO_PATH_JOURNAL);
	}
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.notes = notes,
					     .files = {files[0], files[1], files[2]},
					     .buffer = kernel_memory(GROUP_SIZE * PITCH),
					     .random = seed * WRITERS + i,
					     .number = i};
		if (i == MIXED && mixed)
			writers[i].past = kernel_open(fds[DIRECT], &past);
	}
	for (uint32_t i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, write_on, &writers[i]), 0);
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
}

#endif /* JOURNAL_LOAD_H */
