/* SPDX-License-Identifier: MIT */
/*
 * The check of the load: what is on the disk against what the lines allow.
 *
 * Flow: load.c calls load_check() when the journal was recovered.
 */
#define _GNU_SOURCE
#include "load.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The version that a page wholly is of, or UINT64_MAX. */
static uint64_t version_of(int file, uint32_t slot)
{
	static uint64_t page[WORDS] __attribute__((aligned(4096)));

	if (pread(load_fds[file], page, LENGTH, (off_t)(slot * LENGTH)) != LENGTH)
		return UINT64_MAX;
	for (uint32_t i = 3; i < WORDS; i++)
		if (page[i] != page[0])
			return UINT64_MAX;
	return page[1] == (page[0] ? slot : 0) ? page[0] : UINT64_MAX;
}

/* The common version of these pages of both files, or UINT64_MAX: half of a group is there. */
static uint64_t version_of_group(uint32_t slot, uint32_t pages)
{
	const uint64_t version = version_of(DIRECT, slot);

	for (uint32_t i = 0; i < 2 * pages; i++)
		if (version_of((int)i % 2, slot + i / 2) != version)
			return UINT64_MAX;
	return version;
}

/* The version found for a key, or UINT64_MAX: torn, or half a group. */
static uint64_t there(char kind, uint32_t number)
{
	if (kind == 'g')
		return version_of_group(GROUP_SLOT + number * GROUP, GROUP);
	if (kind == 'c')
		return version_of_group(CHAIN_SLOT, CHAIN);
	return version_of(kind - '0', number);
}

/* The versions that the lines of one key allow, for the message. */
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
int load_check(void)
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
