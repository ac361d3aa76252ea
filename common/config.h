/* Options as rows: a table says for every key what it is called, what it may be, where it goes and
 * what it is without being set. The engine walks a YAML document along the rows, collects every
 * finding with its place, and suggests what a mistyped key was meant to be. */
#ifndef EKSGATE_CONFIG_H
#define EKSGATE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/yaml.h"

struct config; /* one reading of one document */
struct config_row;

/* What a value may be. `field` is where a row's value is kept. */
struct config_type {
	const char *name; /* in manuals: "duration" */
	const char *expected; /* in messages: "a duration such as 5m" */
	/* Sets the field. False: the value is not what is expected, which the engine reports. A
	 * reader that reports by itself (config_complain) returns true. */
	bool (*read)(struct config *config, const struct config_row *row,
	    const struct yaml_node *node, void *base);
	/* Frees what the field holds; NULL when it holds no memory. */
	void (*clear)(const struct config_row *row, void *base);
	/* NULL: the value cannot be compared. */
	bool (*equal)(const struct config_row *row, const void *a, const void *b);
};

struct config_row {
	/* The path, "eksgate.bus.socket"; in the items of a list "discovery_service.aws[].types".
	 */
	const char *key;
	const struct config_type *type;
	size_t offset; /* of the field in what is filled: the settings, or an item's struct */
	size_t count_offset; /* names: of the size_t beside the list */
	const char *fallback; /* the default as text; NULL: unset */
	int64_t minimum, maximum; /* numbers, sizes, and durations in ms; 0 and 0: any */
	const char *choices; /* words: "debug|info|warn" */
	bool is_reloadable;
	const char *help;
};

struct config_rows {
	const struct config_row *rows;
	size_t count;
};

/* Groups of rows, which may stand in files of their own. */
struct config_table {
	const struct config_rows *const *groups;
	size_t group_count;
};

struct config *config_new(const struct yaml_document *document, struct config_table table) MUST_USE;
void config_free(struct config **config);
/* Reads the members of `map` that stand under `prefix` ("" for the document, "a.b[]" for an item of
 * the list a.b) into `base`; sections are followed, keys without a row are findings. */
void config_read(
    struct config *config, const char *prefix, const struct yaml_node *map, void *base);
/* The node at a path without lists; NULL when it is absent or null. */
const struct yaml_node *config_find(const struct config *config, const char *path);
/* Adds a finding at the node, at the document's start for NULL. */
void config_complain(struct config *config, const struct yaml_node *node, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Every finding in the file's order, a line each (free()); NULL when there is none. */
char *config_take_findings(struct config *config);

/* Sets the fields of the rows directly under `prefix` to their defaults, or frees what they hold.
 */
void config_set_defaults(struct config_table table, const char *prefix, void *base);
void config_clear(struct config_table table, const char *prefix, void *base);
/* The keys that cannot be reloaded, differ, and start with one of `prefixes` (ends with NULL),
 * joined by
 * ", " (free()); NULL when there is none. Rows of list items are left out. */
char *config_frozen_changes(
    struct config_table table, const char *const *prefixes, const void *old, const void *now);
/* "key, type, default, reloadable, help" of every row, tab-separated. */
void config_write_rows(struct config_table table, struct buf *out);

/* --- types ------------------------------------------------------------------------------------ */

extern const struct config_type config_bool; /* bool */
extern const struct config_type config_duration; /* struct duration */
extern const struct config_type config_count; /* size_t */
extern const struct config_type config_percent; /* unsigned */
extern const struct config_type config_size; /* size_t */
extern const struct config_type config_text; /* char *, not empty */
extern const struct config_type config_word; /* char *, one of the row's choices */
extern const struct config_type config_path; /* char *, absolute */
extern const struct config_type config_socket; /* char *, fits a socket address */
extern const struct config_type config_names; /* char **, and the count */

/* For types of one's own. */
void *config_field(const struct config_row *row, void *base);
/* The text of a scalar that stands for something; NULL for lists, maps and null. */
const char *config_scalar(const struct yaml_node *node);
void config_set_text(const struct config_row *row, void *base, const char *text);
void config_clear_text(const struct config_row *row, void *base);
bool config_equal_text(const struct config_row *row, const void *a, const void *b);
void config_clear_names(const struct config_row *row, void *base);
bool config_equal_names(const struct config_row *row, const void *a, const void *b);
/* "host:port", "[v6]:port", with `default_port` (0: required) also without; the host may be missing
 * and is "0.0.0.0" then. The normal form (free()), or NULL. */
char *config_parse_address(const char *text, unsigned default_port) MUST_USE;
/* An address of 127.0.0.0/8, "::1" or "localhost", without a port. */
bool config_is_loopback(const char *host) MUST_USE;

#endif
