/* SPDX-License-Identifier: MIT */
/*
 * UTF-8, one character at a time, and which characters must not reach a terminal.
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
 * Does this character drive a terminal, or turn what is read around?  The control characters
 * of ASCII and of Latin-1 (C1: U+009B is an escape sequence's start in one), line and
 * paragraph separators, and what changes the direction of text.
 */
bool utf8_is_control(uint32_t point);

#endif /* UTF8_H */
