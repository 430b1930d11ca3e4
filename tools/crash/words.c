/* SPDX-License-Identifier: MIT */
/* Words and numbers (words.h). */
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool words_take(const char **at, const char *text)
{
	const size_t length = strlen(text);

	if (strncmp(*at, text, length) != 0)
		return false;
	*at += length;
	return true;
}

bool words_number(const char **at, uint64_t *number)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*number = strtoull(*at, &end, 10);
	*at = end;
	return !errno;
}

bool words_are(const char *text, const char *begin, uint64_t *number)
{
	return words_take(&text, begin) && words_number(&text, number) && !*text;
}

static size_t quoted(char *to, const char *path)
{
	size_t length = 0;

	to[length++] = '\'';
	for (; *path; path++)
		if (*path == '\'') {
			for (const char *c = "'\\''"; *c; c++)
				to[length++] = *c;
		} else {
			to[length++] = *path;
		}
	to[length++] = '\'';
	return length;
}

char *words_with_path(const char *command, const char *path)
{
	size_t room = strlen(command) + 1, length = 0;
	char *words;

	for (const char *c = strstr(command, "{}"); c; c = strstr(c + 2, "{}"))
		room += 4 * strlen(path) + 2;
	words = malloc(room);
	if (!words)
		return NULL;
	while (*command)
		if (command[0] == '{' && command[1] == '}') {
			length += quoted(words + length, path);
			command += 2;
		} else {
			words[length++] = *command++;
		}
	words[length] = '\0';
	return words;
}
