/* SPDX-License-Identifier: MIT */
/*
 * The cuts of the served disk, and the commands that ask for them.
 *
 * Flow: image.c tells of each write and each flush, control.c brings the commands:
 *
 *	cut SEED	make a cut now: "cut N dropped D kept K torn T"
 *	arm SEED	make one at an event of the disk that the seed chooses; answered when it is
 *made disarm		take back the last arm: "ok"
 *	copy N		a cut like cut N, for somebody to write to: "copy M"
 *	drop N		forget cut N: "ok"
 *	stat		"writes W flushes F volatile V lines L acknowledged A bad B"
 *	words		the last line of the work that was no promise: "words ..."
 */
#include "image.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

struct cache image_cache;
static struct cut *cuts;
static uint64_t cut_count;

/* The cut that an `arm` asked for.  Events: before a flush, and after the k-th write since one. */
static struct {
	bool is_on;
	uint64_t seed, flushes, writes; /* flushes to let pass; writes 0: at a flush */
} armed;

struct cut *image_cut(fuse_ino_t inode)
{
	const uint64_t number = (inode - INODE_CUTS) / 2;

	if (inode < INODE_CUTS || number >= cut_count || !cuts[number].is_there)
		return NULL;
	return &cuts[number];
}

static bool add_cut(const struct cut *cut)
{
	struct cut *more = realloc(cuts, (cut_count + 1) * sizeof(*cuts));

	if (!more)
		return false;
	cuts = more;
	cuts[cut_count++] = *cut;
	return true;
}

/* CO2 of oracle.h: the order of these lines defines a cut. */
static void freeze(uint64_t seed)
{
	struct cut_counts counts;
	struct cut cut = {.is_there = true};
	struct text tries = {.bytes = NULL};
	int error;

	server_drain(NULL);
	error = server.oracle ? oracle_text(server.oracle, &cut.text) : 0;
	if (!error)
		error = cache_cut(&image_cache, seed, &cut.table, &counts);
	server_drain(&tries);
	if (!error)
		error = oracle_add_tries(&cut.text, &tries);
	free(tries.bytes);
	if (error || !add_cut(&cut))
		server_answer("error the cut needs more memory than there is");
	else
		server_answer("cut %" PRIu64 " dropped %u kept %u torn %u", cut_count - 1,
			      counts.dropped, counts.kept, counts.torn);
}

static void arm(uint64_t seed)
{
	uint64_t random = seed;

	armed.is_on = true;
	armed.seed = seed;
	armed.flushes = cut_random(&random) % 4;
	armed.writes = cut_random(&random) % 2 ? 1 + cut_random(&random) % 6 : 0;
}

/* A work that has said nothing yet has promised nothing: too early for a cut. */
static bool is_due(void)
{
	if (!armed.is_on)
		return false;
	if (!server.oracle)
		return true;
	if (!oracle_counts(server.oracle).lines)
		server_drain(NULL);
	return oracle_counts(server.oracle).lines > 0;
}

static void fire(void)
{
	armed.is_on = false;
	freeze(armed.seed);
}

void image_event_write(void)
{
	if (armed.writes && !armed.flushes && image_cache.entries >= armed.writes && is_due())
		fire();
}

void image_event_flush(void)
{
	if (!image_cache.entries || !is_due())
		return;
	if (armed.flushes)
		armed.flushes--;
	else
		fire();
}

static void stat_line(void)
{
	const struct oracle_counts counts =
		server.oracle ? oracle_counts(server.oracle) : (struct oracle_counts){0};

	server_answer("writes %" PRIu64 " flushes %" PRIu64 " volatile %u lines %" PRIu64
		      " acknowledged %" PRIu64 " bad %" PRIu64,
		      image_cache.writes, image_cache.flushes, image_cache.entries, counts.lines,
		      counts.acknowledged, counts.bad);
}

static void copy_cut(uint64_t number)
{
	const struct cut *cut = image_cut(INODE_CUTS + 2 * number);
	struct cut copy = {.is_there = true};

	if (!cut)
		server_answer("error there is no such cut");
	else if (table_copy(&copy.table, &cut->table) || !add_cut(&copy))
		server_answer("error the cut needs more memory than there is");
	else
		server_answer("copy %" PRIu64, cut_count - 1);
}

static void forget(uint64_t number)
{
	struct cut *cut = image_cut(INODE_CUTS + 2 * number);

	if (cut) {
		table_free(&cut->table);
		free(cut->text.bytes);
		*cut = (struct cut){.is_there = false};
	}
	server_answer(cut ? "ok" : "error there is no such cut");
}

bool image_command(char *words)
{
	uint64_t number;

	if (words_are(words, "cut ", &number)) {
		freeze(number);
	} else if (words_are(words, "arm ", &number)) {
		arm(number);
	} else if (words_are(words, "copy ", &number)) {
		copy_cut(number);
	} else if (words_are(words, "drop ", &number)) {
		forget(number);
	} else if (!strcmp(words, "disarm")) {
		armed.is_on = false;
		server_answer("ok");
	} else if (!strcmp(words, "stat")) {
		server_drain(NULL);
		stat_line();
	} else if (!strcmp(words, "words")) {
		server_drain(NULL);
		server_answer("words %s", server.oracle ? oracle_last_words(server.oracle) : "");
	} else {
		return false;
	}
	return true;
}
