/* Merges sorted files line by line, holding one line of each and the events of the last seconds, in
 * which the second half of a denial may follow. Memory does not grow with the files. Called by
 * `kubeproxyd audit`. */
#include "kubeproxyd/record/audit_merge.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mono.h"
#include "common/xmem.h"

/* How long after the first attempt the second may come: kubectl opens a connection in between. */
#define PAIR_MS	 INT64_C(10000)
#define HELD_MAX 65536

struct source {
	char *path;
	FILE *file;
	char *line;
	size_t cap;
	size_t number;
	struct json_object *event; /* NULL: at its end */
	struct unix_time at;
};

struct held {
	TAILQ_ENTRY(held) entry;
	struct json_object *event;
	struct unix_time at;
};

struct audit_merge {
	struct source *sources;
	size_t count;
	TAILQ_HEAD(, held) held;
	size_t held_count;
	struct unix_time newest;
	size_t bad_lines;
	char *first_bad;
	char *problem; /* the first file that could not be read to its end */
};

/* --- events ---------------------------------------------------------------------------------- */

const char *audit_text(struct json_object *event, const char *path)
{
	struct json_object *value = event;
	while (value != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		char *key = xstrndup(path, len);
		struct json_object *next = NULL;
		if (json_object_is_type(value, json_type_object))
			(void)json_object_object_get_ex(value, key, &next);
		free(key);
		value = next;
		path += len + (path[len] == '.');
	}
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

const char *audit_annotation(struct json_object *event, const char *key)
{
	struct json_object *annotations = NULL, *value = NULL;
	if (!json_object_object_get_ex(event, "annotations", &annotations) ||
	    !json_object_is_type(annotations, json_type_object) ||
	    !json_object_object_get_ex(annotations, key, &value))
		return NULL;
	return json_object_get_string(value);
}

/* NULL when it is no event. */
static struct json_object *parse(const char *line, size_t len, struct unix_time *at)
{
	char error[JSON_ERROR_TEXT];
	struct json_object *event = json_parse(line, len, error);
	const char *time = event != NULL ? audit_text(event, "stageTimestamp") : NULL;
	if (time != NULL && unix_time_parse(time, at))
		return event;
	json_object_put(event);
	return NULL;
}

/* --- files ----------------------------------------------------------------------------------- */

static void note_bad(struct audit_merge *merge, const struct source *source)
{
	if (merge->bad_lines++ == 0)
		merge->first_bad = xasprintf("%s:%zu", source->path, source->number);
}

static void advance(struct audit_merge *merge, struct source *source)
{
	ssize_t len;
	source->event = NULL;
	while (source->event == NULL &&
	       (len = getline(&source->line, &source->cap, source->file)) > 0) {
		source->number++;
		source->event = parse(source->line, (size_t)len, &source->at);
		if (source->event == NULL)
			note_bad(merge, source);
	}
	if (source->event == NULL && ferror(source->file) && merge->problem == NULL)
		merge->problem = xasprintf("%s: cannot be read behind line %zu: %s", source->path,
		    source->number, strerror(errno));
}

struct audit_merge *audit_merge_new(void)
{
	struct audit_merge *merge = xcalloc(1, sizeof *merge);
	TAILQ_INIT(&merge->held);
	return merge;
}

bool audit_merge_add(struct audit_merge *merge, const char *path, char **error)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (file == NULL) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		return false;
	}
	merge->sources = xreallocarray(merge->sources, merge->count + 1, sizeof *merge->sources);
	struct source *source = &merge->sources[merge->count++];
	*source = (struct source){.path = xstrdup(path), .file = file};
	advance(merge, source);
	return true;
}

static struct json_object *take_earliest(struct audit_merge *merge, struct unix_time *at)
{
	struct source *earliest = NULL;
	for (size_t i = 0; i < merge->count; i++) {
		struct source *source = &merge->sources[i];
		if (source->event != NULL && (earliest == NULL || source->at.ms < earliest->at.ms))
			earliest = source;
	}
	if (earliest == NULL)
		return NULL;
	struct json_object *event = earliest->event;
	*at = earliest->at;
	advance(merge, earliest);
	return event;
}

/* --- pairs ----------------------------------------------------------------------------------- */

static bool is_same(struct json_object *a, struct json_object *b, const char *path)
{
	const char *left = audit_text(a, path), *right = audit_text(b, path);
	return left != NULL && right != NULL && strcmp(left, right) == 0;
}

static bool is_same_note(struct json_object *a, struct json_object *b, const char *key)
{
	const char *left = audit_annotation(a, key), *right = audit_annotation(b, key);
	return (left == NULL && right == NULL) ||
	       (left != NULL && right != NULL && strcmp(left, right) == 0);
}

static bool has_note(struct json_object *event, const char *key, const char *value)
{
	const char *text = audit_annotation(event, key);
	return text != NULL && strcasecmp(text, value) == 0;
}

static bool is_denial(struct json_object *event)
{
	return has_note(event, "authorization.k8s.io/decision", "forbid");
}

/* The same user, target and run of kubectl: first as WebSocket, then as SPDY. */
static bool are_pair(struct json_object *first, struct json_object *second)
{
	return is_denial(first) && is_denial(second) &&
	       has_note(first, "eksgate.io/upgrade", "websocket") &&
	       has_note(second, "eksgate.io/upgrade", "SPDY/3.1") &&
	       audit_annotation(first, "eksgate.io/attempts") == NULL &&
	       is_same(first, second, "user.username") && is_same(first, second, "requestURI") &&
	       is_same_note(first, second, "eksgate.io/cluster") &&
	       is_same_note(first, second, "eksgate.io/kubectl-session");
}

static void mark(struct json_object *event)
{
	struct json_object *annotations = json_object_object_get(event, "annotations");
	json_object_object_add(
	    annotations, "eksgate.io/attempts", json_object_new_string("websocket, SPDY/3.1"));
}

/* Whether the event is the second half of one that is held; it is freed then. */
static bool join(struct audit_merge *merge, struct json_object *event, struct unix_time at)
{
	struct held *held;
	if (!has_note(event, "eksgate.io/upgrade", "SPDY/3.1") || !is_denial(event))
		return false;
	TAILQ_FOREACH(held, &merge->held, entry)
	{
		if (at.ms - held->at.ms > PAIR_MS || !are_pair(held->event, event))
			continue;
		mark(held->event);
		json_object_put(event);
		return true;
	}
	return false;
}

static void hold(struct audit_merge *merge, struct json_object *event, struct unix_time at)
{
	struct held *held = xcalloc(1, sizeof *held);
	held->event = event;
	held->at = at;
	TAILQ_INSERT_TAIL(&merge->held, held, entry);
	merge->held_count++;
	merge->newest = at;
}

static struct json_object *release_first(struct audit_merge *merge)
{
	struct held *held = TAILQ_FIRST(&merge->held);
	if (held == NULL)
		return NULL;
	/* The analyser loses track of a list that is emptied element by element.
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	struct json_object *event = held->event;
	TAILQ_REMOVE(&merge->held, held, entry);
	merge->held_count--;
	free(held);
	return event;
}

static bool is_ripe(const struct audit_merge *merge)
{
	const struct held *first = TAILQ_FIRST(&merge->held);
	return first != NULL &&
	       (merge->newest.ms - first->at.ms > PAIR_MS || merge->held_count > HELD_MAX);
}

struct json_object *audit_merge_next(struct audit_merge *merge)
{
	while (!is_ripe(merge)) {
		struct unix_time at;
		struct json_object *event = take_earliest(merge, &at);
		if (event == NULL)
			break;
		if (!join(merge, event, at))
			hold(merge, event, at);
	}
	return release_first(merge);
}

size_t audit_merge_bad_lines(const struct audit_merge *merge, const char **first)
{
	*first = merge->first_bad;
	return merge->bad_lines;
}

const char *audit_merge_problem(const struct audit_merge *merge)
{
	return merge->problem;
}

void audit_merge_free(struct audit_merge **merge)
{
	struct audit_merge *old = *merge;
	*merge = NULL;
	if (old == NULL)
		return;
	struct json_object *event;
	while ((event = release_first(old)) != NULL)
		json_object_put(event);
	for (size_t i = 0; i < old->count; i++) {
		struct source *source = &old->sources[i];
		json_object_put(source->event);
		if (source->file != stdin)
			fclose(source->file);
		free(source->line);
		free(source->path);
	}
	free(old->sources);
	free(old->first_bad);
	free(old->problem);
	free(old);
}
