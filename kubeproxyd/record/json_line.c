/* JSON strings as records need them: fast for plain text, safe for anything. A record is one line
 * of a file that programs read for years, so nothing from outside may break it. Called by whatever
 * writes records. */
#include "kubeproxyd/record/json_line.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "common/bytes16.h"
#include "common/utf8.h"

/* The longest of what stands for one byte: "\u001b" and "\ufffd". */
#define ESCAPED_MAX   6
#define CHARACTER_MAX 4
/* Bytes that are looked at together, and those for which room is made together. */
#define BLOCK 16
#define PIECE 2048
/* Up to here it pays to look at the whole text first. */
#define SHORT_MAX 256

struct escape {
	char text[7];
	unsigned char len;
};

#define CONTROL(high, low)                                                                         \
	{                                                                                          \
		"\\u00" #high #low, ESCAPED_MAX                                                    \
	}
#define CONTROLS(high)                                                                             \
	CONTROL(high, 0), CONTROL(high, 1), CONTROL(high, 2), CONTROL(high, 3), CONTROL(high, 4),  \
	    CONTROL(high, 5), CONTROL(high, 6), CONTROL(high, 7), CONTROL(high, 8),                \
	    CONTROL(high, 9), CONTROL(high, a), CONTROL(high, b), CONTROL(high, c),                \
	    CONTROL(high, d), CONTROL(high, e), CONTROL(high, f)

static const struct escape escapes[0x80] = {
    CONTROLS(0),
    CONTROLS(1),
    ['"'] = {"\\\"", 2},
    ['\\'] = {"\\\\", 2},
    [0x7f] = {"\\u007f", ESCAPED_MAX},
};

/* Writes a little beyond. */
static char *put_escape(char *at, unsigned char c)
{
	memcpy(at, &escapes[c], sizeof escapes[c]);
	return at + escapes[c].len;
}

/* As many characters of several bytes as follow each other before `enough`. */
static char *put_characters(
    char *at, const unsigned char **from, const unsigned char *enough, const unsigned char *end)
{
	const unsigned char *next = *from;
	size_t more;
	while (next < enough && *next >= 0x80 &&
	       (more = utf8_length((const char *)next, (const char *)end)) > 0) {
		if (end - next < CHARACTER_MAX)
			memcpy(at, next, more);
		else
			memcpy(at, next, CHARACTER_MAX);
		at += more;
		next += more;
	}
	*from = next;
	return at;
}

static char *put_foreign(
    char *at, const unsigned char **from, const unsigned char *enough, const unsigned char *end)
{
	char *behind = put_characters(at, from, enough, end);
	if (behind > at)
		return behind;
	++*from;
	return mempcpy(at, "\\ufffd", ESCAPED_MAX);
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static inline bytes16 find_unplain(bytes16 bytes)
{
	return (bytes < ' ') | (bytes == '"') | (bytes == '\\') | (bytes == 0x7f);
}

/* A bit for each of eight bytes that are 0xff or 0. */
static unsigned bits_of(uint64_t bytes)
{
	return (unsigned)((le64toh(bytes) & UINT64_C(0x8040201008040201)) *
			      UINT64_C(0x0101010101010101) >>
			  56);
}

/* A bit for each byte of a block that is not plain. */
static unsigned find_special(const unsigned char *from)
{
	uint64_t halves[2];
	bytes16 special = find_unplain(bytes16_load((const char *)from));
	memcpy(halves, &special, sizeof halves);
	if ((halves[0] | halves[1]) == 0)
		return 0;
	return bits_of(halves[0]) | bits_of(halves[1]) << 8;
}

/* A block, to its end or to a character of several bytes; another block follows it. */
static char *put_block(char *at, const unsigned char **from)
{
	const unsigned char *next = *from, *behind = next + BLOCK;
	unsigned special = find_special(next);
	memcpy(at, next, BLOCK);
	for (; special != 0; special &= special - 1) {
		const unsigned char *found = behind - BLOCK + __builtin_ctz(special);
		at += found - next;
		next = found;
		if (*found >= 0x80)
			break;
		at = put_escape(at, *next++);
		memcpy(at, next, BLOCK);
	}
	*from = special != 0 ? next : behind;
	return special != 0 ? at : at + (behind - next);
}

/* As much as PIECE, or a little more. */
static char *put_piece(char *at, const unsigned char **from, const unsigned char *end)
{
	const unsigned char *next = *from;
	const unsigned char *enough = end - next > PIECE ? next + PIECE : end;
	while (next < enough) {
		if (*next >= 0x80)
			at = put_foreign(at, &next, enough, end);
		else if (end - next >= 2 * BLOCK)
			at = put_block(at, &next);
		else if (is_plain(*next))
			*at++ = (char)*next++;
		else
			at = put_escape(at, *next++);
	}
	*from = next;
	return at;
}

/* Kept apart, so that what stands as it is pays for nothing here. */
static __attribute__((noinline)) void put_escaped(struct buf *out, const char *text, size_t len)
{
	const unsigned char *from = (const unsigned char *)text, *end = from + len;
	buf_append_char(out, '"');
	while (from < end) {
		size_t rest = (size_t)(end - from);
		char *start =
		    buf_reserve(out, ESCAPED_MAX * ((rest < PIECE ? rest : PIECE) + BLOCK) + BLOCK);
		buf_commit(out, (size_t)(put_piece(start, &from, end) - start));
	}
	buf_append_char(out, '"');
}

/* Nearly all texts but bodies and what terminals show are short and stand as they are. */
void json_line_member(
    struct buf *out, const char *before, size_t before_len, const char *text, size_t len)
{
	char *start = buf_reserve(out, before_len + len + 2), *at = start;
	at = mempcpy(at, before, before_len);
	bool is_plain = len <= SHORT_MAX && bytes16_are_free_of(find_unplain, text, len);
	if (is_plain) {
		*at++ = '"';
		at = mempcpy(at, text, len);
		*at++ = '"';
	}
	buf_commit(out, (size_t)(at - start));
	if (!is_plain)
		put_escaped(out, text, len);
}

void json_line_string(struct buf *out, const char *text, size_t len)
{
	json_line_member(out, "", 0, text, len);
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
