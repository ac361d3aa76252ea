/* Answers of the daemons as a table, JSON or YAML. Everything shown may have come from outside:
 * control characters never reach the terminal. */
#include "common/render.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"
#include "common/xmem.h"

#define COLUMN_GAP 2

bool render_format_parse(const char *name, enum render_format *format)
{
	static const struct {
		const char *name;
		enum render_format format;
	} formats[] = {{"table", RENDER_TABLE}, {"text", RENDER_TABLE}, {"json", RENDER_JSON},
	    {"yaml", RENDER_YAML}};
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strcmp(name, formats[i].name) == 0) {
			*format = formats[i].format;
			return true;
		}
	}
	return false;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Members of labels hold dots themselves, so the longest key that exists is tried first at each
 * step. */
static struct json_object *find_path(struct json_object *item, const char *path)
{
	struct json_object *value;
	if (!json_object_is_type(item, json_type_object))
		return NULL;
	if (json_object_object_get_ex(item, path, &value))
		return value;
	for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
		char *key = xstrndup(path, (size_t)(dot - path));
		bool found = json_object_object_get_ex(item, key, &value);
		free(key);
		if (found)
			return find_path(value, dot + 1);
	}
	return NULL;
}

/* Characters, not bytes: continuation bytes of UTF-8 take no column. */
static size_t text_width(const char *text)
{
	size_t width = 0;
	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Of the two bytes of U+0080 to U+009F, which terminals obey as they do ESC and a letter. */
static bool is_c1(const unsigned char *text)
{
	return text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f;
}

static void write_escaped(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;
	for (size_t step; text < end; text += step) {
		const unsigned char *at = (const unsigned char *)text;
		step = utf8_length(text, end);
		if (is_c1(at)) {
			buf_printf(out, "\\x%02x", at[1]);
		} else if (step == 0 || *at < ' ' || *at == 0x7f) {
			buf_printf(out, "\\x%02x", *at);
			step = 1;
		} else {
			buf_append(out, text, step);
		}
	}
}

void render_text(struct buf *out, const char *text)
{
	write_escaped(out, text, strlen(text));
}

void render_lines(struct buf *out, const char *text)
{
	for (size_t len; *text != '\0'; text += len) {
		len = strcspn(text, "\n");
		write_escaped(out, text, len);
		if (text[len] == '\n') {
			buf_append_char(out, '\n');
			len++;
		}
	}
}

static void append_cell(struct buf *out, struct json_object *value)
{
	const char *text = value != NULL ? json_object_get_string(value) : NULL;
	if (text != NULL)
		render_text(out, text);
}

/* The members of a list are joined. */
static char *cell_text(struct json_object *item, const char *path)
{
	struct json_object *value = find_path(item, path);
	struct buf out = {0};
	if (!json_object_is_type(value, json_type_array))
		append_cell(&out, value);
	else
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			buf_append_text(&out, i > 0 ? ", " : "");
			append_cell(&out, json_object_array_get_idx(value, i));
		}
	if (out.len == 0)
		buf_append_char(&out, '-');
	return buf_take(&out);
}

static void write_row(struct buf *out, char *const *cells, const size_t *widths, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_append_text(out, cells[i]);
		if (i + 1 == count)
			break;
		for (size_t pad = text_width(cells[i]); pad < widths[i] + COLUMN_GAP; pad++)
			buf_append_char(out, ' ');
	}
	buf_append_char(out, '\n');
}

void render_table(struct buf *out, struct json_object *items, const struct render_column *columns,
    size_t column_count)
{
	size_t rows = json_object_array_length(items) + 1;
	char **cells = xcalloc(rows * column_count, sizeof *cells);
	size_t *widths = xcalloc(column_count, sizeof *widths);
	for (size_t i = 0; i < rows * column_count; i++) {
		size_t row = i / column_count, column = i % column_count;
		if (row == 0)
			cells[i] = xstrdup(columns[column].heading);
		else
			cells[i] = cell_text(
			    json_object_array_get_idx(items, row - 1), columns[column].path);
		size_t width = text_width(cells[i]);
		if (width > widths[column])
			widths[column] = width;
	}
	for (size_t row = 0; row < rows; row++)
		write_row(out, cells + row * column_count, widths, column_count);
	for (size_t i = 0; i < rows * column_count; i++)
		free(cells[i]);
	free(cells);
	free(widths);
}

/* --- YAML ------------------------------------------------------------------------------------- */

static void write_yaml(struct buf *out, struct json_object *value, unsigned indent, bool in_list);

/* Text that a YAML reader would take for something else than this text is written as a JSON string,
 * which YAML reads. */
static bool is_plain(const char *text)
{
	static const char *const words[] = {
	    "true", "false", "yes", "no", "on", "off", "null", "y", "n"};
	if (*text == '\0' || !isalpha((unsigned char)*text))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i]) == 0)
			return false;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("-_./", *p) == NULL)
			return false;
	}
	return true;
}

static void write_text(struct buf *out, const char *text)
{
	if (is_plain(text)) {
		buf_append_text(out, text);
		return;
	}
	struct json_object *string = json_object_new_string(text);
	buf_append_text(
	    out, json_object_to_json_string_ext(string, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(string);
}

static void write_indent(struct buf *out, unsigned indent)
{
	for (unsigned i = 0; i < indent; i++)
		buf_append_text(out, "  ");
}

static bool is_nested(struct json_object *value)
{
	if (json_object_is_type(value, json_type_object))
		return json_object_object_length(value) > 0;
	return json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0;
}

static void write_scalar(struct buf *out, struct json_object *value)
{
	if (value == NULL)
		buf_append_text(out, "null");
	else if (json_object_is_type(value, json_type_string))
		write_text(out, json_object_get_string(value));
	else
		buf_append_text(
		    out, json_object_to_json_string(value)); /* numbers, booleans, {} and [] */
	buf_append_char(out, '\n');
}

static void write_map(struct buf *out, struct json_object *map, unsigned indent, bool in_list)
{
	bool is_first = true;
	json_object_object_foreach(map, key, value)
	{
		if (!is_first || !in_list)
			write_indent(out, indent);
		is_first = false;
		write_text(out, key);
		buf_append_text(out, is_nested(value) ? ":\n" : ": ");
		if (is_nested(value))
			write_yaml(out, value, indent + 1, false);
		else
			write_scalar(out, value);
	}
}

static void write_list(struct buf *out, struct json_object *list, unsigned indent)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *value = json_object_array_get_idx(list, i);
		write_indent(out, indent);
		if (json_object_is_type(value, json_type_array) && is_nested(value)) {
			buf_append_text(out, "-\n");
			write_yaml(out, value, indent + 1, false);
			continue;
		}
		buf_append_text(out, "- ");
		if (is_nested(value))
			write_yaml(out, value, indent + 1, true);
		else
			write_scalar(out, value);
	}
}

static void write_yaml(struct buf *out, struct json_object *value, unsigned indent, bool in_list)
{
	if (json_object_is_type(value, json_type_array))
		write_list(out, value, indent);
	else
		write_map(out, value, indent, in_list);
}

/* Such characters stand in strings of JSON alone, which leave them as they are. */
static void append_escaped(struct buf *out, const char *document)
{
	const char *end = document + strlen(document);
	for (size_t step; document < end; document += step) {
		const unsigned char *at = (const unsigned char *)document;
		step = utf8_length(document, end);
		if (step == 0) {
			buf_append_text(out, "\\ufffd");
			step = 1;
		} else if (is_c1(at)) {
			buf_printf(out, "\\u00%02x", at[1]);
		} else if (*at == 0x7f) {
			buf_append_text(out, "\\u007f");
		} else {
			buf_append(out, document, step);
		}
	}
}

void render_document(struct buf *out, struct json_object *document, enum render_format format)
{
	if (format == RENDER_YAML && is_nested(document)) {
		struct buf yaml = {0};
		write_yaml(&yaml, document, 0, false);
		append_escaped(out, buf_text(&yaml));
		buf_free(&yaml);
		return;
	}
	append_escaped(out, json_object_to_json_string_ext(document,
				JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_append_char(out, '\n');
}
