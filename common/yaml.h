/* YAML text as a tree whose nodes know their line and column. No anchors, aliases, merge keys or
 * tags; duplicate keys are errors; depth and size are bounded; text is UTF-8. Scalars stay text:
 * their type is what the reader asks for. */
#ifndef EKSGATE_YAML_H
#define EKSGATE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

#define YAML_MAX_BYTES 1048576u
#define YAML_MAX_DEPTH 32

enum yaml_kind { YAML_NODE_SCALAR, YAML_NODE_LIST, YAML_NODE_MAP };

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column; /* from 1 */
	char *text; /* scalars */
	bool is_quoted; /* scalars: "yes" in quotes is text */
	struct yaml_node **items; /* lists and maps: values */
	struct yaml_key *keys; /* maps: one per item */
	size_t count;
};

struct yaml_key {
	char *text;
	unsigned line, column;
};

struct yaml_document {
	char *file; /* for messages */
	struct yaml_node *root;
};

/* The one document of a text. NULL on failure, also when there is none or more than one; *error is
 * "FILE:LINE:COLUMN: what, what to do" (free()). `file` is only for messages. */
struct yaml_document *yaml_parse(
    const char *file, const char *text, size_t len, char **error) MUST_USE;
/* All documents of a "---" separated text, in order, *count of them; empty ones are left out. NULL
 * on failure. The list and each document are the caller's. */
struct yaml_document **yaml_parse_all(
    const char *file, const char *text, size_t len, size_t *count, char **error) MUST_USE;
/* yaml_parse() of what the file holds. */
struct yaml_document *yaml_load(const char *file, char **error) MUST_USE;
/* yaml_parse_all() of what the file holds. */
struct yaml_document **yaml_load_all(const char *file, size_t *count, char **error) MUST_USE;
void yaml_document_free(struct yaml_document **document);
/* The value of `key` in a map, or NULL. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* Nothing behind the colon, "~" or "null". */
bool yaml_is_null(const struct yaml_node *node) MUST_USE;
/* "FILE:LINE:COLUMN: " and the formatted text (free()). */
char *yaml_error(const struct yaml_document *document, const struct yaml_node *node,
    const char *format, ...) PRINTF_LIKE(3, 4) MUST_USE;

#endif
