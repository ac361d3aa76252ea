/* Walks a YAML tree along a table of rows: finds the row of each key, has its type read the value,
 * follows sections, and keeps every finding with its place until all are told at once. Pure. Called
 * by settings.c; list items are read by types that call config_read() again. */
#include "common/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/edit_distance.h"
#include "common/xmem.h"

#define FINDINGS_MAX 100
#define PATH_SIZE    128

struct finding {
	unsigned line, column;
	size_t order; /* of two at one place the first comes first */
	char *text;
};

struct config {
	const struct yaml_document *document;
	struct config_table table;
	struct finding findings[FINDINGS_MAX];
	size_t count;
	size_t left_out;
};

/* --- rows ------------------------------------------------------------------------------------- */

static size_t row_count(struct config_table table)
{
	size_t count = 0;
	for (size_t i = 0; i < table.group_count; i++)
		count += table.groups[i]->count;
	return count;
}

static const struct config_row *row_at(struct config_table table, size_t index)
{
	const struct config_rows *const *group = table.groups;
	for (; index >= (*group)->count; group++)
		index -= (*group)->count;
	return &(*group)->rows[index];
}

/* --- findings --------------------------------------------------------------------------------- */

struct config *config_new(const struct yaml_document *document, struct config_table table)
{
	struct config *config = xcalloc(1, sizeof(*config));
	config->document = document;
	config->table = table;
	return config;
}

void config_free(struct config **config)
{
	if (*config == NULL)
		return;
	for (size_t i = 0; i < (*config)->count; i++)
		free((*config)->findings[i].text);
	free(*config);
	*config = NULL;
}

/* Takes `text`, which may quote the file: a finding stays one line. */
static void add_finding(struct config *config, unsigned line, unsigned column, char *text)
{
	for (char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	if (config->count == FINDINGS_MAX) {
		config->left_out++;
		free(text);
		return;
	}
	config->findings[config->count] =
	    (struct finding){.line = line, .column = column, .order = config->count, .text = text};
	config->count++;
}

void config_complain(struct config *config, const struct yaml_node *node, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		abort();
	add_finding(config, node != NULL ? node->line : 1, node != NULL ? node->column : 1, text);
}

static int compare_findings(const void *a, const void *b)
{
	const struct finding *left = a, *right = b;
	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	if (left->column != right->column)
		return left->column < right->column ? -1 : 1;
	return left->order < right->order ? -1 : 1;
}

char *config_take_findings(struct config *config)
{
	struct buf text = {0};
	if (config->count == 0)
		return NULL;
	qsort(config->findings, config->count, sizeof(config->findings[0]), compare_findings);
	for (size_t i = 0; i < config->count; i++)
		buf_printf(&text, "%s%s:%u:%u: %s", i > 0 ? "\n" : "", config->document->file,
		    config->findings[i].line, config->findings[i].column, config->findings[i].text);
	if (config->left_out > 0)
		buf_printf(&text, "\n%s: and %zu more", config->document->file, config->left_out);
	return buf_take(&text);
}

/* --- rows by path ----------------------------------------------------------------------------- */

/* What follows `prefix` in the row's key: "b.c" of "a.b.c" under "a"; NULL when it is not under it.
 */
static const char *tail_under(const struct config_row *row, const char *prefix)
{
	size_t len = strlen(prefix);
	if (len == 0)
		return row->key;
	if (strncmp(row->key, prefix, len) != 0 || row->key[len] != '.')
		return NULL;
	return row->key + len + 1;
}

static bool is_in_item(const char *tail)
{
	return strstr(tail, "[]") != NULL;
}

static const struct config_row *find_row(const struct config *config, const char *path)
{
	for (size_t i = 0; i < row_count(config->table); i++)
		if (strcmp(row_at(config->table, i)->key, path) == 0)
			return row_at(config->table, i);
	return NULL;
}

static bool is_section(const struct config *config, const char *path)
{
	for (size_t i = 0; i < row_count(config->table); i++)
		if (tail_under(row_at(config->table, i), path) != NULL)
			return true;
	return false;
}

/* --- unknown keys ----------------------------------------------------------------------------- */

/* The known key at this level that is meant most likely, as pointer and length into a row's key. */
static const char *find_nearest(
    const struct config *config, const char *prefix, const char *key, size_t *len)
{
	const char *nearest = NULL;
	size_t key_len = strlen(key), best = key_len / 3 + 2;
	if (key_len > EDIT_DISTANCE_MAX)
		return NULL;
	for (size_t i = 0; i < row_count(config->table); i++) {
		const char *tail = tail_under(row_at(config->table, i), prefix);
		size_t tail_len = tail != NULL ? strcspn(tail, ".[") : 0;
		if (tail_len == 0)
			continue;
		size_t off = edit_distance(key, key_len, tail, tail_len);
		if (off < best && off < tail_len) {
			best = off;
			nearest = tail;
			*len = tail_len;
		}
	}
	return nearest;
}

/* A row elsewhere whose last part is the key. */
static const struct config_row *find_elsewhere(const struct config *config, const char *key)
{
	for (size_t i = 0; i < row_count(config->table); i++) {
		const char *last = strrchr(row_at(config->table, i)->key, '.');
		if (last != NULL && strcmp(last + 1, key) == 0)
			return row_at(config->table, i);
	}
	return NULL;
}

/* The keys of this level, each once, ", " between them. */
static void list_known(const struct config *config, const char *prefix, struct buf *out)
{
	const char *last = "";
	size_t last_len = 0;
	for (size_t i = 0; i < row_count(config->table); i++) {
		const char *tail = tail_under(row_at(config->table, i), prefix);
		size_t len = tail != NULL ? strcspn(tail, ".[") : 0;
		if (len == 0 || (len == last_len && strncmp(tail, last, len) == 0))
			continue;
		buf_printf(out, "%s%.*s", last_len > 0 ? ", " : "", (int)len, tail);
		last = tail;
		last_len = len;
	}
}

static void complain_of_key(struct config *config, const char *prefix, const struct yaml_key *key)
{
	struct buf text = {0};
	size_t len = 0;
	buf_printf(&text, "\"%s\" is not a key ", key->text);
	if (*prefix != '\0')
		buf_printf(&text, "of %s", prefix);
	else
		buf_append_text(&text, "of this file");
	const char *nearest = find_nearest(config, prefix, key->text, &len);
	const struct config_row *elsewhere =
	    nearest == NULL ? find_elsewhere(config, key->text) : NULL;
	if (nearest != NULL) {
		buf_printf(&text, ": did you mean \"%.*s\"?", (int)len, nearest);
	} else if (elsewhere != NULL) {
		buf_printf(&text, ": it belongs under %.*s",
		    (int)(strrchr(elsewhere->key, '.') - elsewhere->key), elsewhere->key);
	} else {
		buf_append_text(&text, "; known are ");
		list_known(config, prefix, &text);
	}
	add_finding(config, key->line, key->column, buf_take(&text));
}

/* --- reading ---------------------------------------------------------------------------------- */

static char *describe(const struct yaml_node *node)
{
	if (node->kind == YAML_NODE_LIST)
		return xstrdup("a list");
	if (node->kind == YAML_NODE_MAP)
		return xstrdup("a map");
	return xasprintf("\"%.60s\"", node->text);
}

static void complain_of_value(
    struct config *config, const char *path, const char *expected, const struct yaml_node *node)
{
	char *found = describe(node);
	config_complain(config, node, "%s: expected %s, found %s", path, expected, found);
	free(found);
}

static void read_member(struct config *config, const char *prefix, const struct yaml_key *key,
    const struct yaml_node *node, void *base)
{
	char path[PATH_SIZE];
	int len =
	    snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix != '\0' ? "." : "", key->text);
	const struct config_row *row =
	    len < PATH_SIZE && strpbrk(key->text, ".[") == NULL ? find_row(config, path) : NULL;
	if (row != NULL) {
		if (!yaml_is_null(node) && !row->type->read(config, row, node, base))
			complain_of_value(config, path, row->type->expected, node);
		return;
	}
	if (len < PATH_SIZE && strpbrk(key->text, ".[") == NULL && is_section(config, path))
		config_read(config, path, node, base);
	else
		complain_of_key(config, prefix, key);
}

void config_read(struct config *config, const char *prefix, const struct yaml_node *map, void *base)
{
	if (yaml_is_null(map))
		return;
	if (map->kind != YAML_NODE_MAP) {
		complain_of_value(config, *prefix != '\0' ? prefix : "this file",
		    "a map of keys and values", map);
		return;
	}
	for (size_t i = 0; i < map->count; i++)
		read_member(config, prefix, &map->keys[i], map->items[i], base);
}

const struct yaml_node *config_find(const struct config *config, const char *path)
{
	const struct yaml_node *node = config->document->root;
	char copy[PATH_SIZE], *rest = copy, *key;
	snprintf(copy, sizeof(copy), "%s", path);
	while (node != NULL && (key = strsep(&rest, ".")) != NULL)
		node = yaml_get(node, key);
	return node == NULL || yaml_is_null(node) ? NULL : node;
}

/* --- tables ----------------------------------------------------------------------------------- */

void config_set_defaults(struct config_table table, const char *prefix, void *base)
{
	for (size_t i = 0; i < row_count(table); i++) {
		const struct config_row *row = row_at(table, i);
		const char *tail = tail_under(row, prefix);
		if (tail == NULL || is_in_item(tail) || row->fallback == NULL)
			continue;
		char *text = xstrdup(row->fallback);
		struct yaml_node node = {.kind = YAML_NODE_SCALAR, .text = text, .is_quoted = true};
		if (!row->type->read(NULL, row, &node, base))
			abort();
		free(text);
	}
}

void config_clear(struct config_table table, const char *prefix, void *base)
{
	for (size_t i = 0; i < row_count(table); i++) {
		const struct config_row *row = row_at(table, i);
		const char *tail = tail_under(row, prefix);
		if (tail != NULL && !is_in_item(tail) && row->type->clear != NULL)
			row->type->clear(row, base);
	}
}

static bool starts_with_any(const char *key, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
		if (strncmp(key, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

static bool is_frozen(const struct config_row *row)
{
	return !row->is_reloadable && row->type->equal != NULL && !is_in_item(row->key);
}

char *config_frozen_changes(
    struct config_table table, const char *const *prefixes, const void *old, const void *now)
{
	struct buf keys = {0};
	for (size_t i = 0; i < row_count(table); i++) {
		const struct config_row *row = row_at(table, i);
		if (!is_frozen(row) || !starts_with_any(row->key, prefixes) ||
		    row->type->equal(row, old, now))
			continue;
		buf_printf(&keys, "%s%s", keys.len > 0 ? ", " : "", row->key);
	}
	return keys.len > 0 ? buf_take(&keys) : NULL;
}

void config_write_rows(struct config_table table, struct buf *out)
{
	for (size_t i = 0; i < row_count(table); i++) {
		const struct config_row *row = row_at(table, i);
		buf_printf(out, "%s\t%s\t%s\t%s\t%s\n", row->key, row->type->name,
		    row->fallback != NULL ? row->fallback : "-", row->is_reloadable ? "yes" : "no",
		    row->help);
	}
}
