/* SPDX-License-Identifier: MIT */
/*
 * The promises of a work (oracle.h has the rules).
 *
 * Flow: a leaf of server.c.
 */
#include "oracle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64u
#define BUCKETS 4096u

struct version {
	struct version *next;
	char name[WORD_MAX];
};

struct key {
	struct key *next;
	struct version *tries; /* later than the ACK, oldest first */
	char acknowledged[WORD_MAX];
	char name[WORD_MAX];
};

struct oracle {
	struct key *keys[BUCKETS];
	struct oracle_counts counts;
	char line[256];
	size_t length; /* of it; at most its size; the full size marks a line too long */
	char last_words[256];
};

int text_add(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	if (text->room - text->length < 512) {
		const size_t room = text->room ? 2 * text->room : 4096;
		char *bytes = realloc(text->bytes, room);

		if (!bytes)
			return -ENOMEM;
		text->bytes = bytes;
		text->room = room;
	}
	va_start(arguments, format);
	length =
		vsnprintf(text->bytes + text->length, text->room - text->length, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= text->room - text->length)
		return -ENOMEM;
	text->length += (size_t)length;
	return 0;
}

struct oracle *oracle_create(void)
{
	return calloc(1, sizeof(struct oracle));
}

static struct key *key_of(struct oracle *oracle, const char *name)
{
	uint32_t hash = 2166136261u;
	struct key **bucket, *key;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	bucket = &oracle->keys[hash % BUCKETS];
	for (key = *bucket; key; key = key->next)
		if (!strcmp(key->name, name))
			return key;
	key = calloc(1, sizeof(*key));
	if (!key)
		return NULL;
	memcpy(key->name, name, strlen(name) + 1);
	key->next = *bucket;
	*bucket = key;
	return key;
}

static void forget_first(struct key *key)
{
	struct version *version = key->tries;

	key->tries = version->next;
	free(version);
}

static struct version **find(struct key *key, const char *name)
{
	struct version **at = &key->tries;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

/* gcc 12's analyzer loses the list's last member behind the loop, and reports a leak. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
static void try_it(struct key *key, const char *name)
{
	struct version **at = &key->tries;
	struct version *version = calloc(1, sizeof(*version));

	if (!version)
		return;
	memcpy(version->name, name, strlen(name) + 1);
	while (*at)
		at = &(*at)->next;
	*at = version;
}

/* Versions tried before the acknowledged version are no longer legal. */
static void acknowledge(struct oracle *oracle, struct key *key, const char *name)
{
	if (*find(key, name)) {
		while (strcmp(key->tries->name, name) != 0)
			forget_first(key);
		forget_first(key);
	}
	if (!key->acknowledged[0])
		oracle->counts.acknowledged++;
	memcpy(key->acknowledged, name, strlen(name) + 1);
}

static void take_back(struct key *key, const char *name)
{
	struct version **at = find(key, name);
	struct version *version = *at;

	if (version) {
		*at = version->next;
		free(version);
	}
}

static void take_line(struct oracle *oracle, struct text *tries)
{
	char word[4], name[WORD_MAX], version[WORD_MAX], more;
	struct key *key;

	oracle->line[oracle->length] = '\0';
	if (strncmp(oracle->line, "TRY ", 4) != 0 && strncmp(oracle->line, "ACK ", 4) != 0 &&
	    strncmp(oracle->line, "OLD ", 4) != 0) {
		memcpy(oracle->last_words, oracle->line, oracle->length + 1);
		return;
	}
	if (sscanf(oracle->line, "%3s %63s %63s %c", word, name, version, &more) != 3) {
		oracle->counts.bad++;
		return;
	}
	key = key_of(oracle, name);
	if (!key)
		return;
	oracle->counts.lines++;
	switch (word[0]) {
	case 'T':
		try_it(key, version);
		if (tries)
			(void)text_add(tries, "%s\n", oracle->line);
		break;
	case 'A':
		acknowledge(oracle, key, version);
		break;
	default:
		take_back(key, version);
	}
}

void oracle_feed(struct oracle *oracle, const char *bytes, size_t length, struct text *tries)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\n') {
			if (oracle->length < sizeof(oracle->line))
				oracle->line[oracle->length++] = bytes[i];
			continue;
		}
		if (oracle->length && oracle->line[oracle->length - 1] == '\r')
			oracle->length--;
		if (oracle->length < sizeof(oracle->line))
			take_line(oracle, tries);
		else
			oracle->counts.bad++;
		oracle->length = 0;
	}
}

struct oracle_counts oracle_counts(const struct oracle *oracle)
{
	return oracle->counts;
}

const char *oracle_last_words(const struct oracle *oracle)
{
	return oracle->last_words;
}

int oracle_text(const struct oracle *oracle, struct text *text)
{
	int error = text_add(text, "%s", "");

	for (uint32_t i = 0; i < BUCKETS; i++)
		for (const struct key *key = oracle->keys[i]; key && !error; key = key->next) {
			if (key->acknowledged[0])
				error = text_add(text, "ACK %s %s\n", key->name, key->acknowledged);
			for (const struct version *v = key->tries; v && !error; v = v->next)
				error = text_add(text, "TRY %s %s\n", key->name, v->name);
		}
	return error;
}

/* The length of "key " in the line at `line`, which starts with a word of three letters. */
static size_t key_length(const char *line)
{
	return strcspn(line + 4, " ") + 1;
}

/* Where in the text the lines of this line's key end; at its end if it has none. */
static size_t end_of_key(const struct text *text, const char *line)
{
	size_t end = text->length;

	for (size_t at = 0; at < text->length;) {
		const size_t next = at + strcspn(text->bytes + at, "\n") + 1;

		if (!strncmp(text->bytes + at + 4, line + 4, key_length(line)))
			end = next;
		at = next;
	}
	return end;
}

int oracle_add_tries(struct text *text, const struct text *tries)
{
	for (size_t at = 0; at < tries->length;) {
		const char *line = tries->bytes + at;
		const size_t length = strcspn(line, "\n") + 1;
		const size_t end = end_of_key(text, line), tail = text->length - end;

		if (text_add(text, "%.*s", (int)length, line))
			return -ENOMEM;
		memmove(text->bytes + end + length, text->bytes + end, tail);
		memcpy(text->bytes + end, line, length);
		at += length;
	}
	return 0;
}
