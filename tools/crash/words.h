/* SPDX-License-Identifier: MIT */
/* Words and numbers of commands, answers and names: leaves that read a text from the left. */
#ifndef CRASH_WORDS_H
#define CRASH_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* Does *at begin with this text?  Then *at is behind it. */
bool words_take(const char **at, const char *text);

/* Is there a decimal number at *at?  Then *at is behind it. */
bool words_number(const char **at, uint64_t *number);

/* Is the text this text and then one number, and no more? */
bool words_are(const char *text, const char *begin, uint64_t *number);

#endif /* CRASH_WORDS_H */
