/* Builds trees from libyaml's events and refuses what makes a configuration mean something else
 * than it shows: aliases, tags, merge keys, duplicate keys, second documents. Pure but for
 * yaml_load*(). Called by config.c for the settings and by kubeproxyd for roles and bindings. */
#include "common/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/buf.h"
#include "common/xmem.h"

struct builder {
	yaml_parser_t parser;
	const char *file;
	const char *text;
	size_t len;
	unsigned depth;
	char *error; /* the first one */
};

static struct yaml_node *read_node(struct builder *builder, yaml_event_t *event);

/* --- errors ----------------------------------------------------------------------------------- */

static void complain_at(struct builder *builder, size_t line, size_t column, const char *what)
{
	if (builder->error == NULL)
		builder->error =
		    xasprintf("%s:%zu:%zu: %s", builder->file, line + 1, column + 1, what);
}

static void complain(struct builder *builder, const yaml_event_t *event, const char *what)
{
	complain_at(builder, event->start_mark.line, event->start_mark.column, what);
}

/* libyaml gives an offset, not a mark, for bytes that it cannot read. */
static void complain_of_bytes(struct builder *builder)
{
	size_t line = 0, column = 0;
	for (size_t i = 0; i < builder->parser.problem_offset && i < builder->len; i++) {
		unsigned char c = (unsigned char)builder->text[i];
		if (c == '\n') {
			line++;
			column = 0;
		} else if ((c & 0xc0) != 0x80) {
			column++;
		}
	}
	complain_at(builder, line, column,
	    strstr(builder->parser.problem, "control") != NULL
		? "a control character: remove it"
		: "not UTF-8: save the file as UTF-8");
}

/* Columns count characters; 0 when there is no such place. */
static char character_at(const struct builder *builder, size_t line, size_t column)
{
	const char *at = builder->text, *end = builder->text + builder->len;
	for (; line > 0 && at != NULL; line--) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at != NULL ? at + 1 : NULL;
	}
	for (; at != NULL && at < end && column > 0; column--)
		do
			at++;
		while (at < end && ((unsigned char)*at & 0xc0) == 0x80);
	if (at == NULL || at >= end)
		return '\0';
	return *at;
}

static void complain_of_syntax(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	if (parser->error == YAML_READER_ERROR) {
		complain_of_bytes(builder);
		return;
	}
	if (character_at(builder, parser->problem_mark.line, parser->problem_mark.column) == '\t') {
		complain_at(builder, parser->problem_mark.line, parser->problem_mark.column,
		    "a tab: indent with spaces");
		return;
	}
	if (parser->context != NULL && strstr(parser->context, "alias") != NULL) {
		complain_at(builder, parser->context_mark.line, parser->context_mark.column,
		    "a bare '*': put it in quotes, \"*\"");
		return;
	}
	char *what = parser->context == NULL ? xstrdup(parser->problem)
					     : xasprintf("%s (%s from line %zu)", parser->problem,
						   parser->context, parser->context_mark.line + 1);
	complain_at(builder, parser->problem_mark.line, parser->problem_mark.column, what);
	free(what);
}

static bool next_event(struct builder *builder, yaml_event_t *event)
{
	if (yaml_parser_parse(&builder->parser, event) == 1)
		return true;
	complain_of_syntax(builder);
	return false;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void free_node(struct yaml_node *node)
{
	if (node == NULL)
		return;
	for (size_t i = 0; i < node->count; i++) {
		free_node(node->items[i]);
		if (node->kind == YAML_NODE_MAP)
			free(node->keys[i].text);
	}
	free(node->items);
	free(node->keys);
	free(node->text);
	free(node);
}

static struct yaml_node *new_node(enum yaml_kind kind, const yaml_event_t *event)
{
	struct yaml_node *node = xcalloc(1, sizeof(*node));
	node->kind = kind;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	return node;
}

/* Doubles the room each time the count reaches a power of two. */
static void grow(struct yaml_node *node)
{
	if ((node->count & (node->count - 1)) != 0)
		return;
	size_t room = node->count == 0 ? 1 : node->count * 2;
	node->items = xreallocarray(node->items, room, sizeof(struct yaml_node *));
	if (node->kind == YAML_NODE_MAP)
		node->keys = xreallocarray(node->keys, room, sizeof(*node->keys));
}

static bool has_nul(const yaml_event_t *event)
{
	return memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL;
}

static struct yaml_node *read_scalar(struct builder *builder, const yaml_event_t *event)
{
	if (has_nul(event)) {
		complain(builder, event, "text that holds a NUL");
		return NULL;
	}
	struct yaml_node *node = new_node(YAML_NODE_SCALAR, event);
	node->text = xstrdup((const char *)event->data.scalar.value);
	node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return node;
}

static bool read_items(struct builder *builder, struct yaml_node *list)
{
	for (;;) {
		yaml_event_t event;
		if (!next_event(builder, &event))
			return false;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return true;
		}
		struct yaml_node *item = read_node(builder, &event);
		if (item == NULL)
			return false;
		grow(list);
		list->items[list->count++] = item;
	}
}

static const char *refuse_key(const yaml_event_t *event)
{
	if (event->type == YAML_ALIAS_EVENT)
		return "an alias: write the value out; text that starts with '*' needs quotes";
	if (event->type != YAML_SCALAR_EVENT)
		return "a key must be plain text: put the list or map behind a key";
	if (event->data.scalar.anchor != NULL)
		return "an anchor: anchors are not supported, write the value out";
	if (event->data.scalar.tag != NULL)
		return "a tag: tags are not supported, remove it";
	if (has_nul(event))
		return "a key that holds a NUL";
	if (event->data.scalar.length == 0)
		return "an empty key";
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    strcmp((const char *)event->data.scalar.value, "<<") == 0)
		return "a merge key: merging is not supported, write the members out";
	return NULL;
}

/* Takes the event of a key; false ends the map, for good or with an error. */
static bool read_key(struct builder *builder, struct yaml_key *key)
{
	yaml_event_t event;
	if (!next_event(builder, &event))
		return false;
	bool is_end = event.type == YAML_MAPPING_END_EVENT;
	const char *refused = is_end ? NULL : refuse_key(&event);
	if (refused != NULL)
		complain(builder, &event, refused);
	bool is_key = !is_end && refused == NULL;
	if (is_key)
		*key = (struct yaml_key){.text = xstrdup((const char *)event.data.scalar.value),
		    .line = (unsigned)event.start_mark.line + 1,
		    .column = (unsigned)event.start_mark.column + 1};
	yaml_event_delete(&event);
	return is_key;
}

static int compare_keys(const void *a, const void *b)
{
	const struct yaml_key *left = *(const struct yaml_key *const *)a;
	const struct yaml_key *right = *(const struct yaml_key *const *)b;
	int order = strcmp(left->text, right->text);
	if (order != 0)
		return order;
	return left < right ? -1 : 1;
}

static bool check_duplicates(struct builder *builder, const struct yaml_node *map)
{
	const struct yaml_key **sorted = xcalloc(map->count + 1, sizeof(struct yaml_key *));
	for (size_t i = 0; i < map->count; i++)
		sorted[i] = &map->keys[i];
	qsort(sorted, map->count, sizeof(struct yaml_key *), compare_keys);
	const struct yaml_key *first = NULL, *again = NULL;
	for (size_t i = 1; i < map->count; i++) {
		if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0 &&
		    (again == NULL || sorted[i] < again)) {
			first = sorted[i - 1];
			again = sorted[i];
		}
	}
	if (again != NULL) {
		char *what = xasprintf("the key \"%s\" stands in line %u already: remove one",
		    again->text, first->line);
		complain_at(builder, again->line - 1, again->column - 1, what);
		free(what);
	}
	free(sorted);
	return again == NULL;
}

static bool read_members(struct builder *builder, struct yaml_node *map)
{
	struct yaml_key key;
	while (read_key(builder, &key)) {
		yaml_event_t event;
		struct yaml_node *value =
		    next_event(builder, &event) ? read_node(builder, &event) : NULL;
		if (value == NULL) {
			free(key.text);
			return false;
		}
		grow(map);
		map->keys[map->count] = key;
		map->items[map->count++] = value;
	}
	return builder->error == NULL && check_duplicates(builder, map);
}

static const char *refuse_node(const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	if (event->type == YAML_ALIAS_EVENT)
		return "an alias: write the value out; text that starts with '*' needs quotes";
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor != NULL)
		return "an anchor: anchors are not supported, write the value out";
	return tag != NULL ? "a tag: tags are not supported, remove it" : NULL;
}

static struct yaml_node *read_collection(struct builder *builder, const yaml_event_t *event)
{
	if (builder->depth == YAML_MAX_DEPTH) {
		complain(builder, event, "nested too deeply: at most 32 levels are read");
		return NULL;
	}
	bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
	struct yaml_node *node = new_node(is_list ? YAML_NODE_LIST : YAML_NODE_MAP, event);
	builder->depth++;
	bool ok = is_list ? read_items(builder, node) : read_members(builder, node);
	builder->depth--;
	if (!ok) {
		free_node(node);
		return NULL;
	}
	return node;
}

/* Takes the event with which a node starts, and everything up to the node's end. */
static struct yaml_node *read_node(struct builder *builder, yaml_event_t *event)
{
	struct yaml_node *node = NULL;
	const char *refused = refuse_node(event);
	if (refused != NULL)
		complain(builder, event, refused);
	else if (event->type == YAML_SCALAR_EVENT)
		node = read_scalar(builder, event);
	else
		node = read_collection(builder, event);
	yaml_event_delete(event);
	return node;
}

/* --- documents -------------------------------------------------------------------------------- */

static void free_documents(struct yaml_document **documents, size_t count)
{
	for (size_t i = 0; i < count; i++)
		yaml_document_free(&documents[i]);
	free(documents);
}

/* Behind the start of a document: its one node. */
static struct yaml_document *read_document(struct builder *builder)
{
	yaml_event_t event;
	if (!next_event(builder, &event))
		return NULL;
	struct yaml_node *root = read_node(builder, &event);
	if (root == NULL)
		return NULL;
	struct yaml_document *document = xcalloc(1, sizeof(*document));
	document->file = xstrdup(builder->file);
	document->root = root;
	return document;
}

/* The next document that is not empty; NULL at the end and after an error. */
static struct yaml_document *next_document(struct builder *builder)
{
	bool is_end = false;
	while (!is_end) {
		yaml_event_t event;
		if (!next_event(builder, &event))
			return NULL;
		yaml_event_type_t type = event.type;
		yaml_event_delete(&event);
		is_end = type == YAML_STREAM_END_EVENT;
		if (type != YAML_DOCUMENT_START_EVENT)
			continue;
		struct yaml_document *document = read_document(builder);
		if (document == NULL || !yaml_is_null(document->root))
			return document;
		yaml_document_free(&document);
	}
	return NULL;
}

static struct yaml_document **read_documents(struct builder *builder, size_t *count)
{
	struct yaml_document **documents = xcalloc(1, sizeof(struct yaml_document *));
	struct yaml_document *document;
	*count = 0;
	while ((document = next_document(builder)) != NULL) {
		documents = xreallocarray(documents, *count + 1, sizeof(struct yaml_document *));
		documents[(*count)++] = document;
	}
	return documents;
}

struct yaml_document **yaml_parse_all(
    const char *file, const char *text, size_t len, size_t *count, char **error)
{
	struct builder builder = {.file = file, .text = text, .len = len};
	if (len > YAML_MAX_BYTES) {
		*error =
		    xasprintf("%s:1:1: %zu bytes, at most %u are read", file, len, YAML_MAX_BYTES);
		return NULL;
	}
	if (yaml_parser_initialize(&builder.parser) != 1)
		abort();
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, len);
	struct yaml_document **documents = read_documents(&builder, count);
	yaml_parser_delete(&builder.parser);
	if (builder.error == NULL)
		return documents;
	free_documents(documents, *count);
	*error = builder.error;
	return NULL;
}

/* Takes the list apart: the document when it is the only one. */
static struct yaml_document *take_only(
    const char *file, struct yaml_document **documents, size_t count, char **error)
{
	struct yaml_document *only = NULL;
	if (count == 0)
		*error = xasprintf("%s:1:1: nothing stands in it", file);
	else if (count > 1)
		*error = yaml_error(documents[1], documents[1]->root,
		    "a second document: put everything into one, without \"---\"");
	else
		only = documents[0];
	free_documents(documents, count == 1 ? 0 : count);
	return only;
}

struct yaml_document *yaml_parse(const char *file, const char *text, size_t len, char **error)
{
	size_t count;
	struct yaml_document **documents = yaml_parse_all(file, text, len, &count, error);
	return documents != NULL ? take_only(file, documents, count, error) : NULL;
}

/* Reads one byte more than is allowed, so that the parser sees that the file is too long. */
static bool read_file(const char *file, struct buf *out, char **error)
{
	FILE *stream = fopen(file, "re");
	if (stream == NULL) {
		*error = xasprintf("%s: cannot be read: %s", file, strerror(errno));
		return false;
	}
	char *room = buf_reserve(out, YAML_MAX_BYTES + 1);
	errno = 0;
	size_t len = fread(room, 1, YAML_MAX_BYTES + 1, stream);
	bool ok = ferror(stream) == 0;
	if (!ok)
		*error = xasprintf("%s: cannot be read: %s", file, strerror(errno));
	fclose(stream);
	buf_commit(out, len);
	return ok;
}

struct yaml_document **yaml_load_all(const char *file, size_t *count, char **error)
{
	struct buf text = {0};
	struct yaml_document **documents = NULL;
	if (read_file(file, &text, error))
		documents = yaml_parse_all(file, buf_text(&text), text.len, count, error);
	buf_free(&text);
	return documents;
}

struct yaml_document *yaml_load(const char *file, char **error)
{
	size_t count;
	struct yaml_document **documents = yaml_load_all(file, &count, error);
	return documents != NULL ? take_only(file, documents, count, error) : NULL;
}

void yaml_document_free(struct yaml_document **document)
{
	if (*document == NULL)
		return;
	free_node((*document)->root);
	free((*document)->file);
	free(*document);
	*document = NULL;
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (map->kind != YAML_NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->keys[i].text, key) == 0)
			return map->items[i];
	return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
	if (node->kind != YAML_NODE_SCALAR || node->is_quoted)
		return false;
	return node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
	       strcasecmp(node->text, "null") == 0;
}

char *yaml_error(
    const struct yaml_document *document, const struct yaml_node *node, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		abort();
	char *error = xasprintf("%s:%u:%u: %s", document->file, node->line, node->column, text);
	free(text);
	return error;
}
