/* SPDX-License-Identifier: MIT */
/*
 * A JSON writer.  See json.h for the rules.
 */
#include "json.h"

#include <inttypes.h>
#include <stddef.h>

#include "utf8.h"

static void json_quoted(FILE *out, const char *value)
{
	const unsigned char *text = (const unsigned char *)value;

	fputc('"', out);
	while (*text) {
		uint32_t point;
		const size_t length = utf8_decode(text, &point);

		if (!length)
			fputs("\\ufffd", out);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if (utf8_is_control(point))
			fprintf(out, "\\u%04x", point);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
	fputc('"', out);
}

static void json_indent(const struct json *json)
{
	fputc('\n', json->out);
	for (unsigned i = 0; i < json->depth; i++)
		fputs("  ", json->out);
}

/* Everything that comes before a value. */
static void json_key(struct json *json, const char *key)
{
	if (json->depth) {
		if (!json->empty)
			fputc(',', json->out);
		json_indent(json);
	}
	json->empty = false;
	if (key) {
		json_quoted(json->out, key);
		fputs(": ", json->out);
	}
}

void json_begin(struct json *json, const char *key, char bracket)
{
	json_key(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->empty = true;
}

void json_end(struct json *json, char bracket)
{
	json->depth--;
	if (!json->empty)
		json_indent(json);
	json->empty = false;
	fputc(bracket, json->out);
	if (!json->depth)
		fputc('\n', json->out);
}

void json_string(struct json *json, const char *key, const char *value)
{
	json_key(json, key);
	if (value)
		json_quoted(json->out, value);
	else
		fputs("null", json->out);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_decimal(struct json *json, const char *key, double value)
{
	json_key(json, key);
	fprintf(json->out, "%.3f", value);
}

/* Bit masks go out as strings: readers that keep numbers in a double lose bits past 2^53. */
void json_hex(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	fprintf(json->out, "\"0x%" PRIx64 "\"", value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	json_key(json, key);
	fputs("null", json->out);
}
