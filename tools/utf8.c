/* SPDX-License-Identifier: MIT */
/*
 * UTF-8, one character at a time.  See utf8.h.
 */
#include "utf8.h"

/* RFC 3629, section 4. */
size_t utf8_decode(const unsigned char *text, uint32_t *point)
{
	const unsigned char lead = text[0];
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	*point = lead;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		length = 2;
	else if (lead >= 0xe0 && lead <= 0xef)
		length = 3;
	else if (lead >= 0xf0 && lead <= 0xf4)
		length = 4;
	else
		return 0;
	/* The second byte rules out overlong forms, surrogates and values past U+10FFFF. */
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (text[1] < low || text[1] > high)
		return 0;
	*point = (lead & (0x7fu >> length)) << 6 | (text[1] & 0x3fu);
	for (size_t i = 2; i < length; i++) {
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
		*point = *point << 6 | (text[i] & 0x3fu);
	}
	return length;
}

bool utf8_is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c ||
	       point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069);
}
