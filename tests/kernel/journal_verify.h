/* SPDX-License-Identifier: MIT */
/*
 * Recover the files of journal_load.h, and check their bytes.
 *
 * Flow: called by journal_crash.c after each death.
 *
 * Rules, for each slot (a page of one writer, always written with a higher seed than before):
 * JV1 the page is whole: its bytes are those of one seed.
 * JV2 the seed is not older than the last seed acknowledged as durable.
 * JV3 the seed was written, and no earlier recovery found the seed lost.
 * JV4 the pages of a group have one seed.
 * JV5 all other bytes of the files are as they were made.
 */
#ifndef JOURNAL_VERIFY_H
#define JOURNAL_VERIFY_H

#include "journal_load.h"

/* The findings of the checks. */
struct load_result {
	uint64_t rounds, frames, pages, torn_tails;
	uint64_t torn_before, split_before; /* pages and groups that recovery made whole */
	/* Left behind, and not home: without that, a direct page is home when acknowledged. */
	uint64_t old_before;
	uint64_t killed_recoveries;
};

/* One recovery; the descriptors are those of the writes, or all buffered. */
static struct atomicio_recovery recover_once(const char *directory, bool buffered)
{
	struct journal_files files = {.fds = {0}};
	const int fd = open_file(directory, "load-journal", O_RDWR);
	struct atomicio_recovery done;

	for (uint32_t i = 0; i < LOAD_FILES; i++)
		files.fds[i] = open_file(directory, names[i], buffered ? O_RDWR : flags_of(i));
	done = journal_replay(fd, &files);
	for (uint32_t i = 0; i < LOAD_FILES; i++)
		close(files.fds[i]);
	close(fd);
	return done;
}

static void recover_in_child(const char *directory, bool buffered)
{
	if (setjmp(kernel_failed)) {
		fflush(stdout);
		_exit(1);
	}
	recover_once(directory, buffered);
	_exit(0);
}

/* Recover; with `kill_it` the first recoveries run in children that are killed. */
static void load_recover(const char *directory, uint64_t seed, bool kill_it,
			 struct load_result *result)
{
	struct atomicio_recovery done;

	for (int i = 0; kill_it && i < 2; i++) {
		const pid_t child = fork();
		int status;

		MUST(child);
		if (child == 0) {
			recover_in_child(directory, load_random(&seed) % 2);
		}
		load_random(&seed); /* as the child did */
		usleep((useconds_t)(load_random(&seed) % 6000));
		kill(child, SIGKILL);
		MUST(waitpid(child, &status, 0));
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		result->killed_recoveries += WIFSIGNALED(status);
	}
	done = recover_once(directory, load_random(&seed) % 2);
	result->frames += done.frames;
	result->pages += done.pages;
	result->torn_tails += done.tail_torn;
}

/* The seed in a slot's first word, and whether all of the slot is of it. */
static uint32_t seed_of(const uint8_t *bytes, uint32_t number, bool *whole)
{
	static uint8_t wanted[PITCH];
	const struct slot slot = slot_of(number);
	uint64_t word;
	uint32_t seed;

	memcpy(&word, bytes + slot.offset, 8);
	seed = (uint32_t)(word - ((uint64_t)number << 32) * UINT64_C(0x9E3779B97F4A7C15));
	fill(wanted, slot.length, number, seed);
	*whole = !memcmp(wanted, bytes + slot.offset, slot.length);
	return seed;
}

static void read_files(const char *directory, uint8_t *bytes[LOAD_FILES])
{
	static uint8_t space[LOAD_FILES][FILE_SIZE];

	for (uint32_t i = 0; i < LOAD_FILES; i++) {
		const int fd = open_file(directory, names[i], O_RDONLY);

		bytes[i] = space[i];
		CHECK_EQ(pread(fd, bytes[i], FILE_SIZE, 0), FILE_SIZE);
		CHECK_EQ(lseek(fd, 0, SEEK_END), FILE_SIZE);
		close(fd);
	}
}

/* JV5: with the slots painted over, nothing but filler is left. */
static bool gaps_are_whole(uint8_t *bytes[LOAD_FILES])
{
	for (uint32_t i = 0; i < LOAD_SLOTS; i++)
		memset(bytes[slot_of(i).file] + slot_of(i).offset, FILLER, slot_of(i).length);
	for (uint32_t i = 0; i < LOAD_FILES; i++)
		if (bytes[i][0] != FILLER || memcmp(bytes[i], bytes[i] + 1, FILE_SIZE - 1) != 0)
			return false;
	return true;
}

/*
 * Check the rules.  `before`: only count the pages that recovery has to repair.  Else print each
 * breach, and return true if all rules hold.
 */
static bool load_check(const char *directory, const struct load_notes *notes, bool before,
		       struct load_result *result)
{
	uint8_t *bytes[LOAD_FILES];
	uint32_t seeds[LOAD_SLOTS];
	bool good = true;

	read_files(directory, bytes);
	for (uint32_t i = 0; i < LOAD_SLOTS; i++) {
		const uint32_t tried = notes->tried[i], durable = notes->durable[i];
		bool whole, valid;

		seeds[i] = seed_of(bytes[slot_of(i).file], i, &whole);
		valid = seeds[i] >= durable && seeds[i] <= tried &&
			(seeds[i] == notes->base[i] || seeds[i] > notes->floor[i]);
		if (before) {
			result->torn_before += !whole;
			result->old_before += slot_of(i).file == DIRECT && seeds[i] < durable;
		} else if (!whole || !valid) {
			good = false;
			printf("# slot %u of %s: %s, found %u, durable %u, tried %u, base %u, "
			       "floor "
			       "%u\n",
			       i, names[slot_of(i).file], whole ? "whole" : "TORN", seeds[i],
			       durable, tried, notes->base[i], notes->floor[i]);
		}
	}
	for (uint32_t i = first[GROUPS]; i < first[BATCHES]; i += GROUP_SIZE) {
		bool split = false;

		for (uint32_t j = 1; j < GROUP_SIZE; j++)
			split |= seeds[i + j] != seeds[i];
		result->split_before += before && split;
		if (split && !before) {
			good = false;
			printf("# the group of slot %u is half there\n", i);
		}
	}
	if (!gaps_are_whole(bytes)) {
		printf("# bytes that no write touches have changed\n");
		good = false;
	}
	return good || before;
}

/* After a good check: the next round starts from the seeds found. */
static void load_move_on(const char *directory, struct load_notes *notes)
{
	uint8_t *bytes[LOAD_FILES];
	bool whole;

	read_files(directory, bytes);
	for (uint32_t i = 0; i < LOAD_SLOTS; i++) {
		notes->base[i] = seed_of(bytes[slot_of(i).file], i, &whole);
		notes->durable[i] = notes->base[i];
		notes->floor[i] = notes->tried[i];
	}
	/* The pages of a group go on with one seed, even if a kill came between their notes. */
	for (uint32_t i = first[GROUPS]; i < first[BATCHES]; i++) {
		const uint32_t start = i - (i - first[GROUPS]) % GROUP_SIZE;

		for (uint32_t j = start; j < start + GROUP_SIZE; j++)
			if (notes->floor[j] > notes->tried[i])
				notes->tried[i] = notes->floor[j];
	}
	notes->dying = false;
	notes->written = 0;
}

#endif /* JOURNAL_VERIFY_H */
