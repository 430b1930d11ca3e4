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
