/* Findings in role documents. A file with three mistakes is told all three at once: whoever edits
 * roles does so while people wait. Called by role.c, binding.c and policy.c. */
#include "kubeproxyd/policy/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/edit_distance.h"
#include "common/xmem.h"

PRINTF_LIKE(4, 0)
static void add_finding(
    struct reading *reading, unsigned line, unsigned column, const char *format, va_list values)
{
	char *text = NULL;
	if (vasprintf(&text, format, values) < 0)
		abort();
	buf_printf(reading->findings, "%s%s:%u:%u: %s", reading->findings->len > 0 ? "\n" : "",
	    reading->document->file, line, column, text);
	free(text);
}

void reading_fail(struct reading *reading, const struct yaml_node *node, const char *format, ...)
{
	va_list values;
	va_start(values, format);
	add_finding(reading, node->line, node->column, format, values);
	va_end(values);
}

void reading_fail_key(
    struct reading *reading, const struct yaml_node *map, const char *key, const char *format, ...)
{
	unsigned line = map->line, column = map->column;
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->keys[i].text, key) == 0) {
			line = map->keys[i].line;
			column = map->keys[i].column;
		}
	}
	va_list values;
	va_start(values, format);
	add_finding(reading, line, column, format, values);
	va_end(values);
}

struct yaml_node *reading_map(struct reading *reading, const struct yaml_node *map, const char *key)
{
	struct yaml_node *node = yaml_get(map, key);
	if (node == NULL || yaml_is_null(node))
		return NULL;
	if (node->kind == YAML_NODE_MAP)
		return node;
	reading_fail(reading, node, "%s must be a map", key);
	return NULL;
}

const char *reading_text(
    struct reading *reading, const struct yaml_node *map, const char *key, bool is_required)
{
	struct yaml_node *node = yaml_get(map, key);
	if (node == NULL || yaml_is_null(node)) {
		if (is_required)
			reading_fail_key(reading, map, key, "%s is missing", key);
		return NULL;
	}
	if (node->kind == YAML_NODE_SCALAR && node->text[0] != '\0')
		return node->text;
	reading_fail(reading, node, "%s must be a text that is not empty", key);
	return NULL;
}

void reading_each(struct reading *reading, const struct yaml_node *map, const char *key,
    reading_fn *fn, void *arg)
{
	struct yaml_node *node = yaml_get(map, key);
	if (node == NULL || yaml_is_null(node))
		return;
	if (node->kind == YAML_NODE_SCALAR) {
		fn(arg, reading, node);
		return;
	}
	if (node->kind == YAML_NODE_MAP) {
		reading_fail(reading, node, "%s must be a list of texts", key);
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		if (node->items[i]->kind == YAML_NODE_SCALAR && !yaml_is_null(node->items[i]))
			fn(arg, reading, node->items[i]);
		else
			reading_fail(reading, node->items[i], "%s must be a list of texts", key);
	}
}

/* --- keys ------------------------------------------------------------------------------------ */

const char *reading_nearest(const char *word, const char *const *known)
{
	const char *nearest = NULL;
	size_t len = strlen(word), best = len / 3 + 2;
	for (; known != NULL && *known != NULL; known++) {
		size_t changes = edit_distance(word, len, *known, strlen(*known));
		if (changes < best) {
			best = changes;
			nearest = *known;
		}
	}
	return nearest;
}

static bool is_known(const char *word, const char *const *known)
{
	for (; known != NULL && *known != NULL; known++) {
		if (strcmp(word, *known) == 0)
			return true;
	}
	return false;
}

void reading_check_keys(struct reading *reading, const struct yaml_node *map,
    const char *const *known, const char *const *more)
{
	for (size_t i = 0; i < map->count; i++) {
		const char *key = map->keys[i].text;
		if (is_known(key, known) || is_known(key, more))
			continue;
		const char *nearest = reading_nearest(key, known);
		if (nearest == NULL)
			nearest = reading_nearest(key, more);
		if (nearest != NULL)
			reading_fail_key(reading, map, key,
			    "unknown key \"%s\": did you mean \"%s\"?", key, nearest);
		else
			reading_fail_key(reading, map, key, "unknown key \"%s\"", key);
	}
}

/* --- lists of texts -------------------------------------------------------------------------- */

void texts_add(struct texts *texts, const char *text)
{
	texts->items = xreallocarray(texts->items, texts->count + 1, sizeof *texts->items);
	texts->items[texts->count++] = xstrdup(text);
}

bool texts_has(const struct texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (strcmp(texts->items[i], text) == 0)
			return true;
	}
	return false;
}

void texts_free(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct texts){0};
}
