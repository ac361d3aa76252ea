/* Reading role documents: typed access to a YAML tree that collects every finding, each with file,
 * line and column, instead of stopping at the first. */
#ifndef EKSGATE_DOCUMENT_H
#define EKSGATE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/yaml.h"

/* One document while it is read. `findings` outlives it. */
struct reading {
	const struct yaml_document *document;
	struct buf *findings;
	const char *proxy_group; /* that clusters know the proxy by, to be kept for it; or NULL */
};

/* Strings of a list, owned. */
struct texts {
	char **items;
	size_t count;
};

void reading_fail(struct reading *reading, const struct yaml_node *node, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The same at the place of a key of `map`. */
void reading_fail_key(struct reading *reading, const struct yaml_node *map, const char *key,
    const char *format, ...) PRINTF_LIKE(4, 5);

/* The value of `key` when it is a map; NULL when it is absent or empty ("key:"); another kind is a
 * finding. */
struct yaml_node *reading_map(
    struct reading *reading, const struct yaml_node *map, const char *key) MUST_USE;
/* The text of `key`, borrowed; NULL when it is absent (a finding when `is_required`), a list or a
 * map (always one). */
const char *reading_text(struct reading *reading, const struct yaml_node *map, const char *key,
    bool is_required) MUST_USE;
/* Calls `fn` for each scalar of `key`: a list, or one scalar by itself. Anything else is a finding.
 */
typedef void reading_fn(void *arg, struct reading *reading, const struct yaml_node *value);
void reading_each(struct reading *reading, const struct yaml_node *map, const char *key,
    reading_fn *fn, void *arg);
/* Every key of `map` must stand in one of the lists (NULL-terminated; `more` may be NULL); others
 * are findings that name the nearest. */
void reading_check_keys(struct reading *reading, const struct yaml_node *map,
    const char *const *known, const char *const *more);

/* The nearest of `known` to `word`, or NULL when none is near. */
const char *reading_nearest(const char *word, const char *const *known);

void texts_add(struct texts *texts, const char *text);
bool texts_has(const struct texts *texts, const char *text) MUST_USE;
void texts_free(struct texts *texts);

#endif
