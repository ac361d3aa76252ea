/* UTF-8, where text of others is read byte by byte. */
#ifndef EKSGATE_UTF8_H
#define EKSGATE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the well-formed UTF-8 sequence at `at` (RFC 3629, table of section 4), 0 when there
 * is none. */
static inline size_t utf8_length(const char *text, const char *end)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left = (size_t)(end - text);
	if (at[0] < 0x80)
		return 1;
	size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc2 || at[0] > 0xf4 || left < len)
		return 0;
	unsigned char low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static inline bool utf8_is_sound(const char *text, size_t len)
{
	for (size_t at = 0, step; at < len; at += step) {
		step = utf8_length(text + at, text + len);
		if (step == 0)
			return false;
	}
	return true;
}

#endif
