/* Cuts a stream into lines and reads each by itself. A line that cannot be read is told with its
 * place and passed over, so that one bad byte does not hide the rest of a session. Pure. Called by
 * `play` and `sessions`. */
#include "kubeproxyd/record/cast_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"

#define SIZE_MAX_CELLS 65535
#define TOO_LONG       "the line is longer than 1 MiB"
/* A year: later is a mistake, and would overflow. */
#define TIME_MAX_SECONDS (366.0 * 86400)

struct cast_reader {
	struct buf pending;
	size_t at; /* in it: what is not read yet */
	size_t searched; /* behind that: no end of line */
	struct json_object *document; /* of the last item */
	size_t line; /* of the last item */
	bool has_header, is_ended, is_over, is_skipping;
};

/* --- lines ----------------------------------------------------------------------------------- */

static enum cast_kind fail(struct cast_item *item, size_t column, const char *what)
{
	item->column = column;
	snprintf(item->fault, sizeof item->fault, "%s", what);
	return CAST_FAULT;
}

/* json_parse() tells the place at its end, "… (byte 12 of 40)": as a column it goes in front. */
static enum cast_kind fail_parse(struct cast_item *item, const char *error)
{
	static const char mark[] = " (byte ";
	const char *place = strstr(error, mark);
	if (place == NULL)
		return fail(item, 1, error);
	size_t len = (size_t)(place - error);
	item->column = strtoul(place + strlen(mark), NULL, 10) + 1;
	snprintf(item->fault, sizeof item->fault, "%.*s", (int)len, error);
	return CAST_FAULT;
}

/* --- the header ------------------------------------------------------------------------------ */

static bool is_size(int64_t value)
{
	return value >= 1 && value <= SIZE_MAX_CELLS;
}

static enum cast_kind read_header(struct json_object *document, struct cast_item *item)
{
	struct cast_header *header = &item->header;
	char error[JSON_ERROR_TEXT];
	int64_t version = 0;
	struct json_object *time = NULL;
	if (!json_object_is_type(document, json_type_object))
		return fail(
		    item, 1, "no header of asciicast v2: {\"version\": 2, ...} was expected");
	if (!json_get_int(document, "", "version", &version, error) ||
	    !json_get_int(document, "", "width", &header->width, error) ||
	    !json_get_int(document, "", "height", &header->height, error))
		return fail(item, 1, error);
	if (version != 2)
		return fail(item, 1, "a version of asciicast that is not 2");
	if (!is_size(header->width) || !is_size(header->height))
		return fail(item, 1, "width and height must be from 1 to 65535");
	if (json_object_object_get_ex(document, "timestamp", &time) &&
	    (json_object_is_type(time, json_type_int) ||
		json_object_is_type(time, json_type_double)))
		header->timestamp = json_object_get_int64(time);
	header->document = document;
	return CAST_HEADER;
}

/* --- events ---------------------------------------------------------------------------------- */

static bool read_time(struct json_object *value, int64_t *at_us)
{
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return false;
	double seconds = json_object_get_double(value);
	if (!isfinite(seconds) || seconds < 0 || seconds > TIME_MAX_SECONDS)
		return false;
	*at_us = (int64_t)(seconds * 1e6 + 0.5);
	return true;
}

static enum cast_kind read_event(struct json_object *document, struct cast_item *item)
{
	struct cast_event *event = &item->event;
	if (!json_object_is_type(document, json_type_array) ||
	    json_object_array_length(document) != 3)
		return fail(item, 1, "no event: [seconds, \"o\", \"text\"] was expected");
	struct json_object *code = json_object_array_get_idx(document, 1),
			   *text = json_object_array_get_idx(document, 2);
	if (!read_time(json_object_array_get_idx(document, 0), &event->at_us))
		return fail(item, 2, "the time must be seconds since the beginning");
	if (!json_object_is_type(code, json_type_string) || json_object_get_string_len(code) != 1 ||
	    !json_object_is_type(text, json_type_string))
		return fail(
		    item, 1, "code and text of an event must be strings, the code of one letter");
	event->code = *json_object_get_string(code);
	event->text = json_object_get_string(text);
	event->len = (size_t)json_object_get_string_len(text);
	return CAST_EVENT;
}

/* The number at *text, which is moved behind it; 0: there is none that can be a size. */
static int64_t take_cells(const char **text, const char *end)
{
	int64_t cells = 0;
	for (; *text < end && **text >= '0' && **text <= '9' && cells <= SIZE_MAX_CELLS; (*text)++)
		cells = cells * 10 + (**text - '0');
	return is_size(cells) ? cells : 0;
}

bool cast_size_parse(const char *text, size_t len, int64_t *width, int64_t *height)
{
	const char *end = text + len;
	*width = take_cells(&text, end);
	if (*width == 0 || text == end || *text++ != 'x')
		return false;
	*height = take_cells(&text, end);
	return *height != 0 && text == end;
}

/* --- the reader ------------------------------------------------------------------------------ */

struct cast_reader *cast_reader_new(void)
{
	return xcalloc(1, sizeof(struct cast_reader));
}

static void drop_item(struct cast_reader *reader)
{
	json_object_put(reader->document);
	reader->document = NULL;
}

void cast_reader_free(struct cast_reader **reader)
{
	if (*reader == NULL)
		return;
	json_object_put((*reader)->document);
	buf_free_secret(&(*reader)->pending);
	xfree(reader);
}

void cast_reader_add(struct cast_reader *reader, const char *data, size_t len)
{
	drop_item(reader);
	buf_consume(&reader->pending, reader->at);
	reader->at = 0;
	buf_append(&reader->pending, data, len);
}

void cast_reader_end(struct cast_reader *reader)
{
	reader->is_ended = true;
}

static enum cast_kind read_line(
    struct cast_reader *reader, const char *line, size_t len, struct cast_item *item)
{
	char error[JSON_ERROR_TEXT];
	reader->document = json_parse(line, len, error);
	if (reader->document == NULL)
		return fail_parse(item, error);
	if (reader->has_header)
		return read_event(reader->document, item);
	enum cast_kind kind = read_header(reader->document, item);
	reader->has_header = kind == CAST_HEADER;
	return kind;
}

static void pass(struct cast_reader *reader, size_t len)
{
	reader->at += len;
	reader->searched = 0;
}

/* A whole line of `len` bytes. */
static enum cast_kind take_line(
    struct cast_reader *reader, const char *line, size_t len, struct cast_item *item)
{
	pass(reader, len + 1);
	if (reader->is_skipping) {
		reader->is_skipping = false;
		return CAST_NEEDS_MORE;
	}
	item->line = ++reader->line;
	item->column = 1;
	if (len == 0 && reader->has_header)
		return CAST_NEEDS_MORE;
	enum cast_kind kind = len > CAST_LINE_MAX ? fail(item, CAST_LINE_MAX, TOO_LONG)
						  : read_line(reader, line, len, item);
	reader->is_over = !reader->has_header;
	return kind;
}

/* What is left without an end of line. */
static enum cast_kind take_rest(
    struct cast_reader *reader, const char *line, size_t len, struct cast_item *item)
{
	reader->is_over = true;
	if (len == 0 && reader->has_header)
		return CAST_END;
	item->line = ++reader->line;
	item->column = 1;
	if (len == 0)
		return fail(item, 1, "the file is empty");
	enum cast_kind kind = read_line(reader, line, len, item);
	item->is_torn = kind == CAST_FAULT;
	return kind;
}

/* The line is too long: what is here of it goes, and so will the rest. */
static enum cast_kind skip_line(struct cast_reader *reader, size_t len, struct cast_item *item)
{
	pass(reader, len);
	if (reader->is_skipping)
		return CAST_NEEDS_MORE;
	reader->is_skipping = true;
	item->line = ++reader->line;
	reader->is_over = !reader->has_header;
	return fail(item, CAST_LINE_MAX, TOO_LONG);
}

static enum cast_kind take_next(struct cast_reader *reader, struct cast_item *item)
{
	const char *line = buf_text(&reader->pending) + reader->at;
	size_t len = reader->pending.len - reader->at;
	const char *end = memchr(line + reader->searched, '\n', len - reader->searched);
	if (end != NULL)
		return take_line(reader, line, (size_t)(end - line), item);
	reader->searched = len;
	if (len > CAST_LINE_MAX || (reader->is_skipping && len > 0))
		return skip_line(reader, len, item);
	if (!reader->is_ended)
		return CAST_NEEDS_MORE;
	reader->is_over |= reader->is_skipping;
	return reader->is_over ? CAST_END : take_rest(reader, line, len, item);
}

enum cast_kind cast_reader_next(struct cast_reader *reader, struct cast_item *item)
{
	enum cast_kind kind;
	size_t before;
	drop_item(reader);
	do {
		*item = (struct cast_item){0};
		if (reader->is_over)
			return CAST_END;
		before = reader->at;
		kind = take_next(reader, item);
		/* An empty line, or the rest of one that was too long: there may be another. */
	} while (kind == CAST_NEEDS_MORE && reader->at > before);
	return kind;
}
