/* base64url both ways. The decoder takes no second spelling of a value, so that a token cannot be
 * changed without changing its digest. Called wherever tokens and keys are read. */
#include "common/base64url.h"

#include <stdint.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 0 to 63, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

bool base64url_decode(const char *text, size_t len, struct buf *out)
{
	if (len % 4 == 1)
		return false;
	char *to = buf_reserve(out, len / 4 * 3 + 3);
	size_t written = 0;
	uint32_t bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < len; i++) {
		int value = value_of(text[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			to[written++] = (char)(bits >> held & 0xff);
		}
	}
	if ((bits & ((1u << held) - 1)) != 0)
		return false;
	buf_commit(out, written);
	return true;
}

void base64url_encode(const void *data, size_t len, struct buf *out)
{
	const uint8_t *bytes = data;
	buf_make_room(out, len / 3 * 4 + 4);
	uint32_t bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6;) {
			held -= 6;
			buf_append_char(out, letters[bits >> held & 0x3f]);
		}
	}
	if (held > 0)
		buf_append_char(out, letters[bits << (6 - held) & 0x3f]);
}
