/* SPDX-License-Identifier: MIT */
/*
 * Words and numbers for people: sizes with suffixes, paths safe for a terminal, error lines.
 *
 * Flow: leaf of every subcommand.
 */
#include "tool.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "utf8.h"

/* The event, for the message if the answer cannot be written. */
static char done[TEXT_PATH_SIZE + 256];

void tool_done(const char *format, ...)
{
	va_list arguments;

	/* Who reads the answer may be gone; the page, or the journal, exists nevertheless. */
	signal(SIGPIPE, SIG_IGN);
	va_start(arguments, format);
	vsnprintf(done, sizeof(done), format, arguments);
	va_end(arguments);
}

const char *tool_what_is_done(void)
{
	return done[0] ? done : NULL;
}

int tool_error(const char *format, ...)
{
	va_list arguments;

	/* Print the answer so far first, if both streams are the same terminal. */
	fflush(stdout);
	fputs("atomicio: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return TOOL_ERROR;
}

/* A text cut at the end of its buffer, with room kept for the closing characters. */
struct piece {
	char *at;
	size_t left;
	bool cut;
};

static void put(struct piece *piece, const char *bytes, size_t length)
{
	if (length >= piece->left)
		piece->cut = true;
	if (piece->cut)
		return;
	memcpy(piece->at, bytes, length);
	piece->at += length;
	piece->left -= length;
}

/* Each byte of one character, or of none, as \xNN. */
static void put_escaped(struct piece *piece, const unsigned char *bytes, size_t length)
{
	char digits[4 * 4 + 1];

	for (size_t i = 0; i < length; i++)
		snprintf(digits + 4 * i, 5, "\\x%02x", bytes[i]);
	put(piece, digits, 4 * length);
}

/* Does this text need quotes in a shell, and quotes with escapes? */
static void judge(const char *text, bool *plain, bool *escapes)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t point;
	size_t length;

	*plain = *text != '\0';
	*escapes = false;
	for (; *at; at += length ? length : 1) {
		length = utf8_decode(at, &point);
		if (!length || utf8_is_control(point))
			*escapes = true;
		else if (point < 0x80 && !strchr("%+,-./:=@_", (int)point) &&
			 !(point >= '0' && point <= '9') &&
			 !((point | 0x20) >= 'a' && (point | 0x20) <= 'z'))
			*plain = false;
	}
	*plain &= !*escapes;
}

/* All characters but those that may not reach a terminal; `also` ones get a backslash. */
static void put_text(struct piece *piece, const char *text, const char *also)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t point;

	while (*at) {
		size_t length = utf8_decode(at, &point);

		if (!length || utf8_is_control(point)) {
			length = length ? length : 1;
			put_escaped(piece, at, length);
		} else {
			if (point < 0x80 && strchr(also, (int)point))
				put(piece, "\\", 1);
			put(piece, (const char *)at, length);
		}
		at += length;
	}
}

const char *text_word(const char *word, char *buffer, size_t size)
{
	struct piece piece = {.at = buffer, .left = size - sizeof("...") + 1};

	buffer[0] = '\0';
	put_text(&piece, word, "\\");
	memcpy(piece.at, piece.cut ? "..." : "", piece.cut ? sizeof("...") : 1);
	return buffer;
}

const char *text_path(const char *path, char *buffer, size_t size)
{
	struct piece piece = {.at = buffer, .left = size - sizeof("'...") + 1};
	const char *open = "'", *close = "";
	bool plain, escapes;

	buffer[0] = '\0';
	judge(path, &plain, &escapes);
	if (!plain) {
		if (escapes || strpbrk(path, "'\\"))
			open = "$'";
		put(&piece, open, strlen(open));
		close = "'";
	}
	if (*path == '-')
		put(&piece, "./", 2);
	put_text(&piece, path, plain ? "" : "'\\");
	snprintf(piece.at, sizeof("'..."), "%s%s", close, piece.cut ? "..." : "");
	return buffer;
}

/* "512", "4k", "16M": the largest suffix that divides the size, as text_parse_size() reads. */
const char *text_size(uint64_t size, char *buffer, size_t buffer_size)
{
	static const char suffixes[] = {'\0', 'k', 'M', 'G'};
	unsigned i = 0;

	while (size && size % 1024 == 0 && i + 1 < sizeof(suffixes)) {
		size /= 1024;
		i++;
	}
	if (suffixes[i])
		snprintf(buffer, buffer_size, "%" PRIu64 "%c", size, suffixes[i]);
	else
		snprintf(buffer, buffer_size, "%" PRIu64, size);
	return buffer;
}

/* "4k to 64k", or "4k" for a single size. */
const char *text_units(const struct atomicio_limits *limits, char *buffer, size_t size)
{
	char min[32], max[32];

	text_size(limits->unit_min, min, sizeof(min));
	text_size(limits->unit_max, max, sizeof(max));
	if (limits->mechanism == ATOMICIO_MECHANISM_NONE)
		snprintf(buffer, size, "none");
	else if (limits->unit_min == limits->unit_max)
		snprintf(buffer, size, "%s", min);
	else
		snprintf(buffer, size, "%s to %s", min, max);
	return buffer;
}

/* Decimal digits and at most one suffix.  Returns 0, or -1 for anything else. */
int text_parse_size(const char *text, uint64_t *size)
{
	uint64_t value = 0;
	unsigned shift = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		const uint64_t digit = (uint64_t)(*at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	if (at == text)
		return -1;
	if (*at == 'k' || *at == 'K')
		shift = 10;
	else if (*at == 'M' || *at == 'm')
		shift = 20;
	else if (*at == 'G' || *at == 'g')
		shift = 30;
	at += shift ? 1 : 0;
	if (*at || value > (UINT64_MAX >> shift))
		return -1;
	*size = value << shift;
	return 0;
}

/*
 * The reasons to name first where a file can write nothing untorn: except remarks about speed or
 * missing evidence, unless no other reason exists.
 */
uint64_t text_blocking(const struct atomicio_caps *caps)
{
	const uint64_t remarks = ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL |
				 ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_XFS_SUSPECT_KERNEL |
				 ATOMICIO_REASON_NVME_AWUPF_IGNORED | ATOMICIO_REASON_UNCONFIRMED |
				 ATOMICIO_REASON_DISK_UNKNOWN | ATOMICIO_REASON_QUEUE_UNREADABLE |
				 ATOMICIO_REASON_CONTENTS_UNKNOWN |
				 ATOMICIO_REASON_CONTENTS_AMBIGUOUS | ATOMICIO_REASON_NO_WITNESS;

	return caps->reasons & ~remarks ? caps->reasons & ~remarks : caps->reasons;
}
