/* SPDX-License-Identifier: MIT */
/*
 * A JSON writer: commas, indentation and escaping; the caller balances begin and end.
 *
 * Flow: leaf of the --json outputs.
 *
 * Rules:
 * JS1 the output is valid UTF-8 for every input: an invalid byte becomes U+FFFD, and a character
 *     that drives a terminal (utf8.h) is written as \u and four digits.
 * JS2 a NULL key means an element of an array; a NULL string value is null.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned depth;
	bool empty; /* nothing yet in the innermost object or array */
};

void json_begin(struct json *json, const char *key, char bracket);
void json_end(struct json *json, char bracket);
void json_string(struct json *json, const char *key, const char *value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);
void json_decimal(struct json *json, const char *key, double value); /* finite */
void json_hex(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif /* JSON_H */
