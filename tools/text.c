/* SPDX-License-Identifier: MIT */
/*
 * Words and numbers for people: sizes with suffixes, paths safe for a terminal, error lines.
 *
 * Flow: leaf of every subcommand.
 */
#include "tool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

int tool_error(const char *format, ...)
{
	va_list arguments;

	/* The answer so far comes first where both streams are one terminal. */
	fflush(stdout);
	fputs("atomicio: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return TOOL_ERROR;
}

/* A path without control characters: a file name must not drive the terminal. */
const char *text_path(const char *path, char *buffer, size_t size)
{
	size_t i;

	for (i = 0; path[i] && i + 1 < size; i++) {
		const unsigned char c = (unsigned char)path[i];

		buffer[i] = path[i];
		if (c < 0x20 || c == 0x7f)
			buffer[i] = '?';
	}
	buffer[i] = '\0';
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

/* "4k to 64k", or "4k" where there is one size only. */
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
 * The reasons to name first where a file can write nothing untorn: all but those that only
 * describe how well it works or what was not learnt, unless there are no others.
 */
uint64_t text_blocking(const struct atomicio_caps *caps)
{
	const uint64_t remarks = ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL |
				 ATOMICIO_REASON_XFS_SOFTWARE | ATOMICIO_REASON_XFS_SUSPECT_KERNEL |
				 ATOMICIO_REASON_NVME_AWUPF_IGNORED | ATOMICIO_REASON_UNCONFIRMED |
				 ATOMICIO_REASON_DISK_UNKNOWN | ATOMICIO_REASON_QUEUE_UNREADABLE |
				 ATOMICIO_REASON_CONTENTS_UNKNOWN |
				 ATOMICIO_REASON_CONTENTS_AMBIGUOUS;

	return caps->reasons & ~remarks ? caps->reasons & ~remarks : caps->reasons;
}
