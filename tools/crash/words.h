/* SPDX-License-Identifier: MIT */
/* Words and numbers of commands, answers and names: leaves that read a text, or fill one in. */
#ifndef CRASH_WORDS_H
#define CRASH_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* Does *at begin with this text?  Then step behind the text. */
bool words_take(const char **at, const char *text);

/* Is a decimal number at *at?  Then step behind the number. */
bool words_number(const char **at, uint64_t *number);

/* Is the text exactly the given text and a number? */
bool words_are(const char *text, const char *begin, uint64_t *number);

/* `command` with each {} replaced by a path, quoted for the shell; NULL: no memory. */
char *words_with_path(const char *command, const char *path);

#endif /* CRASH_WORDS_H */
