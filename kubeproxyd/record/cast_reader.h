/* Reads recordings in asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a line with a header,
 * then a line for each event. Bytes come in any pieces, memory is bounded by the longest line. */
#ifndef EKSGATE_CAST_READER_H
#define EKSGATE_CAST_READER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/json.h"

/* A longer line is a fault. */
#define CAST_LINE_MAX ((size_t)1024 * 1024)

struct cast_reader;

struct cast_header {
	int64_t width, height;
	int64_t timestamp; /* Unix time; 0: not told */
	struct json_object *document; /* all of it */
};

struct cast_event {
	int64_t at_us; /* since the beginning */
	char code; /* 'o', 'i', 'r', 'm', or one that is not known here */
	const char *text; /* UTF-8, which may hold NUL */
	size_t len;
};

enum cast_kind {
	CAST_HEADER,
	CAST_EVENT,
	CAST_FAULT, /* of a line, which is passed over; without a header nothing follows */
	CAST_NEEDS_MORE, /* bytes, or cast_reader_end() */
	CAST_END,
};

/* Borrowed until the next call with the reader. */
struct cast_item {
	struct cast_header header;
	struct cast_event event;
	size_t line, column; /* where it stands, of a fault where it is; from 1 */
	char fault[JSON_ERROR_TEXT];
	bool is_torn; /* the fault: the last line ends too early */
};

struct cast_reader *cast_reader_new(void) MUST_USE;
void cast_reader_free(struct cast_reader **reader);
/* Copies. Meant to be called when the reader needs more, with at most CAST_LINE_MAX bytes. */
void cast_reader_add(struct cast_reader *reader, const char *data, size_t len);
/* Nothing comes any more: what is left is a line, or the torn part of one. */
void cast_reader_end(struct cast_reader *reader);
enum cast_kind cast_reader_next(struct cast_reader *reader, struct cast_item *item) MUST_USE;

/* "100x40", as events of resizing have it. */
bool cast_size_parse(const char *text, size_t len, int64_t *width, int64_t *height) MUST_USE;

#endif
