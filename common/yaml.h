/* YAML text as a tree whose nodes know their line and column. One document, no anchors, aliases, merge keys or tags;
 * duplicate keys are errors; depth and size are bounded. Scalars stay text: their type is what the reader asks for. */
#ifndef EKSGATE_YAML_H
#define EKSGATE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

enum yaml_kind { YAML_NODE_SCALAR, YAML_NODE_LIST, YAML_NODE_MAP };

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column; /* from 1 */
	char *text;            /* scalars */
	bool is_quoted;        /* scalars: "yes" in quotes is text */
	struct yaml_node **items; /* lists and maps: values */
	struct yaml_key *keys;    /* maps: one per item */
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

/* NULL on failure; *error is "FILE:LINE:COLUMN: what, what to do" (free()). `file` is only for messages. */
struct yaml_document *yaml_parse(const char *file, const char *text, size_t len, char **error) MUST_USE;
/* All documents of a "---" separated file, in order; *count of them. NULL on failure. */
struct yaml_document **yaml_parse_all(const char *file, const char *text, size_t len, size_t *count, char **error) MUST_USE;
struct yaml_document *yaml_load(const char *file, char **error) MUST_USE;
void yaml_document_free(struct yaml_document **document);
/* The value of `key` in a map, or NULL. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* "FILE:LINE:COLUMN: " and the formatted text (free()). */
char *yaml_error(const struct yaml_document *document, const struct yaml_node *node, const char *format, ...)
    PRINTF_LIKE(3, 4) MUST_USE;

#endif
