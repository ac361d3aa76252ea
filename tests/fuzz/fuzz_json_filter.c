/* Answers in JSON through the filter: a byte that says what they are and in which pieces they come,
 * then the answer. Whatever the pieces are, the same passes; and read by json-c, a tree that knows
 * nothing of filters, it holds no object that may not be read, and no object that was not there. */
#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEM_MAX   2048
#define DEPTH_MAX  20000
#define OTHER_STEP 61

static void require(int holds)
{
	if (!holds)
		abort();
}

static bool is_shown(const char *namespace, const char *name)
{
	return name[0] == 'a' && strcmp(namespace, "hidden") != 0;
}

static bool may_read(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	return is_shown(namespace, name);
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	require(len > 0);
	buf_append(arg, data, len);
}

static bool run(
    enum filter_body body, const uint8_t *data, size_t size, size_t step, struct buf *out)
{
	static const struct filter_events events = {.may_read = may_read, .emit = emit};
	struct filter_limits limits = {.item_max = ITEM_MAX};
	struct filter *filter = filter_new(body, "application/json", NULL, &limits, &events, out);
	bool is_sound = true;
	for (size_t at = 0; is_sound && at < size; at += step)
		is_sound = filter_feed(filter, data + at, size - at < step ? size - at : step);
	is_sound = is_sound && filter_end(filter);
	require(is_sound == (filter_result(filter)->problem == NULL));
	filter_free(&filter);
	return is_sound;
}

/* --- the slow way ---------------------------------------------------------------------------- */

/* "" when there is none. */
static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static struct json_object *member_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, key, &value);
	return value;
}

static void check_object(struct json_object *object)
{
	struct json_object *metadata = member_of(object, "metadata");
	require(is_shown(text_of(metadata, "namespace"), text_of(metadata, "name")));
}

static void check_rows(struct json_object *rows)
{
	for (size_t i = 0; rows != NULL && i < json_object_array_length(rows); i++)
		check_object(member_of(json_object_array_get_idx(rows, i), "object"));
}

static bool is_status(struct json_object *object)
{
	return strcmp(text_of(object, "kind"), "Status") == 0 &&
	       strcmp(text_of(object, "apiVersion"), "v1") == 0;
}

static void check_list(struct json_object *document)
{
	struct json_object *items = NULL, *rows = NULL;
	bool is_list = json_object_object_get_ex(document, "items", &items);
	bool is_table = json_object_object_get_ex(document, "rows", &rows);
	if (!is_list && !is_table) {
		if (!is_status(document))
			check_object(document);
		return;
	}
	for (size_t i = 0; items != NULL && i < json_object_array_length(items); i++)
		check_object(json_object_array_get_idx(items, i));
	check_rows(rows);
	struct json_object *metadata = member_of(document, "metadata");
	require(member_of(metadata, "remainingItemCount") == NULL);
	require(text_of(metadata, "continue")[0] == '\0');
}

static void check_event(struct json_object *event)
{
	static const char api[] = "meta.k8s.io/";
	const char *type = text_of(event, "type");
	struct json_object *object = member_of(event, "object");
	if (strcmp(type, "ERROR") == 0) {
		require(is_status(object));
		require(json_object_get_int(member_of(object, "code")) != FILTER_INTERNAL_ERROR);
		return;
	}
	bool is_table = strcmp(text_of(object, "kind"), "Table") == 0 &&
			strncmp(text_of(object, "apiVersion"), api, strlen(api)) == 0;
	bool is_bookmark = strcmp(type, "BOOKMARK") == 0;
	const char *name = text_of(member_of(object, "metadata"), "name");
	if (is_table && !is_bookmark)
		check_rows(member_of(object, "rows"));
	else if (!is_table && !(is_bookmark && name[0] == '\0'))
		check_object(object);
}

/* What was cut in the middle of a list is read as if it had ended there; `is_whole`: nothing of it
 * may be left unread. */
static void check_text(
    enum filter_body body, const struct buf *out, const char *ending, bool is_whole)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct buf text = {0};
	buf_append(&text, out->data, out->len);
	buf_append_text(&text, ending);
	for (size_t at = 0; at < text.len;) {
		json_tokener_reset(tokener);
		struct json_object *value =
		    json_tokener_parse_ex(tokener, text.data + at, (int)(text.len - at));
		if (json_tokener_get_error(tokener) != json_tokener_success) {
			require(!is_whole || strspn(text.data + at, " \t\r\n") == text.len - at);
			break;
		}
		at += json_tokener_get_parse_end(tokener);
		if (json_object_is_type(value, json_type_object)) {
			if (body == FILTER_WATCH)
				check_event(value);
			else
				check_list(value);
		}
		json_object_put(value);
	}
	buf_free(&text);
	json_tokener_free(tokener);
}

/* Nothing of it is new: what passes of a watch stands in the answer, line by line. */
static void check_origin(const struct buf *out, const uint8_t *data, size_t size)
{
	const char *at = buf_text(out), *end = at + out->len;
	while (at < end) {
		const char *line = memchr(at, '\n', (size_t)(end - at));
		require(line != NULL);
		require(line == at || memmem(data, size, at, (size_t)(line - at)) != NULL);
		at = line + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = {0}, again = {0};
	if (size == 0)
		return 0;
	enum filter_body body = (data[0] & 1) != 0 ? FILTER_WATCH : FILTER_LIST;
	size_t step = 1 + data[0] / 2;
	bool is_sound = run(body, data + 1, size - 1, step, &out);
	require(is_sound == run(body, data + 1, size - 1, OTHER_STEP, &again));
	if (is_sound)
		require(out.len == again.len &&
			(out.len == 0 || memcmp(out.data, again.data, out.len) == 0));
	if (is_sound && body == FILTER_WATCH)
		check_origin(&out, data + 1, size - 1);
	check_text(body, &out, "", is_sound);
	check_text(body, &out, "]}", false);
	check_text(body, &out, "}", false);
	buf_free(&out);
	buf_free(&again);
	return 0;
}
