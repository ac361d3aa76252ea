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
#define ESCAPED_MAX 6
/* Bytes that are looked at together, and those for which room is made together. */
#define BLOCK 16
#define PIECE 2048
/* Up to here it pays to look at the whole text first. */
#define SHORT_MAX 256

/* As bytes16.h has them, signed. */
#define BYTE(value) ((signed char)(value))

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

/* A character of several bytes, or all bytes that are none before `enough`. */
static char *put_foreign(
    char *at, const unsigned char **from, const unsigned char *enough, const unsigned char *end)
{
	const unsigned char *next = *from;
	size_t len = 0;
	while (next < enough && *next >= 0x80 &&
	       (len = utf8_length((const char *)next, (const char *)end)) == 0) {
		at = mempcpy(at, "\\ufffd", ESCAPED_MAX);
		next++;
	}
	*from = next + len;
	return mempcpy(at, next, len);
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

/* The first `len` bytes of a block, of which these must be escaped. What stands behind an escape is
 * copied once more, to where it belongs then. */
static inline char *put_unplain(
    char *at, const unsigned char *block, unsigned unplain, unsigned len)
{
	const unsigned char *next = block;
	for (; unplain != 0; unplain &= unplain - 1) {
		const unsigned char *found = block + __builtin_ctz(unplain);
		at = put_escape(at + (found - next), *found);
		next = found + 1;
		memcpy(at, next, BLOCK);
	}
	return at + (block + len - next);
}

/* The bits of the first `count` bytes. */
static inline unsigned first_bits(unsigned count)
{
	return (1u << count) - 1;
}

/* Leads that are none, or behind which not every byte may stand that goes on with a character. */
static inline bool has_special(bytes16 block)
{
	const bytes16 two = bytes16_or(block == BYTE(0xc0), block == BYTE(0xc1));
	const bytes16 three = bytes16_or(block == BYTE(0xe0), block == BYTE(0xed));
	const bytes16 four = (bytes16)(block >= BYTE(0xf0)) & (bytes16)(block < 0);
	return !bytes16_is_zero(bytes16_or(four, bytes16_or(two, three)));
}

/* Of a block with those: which bytes cannot stand where they do (RFC 3629, 4). */
static inline unsigned find_misfits(bytes16 block)
{
	const unsigned high = bytes16_bits(block);
	const unsigned none = bytes16_bits(bytes16_or(block == BYTE(0xc0), block == BYTE(0xc1))) |
			      (bytes16_bits(block > BYTE(0xf4)) & high);
	const unsigned below_90 = bytes16_bits(block < BYTE(0x90));
	const unsigned below_a0 = bytes16_bits(block < BYTE(0xa0));
	return none | (bytes16_bits(block == BYTE(0xe0)) << 1 & below_a0) |
	       (bytes16_bits(block == BYTE(0xed)) << 1 & ~below_a0) |
	       (bytes16_bits(block == BYTE(0xf0)) << 1 & below_90) |
	       (bytes16_bits(block == BYTE(0xf4)) << 1 & ~below_90);
}

/* How many bytes of a block are sound; less than 0: nor is the begin of its first character, which
 * stands before it. *open are those that must go on with a character that is not whole yet, a bit
 * each: of this block, then of the next one. */
static inline int sound_bytes(bytes16 block, unsigned *open)
{
	const unsigned high = bytes16_bits(block);
	const unsigned more = bytes16_bits(block < BYTE(0xc0));
	const unsigned leads = high & ~more;
	const unsigned wanted = *open | leads << 1 |
				(bytes16_bits(block > BYTE(0xdf)) & high) << 2 |
				(bytes16_bits(block > BYTE(0xef)) & high) << 3;
	unsigned wrong = (wanted ^ more) & first_bits(BLOCK);
	if (has_special(block))
		wrong |= find_misfits(block) | (wanted & 1u << BLOCK);
	*open = wanted >> BLOCK;
	if (wrong == 0)
		return BLOCK;
	*open = 0;
	const unsigned first = (unsigned)__builtin_ctz(wrong);
	/* What is wrong in a character is wrong with all of it. */
	if ((wanted >> first & 1) == 0)
		return (int)first;
	const unsigned before = leads & first_bits(first);
	return before != 0 ? 31 - __builtin_clz(before) : -1;
}

/* Of a character of which its begin is written already. */
static inline char *take_back(char *at, const unsigned char **next)
{
	const unsigned char *lead = *next - 1;
	while (*lead < 0xc0)
		lead--;
	at -= *next - lead;
	*next = lead;
	return at;
}

/* Blocks with characters of several bytes, at the first of which it begins; as put_blocks(). */
static char *put_wide_blocks(char *at, const unsigned char **from, const unsigned char *enough)
{
	const unsigned char *next = *from;
	unsigned open = 0;
	int len = BLOCK;
	while (next < enough && len > 0) {
		const bytes16 block = bytes16_load((const char *)next);
		if (open == 0 && bytes16_bits(block) == 0)
			break;
		len = sound_bytes(block, &open);
		if (len <= 0)
			break;
		const unsigned unplain = bytes16_bits(find_unplain(block)) & ~bytes16_bits(block) &
					 first_bits((unsigned)len);
		memcpy(at, &block, BLOCK);
		at = put_unplain(at, next, unplain, (unsigned)len);
		next += len;
	}
	if (len < 0 || open != 0)
		at = take_back(at, &next);
	*from = next;
	return at;
}

/* Blocks that begin before `enough`, or as far as one that has characters of several bytes; another
 * block follows each. */
static char *put_blocks(char *at, const unsigned char **from, const unsigned char *enough)
{
	const unsigned char *next = *from;
	while (next < enough) {
		const bytes16 block = bytes16_load((const char *)next);
		const unsigned unplain = bytes16_bits(find_unplain(block));
		memcpy(at, &block, BLOCK);
		if (unplain == 0) {
			at += BLOCK;
			next += BLOCK;
			continue;
		}
		if (bytes16_bits(block) != 0)
			break;
		at = put_unplain(at, next, unplain, BLOCK);
		next += BLOCK;
	}
	*from = next;
	return at;
}

/* As put_blocks(), as far as something that is no character. */
static char *put_all_blocks(char *at, const unsigned char **from, const unsigned char *enough)
{
	const unsigned char *begin;
	do {
		at = put_blocks(at, from, enough);
		begin = *from;
		if (begin < enough)
			at = put_wide_blocks(at, from, enough);
	} while (*from > begin && *from < enough);
	return at;
}

/* As much as PIECE, or a little more. */
static char *put_piece(char *at, const unsigned char **from, const unsigned char *end)
{
	const unsigned char *next = *from;
	const unsigned char *enough = end - next > PIECE ? next + PIECE : end;
	const unsigned char *last_block = end - next > 2 * BLOCK ? end - 2 * BLOCK : next;
	const unsigned char *blocks = next; /* they are worth a try from there on */
	while (next < enough) {
		if (next >= blocks && next < last_block) {
			at = put_all_blocks(at, &next, enough < last_block ? enough : last_block);
			blocks = next + BLOCK;
			continue;
		}
		if (*next >= 0x80)
			at = put_foreign(at, &next, enough, end);
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
