/* SPDX-License-Identifier: MIT */
/*
 * UTF-8, character by character, and the characters that must not reach a terminal.
 *
 * Flow: leaf, used by text.c and json.c.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the valid sequence at `text`, its code point in *point; 0: there is none. */
size_t utf8_decode(const unsigned char *text, uint32_t *point);

/*
 * Does this character drive a terminal, or change the order of reading?  The control characters of
 * ASCII and of Latin-1 (C1: U+009B alone starts an escape sequence), line and paragraph separators,
 * and marks that change the direction of text.
 */
bool utf8_is_control(uint32_t point);

#endif /* UTF8_H */
