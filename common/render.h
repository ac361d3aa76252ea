/* Prints a JSON answer for people or programs: a table, JSON or YAML (design.md 4.4). */
#ifndef EKSGATE_RENDER_H
#define EKSGATE_RENDER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

enum render_format { RENDER_TABLE, RENDER_JSON, RENDER_YAML };

/* "table" (also "text"), "json", "yaml". */
bool render_format_parse(const char *name, enum render_format *format) MUST_USE;

/* A text from outside, for a terminal: control characters are escaped, and what is not UTF-8. */
void render_text(struct buf *out, const char *text);
/* The same of several lines, which stay lines. */
void render_lines(struct buf *out, const char *text);

/* A column: its heading, and where its value stands in an item ("metadata.name",
 * "spec.aws.region"). */
struct render_column {
	const char *heading;
	const char *path;
};

/* `items` is an array. Control characters of values are escaped; missing values print "-", lists
 * their members. */
void render_table(struct buf *out, struct json_object *items, const struct render_column *columns,
    size_t column_count);
/* JSON (2 spaces) or YAML of any document, ended by a newline. Control characters of values are
 * escaped. */
void render_document(struct buf *out, struct json_object *document, enum render_format format);

#endif
