/* Puts together what instances tell and what lies in the directory of recordings. Called by
 * `sessions`. */
#include "kubeproxyd/session_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/record/cast_file.h"

struct session_list {
	struct json_object *by_id;
};

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	if (json_object_is_type(object, json_type_object))
		(void)json_object_object_get_ex(object, key, &value);
	return value;
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key);
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static void set_text(struct json_object *object, const char *key, const char *value)
{
	bool is_there = value != NULL && *value != '\0';
	json_object_object_add(object, key, is_there ? json_object_new_string(value) : NULL);
}

static void set_number(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

struct session_list *session_list_new(void)
{
	struct session_list *list = xcalloc(1, sizeof *list);
	list->by_id = json_object_new_object();
	return list;
}

void session_list_free(struct session_list **list)
{
	if (*list == NULL)
		return;
	json_object_put((*list)->by_id);
	xfree(list);
}

/* All members, in their order, so that every document looks alike. */
static struct json_object *add_row(struct session_list *list, const char *id, const char *state)
{
	static const char *const keys[] = {"id", "state", "kind", "user", "cluster", "arn",
	    "namespace", "pod", "container", "command", "ports", "client", "instance", "protocol",
	    "since", "duration_ms", "bytes_in", "bytes_out", "recorded", "file", "size", "ended",
	    "exit_code", "problem"};
	struct json_object *row = json_object_new_object();
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		json_object_object_add(row, keys[i], NULL);
	set_text(row, "id", id);
	set_text(row, "state", state);
	json_object_object_add(row, "recorded", json_object_new_boolean(false));
	json_object_object_add(list->by_id, id, row);
	return row;
}

/* --- live ------------------------------------------------------------------------------------ */

static void copy(struct json_object *to, struct json_object *from, const char *const *keys)
{
	for (; *keys != NULL; keys++)
		json_object_object_add(to, *keys, json_object_get(member(from, *keys)));
}

bool session_list_add_live(struct session_list *list, struct json_object *answer)
{
	static const char *const keys[] = {"kind", "user", "cluster", "arn", "namespace", "pod",
	    "container", "command", "ports", "client", "protocol", "since", "bytes_in", "bytes_out",
	    NULL};
	struct json_object *sessions = member(answer, "sessions");
	if (!json_object_is_type(sessions, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(sessions); i++) {
		struct json_object *session = json_object_array_get_idx(sessions, i);
		const char *id = text_of(session, "id"), *since = text_of(session, "since");
		struct unix_time begin;
		if (id == NULL || *id == '\0' || since == NULL || !unix_time_parse(since, &begin))
			return false;
		struct json_object *row = add_row(list, id, "live");
		copy(row, session, keys);
		set_text(row, "instance", text_of(answer, "instance"));
		set_number(row, "duration_ms", unix_now().ms - begin.ms);
	}
	return true;
}

/* --- recordings ------------------------------------------------------------------------------ */

/* "exit 3" and "ended: why". */
static void set_ending(struct json_object *row, const char *ending)
{
	static const char exit_word[] = "exit ", ended_word[] = "ended: ";
	if (ending == NULL)
		return;
	bool is_reason = strncmp(ending, ended_word, sizeof ended_word - 1) == 0;
	set_text(row, "ended", is_reason ? ending + sizeof ended_word - 1 : ending);
	char *end;
	if (strncmp(ending, exit_word, sizeof exit_word - 1) != 0)
		return;
	long code = strtol(ending + sizeof exit_word - 1, &end, 10);
	if (*end == '\0' && end > ending + sizeof exit_word - 1)
		set_number(row, "exit_code", code);
}

static void set_from_header(struct json_object *row, const struct cast_summary *summary)
{
	static const char *const keys[] = {"kind", "user", "cluster", "arn", "namespace", "pod",
	    "container", "client", "instance", "protocol", NULL};
	struct json_object *ours = member(summary->header, "eksgate");
	char since[UNIX_TIME_TEXT];
	for (const char *const *key = keys; *key != NULL; key++)
		set_text(row, *key, text_of(ours, *key));
	set_text(row, "command", text_of(summary->header, "command"));
	if (summary->timestamp > 0)
		set_text(row, "since",
		    unix_time_text((struct unix_time){summary->timestamp * 1000}, since));
}

static void add_file(void *arg, const char *id, const char *path, bool is_part)
{
	struct session_list *list = arg;
	struct cast_summary summary;
	struct json_object *row = member(list->by_id, id);
	bool is_live = row != NULL;
	cast_summary_read(path, &summary);
	if (!is_live)
		row = add_row(list, id, is_part ? "unfinished" : "kept");
	json_object_object_add(row, "recorded", json_object_new_boolean(true));
	set_text(row, "file", path);
	set_number(row, "size", (int64_t)summary.size);
	/* The header of one that begins waits for the first output. */
	if (summary.problem != NULL && !is_live) {
		set_text(row, "state", "unreadable");
		set_text(row, "problem", summary.problem);
	}
	if (summary.header != NULL && !is_live)
		set_from_header(row, &summary);
	if (summary.header != NULL && !(is_live && is_part)) {
		set_number(row, "duration_ms", summary.duration_us / 1000);
		set_ending(row, summary.ending);
	}
	/* It ended since its instance was asked. */
	if (is_live && !is_part)
		set_text(row, "state", "kept");
	cast_summary_free(&summary);
}

bool session_list_add_kept(struct session_list *list, const char *directory, char **error)
{
	return cast_directory_each(directory, add_file, list, error);
}

/* --- the list -------------------------------------------------------------------------------- */

static bool is_text(struct json_object *row, const char *key, const char *wanted)
{
	const char *text = text_of(row, key);
	return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

static bool is_wanted(struct json_object *row, const struct session_filter *filter)
{
	const char *state = text_of(row, "state"), *since = text_of(row, "since");
	struct unix_time begin;
	bool is_live = strcmp(state, "live") == 0;
	if (is_live ? !filter->has_live : !filter->has_kept)
		return false;
	if (strcmp(state, "unreadable") == 0)
		return true;
	if (!is_text(row, "user", filter->user) || !is_text(row, "cluster", filter->cluster) ||
	    !is_text(row, "instance", filter->instance))
		return false;
	return filter->since.ms == 0 ||
	       (since != NULL && unix_time_parse(since, &begin) && begin.ms >= filter->since.ms);
}

/* The newest first; what has no time, last. */
static int compare(const void *a, const void *b)
{
	struct json_object *left, *right;
	memcpy(&left, a, sizeof left);
	memcpy(&right, b, sizeof right);
	const char *left_since = text_of(left, "since"), *right_since = text_of(right, "since");
	int order =
	    strcmp(right_since != NULL ? right_since : "", left_since != NULL ? left_since : "");
	return order != 0 ? order : strcmp(text_of(left, "id"), text_of(right, "id"));
}

struct json_object *session_list_take(
    struct session_list *list, const struct session_filter *filter)
{
	struct json_object *rows = json_object_new_array();
	json_object_object_foreach(list->by_id, id, row)
	{
		(void)id;
		if (is_wanted(row, filter))
			json_object_array_add(rows, json_object_get(row));
	}
	json_object_array_sort(rows, compare);
	return rows;
}
