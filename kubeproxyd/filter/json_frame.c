/* The way through a value in two kinds of stretches: strings, eight bytes at a time, and what is
 * between them, where most bytes are one of few. Called by json_filter.c. */
#include "kubeproxyd/filter/json_frame.h"

#include <string.h>

#define WORD sizeof(uint64_t)

enum class { OTHER, QUOTE, OPEN, CLOSE };

static const uint8_t classes[256] = {
    ['"'] = QUOTE,
    ['{'] = OPEN,
    ['['] = OPEN,
    ['}'] = CLOSE,
    [']'] = CLOSE,
};

/* The first quote or backslash from `at` on, or `len`. */
static size_t find_string_byte(const uint8_t *data, size_t at, size_t len)
{
	for (; len - at >= WORD; at += WORD) {
		uint64_t word;
		memcpy(&word, data + at, WORD);
		uint64_t hits = json_bytes_equal(word, '"') | json_bytes_equal(word, '\\');
		if (hits != 0)
			return at + (size_t)__builtin_ctzll(hits) / 8;
	}
	while (at < len && data[at] != '"' && data[at] != '\\')
		at++;
	return at;
}

static size_t find_bracket_or_quote(const uint8_t *data, size_t at, size_t len)
{
	while (at < len && classes[data[at]] == OTHER)
		at++;
	return at;
}

static size_t find_scalar_end(const uint8_t *data, size_t at, size_t len)
{
	while (
	    at < len && data[at] != ',' && classes[data[at]] == OTHER && !json_is_space(data[at]))
		at++;
	return at;
}

static void begin(struct json_frame *frame, uint8_t first)
{
	if (classes[first] == OTHER || classes[first] == CLOSE)
		frame->state = FRAME_SCALAR;
	else
		frame->state = FRAME_BETWEEN;
}

/* One stretch, from `at`; returns where the next begins. True in *ends: the value is complete. */
static size_t read_stretch(
    struct json_frame *frame, const uint8_t *data, size_t at, size_t len, bool *ends)
{
	switch (frame->state) {
	case FRAME_STRING:
		at = find_string_byte(data, at, len);
		if (at == len)
			return at;
		frame->state = data[at] == '"' ? FRAME_BETWEEN : FRAME_ESCAPE;
		*ends = data[at] == '"' && frame->depth == 0;
		return at + 1;
	case FRAME_ESCAPE:
		frame->state = FRAME_STRING;
		return at + 1;
	case FRAME_BETWEEN:
		at = find_bracket_or_quote(data, at, len);
		if (at == len)
			return at;
		if (classes[data[at]] == QUOTE)
			frame->state = FRAME_STRING;
		else
			frame->depth += classes[data[at]] == OPEN ? 1 : (size_t)-1;
		*ends = classes[data[at]] == CLOSE && frame->depth == 0;
		return at + 1;
	case FRAME_SCALAR:
		at = find_scalar_end(data, at, len);
		*ends = at < len;
		return at;
	case FRAME_BEGIN:
		begin(frame, data[at]);
		return at;
	}
	return at;
}

bool json_frame_feed(struct json_frame *frame, const uint8_t *data, size_t len, size_t *used)
{
	bool ends = false;
	size_t at = 0;
	while (at < len && !ends)
		at = read_stretch(frame, data, at, len, &ends);
	*used = at;
	return ends;
}
