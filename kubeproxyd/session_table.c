/* The list of sessions for people: short ids, places in one word, lengths of time and sizes that
 * can be read at a glance. Called by `sessions`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/render.h"
#include "common/xmem.h"
#include "kubeproxyd/session_list.h"

/* Ids are shown as long as it takes to tell them apart, and not shorter. */
#define ID_MIN	    8
#define ID_MAX	    36
#define COMMAND_MAX 40

static const char *text_of(struct json_object *row, const char *key)
{
	const char *text = json_object_get_string(json_object_object_get(row, key));
	return text != NULL ? text : "";
}

/* --- cells ----------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
	const char *left, *right;
	memcpy(&left, a, sizeof left);
	memcpy(&right, b, sizeof right);
	return strcmp(left, right);
}

static size_t common_prefix(const char *a, const char *b)
{
	size_t len = 0;
	while (a[len] != '\0' && a[len] == b[len])
		len++;
	return len;
}

/* How many characters tell all of them apart. */
static size_t id_width(struct json_object *sessions)
{
	size_t count = json_object_array_length(sessions), width = ID_MIN;
	const char **ids = xcalloc(count + 1, sizeof *ids);
	for (size_t i = 0; i < count; i++)
		ids[i] = text_of(json_object_array_get_idx(sessions, i), "id");
	qsort(ids, count, sizeof *ids, compare_ids);
	for (size_t i = 1; i < count; i++) {
		size_t needed = common_prefix(ids[i - 1], ids[i]) + 1;
		if (needed > width)
			width = needed;
	}
	free(ids);
	return width < ID_MAX ? width : ID_MAX;
}

static void put(struct json_object *cells, const char *key, char *text)
{
	json_object_object_add(cells, key, json_object_new_string(text));
	free(text);
}

static char *size_text(int64_t bytes)
{
	static const char units[] = " KMGT";
	size_t unit = 0;
	double value = (double)bytes;
	while (value >= 1000 && unit + 2 < sizeof units) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		return xasprintf("%" PRId64, bytes);
	return xasprintf(value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static char *duration_text(int64_t ms)
{
	int64_t seconds = ms / 1000;
	if (seconds < 60)
		return xasprintf("%" PRId64 ".%" PRId64 "s", seconds, ms % 1000 / 100);
	if (seconds < 3600)
		return xasprintf("%" PRId64 "m%02" PRId64 "s", seconds / 60, seconds % 60);
	return xasprintf("%" PRId64 "h%02" PRId64 "m", seconds / 3600, seconds / 60 % 60);
}

static void put_number(struct json_object *cells, struct json_object *row, const char *key,
    char *(*write)(int64_t number))
{
	struct json_object *value = json_object_object_get(row, key);
	if (value != NULL)
		put(cells, key, write(json_object_get_int64(value)));
}

/* Namespace, pod, and the container when one was chosen. */
static char *place_text(struct json_object *row)
{
	const char *container = text_of(row, "container");
	if (*text_of(row, "pod") == '\0')
		return xstrdup("");
	return xasprintf("%s/%s%s%s", text_of(row, "namespace"), text_of(row, "pod"),
	    *container != '\0' ? "/" : "", container);
}

/* Characters stay whole. */
static char *short_text(const char *text)
{
	if (strlen(text) <= COMMAND_MAX)
		return xstrdup(text);
	size_t len = COMMAND_MAX;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return xasprintf("%.*s…", (int)len, text);
}

static char *since_text(const char *since)
{
	char *text = xasprintf("%.*s", (int)strlen("2026-01-02T03:04:05"), since);
	if (strlen(text) > 10)
		text[10] = ' ';
	return text;
}

static struct json_object *cells_of(struct json_object *row, size_t width)
{
	struct json_object *cells = json_object_new_object();
	bool is_live = strcmp(text_of(row, "state"), "live") == 0;
	bool is_recorded = json_object_get_boolean(json_object_object_get(row, "recorded"));
	struct json_object *ports = json_object_object_get(row, "ports");
	put(cells, "id", xasprintf("%.*s", (int)width, text_of(row, "id")));
	put(cells, "state",
	    xasprintf("%s%s", text_of(row, "state"), is_live && is_recorded ? ", recorded" : ""));
	put(cells, "kind", xstrdup(text_of(row, "kind")));
	put(cells, "user", xstrdup(text_of(row, "user")));
	put(cells, "cluster", xstrdup(text_of(row, "cluster")));
	put(cells, "pod", place_text(row));
	put(cells, "command", short_text(text_of(row, "command")));
	if (ports != NULL)
		json_object_object_add(cells, "command", json_object_get(ports));
	put(cells, "since", since_text(text_of(row, "since")));
	put(cells, "ended", short_text(text_of(row, "ended")));
	put_number(cells, row, "duration_ms", duration_text);
	put_number(cells, row, "bytes_in", size_text);
	put_number(cells, row, "bytes_out", size_text);
	put_number(cells, row, "size", size_text);
	return cells;
}

void session_list_table(struct json_object *sessions, struct buf *out)
{
	static const struct render_column columns[] = {{"ID", "id"}, {"STATE", "state"},
	    {"KIND", "kind"}, {"USER", "user"}, {"CLUSTER", "cluster"}, {"POD", "pod"},
	    {"COMMAND", "command"}, {"SINCE", "since"}, {"TOOK", "duration_ms"}, {"IN", "bytes_in"},
	    {"OUT", "bytes_out"}, {"FILE", "size"}, {"ENDED", "ended"}};
	size_t width = id_width(sessions);
	struct json_object *items = json_object_new_array();
	for (size_t i = 0; i < json_object_array_length(sessions); i++)
		json_object_array_add(
		    items, cells_of(json_object_array_get_idx(sessions, i), width));
	render_table(out, items, columns, sizeof columns / sizeof columns[0]);
	json_object_put(items);
}
