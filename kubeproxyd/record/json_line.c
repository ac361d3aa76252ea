/* JSON strings as records need them: fast for plain text, safe for anything. A record is one line
 * of a file that programs read for years, so nothing from outside may break it. Called by whatever
 * writes records. */
#include "kubeproxyd/record/json_line.h"

#include <stdbool.h>
#include <string.h>

#include "common/bytes16.h"
#include "common/decimal.h"
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

#define CODE(digits)                                                                               \
	{                                                                                          \
		"\\u00" digits, ESCAPED_MAX                                                        \
	}
#define SHORT(letter)                                                                              \
	{                                                                                          \
		"\\" letter, 2                                                                     \
	}

/* The shortest (RFC 8259, 7). */
static const struct escape escapes[0x80] = {CODE("00"), CODE("01"), CODE("02"), CODE("03"),
    CODE("04"), CODE("05"), CODE("06"), CODE("07"), SHORT("b"), SHORT("t"), SHORT("n"), CODE("0b"),
    SHORT("f"), SHORT("r"), CODE("0e"), CODE("0f"), CODE("10"), CODE("11"), CODE("12"), CODE("13"),
    CODE("14"), CODE("15"), CODE("16"), CODE("17"), CODE("18"), CODE("19"), CODE("1a"), CODE("1b"),
    CODE("1c"), CODE("1d"), CODE("1e"),
    CODE("1f"), ['"'] = SHORT("\""), ['\\'] = SHORT("\\"), [0x7f] = CODE("7f")};

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

/* Of all bytes, moved up by one, those of what must be escaped and 0x80, which is 0x7f, are less
 * than '!'. */
static inline bytes16 find_unplain(bytes16 bytes)
{
	typedef unsigned char unsigned16 __attribute__((vector_size(16)));
	bytes16 moved = (bytes16)((unsigned16)bytes + 1);
	return bytes16_or(moved < '!', bytes16_or(bytes == '"', bytes == '\\'));
}

/* A block in which these are not plain, to its end or to a character of several bytes. What stands
 * behind an escape is copied once more, to where it belongs then. */
static inline char *put_unplain(char *at, const unsigned char **from, unsigned unplain)
{
	const unsigned char *block = *from, *next = block;
	for (; unplain != 0; unplain &= unplain - 1) {
		const unsigned char *found = block + __builtin_ctz(unplain);
		at += found - next;
		*from = found;
		if (*found >= 0x80)
			return at;
		at = put_escape(at, *found);
		next = found + 1;
		memcpy(at, next, BLOCK);
	}
	*from = block + BLOCK;
	return at + (*from - next);
}

/* Blocks that begin before `enough`, or as far as a character of several bytes; another block
 * follows each. */
static char *put_blocks(char *at, const unsigned char **from, const unsigned char *enough)
{
	const unsigned char *next = *from;
	while (next < enough) {
		bytes16 block = bytes16_load((const char *)next);
		unsigned unplain = bytes16_bits(find_unplain(block));
		memcpy(at, &block, BLOCK);
		if (unplain == 0) {
			at += BLOCK;
			next += BLOCK;
			continue;
		}
		at = put_unplain(at, &next, unplain);
		if (*next >= 0x80)
			break;
	}
	*from = next;
	return at;
}

/* As much as PIECE, or a little more. */
static char *put_piece(char *at, const unsigned char **from, const unsigned char *end)
{
	const unsigned char *next = *from;
	const unsigned char *enough = end - next > PIECE ? next + PIECE : end;
	const unsigned char *last_block = end - next > 2 * BLOCK ? end - 2 * BLOCK : next;
	while (next < enough) {
		if (*next >= 0x80)
			at = put_foreign(at, &next, enough, end);
		else if (next < last_block)
			at = put_blocks(at, &next, enough < last_block ? enough : last_block);
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

static __attribute__((noinline)) void put_escaped_member(
    struct buf *out, const char *before, size_t before_len, const char *text, size_t len)
{
	buf_append(out, before, before_len);
	put_escaped(out, text, len);
	buf_append_char(out, ',');
}

/* Nearly all texts but bodies and what terminals show are short and stand as they are: those are
 * copied as they are looked at, and need no call. */
void json_line_member(
    struct buf *out, const char *before, size_t before_len, const char *text, size_t len)
{
	size_t need = before_len + len + 3;
	bool is_easy = len <= SHORT_MAX && need < out->cap - out->len;
	if (!is_easy) {
		put_escaped_member(out, before, before_len, text, len);
		return;
	}
	char *at = bytes16_copy(out->data + out->len, before, before_len);
	if (!bytes16_copy_free_of(find_unplain, at + 1, text, len)) {
		put_escaped_member(out, before, before_len, text, len);
		return;
	}
	at[0] = '"';
	at[len + 1] = '"';
	at[len + 2] = ',';
	buf_commit(out, need);
}

void json_line_string(struct buf *out, const char *text, size_t len)
{
	char *at = buf_reserve(out, len + 2);
	if (len > SHORT_MAX || !bytes16_copy_free_of(find_unplain, at + 1, text, len)) {
		put_escaped(out, text, len);
		return;
	}
	at[0] = at[len + 1] = '"';
	buf_commit(out, len + 2);
}

void json_line_int(struct buf *out, int64_t value)
{
	char *start = buf_reserve(out, 1 + DECIMAL_TEXT), *at = start;
	if (value < 0)
		*at++ = '-';
	at += decimal_write(at, value < 0 ? -(uint64_t)value : (uint64_t)value);
	buf_commit(out, (size_t)(at - start));
}
