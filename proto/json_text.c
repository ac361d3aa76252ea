/* JSON for message bodies, both directions. json-c is not used here: it accepts duplicate keys, NaN
 * and clamped integers, and would rebuild a resource text instead of handing out the bytes that the
 * digest was made of. Pure: no sockets, no logging; fuzzed through message_decode_body(). */
#include "proto/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* realloc() would leave what it moved behind in the heap. */
static void grow(struct json_writer *writer, size_t cap)
{
	char *grown = writer->is_secret ? malloc(cap) : realloc(writer->data, cap);
	if (grown == NULL)
		abort();
	if (writer->is_secret && writer->data != NULL) {
		memcpy(grown, writer->data, writer->len);
		explicit_bzero(writer->data, writer->len);
		free(writer->data);
	}
	writer->data = grown;
	writer->cap = cap;
}

static void append(struct json_writer *writer, const char *data, size_t len)
{
	if (len >= writer->cap - writer->len)
		grow(writer, writer->cap + len + writer->cap / 2 + 64);
	memcpy(writer->data + writer->len, data, len);
	writer->len += len;
	writer->data[writer->len] = '\0';
}

void json_write(struct json_writer *writer, const char *text)
{
	append(writer, text, strlen(text));
}

void json_write_int(struct json_writer *writer, int64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRId64, value);
	append(writer, digits, (size_t)len);
}

static bool is_continuation(const char *text, size_t len, size_t at)
{
	return at < len && ((unsigned char)text[at] & 0xc0) == 0x80;
}

/* Length of the UTF-8 sequence (RFC 3629) at the start of `text`, 0 when it is none. */
static size_t utf8_length(const char *text, size_t len)
{
	unsigned char first = (unsigned char)text[0];
	unsigned char second = len > 1 ? (unsigned char)text[1] : 0;
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4 || !is_continuation(text, len, 1))
		return 0;
	if (first < 0xe0)
		return 2;
	if (!is_continuation(text, len, 2))
		return 0;
	if (first < 0xf0) {
		bool is_overlong = first == 0xe0 && second < 0xa0;
		bool is_surrogate = first == 0xed && second >= 0xa0;
		return is_overlong || is_surrogate ? 0 : 3;
	}
	bool is_overlong = first == 0xf0 && second < 0x90;
	bool is_beyond = first == 0xf4 && second >= 0x90;
	return is_overlong || is_beyond || !is_continuation(text, len, 3) ? 0 : 4;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static void write_special(struct json_writer *writer, char c)
{
	char escape[8];
	if (c == '"' || c == '\\')
		snprintf(escape, sizeof escape, "\\%c", c);
	else if (c == '\n')
		snprintf(escape, sizeof escape, "\\n");
	else
		snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)c);
	json_write(writer, escape);
}

void json_write_string(struct json_writer *writer, const char *text, size_t len)
{
	append(writer, "\"", 1);
	for (size_t at = 0; at < len;) {
		size_t run = 0;
		while (at + run < len && is_plain(text[at + run]))
			run++;
		append(writer, text + at, run);
		at += run;
		if (at == len)
			break;
		size_t sequence = utf8_length(text + at, len - at);
		if (sequence == 0)
			append(writer, "?", 1);
		else if (sequence > 1)
			append(writer, text + at, sequence);
		else
			write_special(writer, text[at]);
		at += sequence > 0 ? sequence : 1;
	}
	append(writer, "\"", 1);
}

void json_reader_fail(struct json_reader *reader, const char *what)
{
	if (!reader->is_bad)
		snprintf(reader->error, sizeof reader->error, "%s at byte %zu", what, reader->at);
	reader->is_bad = true;
}

static void skip_space(struct json_reader *reader)
{
	while (reader->at < reader->len && strchr(" \t\r\n", reader->text[reader->at]) != NULL &&
	       reader->text[reader->at] != '\0')
		reader->at++;
}

/* NUL at the end; one that stands in the text fails wherever it is looked at. */
static char byte_here(const struct json_reader *reader)
{
	if (reader->at == reader->len)
		return '\0';
	return reader->text[reader->at];
}

/* The next byte that is no space. */
static char peek(struct json_reader *reader)
{
	skip_space(reader);
	return byte_here(reader);
}

static bool expect(struct json_reader *reader, char c, const char *what)
{
	if (reader->is_bad)
		return false;
	if (peek(reader) != c) {
		json_reader_fail(reader, what);
		return false;
	}
	reader->at++;
	return true;
}

static bool open_level(struct json_reader *reader, char c, const char *what)
{
	if (!expect(reader, c, what))
		return false;
	if (++reader->depth > JSON_TEXT_DEPTH) {
		json_reader_fail(reader, "nested too deep");
		return false;
	}
	reader->is_first = true;
	return true;
}

/* Steps over the comma before the next member or element. False at the end of the level, or on an
 * error. */
static bool next_in_level(struct json_reader *reader, char end, const char *what)
{
	if (reader->is_bad)
		return false;
	bool is_first = reader->is_first;
	reader->is_first = false;
	if (peek(reader) == end) {
		reader->at++;
		reader->depth--;
		return false;
	}
	return is_first || expect(reader, ',', what);
}

bool json_read_object(struct json_reader *reader)
{
	return open_level(reader, '{', "an object is expected");
}

bool json_read_array(struct json_reader *reader)
{
	return open_level(reader, '[', "an array is expected");
}

bool json_read_element(struct json_reader *reader)
{
	return next_in_level(reader, ']', "',' or ']' is expected");
}

static bool read_hex4(struct json_reader *reader, unsigned *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++, reader->at++) {
		char c = byte_here(reader);
		const char *digits = "0123456789abcdef";
		const char *digit = strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
		if (c == '\0' || digit == NULL) {
			json_reader_fail(reader, "bad \\u escape");
			return false;
		}
		*value = *value * 16 + (unsigned)(digit - digits);
	}
	return true;
}

/* The code point of a \u escape whose "\u" was read; surrogates must come in pairs. */
static bool read_code_point(struct json_reader *reader, unsigned *point)
{
	if (!read_hex4(reader, point))
		return false;
	if (*point >= 0xd800 && *point < 0xdc00 && reader->len - reader->at >= 2 &&
	    memcmp(reader->text + reader->at, "\\u", 2) == 0) {
		unsigned low;
		reader->at += 2;
		if (!read_hex4(reader, &low))
			return false;
		if (low >= 0xdc00 && low < 0xe000) {
			*point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
			return true;
		}
		*point = 0xd800;
	}
	if (*point == 0 || (*point >= 0xd800 && *point < 0xe000)) {
		json_reader_fail(
		    reader, *point == 0 ? "NUL in a string" : "half of a surrogate pair");
		return false;
	}
	return true;
}

static size_t put_utf8(char *to, unsigned point)
{
	if (point < 0x80) {
		to[0] = (char)point;
		return 1;
	}
	size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = len; i-- > 1; point >>= 6)
		to[i] = (char)(0x80 | (point & 0x3f));
	to[0] = (char)(lead[len] | point);
	return len;
}

/* Reads the escape behind a backslash and writes its at most 4 bytes to `to`. 0 on failure. */
static size_t read_escape(struct json_reader *reader, char *to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	char c = byte_here(reader);
	const char *simple = c != '\0' ? strchr(from, c) : NULL;
	if (simple != NULL) {
		reader->at++;
		to[0] = into[simple - from];
		return 1;
	}
	if (c != 'u') {
		json_reader_fail(reader, "bad escape in a string");
		return 0;
	}
	reader->at++;
	unsigned point;
	return read_code_point(reader, &point) ? put_utf8(to, point) : 0;
}

/* Copies one character of a string, escaped or not, to `to` (at most 4 bytes). 0 on failure. */
static size_t read_character(struct json_reader *reader, char *to)
{
	char c = reader->text[reader->at];
	if (c == '\\') {
		reader->at++;
		return read_escape(reader, to);
	}
	size_t len = utf8_length(reader->text + reader->at, reader->len - reader->at);
	if (len == 0 || (unsigned char)c < 0x20) {
		json_reader_fail(
		    reader, len == 0 ? "a string is not UTF-8" : "control character in a string");
		return 0;
	}
	memcpy(to, reader->text + reader->at, len);
	reader->at += len;
	return len;
}

/* Where the string that begins at reader->at would end: an upper bound of its length, cheap to
 * find. */
static size_t raw_length(const struct json_reader *reader)
{
	size_t at = reader->at;
	while (at < reader->len && reader->text[at] != '"')
		at += reader->text[at] == '\\' ? 2 : 1;
	return (at < reader->len ? at : reader->len) - reader->at;
}

/* Most of a string needs no look at each character. */
static size_t copy_plain(struct json_reader *reader, char *to, size_t max)
{
	size_t run = 0;
	while (
	    run < max && reader->at + run < reader->len && is_plain(reader->text[reader->at + run]))
		run++;
	memcpy(to, reader->text + reader->at, run);
	reader->at += run;
	return run;
}

static bool read_characters(struct json_reader *reader, char *to, size_t *len, size_t max)
{
	*len = 0;
	while (reader->at < reader->len && reader->text[reader->at] != '"') {
		if (*len >= max) {
			json_reader_fail(reader, "a string is too long");
			return false;
		}
		size_t added = copy_plain(reader, to + *len, max - *len);
		if (added == 0)
			added = read_character(reader, to + *len);
		if (added == 0)
			return false;
		*len += added;
	}
	if (*len > max)
		json_reader_fail(reader, "a string is too long");
	return expect(reader, '"', "a string does not end");
}

bool json_read_string(struct json_reader *reader, char **value, size_t *len, size_t max)
{
	*value = NULL;
	*len = 0;
	if (!expect(reader, '"', "a string is expected"))
		return false;
	size_t room = raw_length(reader);
	char *text = malloc((room < max ? room : max) + 5);
	if (text == NULL)
		abort();
	if (!read_characters(reader, text, len, max)) {
		free(text);
		return false;
	}
	text[*len] = '\0';
	*value = text;
	return true;
}

bool json_read_member(struct json_reader *reader, char key[JSON_TEXT_KEY])
{
	if (!next_in_level(reader, '}', "',' or '}' is expected"))
		return false;
	char *text;
	size_t len;
	if (!json_read_string(reader, &text, &len, 1024) ||
	    !expect(reader, ':', "':' is expected")) {
		free(text);
		return false;
	}
	snprintf(key, JSON_TEXT_KEY, "%s", text);
	free(text);
	return true;
}

static size_t skip_digits(struct json_reader *reader)
{
	size_t start = reader->at;
	while (reader->at < reader->len && reader->text[reader->at] >= '0' &&
	       reader->text[reader->at] <= '9')
		reader->at++;
	return reader->at - start;
}

static bool take_any(struct json_reader *reader, const char *set)
{
	if (reader->at == reader->len || reader->text[reader->at] == '\0' ||
	    strchr(set, reader->text[reader->at]) == NULL)
		return false;
	reader->at++;
	return true;
}

/* Any JSON number; *is_integer when it has neither fraction nor exponent. */
static bool scan_number(struct json_reader *reader, bool *is_integer)
{
	*is_integer = true;
	take_any(reader, "-");
	bool has_zero = reader->at < reader->len && reader->text[reader->at] == '0';
	size_t digits = skip_digits(reader);
	bool is_good = digits > 0 && (!has_zero || digits == 1);
	if (take_any(reader, ".")) {
		*is_integer = false;
		is_good = skip_digits(reader) > 0 && is_good;
	}
	if (take_any(reader, "eE")) {
		*is_integer = false;
		take_any(reader, "+-");
		is_good = skip_digits(reader) > 0 && is_good;
	}
	if (!is_good)
		json_reader_fail(reader, "bad value");
	return is_good;
}

bool json_read_int(struct json_reader *reader, int64_t *value)
{
	*value = 0;
	if (reader->is_bad)
		return false;
	char first = peek(reader);
	size_t start = reader->at;
	bool is_integer = false;
	if (first != '-' && (first < '0' || first > '9')) {
		json_reader_fail(reader, "an integer is expected");
		return false;
	}
	if (!scan_number(reader, &is_integer))
		return false;
	size_t len = reader->at - start;
	char digits[20] = "";
	if (!is_integer || len >= sizeof digits) {
		json_reader_fail(
		    reader, is_integer ? "an integer is too large" : "an integer is expected");
		return false;
	}
	memcpy(digits, reader->text + start, len);
	*value = strtoll(digits, NULL, 10);
	if (*value > JSON_TEXT_INT_MAX || *value < -JSON_TEXT_INT_MAX) {
		json_reader_fail(reader, "an integer is too large");
		return false;
	}
	return true;
}

static bool take_word(struct json_reader *reader, const char *word)
{
	size_t len = strlen(word);
	if (reader->len - reader->at < len || memcmp(reader->text + reader->at, word, len) != 0)
		return false;
	reader->at += len;
	return true;
}

bool json_read_bool(struct json_reader *reader, bool *value)
{
	*value = false;
	if (reader->is_bad)
		return false;
	skip_space(reader);
	*value = take_word(reader, "true");
	if (!*value && !take_word(reader, "false")) {
		json_reader_fail(reader, "true or false is expected");
		return false;
	}
	return true;
}

static void skip_scalar(struct json_reader *reader)
{
	bool is_integer;
	if (peek(reader) == '"') {
		char *text;
		size_t len;
		if (json_read_string(reader, &text, &len, reader->len))
			free(text);
		return;
	}
	if (!take_word(reader, "true") && !take_word(reader, "false") && !take_word(reader, "null"))
		(void)scan_number(reader, &is_integer);
}

static void skip_members(struct json_reader *reader)
{
	char key[JSON_TEXT_KEY];
	if (!json_read_object(reader))
		return;
	while (json_read_member(reader, key))
		json_skip(reader);
}

/* Recursion is bounded by JSON_TEXT_DEPTH. */
void json_skip(struct json_reader *reader)
{
	if (reader->is_bad)
		return;
	char first = peek(reader);
	if (first == '{') {
		skip_members(reader);
	} else if (first == '[') {
		if (!json_read_array(reader))
			return;
		while (json_read_element(reader))
			json_skip(reader);
	} else {
		skip_scalar(reader);
	}
}

bool json_read_end(struct json_reader *reader)
{
	if (reader->is_bad)
		return false;
	skip_space(reader);
	if (reader->at != reader->len || reader->depth != 0)
		json_reader_fail(reader, "more bytes than one value");
	return !reader->is_bad;
}
