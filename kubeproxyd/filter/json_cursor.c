/* A strict reader of JSON in memory. Strings are passed over eight bytes at a time; whatever is
 * nested is followed without recursion. Called by json_facts.c and json_filter.c. */
#include "kubeproxyd/filter/json_cursor.h"

#include <string.h>

#include "kubeproxyd/filter/json_frame.h"

#define WORD	  sizeof(uint64_t)
#define BYTE_BITS 8
#define WORD_MAX  64

/* API servers write none. */
static inline void skip_space(struct json_cursor *cursor)
{
	while (cursor->at < cursor->end && *cursor->at <= ' ' && json_is_space(*cursor->at))
		cursor->at++;
}

uint8_t cursor_peek(struct json_cursor *cursor)
{
	skip_space(cursor);
	return cursor->at < cursor->end ? *cursor->at : 0;
}

bool cursor_is_at_end(struct json_cursor *cursor)
{
	skip_space(cursor);
	return cursor->at == cursor->end;
}

static inline bool read_char(struct json_cursor *cursor, uint8_t c)
{
	skip_space(cursor);
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

bool cursor_read_char(struct json_cursor *cursor, uint8_t c)
{
	return read_char(cursor, c);
}

/* --- strings --------------------------------------------------------------------------------- */

/* A quote, a backslash, a control character or the beginning of a longer one. */
static inline const uint8_t *find_special(const uint8_t *at, const uint8_t *end)
{
	const uint64_t ones = 0x0101010101010101u, high = ones << 7;
	for (; (size_t)(end - at) >= WORD; at += WORD) {
		uint64_t word;
		memcpy(&word, at, WORD);
		uint64_t hits = json_bytes_equal(word, '"') | json_bytes_equal(word, '\\') |
				((word - ones * ' ') & ~word & high) | (word & high);
		if (hits != 0)
			return at + (unsigned)__builtin_ctzll(hits) / BYTE_BITS;
	}
	while (at < end && *at != '"' && *at != '\\' && *at >= ' ' && *at < 0x80)
		at++;
	return at;
}

static bool is_continuation(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* How long the character at `at` is (RFC 3629, 4); 0: it is none. */
static size_t utf8_length(const uint8_t *at, const uint8_t *end)
{
	size_t left = (size_t)(end - at);
	uint8_t first = at[0];
	if (first >= 0xc2 && first <= 0xdf)
		return left >= 2 && is_continuation(at[1]) ? 2 : 0;
	if (first >= 0xe0 && first <= 0xef) {
		if (left < 3 || !is_continuation(at[1]) || !is_continuation(at[2]))
			return 0;
		bool is_long = first == 0xe0 && at[1] < 0xa0;
		bool is_surrogate = first == 0xed && at[1] > 0x9f;
		return is_long || is_surrogate ? 0 : 3;
	}
	if (first < 0xf0 || first > 0xf4 || left < 4 || !is_continuation(at[1]) ||
	    !is_continuation(at[2]) || !is_continuation(at[3]))
		return 0;
	bool is_long = first == 0xf0 && at[1] < 0x90;
	bool is_beyond = first == 0xf4 && at[1] > 0x8f;
	return is_long || is_beyond ? 0 : 4;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits; -1: they are not there. */
static int read_unit(const uint8_t *at, const uint8_t *end)
{
	int value = 0;
	if (end - at < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* How long the escape at `at` is, from its backslash on; 0: it is none. */
static size_t escape_length(const uint8_t *at, const uint8_t *end)
{
	if (end - at < 2)
		return 0;
	if (at[1] == 'u')
		return read_unit(at + 2, end) >= 0 ? 6 : 0;
	return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
}

static inline bool read_string(struct json_cursor *cursor, struct cursor_text *text)
{
	if (!read_char(cursor, '"'))
		return false;
	*text = (struct cursor_text){.bytes = cursor->at};
	for (;;) {
		const uint8_t *at = find_special(cursor->at, cursor->end);
		if (at == cursor->end || *at < ' ')
			return false;
		if (*at == '"') {
			text->len = (size_t)(at - text->bytes);
			cursor->at = at + 1;
			return true;
		}
		size_t len =
		    *at == '\\' ? escape_length(at, cursor->end) : utf8_length(at, cursor->end);
		if (len == 0)
			return false;
		text->has_escapes |= *at == '\\';
		cursor->at = at + len;
	}
}

bool cursor_read_string(struct json_cursor *cursor, struct cursor_text *text)
{
	return read_string(cursor, text);
}

/* Appends a character as UTF-8; false: it does not fit. */
static bool put_character(uint32_t c, char *out, size_t size, size_t *len)
{
	char bytes[4];
	size_t count;
	if (c < 0x80) {
		bytes[0] = (char)c;
		count = 1;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		count = 2;
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		count = 3;
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		count = 4;
	}
	for (size_t i = 1; i < count; i++)
		bytes[i] = (char)(0x80 | (c >> (6 * (count - 1 - i)) & 0x3f));
	if (*len + count >= size)
		return false;
	memcpy(out + *len, bytes, count);
	*len += count;
	return true;
}

/* The character that the escape at *at means, *at moved behind it; 0 for none that counts: a NUL or
 * half a pair. */
static uint32_t read_escape(const uint8_t **at, const uint8_t *end)
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	if ((*at)[1] != 'u') {
		const char *name = memchr(names, (*at)[1], sizeof names - 1);
		*at += 2;
		return name != NULL ? (uint32_t)(uint8_t)meanings[name - names] : 0;
	}
	uint32_t unit = (uint32_t)read_unit(*at + 2, end);
	*at += 6;
	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	bool is_pair = unit < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u';
	int low = is_pair ? read_unit(*at + 2, end) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*at += 6;
	return 0x10000 + ((unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
}

bool cursor_text_copy(const struct cursor_text *text, char *out, size_t size)
{
	const uint8_t *at = text->bytes, *end = at + text->len;
	size_t len = 0;
	if (!text->has_escapes && text->len < size) {
		memcpy(out, at, text->len);
		out[text->len] = '\0';
		return true;
	}
	while (at < end) {
		uint32_t c = *at;
		if (c == '\\') {
			c = read_escape(&at, end);
			if (c == 0 || !put_character(c, out, size, &len))
				return false;
		} else {
			if (len + 1 >= size)
				return false;
			out[len++] = (char)c;
			at++;
		}
	}
	out[len] = '\0';
	return true;
}

bool cursor_text_is(const struct cursor_text *text, const char *word)
{
	char copy[WORD_MAX];
	if (!text->has_escapes)
		return strlen(word) == text->len && memcmp(text->bytes, word, text->len) == 0;
	return cursor_text_copy(text, copy, sizeof copy) && strcmp(copy, word) == 0;
}

/* --- everything else ------------------------------------------------------------------------- */

static bool read_word(struct json_cursor *cursor, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, word, len) != 0)
		return false;
	cursor->at += len;
	return true;
}

static bool read_digits(struct json_cursor *cursor)
{
	const uint8_t *begin = cursor->at;
	while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
		cursor->at++;
	return cursor->at > begin;
}

static bool take(struct json_cursor *cursor, uint8_t a, uint8_t b)
{
	if (cursor->at == cursor->end || (*cursor->at != a && *cursor->at != b))
		return false;
	cursor->at++;
	return true;
}

static bool read_number(struct json_cursor *cursor)
{
	(void)take(cursor, '-', '-');
	if (!take(cursor, '0', '0') && !read_digits(cursor))
		return false;
	if (take(cursor, '.', '.') && !read_digits(cursor))
		return false;
	if (!take(cursor, 'e', 'E'))
		return true;
	(void)take(cursor, '+', '-');
	return read_digits(cursor);
}

static bool read_scalar(struct json_cursor *cursor, uint8_t first)
{
	struct cursor_text text;
	switch (first) {
	case '"':
		return read_string(cursor, &text);
	case 't':
		return read_word(cursor, "true");
	case 'f':
		return read_word(cursor, "false");
	case 'n':
		return read_word(cursor, "null");
	default:
		return read_number(cursor);
	}
}

static inline bool read_key(struct json_cursor *cursor, struct cursor_text *key)
{
	return read_string(cursor, key) && read_char(cursor, ':');
}

/* What is open while a value is read. */
struct nest {
	size_t depth;
	bool is_object[JSON_DEPTH_MAX];
};

static bool open_nest(struct nest *nest, bool is_object)
{
	if (nest->depth == JSON_DEPTH_MAX)
		return false;
	nest->is_object[nest->depth++] = is_object;
	return true;
}

/* Behind a value: closes what ends here. Stops before the next value, or when all is closed. */
static bool go_on(struct json_cursor *cursor, struct nest *nest)
{
	struct cursor_text key;
	while (nest->depth > 0) {
		bool is_object = nest->is_object[nest->depth - 1];
		skip_space(cursor);
		uint8_t c = cursor->at < cursor->end ? *cursor->at : 0;
		if (c == ',') {
			cursor->at++;
			return !is_object || read_key(cursor, &key);
		}
		if (c != (is_object ? '}' : ']'))
			return false;
		cursor->at++;
		nest->depth--;
	}
	return true;
}

/* An object or array begins. *is_empty: it has ended, too. */
static bool begin_nest(struct json_cursor *cursor, struct nest *nest, uint8_t first, bool *is_empty)
{
	struct cursor_text key;
	bool is_object = first == '{';
	cursor->at++;
	*is_empty = cursor_peek(cursor) == (is_object ? '}' : ']');
	if (*is_empty) {
		cursor->at++;
		return true;
	}
	return open_nest(nest, is_object) && (!is_object || read_key(cursor, &key));
}

bool cursor_read_value(struct json_cursor *cursor)
{
	struct nest nest;
	nest.depth = 0;
	do {
		uint8_t first = cursor_peek(cursor);
		bool is_nest = first == '{' || first == '[', is_complete = true;
		if (is_nest ? !begin_nest(cursor, &nest, first, &is_complete)
			    : !read_scalar(cursor, first))
			return false;
		if (is_complete && !go_on(cursor, &nest))
			return false;
	} while (nest.depth > 0);
	return true;
}

enum cursor_step cursor_next_member(
    struct json_cursor *cursor, bool *is_first, struct cursor_text *key)
{
	if (cursor_peek(cursor) == '}') {
		cursor->at++;
		return CURSOR_END;
	}
	bool is_sound = (*is_first || cursor_read_char(cursor, ',')) && read_key(cursor, key);
	*is_first = false;
	return is_sound ? CURSOR_NEXT : CURSOR_BAD;
}

enum cursor_step cursor_next_element(struct json_cursor *cursor, bool *is_first)
{
	if (cursor_peek(cursor) == ']') {
		cursor->at++;
		return CURSOR_END;
	}
	bool is_sound = *is_first || cursor_read_char(cursor, ',');
	*is_first = false;
	return is_sound ? CURSOR_NEXT : CURSOR_BAD;
}
