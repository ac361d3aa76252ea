/* The daemon's state as text: where it stands, a table of scopes, and below it each problem in
 * full, once for all the scopes that share it. Called by the command line. */
#include "discoveryd/status_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/render.h"
#include "common/xmem.h"

/* Scopes that are named with a problem; of the others there is the number. */
#define NAMED_SCOPES 5

/* One problem and who has it. */
struct problem {
	char *text;
	char *remedy; /* may be NULL */
	struct buf scopes;
	size_t count;
};

struct problems {
	struct problem *items;
	size_t count;
};

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return value;
}

static const char *text_or_null(struct json_object *object, const char *key)
{
	return json_object_get_string(member(object, key));
}

static const char *text_of(struct json_object *object, const char *key)
{
	const char *text = text_or_null(object, key);
	return text != NULL ? text : "-";
}

/* What may have come from outside. */
static void append_clean(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_append_char(out, iscntrl((unsigned char)*text) ? '?' : *text);
}

static void append_table(
    struct buf *out, struct json_object *items, const struct render_column *columns, size_t count)
{
	if (items == NULL || json_object_array_length(items) == 0)
		return;
	buf_append_char(out, '\n');
	render_table(out, items, columns, count);
}

/* --- problems --------------------------------------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The problem of these words, made when it is new. */
static struct problem *problem_of(struct problems *problems, const char *text, const char *remedy)
{
	for (size_t i = 0; i < problems->count; i++) {
		if (is_same(problems->items[i].text, text) &&
		    is_same(problems->items[i].remedy, remedy))
			return &problems->items[i];
	}
	problems->items =
	    xreallocarray(problems->items, problems->count + 1, sizeof *problems->items);
	problems->items[problems->count] =
	    (struct problem){.text = xstrdup(text), .remedy = xstrdup_or_null(remedy)};
	return &problems->items[problems->count++];
}

/* Takes `text`. */
static void add_problem(
    struct problems *problems, const char *scope, char *text, const char *remedy)
{
	struct problem *problem = problem_of(problems, text, remedy);
	if (problem->count < NAMED_SCOPES)
		buf_printf(&problem->scopes, "%s%s", problem->count > 0 ? ", " : "", scope);
	problem->count++;
	free(text);
}

/* "eks:ListClusters: AccessDeniedException: …" (free()). */
static char *error_text(struct json_object *error)
{
	const char *code = text_or_null(error, "code"), *message = text_or_null(error, "message");
	struct buf text = {0};
	buf_printf(&text, "%s: %s", text_of(error, "operation"),
	    code != NULL ? code : text_of(error, "outcome"));
	if (message != NULL && !is_same(message, code))
		buf_printf(&text, ": %s", message);
	return buf_take(&text);
}

static void add_error(struct problems *problems, const char *scope, struct json_object *error)
{
	if (error == NULL)
		return;
	/* Some messages are remedies, too. */
	const char *remedy = text_or_null(error, "remedy");
	bool is_new = !is_same(remedy, text_or_null(error, "message"));
	add_problem(problems, scope, error_text(error), is_new ? remedy : NULL);
}

static void collect_problems(struct problems *problems, struct json_object *scopes)
{
	for (size_t i = 0; scopes != NULL && i < json_object_array_length(scopes); i++) {
		struct json_object *scope = json_object_array_get_idx(scopes, i),
				   *tagging = member(scope, "tagging");
		const char *id = text_of(scope, "id");
		add_error(problems, id, member(scope, "error"));
		if (member(tagging, "error") != NULL)
			add_problem(problems, id,
			    xasprintf("%s: %s", text_of(member(tagging, "error"), "operation"),
				"the tags cannot be had at once, so every cluster is described at "
				"every poll"),
			    text_or_null(member(tagging, "error"), "remedy"));
		if (text_or_null(scope, "record_error") != NULL)
			add_problem(problems, id,
			    xasprintf("not recorded: %s", text_of(scope, "record_error")), NULL);
	}
}

/* Of things that are named by their member `name`: identities, organizations. */
static void collect_others(struct problems *problems, struct json_object *others, const char *name)
{
	for (size_t i = 0; others != NULL && i < json_object_array_length(others); i++) {
		struct json_object *other = json_object_array_get_idx(others, i);
		add_error(problems, text_of(other, name), member(other, "error"));
	}
}

static void append_problem(struct buf *out, struct problem *problem)
{
	buf_append_text(out, "  ");
	append_clean(out, buf_text(&problem->scopes));
	if (problem->count > NAMED_SCOPES)
		buf_printf(out, " and %zu more", problem->count - NAMED_SCOPES);
	buf_append_text(out, ":\n      ");
	append_clean(out, problem->text);
	if (problem->remedy != NULL) {
		buf_append_text(out, "\n      what to do: ");
		append_clean(out, problem->remedy);
	}
	buf_append_char(out, '\n');
}

void status_write_problems(struct buf *out, struct json_object *document)
{
	struct problems problems = {0};
	collect_others(&problems, member(document, "organizations"), "organization");
	collect_others(&problems, member(document, "wildcards"), "identity");
	collect_problems(&problems, member(document, "scopes"));
	if (problems.count > 0)
		buf_append_text(out, "\nProblems:\n");
	for (size_t i = 0; i < problems.count; i++) {
		append_problem(out, &problems.items[i]);
		buf_free(&problems.items[i].scopes);
		free(problems.items[i].text);
		free(problems.items[i].remedy);
	}
	free(problems.items);
}

/* --- the head --------------------------------------------------------------------------------- */

static void append_guard(struct buf *out, struct json_object *guard)
{
	static const struct render_column columns[] = {
	    {"HELD BACK", "name"}, {"REASON", "reason"}, {"BECAUSE", "detail"}, {"SINCE", "since"}};
	if (json_object_get_int(member(guard, "held")) == 0)
		return;
	buf_printf(out, "\n%s removals are held back: more than %s %% within an hour. %s.\n",
	    text_of(guard, "held"), text_of(guard, "percent"), text_of(guard, "remedy"));
	render_table(out, member(guard, "clusters"), columns, sizeof columns / sizeof columns[0]);
}

static void append_clock(struct buf *out, struct json_object *document)
{
	int64_t seconds = json_object_get_int64(member(document, "clock_offset_ms")) / 1000;
	if (seconds != 0)
		buf_printf(out,
		    "clock: %lld s %s AWS's: signatures and tokens allow for it; set this "
		    "machine's clock\n",
		    (long long)(seconds > 0 ? seconds : -seconds),
		    seconds > 0 ? "behind" : "before");
}

static void append_head(struct buf *out, struct json_object *document)
{
	struct json_object *clusters = member(document, "clusters"), *bus = member(document, "bus");
	buf_printf(out, "discoveryd %s, group \"%s\", up since %s\n", text_of(document, "version"),
	    text_of(document, "group"), text_of(document, "started"));
	buf_printf(out, "epoch %s, sequence %s, %s subscribers on %s\n", text_of(document, "epoch"),
	    text_of(document, "sequence"), text_of(bus, "subscribers"), text_of(bus, "socket"));
	buf_printf(out, "clusters: %s ready, %s orphaned, %s removing%s\n",
	    text_of(clusters, "ready"), text_of(clusters, "orphaned"),
	    text_of(clusters, "removing"),
	    json_object_get_boolean(member(document, "complete"))
		? ""
		: "; the first pass is under way");
	append_clock(out, document);
	if (member(document, "registry_error") != NULL)
		buf_printf(
		    out, "CHANGES ARE NOT RECORDED: %s\n", text_of(document, "registry_error"));
	if (member(document, "reload_error") != NULL)
		buf_printf(
		    out, "THE LAST RELOAD WAS REFUSED:\n%s\n", text_of(document, "reload_error"));
}

/* "access: 12 ready, 1 config-map", and what must not stay. */
static void append_access(struct buf *out, struct json_object *access)
{
	struct json_object *clusters = member(access, "clusters");
	int temporary = json_object_get_int(member(access, "temporary_entries"));
	if (clusters == NULL || json_object_object_length(clusters) == 0)
		return;
	buf_append_text(out, "access:");
	const char *separator = " ";
	json_object_object_foreach(clusters, reason, count)
	{
		buf_printf(out, "%s%s %s", separator, json_object_get_string(count), reason);
		separator = ", ";
	}
	buf_append_char(out, '\n');
	if (temporary > 0)
		buf_printf(
		    out, "%d TEMPORARY cluster-admin access entries are in use\n", temporary);
}

/* Who breaks into such a proxy can do what discoveryd can. */
static void append_shared(struct buf *out, struct json_object *principals)
{
	struct json_object *shared = member(principals, "shared");
	for (size_t i = 0; shared != NULL && i < json_object_array_length(shared); i++) {
		struct json_object *item = json_object_array_get_idx(shared, i);
		buf_append_text(out, "ONE PRINCIPAL: ");
		append_clean(out, text_of(item, "instance"));
		buf_append_text(out, " acts as ");
		append_clean(out, text_of(item, "principal"));
		buf_append_text(out, ", as discoveryd does: give kubeproxyd credentials of its own "
				     "(discoveryd(8), CREDENTIALS)\n");
	}
}

/* --- public ----------------------------------------------------------------------------------- */

void status_write(struct buf *out, struct json_object *document)
{
	static const struct render_column scopes[] = {{"SCOPE", "id"}, {"STATE", "state"},
	    {"CLUSTERS", "clusters"}, {"CALLS", "calls"}, {"THROTTLES", "throttles"},
	    {"TAGS", "tagging.state"}, {"LAST SUCCESS", "last_success"}, {"NEXT", "next"},
	    {"PROBLEM", "error.outcome"}};
	static const struct render_column wildcards[] = {{"REGIONS OF", "identity"},
	    {"FROM", "regions_from"}, {"COUNT", "regions"}, {"PROBLEM", "error.outcome"}};
	static const struct render_column organizations[] = {{"ACCOUNTS OF", "organization"},
	    {"STATE", "state"}, {"COUNT", "accounts"}, {"LAST SUCCESS", "last_success"},
	    {"PROBLEM", "error.outcome"}};
	append_head(out, document);
	append_access(out, member(document, "access"));
	append_shared(out, member(document, "principals"));
	append_guard(out, member(document, "guard"));
	append_table(out, member(document, "organizations"), organizations,
	    sizeof organizations / sizeof organizations[0]);
	append_table(
	    out, member(document, "wildcards"), wildcards, sizeof wildcards / sizeof wildcards[0]);
	append_table(out, member(document, "scopes"), scopes, sizeof scopes / sizeof scopes[0]);
	status_write_problems(out, document);
}
