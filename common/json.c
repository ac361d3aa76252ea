/* A strict JSON reader that builds json-c documents, typed getters over them, and the canonical
 * writer. json-c's own parser accepts single quotes, NaN, duplicate keys and clamps integers, so
 * the text is read here and json-c only holds the tree. Pure: bytes in, document or message out.
 * Called wherever JSON enters: AWS answers, the bus, the registry, the admin interface. */
#include "common/json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "common/xmem.h"

/* Where the reader is. The first failure stays: `at` and `what` are set once. */
struct reader {
	const char *start, *at, *end;
	const char *failed_at;
	const char *what;
	unsigned depth, depth_max;
};

static bool read_value(struct reader *reader, struct json_object **value);

static bool fail(struct reader *reader, const char *what)
{
	if (reader->what == NULL) {
		reader->what = what;
		reader->failed_at = reader->at;
	}
	return false;
}

static int peek(const struct reader *reader)
{
	return reader->at < reader->end ? (unsigned char)*reader->at : -1;
}

static void skip_space(struct reader *reader)
{
	for (int c = peek(reader); c == ' ' || c == '\t' || c == '\r' || c == '\n';
	     c = peek(reader))
		reader->at++;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* --- strings ---------------------------------------------------------------------------------- */

static void append_utf8(struct buf *out, unsigned code)
{
	if (code < 0x80) {
		buf_append_char(out, (char)code);
		return;
	}
	if (code < 0x800) {
		buf_append_char(out, (char)(0xc0 | code >> 6));
	} else if (code < 0x10000) {
		buf_append_char(out, (char)(0xe0 | code >> 12));
		buf_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
	} else {
		buf_append_char(out, (char)(0xf0 | code >> 18));
		buf_append_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
		buf_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
	}
	buf_append_char(out, (char)(0x80 | (code & 0x3f)));
}

static bool read_hex4(struct reader *reader, unsigned *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++) {
		int c = peek(reader);
		unsigned digit;
		if (is_digit(c))
			digit = (unsigned)c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = ((unsigned)c | 0x20) - 'a' + 10;
		else
			return fail(reader, "an escape \\u needs four hexadecimal digits");
		*code = *code << 4 | digit;
		reader->at++;
	}
	return true;
}

/* Behind "\u": one code point, which two escapes may spell. */
static bool read_unicode_escape(struct reader *reader, struct buf *out)
{
	unsigned code, low;
	if (!read_hex4(reader, &code))
		return false;
	if (code >= 0xdc00 && code <= 0xdfff)
		return fail(reader, "a low surrogate stands alone");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (reader->end - reader->at < 2 || memcmp(reader->at, "\\u", 2) != 0)
			return fail(reader, "a high surrogate stands alone");
		reader->at += 2;
		if (!read_hex4(reader, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(reader, "a high surrogate stands alone");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	append_utf8(out, code);
	return true;
}

static bool read_escape(struct reader *reader, struct buf *out)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	reader->at++;
	int c = peek(reader);
	if (c == 'u') {
		reader->at++;
		return read_unicode_escape(reader, out);
	}
	const char *name = c > 0 ? strchr(names, c) : NULL;
	if (name == NULL)
		return fail(reader, "unknown escape in a string");
	buf_append_char(out, means[name - names]);
	reader->at++;
	return true;
}

/* How many bytes from here on stand for themselves in a string; those from `limit` on do not. */
static size_t plain_run(const char *at, const char *end, unsigned limit)
{
	const char *start = at;
	while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < limit && *at != '"' &&
	       *at != '\\')
		at++;
	return (size_t)(at - start);
}

static bool read_string(struct reader *reader, struct buf *out)
{
	if (peek(reader) != '"')
		return fail(reader, "a string in double quotes was expected");
	reader->at++;
	for (;;) {
		size_t plain = plain_run(reader->at, reader->end, 0x80);
		buf_append(out, reader->at, plain);
		reader->at += plain;
		int c = peek(reader);
		if (c == -1)
			return fail(reader, "a string does not end");
		if (c == '"')
			break;
		if (c < 0x20)
			return fail(reader, "a control character in a string must be escaped");
		if (c == '\\') {
			if (!read_escape(reader, out))
				return false;
			continue;
		}
		size_t len = utf8_length(reader->at, reader->end);
		if (len == 0)
			return fail(reader, "not UTF-8");
		buf_append(out, reader->at, len);
		reader->at += len;
	}
	reader->at++;
	return true;
}

static bool read_string_value(struct reader *reader, struct json_object **value)
{
	struct buf text = {0};
	bool ok = read_string(reader, &text);
	if (ok && text.len > INT32_MAX)
		ok = fail(reader, "a string is too long");
	if (ok)
		*value = json_object_new_string_len(buf_text(&text), (int)text.len);
	buf_free(&text);
	return ok;
}

/* --- numbers and words ------------------------------------------------------------------------ */

static bool read_digits(struct reader *reader)
{
	if (!is_digit(peek(reader)))
		return fail(reader, "a digit was expected");
	while (is_digit(peek(reader)))
		reader->at++;
	return true;
}

/* Moves over one number of RFC 8259, section 6. */
static bool skip_number(struct reader *reader, bool *is_integer)
{
	if (peek(reader) == '-')
		reader->at++;
	bool leading_zero = peek(reader) == '0';
	const char *first = reader->at;
	if (!read_digits(reader))
		return false;
	if (leading_zero && reader->at - first > 1)
		return fail(reader, "a number must not start with 0");
	*is_integer = true;
	if (peek(reader) == '.') {
		*is_integer = false;
		reader->at++;
		if (!read_digits(reader))
			return false;
	}
	if (peek(reader) == 'e' || peek(reader) == 'E') {
		*is_integer = false;
		reader->at++;
		if (peek(reader) == '+' || peek(reader) == '-')
			reader->at++;
		return read_digits(reader);
	}
	return true;
}

static struct json_object *new_integer(const char *text)
{
	errno = 0;
	long long number = strtoll(text, NULL, 10);
	if (errno == 0)
		return json_object_new_int64(number);
	errno = 0;
	unsigned long long big = strtoull(text, NULL, 10);
	return errno == 0 && text[0] != '-' ? json_object_new_uint64(big) : NULL;
}

static bool read_number(struct reader *reader, struct json_object **value)
{
	const char *first = reader->at;
	bool is_integer = false;
	if (!skip_number(reader, &is_integer))
		return false;
	char *text = xstrndup(first, (size_t)(reader->at - first));
	if (is_integer) {
		*value = new_integer(text);
	} else {
		double number = strtod(text, NULL);
		*value = isfinite(number) ? json_object_new_double_s(number, text) : NULL;
	}
	free(text);
	if (*value == NULL) {
		reader->at = first;
		return fail(reader, "a number is out of range");
	}
	return true;
}

static bool read_word(struct reader *reader, struct json_object **value)
{
	static const char *const words[] = {"null", "true", "false"};
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(words[i]);
		if ((size_t)(reader->end - reader->at) >= len &&
		    memcmp(reader->at, words[i], len) == 0) {
			reader->at += len;
			*value = i == 0 ? NULL : json_object_new_boolean(i == 1);
			return true;
		}
	}
	return fail(
	    reader, peek(reader) == -1 ? "the text ends too early" : "a value was expected");
}

/* --- objects and arrays ----------------------------------------------------------------------- */

static bool read_key(struct reader *reader, struct json_object *object, struct buf *key)
{
	const char *first = reader->at;
	buf_clear(key);
	if (!read_string(reader, key))
		return false;
	const char *behind = reader->at;
	reader->at = first;
	if (strlen(buf_text(key)) != key->len)
		return fail(reader, "a key holds a NUL");
	if (json_object_object_get_ex(object, buf_text(key), NULL))
		return fail(reader, "a key stands twice");
	reader->at = behind;
	skip_space(reader);
	if (peek(reader) != ':')
		return fail(reader, "':' was expected");
	reader->at++;
	return true;
}

static bool read_members(struct reader *reader, struct json_object *object, struct buf *key)
{
	skip_space(reader);
	if (peek(reader) == '}')
		return true;
	for (;;) {
		struct json_object *value = NULL;
		skip_space(reader);
		if (!read_key(reader, object, key))
			return false;
		if (!read_value(reader, &value))
			return false;
		json_object_object_add(object, buf_text(key), value);
		if (peek(reader) == '}')
			return true;
		if (peek(reader) != ',')
			return fail(reader, "',' or '}' was expected");
		reader->at++;
	}
}

static bool read_object(struct reader *reader, struct json_object **value)
{
	struct json_object *object = json_object_new_object();
	struct buf key = {0};
	reader->at++;
	bool ok = read_members(reader, object, &key);
	buf_free(&key);
	if (!ok) {
		json_object_put(object);
		return false;
	}
	reader->at++;
	*value = object;
	return true;
}

static bool read_items(struct reader *reader, struct json_object *array)
{
	skip_space(reader);
	if (peek(reader) == ']')
		return true;
	for (;;) {
		struct json_object *value = NULL;
		if (!read_value(reader, &value))
			return false;
		json_object_array_add(array, value);
		if (peek(reader) == ']')
			return true;
		if (peek(reader) != ',')
			return fail(reader, "',' or ']' was expected");
		reader->at++;
	}
}

static bool read_array(struct reader *reader, struct json_object **value)
{
	struct json_object *array = json_object_new_array();
	reader->at++;
	if (!read_items(reader, array)) {
		json_object_put(array);
		return false;
	}
	reader->at++;
	*value = array;
	return true;
}

static bool read_bare_value(struct reader *reader, struct json_object **value)
{
	int c = peek(reader);
	if (c == '"')
		return read_string_value(reader, value);
	if (c == '-' || is_digit(c))
		return read_number(reader, value);
	if (c != '{' && c != '[')
		return read_word(reader, value);
	if (reader->depth == reader->depth_max)
		return fail(reader, "nested too deeply");
	reader->depth++;
	bool ok = c == '{' ? read_object(reader, value) : read_array(reader, value);
	reader->depth--;
	return ok;
}

/* One value and the space around it. */
static bool read_value(struct reader *reader, struct json_object **value)
{
	skip_space(reader);
	if (!read_bare_value(reader, value))
		return false;
	skip_space(reader);
	return true;
}

struct json_object *json_parse_part(
    const char *text, size_t len, unsigned depth, char error[JSON_ERROR_TEXT])
{
	struct reader reader = {.start = text, .at = text, .end = text + len, .depth_max = depth};
	struct json_object *value = NULL;
	if (len > JSON_MAX_BYTES) {
		snprintf(error, JSON_ERROR_TEXT, "%zu bytes of JSON, at most %u are read", len,
		    JSON_MAX_BYTES);
		return NULL;
	}
	bool ok = read_value(&reader, &value);
	if (ok && reader.at < reader.end)
		ok = fail(&reader, "something follows the document");
	if (ok && value == NULL)
		ok = fail(&reader, "the document is null");
	if (ok)
		return value;
	json_object_put(value);
	snprintf(error, JSON_ERROR_TEXT, "%s (byte %zu of %zu)", reader.what,
	    (size_t)(reader.failed_at - reader.start), len);
	return NULL;
}

struct json_object *json_parse(const char *text, size_t len, char error[JSON_ERROR_TEXT])
{
	return json_parse_part(text, len, JSON_MAX_DEPTH, error);
}

/* --- getters ---------------------------------------------------------------------------------- */

static bool complain(
    char error[JSON_ERROR_TEXT], const char *path, const char *key, const char *what)
{
	snprintf(error, JSON_ERROR_TEXT, "%s%s%s %s", path, *path != '\0' ? ": " : "", key, what);
	return false;
}

/* Null counts as absent: *value is NULL then. */
static bool find(struct json_object *object, const char *path, const char *key,
    struct json_object **value, char error[JSON_ERROR_TEXT])
{
	*value = NULL;
	if (!json_object_is_type(object, json_type_object)) {
		snprintf(error, JSON_ERROR_TEXT, "%s is not an object",
		    *path != '\0' ? path : "the document");
		return false;
	}
	json_object_object_get_ex(object, key, value);
	return true;
}

static bool find_required(struct json_object *object, const char *path, const char *key,
    struct json_object **value, char error[JSON_ERROR_TEXT])
{
	if (!find(object, path, key, value, error))
		return false;
	return *value != NULL || complain(error, path, key, "is missing");
}

bool json_get_optional_string(struct json_object *object, const char *path, const char *key,
    const char **value, char error[JSON_ERROR_TEXT])
{
	struct json_object *found;
	*value = NULL;
	if (!find(object, path, key, &found, error))
		return false;
	if (found == NULL)
		return true;
	if (!json_object_is_type(found, json_type_string))
		return complain(error, path, key, "is not a string");
	const char *text = json_object_get_string(found);
	if (strlen(text) != (size_t)json_object_get_string_len(found))
		return complain(error, path, key, "holds a NUL");
	*value = text;
	return true;
}

bool json_get_string(struct json_object *object, const char *path, const char *key,
    const char **value, char error[JSON_ERROR_TEXT])
{
	if (!json_get_optional_string(object, path, key, value, error))
		return false;
	return *value != NULL || complain(error, path, key, "is missing");
}

bool json_get_int(struct json_object *object, const char *path, const char *key, int64_t *value,
    char error[JSON_ERROR_TEXT])
{
	struct json_object *found;
	if (!find_required(object, path, key, &found, error))
		return false;
	if (!json_object_is_type(found, json_type_int))
		return complain(error, path, key, "is not an integer");
	if (json_object_get_uint64(found) > INT64_MAX)
		return complain(error, path, key, "is out of range");
	*value = json_object_get_int64(found);
	return true;
}

bool json_get_object(struct json_object *object, const char *path, const char *key,
    struct json_object **value, char error[JSON_ERROR_TEXT])
{
	if (!find_required(object, path, key, value, error))
		return false;
	return json_object_is_type(*value, json_type_object) ||
	       complain(error, path, key, "is not an object");
}

bool json_get_array(struct json_object *object, const char *path, const char *key,
    struct json_object **value, char error[JSON_ERROR_TEXT])
{
	if (!find_required(object, path, key, value, error))
		return false;
	return json_object_is_type(*value, json_type_array) ||
	       complain(error, path, key, "is not a list");
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	if (value != NULL)
		json_object_object_add(object, key, json_object_new_string(value));
}

/* --- the canonical writer --------------------------------------------------------------------- */

static void write_string(struct buf *out, const char *text, size_t len)
{
	buf_append_char(out, '"');
	for (const char *end = text + len; text < end; text++) {
		size_t plain = plain_run(text, end, 0x100);
		buf_append(out, text, plain);
		text += plain;
		if (text == end)
			break;
		buf_printf(out, (unsigned char)*text < 0x20 ? "\\u%04x" : "\\%c", *text);
	}
	buf_append_char(out, '"');
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(struct buf *out, struct json_object *object)
{
	size_t count = 0;
	const char **keys = xcalloc((size_t)json_object_object_length(object) + 1, sizeof(*keys));
	struct json_object_iterator at = json_object_iter_begin(object);
	struct json_object_iterator end = json_object_iter_end(object);
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
		keys[count++] = json_object_iter_peek_name(&at);
	qsort(keys, count, sizeof(*keys), compare_keys);
	buf_append_char(out, '{');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		write_string(out, keys[i], strlen(keys[i]));
		buf_append_char(out, ':');
		json_write_canonical(out, json_object_object_get(object, keys[i]));
	}
	buf_append_char(out, '}');
	free(keys);
}

static void write_array(struct buf *out, struct json_object *array)
{
	size_t count = json_object_array_length(array);
	buf_append_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append_char(out, ',');
		json_write_canonical(out, json_object_array_get_idx(array, i));
	}
	buf_append_char(out, ']');
}

void json_write_canonical(struct buf *out, struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		write_object(out, value);
		return;
	case json_type_array:
		write_array(out, value);
		return;
	case json_type_string:
		write_string(
		    out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
		return;
	case json_type_null:
	case json_type_boolean:
	case json_type_double:
	case json_type_int:
		buf_append_text(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
		return;
	}
}
