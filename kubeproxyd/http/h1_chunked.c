/* The decoder of chunked bodies: one state per place in the grammar, one step per byte outside of
 * the data. llhttp 8.1 is not used for this: it takes a bare LF behind the last chunk and folded
 * trailers, and refuses legal extensions. */
#include "kubeproxyd/http/h1_chunked.h"

#include <stdbool.h>
#include <string.h>

#include "kubeproxyd/http/h1_rules.h"

#define SIZE_DIGITS_MAX 16

static bool refuse(struct h1_chunked *chunked, unsigned status, const char *message)
{
	chunked->error = (struct h1_error){.status = status, .message = message};
	return false;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool on_size(struct h1_chunked *chunked, uint8_t c)
{
	int value = hex_value(c);
	if (value < 0 && chunked->digits == 0)
		return refuse(chunked, 400, "a chunk does not begin with its size");
	if (c == '\r' || c == ';') {
		chunked->state = c == ';' ? CHUNKED_EXTENSION : CHUNKED_SIZE_LF;
		return true;
	}
	if (value < 0)
		return refuse(chunked, 400, "the size of a chunk is not a hexadecimal number");
	if (++chunked->digits > SIZE_DIGITS_MAX || chunked->left > (uint64_t)INT64_MAX >> 4)
		return refuse(chunked, 400, "the size of a chunk is too large");
	chunked->left = chunked->left << 4 | (unsigned)value;
	return true;
}

static bool is_text(uint8_t c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool on_extension(struct h1_chunked *chunked, const struct h1_limits *limits, uint8_t c)
{
	if (c == '\r') {
		chunked->state = CHUNKED_SIZE_LF;
		return true;
	}
	if (!is_text(c))
		return refuse(chunked, 400, "a chunk extension holds a control character");
	if (++chunked->extension_bytes > limits->chunk_extension_bytes)
		return refuse(chunked, 400, "the chunk extensions are too large");
	return true;
}

static bool count_trailer(struct h1_chunked *chunked, const struct h1_limits *limits, uint8_t c)
{
	if (++chunked->trailer_bytes > limits->head_bytes)
		return refuse(chunked, 431, "the trailer section is too large");
	if (chunked->trailers != NULL && c != '\r')
		buf_append_char(&chunked->line, (char)c);
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Of characters that may stand in a line. */
static bool keep_trailer(struct h1_chunked *chunked, const struct h1_limits *limits)
{
	const char *line = chunked->line.data;
	const char *colon = memchr(line, ':', chunked->line.len);
	if (colon == NULL || !h1_is_token(line, (size_t)(colon - line)))
		return refuse(chunked, 400, "a trailer is not a name, a colon and a value");
	if (chunked->trailers->count >= limits->field_count)
		return refuse(chunked, 431, "too many trailers");
	const char *value = colon + 1, *end = line + chunked->line.len;
	while (value < end && is_blank(*value))
		value++;
	while (end > value && is_blank(end[-1]))
		end--;
	fields_add(chunked->trailers, line, (size_t)(colon - line), value, (size_t)(end - value));
	buf_free_secret(&chunked->line);
	return true;
}

static bool on_line_start(struct h1_chunked *chunked, const struct h1_limits *limits, uint8_t c)
{
	char first = (char)c;
	if (c != '\r' && !h1_is_token(&first, 1))
		return refuse(chunked, 400, "a trailer line does not begin with a field name");
	chunked->state = c == '\r' ? CHUNKED_LAST_LF : CHUNKED_TRAILER;
	return count_trailer(chunked, limits, c);
}

static bool on_trailer(struct h1_chunked *chunked, const struct h1_limits *limits, uint8_t c)
{
	if (c == '\r') {
		chunked->state = CHUNKED_TRAILER_LF;
		return true;
	}
	if (!is_text(c))
		return refuse(chunked, 400, "a trailer holds a control character");
	return count_trailer(chunked, limits, c);
}

static bool expect(
    struct h1_chunked *chunked, uint8_t c, uint8_t wanted, enum h1_chunked_state next)
{
	if (c != wanted)
		return refuse(chunked, 400, "a line of the chunked body does not end in CR LF");
	chunked->state = next;
	return true;
}

static bool on_size_end(struct h1_chunked *chunked, uint8_t c)
{
	chunked->digits = 0;
	return expect(chunked, c, '\n', chunked->left > 0 ? CHUNKED_DATA : CHUNKED_LINE);
}

/* One byte outside of the data. */
static bool step(struct h1_chunked *chunked, const struct h1_limits *limits, uint8_t c)
{
	switch (chunked->state) {
	case CHUNKED_SIZE:
		return on_size(chunked, c);
	case CHUNKED_EXTENSION:
		return on_extension(chunked, limits, c);
	case CHUNKED_SIZE_LF:
		return on_size_end(chunked, c);
	case CHUNKED_DATA_CR:
		return expect(chunked, c, '\r', CHUNKED_DATA_LF);
	case CHUNKED_DATA_LF:
		return expect(chunked, c, '\n', CHUNKED_SIZE);
	case CHUNKED_LINE:
		return on_line_start(chunked, limits, c);
	case CHUNKED_TRAILER:
		return on_trailer(chunked, limits, c);
	case CHUNKED_TRAILER_LF:
		return expect(chunked, c, '\n', CHUNKED_LINE) &&
		       (chunked->trailers == NULL || keep_trailer(chunked, limits));
	case CHUNKED_LAST_LF:
		return expect(chunked, c, '\n', CHUNKED_SIZE);
	case CHUNKED_DATA:
		break;
	}
	return refuse(chunked, 400, "malformed chunked body");
}

static enum h1_event take_data(struct h1_chunked *chunked, const uint8_t *data, size_t len)
{
	chunked->body = data;
	chunked->body_len = chunked->left < len ? (size_t)chunked->left : len;
	chunked->left -= chunked->body_len;
	if (chunked->left == 0)
		chunked->state = CHUNKED_DATA_CR;
	return H1_BODY;
}

enum h1_event h1_chunked_next(struct h1_chunked *chunked, const struct h1_limits *limits,
    const uint8_t *data, size_t len, size_t *used)
{
	for (size_t at = 0; at < len; at++) {
		if (chunked->state == CHUNKED_DATA) {
			enum h1_event event = take_data(chunked, data + at, len - at);
			*used = at + chunked->body_len;
			return event;
		}
		bool is_last = chunked->state == CHUNKED_LAST_LF;
		if (!step(chunked, limits, data[at]))
			return H1_ERROR;
		if (is_last) {
			*used = at + 1;
			return H1_END;
		}
	}
	*used = len;
	return H1_MORE;
}
