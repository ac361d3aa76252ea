/* JSON strings as records need them: fast for plain text, safe for anything. A record is one line
 * of a file that programs read for years, so nothing from outside may break it. Called by whatever
 * writes records. */
#include "kubeproxyd/record/json_line.h"

#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"

/* The longest of what stands for one byte: "\u001b" and "\ufffd". */
#define ESCAPED_MAX 6

static char *put_escape(char *at, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	*at++ = '\\';
	if (c == '"' || c == '\\') {
		*at++ = (char)c;
		return at;
	}
	at = mempcpy(at, "u00", 3);
	*at++ = digits[c >> 4];
	*at++ = digits[c & 15];
	return at;
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* Whether eight bytes are all plain: in each expression the high bit of some byte is set when one
 * is of its kind. */
static bool are_plain(const unsigned char *text)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	uint64_t word;
	memcpy(&word, text, sizeof word);
	uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\',
		 delete = word ^ ones * 0x7f;
	uint64_t found =
	    word | (word - ones * ' ') | (quote - ones) | (backslash - ones) | (delete - ones);
	return (found & highs) == 0;
}

/* Copies plain bytes, at most to `end`. */
static char *put_plain(char *at, const unsigned char **from, const unsigned char *end)
{
	for (; end - *from >= 8 && are_plain(*from); *from += 8)
		at = mempcpy(at, *from, 8);
	while (*from < end && is_plain(**from))
		*at++ = (char)*(*from)++;
	return at;
}

void json_line_string(struct buf *out, const char *text, size_t len)
{
	const unsigned char *from = (const unsigned char *)text, *end = from + len;
	char *start = buf_reserve(out, ESCAPED_MAX * len + 2), *at = start;
	*at++ = '"';
	while (from < end) {
		size_t more =
		    *from >= 0x80 ? utf8_length((const char *)from, (const char *)end) : 0;
		if (is_plain(*from)) {
			at = put_plain(at, &from, end);
		} else if (more > 0) {
			at = mempcpy(at, from, more);
			from += more;
		} else if (*from >= 0x80) {
			at = mempcpy(at, "\\ufffd", ESCAPED_MAX);
			from++;
		} else {
			at = put_escape(at, *from++);
		}
	}
	*at++ = '"';
	buf_commit(out, (size_t)(at - start));
}

void json_line_int(struct buf *out, int64_t value)
{
	char digits[20];
	size_t count = sizeof digits;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	do {
		digits[--count] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		buf_append_char(out, '-');
	buf_append(out, digits + count, sizeof digits - count);
}
