/* An explanation as text for people; the command line prints it. Everything in it may have come
 * from outside, so control characters are replaced. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/xmem.h"
#include "discoveryd/explain.h"
#include "discoveryd/explain_causes.h"

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(object, key, &value);
	return value;
}

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(member(object, key));
}

static void append_clean(struct buf *out, const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		buf_append_char(out, iscntrl((unsigned char)*text) ? '?' : *text);
}

static void append_row(struct buf *out, const char *heading, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(out, "  %-13s ", heading);
	append_clean(out, value);
	buf_append_char(out, '\n');
}

static void append_rows(struct buf *out, struct json_object *object)
{
	static const struct {
		const char *key, *heading;
	} rows[] = {{"eks_name", "EKS name"}, {"arn", "ARN"}, {"scope", "seen in"},
	    {"phase", "phase"}, {"verdict", "verdict"}, {"status", "EKS status"},
	    {"reason", "because"}, {"last_seen", "last seen"}, {"removal_held", "removal held"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		append_row(out, rows[i].heading, text_of(object, rows[i].key));
	struct json_object *claims = member(object, "wanted_by");
	for (size_t i = 0; claims != NULL && i < json_object_array_length(claims); i++)
		append_row(
		    out, "wanted by", text_of(json_object_array_get_idx(claims, i), "scope"));
}

static void append_matchers(struct buf *out, struct json_object *matchers)
{
	for (size_t i = 0; matchers != NULL && i < json_object_array_length(matchers); i++) {
		struct json_object *matcher = json_object_array_get_idx(matchers, i);
		bool is_match = json_object_get_boolean(member(matcher, "matches"));
		struct buf line = {0};
		buf_printf(&line, "line %s (%s; %s): %s", text_of(matcher, "line"),
		    text_of(matcher, "identity"), text_of(matcher, "tags"),
		    is_match ? "wants it" : text_of(matcher, "why"));
		append_row(out, "matcher", buf_text(&line));
		buf_free(&line);
	}
}

/* From discovered to healthy, and what each proxy finds. */
static void append_state(struct buf *out, struct json_object *state)
{
	struct json_object *proxies = member(state, "proxies");
	if (state == NULL)
		return;
	append_row(out, "reached", text_of(state, "reached"));
	append_row(out, "not yet", text_of(state, "next"));
	append_row(out, "because", text_of(state, "text"));
	append_row(out, "what to do", text_of(state, "remedy"));
	for (size_t i = 0; proxies != NULL && i < json_object_array_length(proxies); i++) {
		struct json_object *proxy = json_object_array_get_idx(proxies, i);
		const char *text = text_of(proxy, "text"), *principal = text_of(proxy, "principal");
		struct buf line = {0};
		buf_printf(&line, "%s as %s: %s%s%s", text_of(proxy, "instance"),
		    principal != NULL ? principal : "nobody that is known", text_of(proxy, "code"),
		    text != NULL && text[0] != '\0' ? ": " : "", text != NULL ? text : "");
		append_row(out, "proxy", buf_text(&line));
		buf_free(&line);
	}
}

static void append_cluster(struct buf *out, struct json_object *cluster)
{
	bool is_served = json_object_get_boolean(member(cluster, "served"));
	const char *name = text_of(cluster, "name");
	append_clean(out, name != NULL ? name : text_of(cluster, "eks_name"));
	buf_printf(out, ": %s\n", is_served ? "served" : "not served");
	append_rows(out, cluster);
	append_state(out, member(cluster, "state"));
	append_matchers(out, member(cluster, "matchers"));
}

static void append_removed(struct buf *out, struct json_object *removed)
{
	if (removed == NULL)
		return;
	buf_append_char(out, '\n');
	append_clean(out, text_of(removed, "name"));
	buf_append_text(out, ": was removed\n");
	append_row(out, "ARN", text_of(removed, "arn"));
	append_row(out, "at", text_of(removed, "at"));
	append_row(out, "reason", text_of(removed, "reason"));
	append_row(out, "because", text_of(removed, "detail"));
	append_row(out, "renamed to", text_of(removed, "renamed_to"));
}

static void append_error(
    struct buf *out, const char *heading, struct json_object *object, const char *state)
{
	struct json_object *error = member(object, "error");
	buf_append_text(out, "  ");
	append_clean(out, heading);
	buf_append_text(out, ": ");
	append_clean(out, state);
	if (error != NULL) {
		const char *code = text_of(error, "code"), *message = text_of(error, "message");
		buf_printf(out, ": %s ", text_of(error, "operation"));
		append_clean(out, code != NULL ? code : text_of(error, "outcome"));
		if (message != NULL) {
			buf_append_text(out, ": ");
			append_clean(out, message);
		}
	}
	buf_append_char(out, '\n');
	if (error != NULL && text_of(error, "remedy") != NULL)
		append_row(out, "  what to do", text_of(error, "remedy"));
}

static void append_blind(struct buf *out, struct json_object *explanation)
{
	struct json_object *scopes = member(explanation, "scopes"),
			   *wildcards = member(explanation, "wildcards");
	if (scopes != NULL && json_object_array_length(scopes) > 0)
		buf_append_text(out, "\nScopes that could hide it:\n");
	for (size_t i = 0; scopes != NULL && i < json_object_array_length(scopes); i++) {
		struct json_object *scope = json_object_array_get_idx(scopes, i);
		append_error(out, text_of(scope, "id"), scope, text_of(scope, "state"));
	}
	for (size_t i = 0; wildcards != NULL && i < json_object_array_length(wildcards); i++) {
		struct json_object *wildcard = json_object_array_get_idx(wildcards, i);
		if (member(wildcard, "error") != NULL)
			append_error(out, text_of(wildcard, "identity"), wildcard,
			    "cannot list its regions");
	}
}

static void append_headline(struct buf *out, struct json_object *explanation, size_t count)
{
	bool is_served = json_object_get_boolean(member(explanation, "served"));
	append_clean(out, text_of(explanation, "query"));
	if (is_served)
		buf_append_text(out, ": served\n");
	else if (count > 0 || member(explanation, "removed") != NULL)
		buf_append_text(out, ": not served\n");
	else
		buf_append_text(out, ": no cluster of this name, ARN or EKS name was seen\n");
}

void explain_write(struct buf *out, struct json_object *explanation)
{
	struct json_object *clusters = member(explanation, "clusters");
	size_t count = clusters != NULL ? json_object_array_length(clusters) : 0;
	append_headline(out, explanation, count);
	explain_causes_write(out, member(explanation, "causes"));
	for (size_t i = 0; i < count; i++) {
		buf_append_char(out, '\n');
		append_cluster(out, json_object_array_get_idx(clusters, i));
	}
	append_removed(out, member(explanation, "removed"));
	append_blind(out, explanation);
}
