/* JSON strings as records need them: fast for plain text, safe for anything. A record is one line
 * of a file that programs read for years, so nothing from outside may break it. Called by whatever
 * writes records. */
#include "kubeproxyd/record/json_line.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"

/* The longest of what stands for one byte: "\u001b" and "\ufffd". */
#define ESCAPED_MAX   6
#define CHARACTER_MAX 4
/* Bytes that are looked at together, and those for which room is made together. */
#define BLOCK 16
#define PIECE 2048

/* Of what is below 0x80; writes a little beyond. */
static char *put_escape(char *at, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	if (c == '"' || c == '\\') {
		*at++ = '\\';
		*at++ = (char)c;
		return at;
	}
	uint64_t start = '\\' | 'u' << 8 | '0' << 16 | (uint64_t)'0' << 24;
	uint64_t escape =
	    htole64(start | (uint64_t)('0' + (c >> 4)) << 32 | (uint64_t)digits[c & 15] << 40);
	memcpy(at, &escape, sizeof escape);
	return at + ESCAPED_MAX;
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

/* What is there cannot stand as it is, or is of several bytes. */
static char *put_special(
    char *at, const unsigned char **from, const unsigned char *enough, const unsigned char *end)
{
	if (**from < 0x80)
		return put_escape(at, *(*from)++);
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

/* Several bytes at once (GCC: Vector Extensions); what is above 0x7f is less than zero. */
typedef signed char block __attribute__((vector_size(BLOCK)));

/* Copies a block and returns how many bytes at its begin are plain. */
static size_t put_block(char *at, const unsigned char *from)
{
	block bytes;
	memcpy(&bytes, from, BLOCK);
	memcpy(at, &bytes, BLOCK);
	block special = (bytes < ' ') | (bytes == '"') | (bytes == '\\') | (bytes == 0x7f);
	uint64_t halves[2];
	memcpy(halves, &special, sizeof halves);
	if (halves[0] != 0)
		return (size_t)__builtin_ctzll(le64toh(halves[0])) / 8;
	return halves[1] == 0 ? BLOCK : 8 + (size_t)__builtin_ctzll(le64toh(halves[1])) / 8;
}

/* As much as PIECE, or a little more. */
static char *put_piece(char *at, const unsigned char **from, const unsigned char *end)
{
	const unsigned char *next = *from;
	const unsigned char *enough = end - next > PIECE ? next + PIECE : end;
	while (next < enough) {
		if (end - next < BLOCK && is_plain(*next)) {
			*at++ = (char)*next++;
			continue;
		}
		size_t plain = end - next < BLOCK ? 0 : put_block(at, next);
		at += plain;
		next += plain;
		if (plain < BLOCK && next < enough)
			at = put_special(at, &next, enough, end);
	}
	*from = next;
	return at;
}

void json_line_string(struct buf *out, const char *text, size_t len)
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
