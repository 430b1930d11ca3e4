/* SPDX-License-Identifier: MIT */
/*
 * The promises of a work: its lines TRY, ACK and OLD.
 *
 *	TRY key version		version is about to be written to key
 *	ACK key version		version is durable: no cut may take the version away
 *	OLD key version		the write of version failed, and the old page was promised
 *
 * Keys and versions are words.  Legal after a cut is the last ACK of a key, or any later TRY of the
 * key that no OLD took back.
 *
 * Flow: server.c feeds the work's output; at a cut oracle_text() gives the check its lines: for
 * each key the last ACK, if any, and then each TRY that is legal, too.
 *
 * Rules:
 * CO1 Only whole lines count.
 * CO2 At a cut ACK and OLD are read before the disk is frozen, TRY before and after: no promise
 *     younger than the cut is demanded, and no write possibly in the cut is missing.
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include <stddef.h>
#include <stdint.h>

struct oracle;

/* A text that grows. */
struct text {
	char *bytes;
	size_t length, room;
};

int text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct oracle *oracle_create(void);

/* Take bytes of the work's output.  Each line TRY is also added to `tries` if that is not NULL. */
void oracle_feed(struct oracle *oracle, const char *bytes, size_t length, struct text *tries);

/* Lines TRY, ACK and OLD up to now; malformed lines; keys with an ACK. */
struct oracle_counts {
	uint64_t lines, bad, acknowledged;
};

struct oracle_counts oracle_counts(const struct oracle *oracle);

/* The last line that was no promise, for an error message; "" if none. */
const char *oracle_last_words(const struct oracle *oracle);

/* The lines for a check, sorted by key.  0 or -ENOMEM. */
int oracle_text(const struct oracle *oracle, struct text *text);
/* Put each line TRY of `tries` behind the lines of its key. */
int oracle_add_tries(struct text *text, const struct text *tries);

#endif /* CRASH_ORACLE_H */
