/* Only what can be filtered is asked for: JSON or protobuf, plain or gzip. Called by admission.c.
 */
#include "kubeproxyd/exchange/admission_filter.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/filter/accept.h"
#include "kubeproxyd/policy/query.h"

static bool refuse(struct admission *admission, unsigned status, const char *why)
{
	admission->status = status;
	admission->message = xasprintf("%s; %s", why, admission->decision.message);
	return false;
}

/* Rows of a Table without objects have no names to filter by. */
static bool leaves_names_out(const char *target)
{
	const char *query = strchr(target, '?');
	if (query == NULL)
		return false;
	char *scratch = xmalloc(strlen(query) + 2);
	const char *value = query_get(query + 1, "includeObject", scratch);
	bool is_none = value != NULL && strcmp(value, "None") == 0;
	free(scratch);
	return is_none;
}

/* Where a page ends counts what the user may not see, and the token of the next names it: all of a
 * list is asked for, as any server may answer whatever the limit. */
static void drop_limit(struct admission *admission, const char *query)
{
	const char *target = admission->route.target;
	struct buf rest = {0};
	struct query_pair pair;
	char *scratch = xmalloc(strlen(query) + 2);
	buf_append(&rest, target, (size_t)(query - target));
	for (const char *at = query, *begin;
	     at += strspn(at, "&"), begin = at, query_next(&at, scratch, &pair);) {
		if (strcmp(pair.key, "limit") == 0)
			continue;
		if (begin > query && rest.data[rest.len - 1] != '?')
			buf_append_char(&rest, '&');
		buf_append(&rest, begin, (size_t)(at - begin));
	}
	rest.len -= rest.data[rest.len - 1] == '?';
	admission->target = arena_strndup(admission->arena, buf_text(&rest), rest.len);
	free(scratch);
	buf_free(&rest);
}

/* False: it asks for a page that was never begun here. */
static bool ask_for_all(struct admission *admission)
{
	const char *query = strchr(admission->route.target, '?');
	if (query == NULL)
		return true;
	char *scratch = xmalloc(strlen(query) + 2);
	const char *token = query_get(query + 1, "continue", scratch);
	bool is_continued = token != NULL && *token != '\0';
	bool has_limit = query_get(query + 1, "limit", scratch) != NULL;
	free(scratch);
	if (has_limit && !is_continued)
		drop_limit(admission, query + 1);
	return !is_continued;
}

/* All fields of that name as one list. */
static void join(const struct http_fields *fields, const char *name, struct buf *out)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (!fields_is_named(fields, i, name))
			continue;
		if (out->len > 0)
			buf_append_text(out, ", ");
		buf_append_text(out, fields_value(fields, i));
	}
}

static bool reduce_accept(struct admission *admission, const struct http_fields *fields)
{
	struct buf asked = {0}, left = {0}, encodings = {0};
	join(fields, "Accept", &asked);
	join(fields, "Accept-Encoding", &encodings);
	bool is_left = accept_reduce(buf_text(&asked), &left);
	if (is_left)
		admission->accept = arena_strndup(admission->arena, buf_text(&left), left.len);
	if (accept_has_gzip(buf_text(&encodings)))
		admission->accept_encoding = "gzip";
	buf_free(&asked);
	buf_free(&left);
	buf_free(&encodings);
	return is_left;
}

bool admission_filter(struct admission *admission, const struct http_head *request)
{
	admission->is_filtered = true;
	if (request->is_upgrade)
		return refuse(
		    admission, 403, "a watch over WebSocket cannot be filtered: watch without it");
	if (leaves_names_out(admission->route.target))
		return refuse(admission, 403,
		    "an answer without names cannot be filtered: leave out includeObject=None");
	if (!admission->may_page && !ask_for_all(admission))
		return refuse(admission, 410,
		    "a list that is filtered has no pages to continue: list anew without continue");
	return reduce_accept(admission, &request->fields) ||
	       refuse(admission, 406,
		   "the answer cannot be filtered in any of the formats that Accept names: take "
		   "application/json");
}
