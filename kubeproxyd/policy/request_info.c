/* The resolver: what the API server will take a method and a target to be, rule by rule as its
 * requestinfo.go has it, so that what is authorised here is what is done there.
 * request_info_parse() puts the strict path policy before it. Pure; called by the exchange for each
 * request, and by `kubeproxyd request-info`. */
#include "kubeproxyd/policy/request_info.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "kubeproxyd/policy/field_selector.h"
#include "kubeproxyd/policy/path_policy.h"
#include "kubeproxyd/policy/query.h"

/* Prefix, group, version, special verb, "namespaces", namespace, resource, name, subresource; what
 * follows is counted. */
#define PARTS_MAX 9

struct parts {
	const char *items[PARTS_MAX];
	size_t count;
};

/* Where a target's path and query lie. */
struct target {
	const char *path;
	size_t path_len;
	const char *query; /* behind '?', "" without */
};

static void empty_info(struct request_info *info)
{
	*info = (struct request_info){.arena = info->arena,
	    .own = info->own,
	    .verb = "",
	    .path = "",
	    .api_group = "",
	    .api_version = "",
	    .resource = "",
	    .subresource = "",
	    .namespace = "",
	    .name = "",
	    .field_selector = "",
	    .label_selector = ""};
}

/* --- the target ------------------------------------------------------------------------------ */

/* Behind "scheme://authority"; NULL when it is no absolute form. */
static const char *skip_authority(const char *target)
{
	if (!isalpha((unsigned char)*target))
		return NULL;
	const char *end = target;
	while (isalnum((unsigned char)*end) || strchr("+-.", *end) != NULL) {
		if (*end == '\0')
			return NULL;
		end++;
	}
	return strncmp(end, "://", 3) == 0 ? end + 3 + strcspn(end + 3, "/?") : NULL;
}

static bool split_target(const char *method, const char *target, struct target *split)
{
	if (text_is(method, "CONNECT") && target[0] != '/') {
		*split = (struct target){.path = "", .query = ""};
		return true;
	}
	const char *path = target;
	if (target[0] != '/' && !text_is(target, "*"))
		path = skip_authority(target);
	if (path == NULL)
		return false;
	size_t len = strcspn(path, "?");
	*split = (struct target){path, len, path[len] == '?' ? path + len + 1 : path + len};
	return true;
}

static struct arena *arena_of(struct request_info *info)
{
	return info->arena != NULL ? info->arena : &info->own;
}

/* For a string that is at most as long as the `len` bytes that it is made from. */
static char *place(struct request_info *info, size_t len)
{
	return arena_alloc(arena_of(info), len + 3);
}

static void set_verb(struct request_info *info, const char *method)
{
	size_t len = strlen(method);
	char *verb = place(info, len);
	for (size_t i = 0; i < len; i++)
		verb[i] = (char)tolower((unsigned char)method[i]);
	info->verb = verb;
}

/* --- the path -------------------------------------------------------------------------------- */

/* Splits a copy of the path at '/', without slashes at both ends. */
static void split_path(char *path, struct parts *parts)
{
	path += strspn(path, "/");
	size_t len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		path[--len] = '\0';
	*parts = (struct parts){0};
	if (len == 0)
		return;
	for (char *next = path; next != NULL; parts->count++) {
		if (parts->count < PARTS_MAX)
			parts->items[parts->count] = next;
		next = strchr(next, '/');
		if (next != NULL)
			*next++ = '\0';
	}
}

static void drop_parts(struct parts *parts, size_t count)
{
	size_t kept = parts->count < PARTS_MAX ? parts->count : PARTS_MAX;
	memmove(parts->items, parts->items + count, (kept - count) * sizeof parts->items[0]);
	parts->count -= count;
}

static const char *take_part(struct parts *parts)
{
	const char *part = parts->items[0];
	drop_parts(parts, 1);
	return part;
}

static const char *verb_of_method(const char *method)
{
	static const struct {
		const char *method, *verb;
	} verbs[] = {{"POST", "create"}, {"GET", "get"}, {"HEAD", "get"}, {"PUT", "update"},
	    {"PATCH", "patch"}, {"DELETE", "delete"}};
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (text_is(method, verbs[i].method))
			return verbs[i].verb;
	}
	return "";
}

/* "api/VERSION/…" or "apis/GROUP/VERSION/…", with something behind the version. */
static bool take_api(struct parts *parts, struct request_info *info)
{
	if (parts->count < 3)
		return false;
	bool is_grouped = text_is(parts->items[0], "apis");
	if (!is_grouped && !text_is(parts->items[0], "api"))
		return false;
	if (is_grouped && parts->count < 4)
		return false;
	drop_parts(parts, 1);
	if (is_grouped)
		info->api_group = take_part(parts);
	info->api_version = take_part(parts);
	info->is_resource = true;
	return true;
}

/* "namespaces/NS/RESOURCE/…" is about RESOURCE; "namespaces/NS" and its subresources about the
 * namespace. */
static void take_namespace(struct parts *parts, struct request_info *info)
{
	static const char *const subresources[] = {"status", "finalize", NULL};
	if (!text_is(parts->items[0], "namespaces") || parts->count < 2)
		return;
	info->namespace = parts->items[1];
	if (parts->count > 2 && !text_is_one_of(parts->items[2], subresources))
		drop_parts(parts, 2);
}

static void take_resource(const struct parts *parts, struct request_info *info)
{
	info->resource = parts->items[0];
	if (parts->count >= 2)
		info->name = parts->items[1];
	if (parts->count >= 3 && !text_is(info->verb, "proxy"))
		info->subresource = parts->items[2];
}

/* --- the query ------------------------------------------------------------------------------- */

static bool is_int64(const char *text)
{
	size_t digits = strspn(text + (*text == '-' || *text == '+'), "0123456789");
	if (digits == 0 || text[digits + (*text == '-' || *text == '+')] != '\0')
		return false;
	errno = 0;
	(void)strtoll(text, NULL, 10);
	return errno == 0;
}

/* Options that do not decode make the server forget the field selector's name. (A label selector
 * that does not parse too; such a list is answered 400 there, so it need not be told apart here.)
 */
static bool has_sound_numbers(const char *query, char *scratch)
{
	static const char *const numbers[] = {"limit", "timeoutSeconds"};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		const char *value = query_get(query, numbers[i], scratch);
		if (value != NULL && !is_int64(value))
			return false;
	}
	return true;
}

/* A selector may name anything; a name is what can be one segment of a path. */
static bool is_segment(const char *name)
{
	return !text_is(name, ".") && !text_is(name, "..") && strpbrk(name, "/%") == NULL;
}

/* A parameter's value in memory of its own, NULL without one; `scratch` is used again. */
static const char *keep_parameter(
    struct request_info *info, const char *query, const char *name, char *scratch)
{
	const char *value = query_get(query, name, scratch);
	return value != NULL ? arena_strndup(arena_of(info), value, strlen(value)) : NULL;
}

static void read_selectors(struct request_info *info, const char *query, char *scratch)
{
	const char *fields = keep_parameter(info, query, "fieldSelector", scratch);
	const char *labels = keep_parameter(info, query, "labelSelector", scratch);
	info->field_selector = fields != NULL ? fields : "";
	info->label_selector = labels != NULL ? labels : "";
}

/* A get without a name is a list or a watch; a delete without one is a deletecollection. */
static void read_query(
    struct request_info *info, const char *query, char *scratch, bool has_selectors)
{
	static const char *const collections[] = {"list", "watch", "deletecollection", NULL};
	const char *name = NULL;
	if (info->name[0] == '\0' && text_is(info->verb, "get")) {
		info->verb = query_is_true(query_get(query, "watch", scratch)) ? "watch" : "list";
		const char *fields = keep_parameter(info, query, "fieldSelector", scratch);
		if (fields != NULL && has_sound_numbers(query, scratch) &&
		    field_selector_name(fields, place(info, strlen(fields)), &name) &&
		    name != NULL && is_segment(name))
			info->name = name;
	} else if (info->name[0] == '\0' && text_is(info->verb, "delete")) {
		info->verb = "deletecollection";
	}
	if (has_selectors && text_is_one_of(info->verb, collections))
		read_selectors(info, query, scratch);
}

static bool is_plain_word(const char *word)
{
	const char *at = word;
	while ((unsigned char)*at > ' ' && *at != 0x7f)
		at++;
	return at != word && *at == '\0';
}

/* Each "command=WORD" is one word. Joined they are shorter than the query. */
static void read_command(struct request_info *info, const char *query, char *scratch)
{
	char *command = place(info, strlen(query)), *end = command;
	struct query_pair pair;
	info->is_command_plain = true;
	while (query_next(&query, scratch, &pair)) {
		if (pair.is_dropped || !text_is(pair.key, "command"))
			continue;
		if (info->command != NULL)
			*end++ = ' ';
		end = stpcpy(end, pair.value);
		info->command = command;
		info->is_command_plain &= is_plain_word(pair.value);
	}
}

/* What may stay open for hours and must not run into a time limit. */
static bool is_long_running(const struct request_info *info, const char *query, char *scratch)
{
	static const char *const verbs[] = {"watch", "proxy", NULL};
	static const char *const subresources[] = {"exec", "attach", "portforward", "proxy", NULL};
	if (!info->is_resource)
		return false;
	if (text_is_one_of(info->verb, verbs) || text_is_one_of(info->subresource, subresources))
		return true;
	return text_is(info->subresource, "log") &&
	       query_is_true(query_get(query, "follow", scratch));
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool resolve_resource(const char *method, const char *query, char *scratch,
    struct parts *parts, struct request_info *info)
{
	static const char *const special[] = {"watch", "proxy", NULL};
	bool is_special = text_is_one_of(parts->items[0], special);
	if (is_special && parts->count < 2)
		return false;
	info->verb = is_special ? take_part(parts) : verb_of_method(method);
	take_namespace(parts, info);
	take_resource(parts, info);
	read_query(info, query, scratch, !is_special);
	if (text_is(info->subresource, "exec"))
		read_command(info, query, scratch);
	return true;
}

/* False. */
PRINTF_LIKE(3, 4)
static bool refuse(struct request_info *info, const char **reason, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	size_t len = (size_t)vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = place(info, len);
	vsnprintf(text, len + 1, format, again);
	va_end(again);
	*reason = text;
	return false;
}

bool request_info_resolve(
    const char *method, const char *target, struct request_info *info, const char **reason)
{
	struct target split;
	struct parts parts;
	size_t len = strlen(target);
	empty_info(info);
	set_verb(info, method);
	char *path = place(info, len);
	if (!split_target(method, target, &split))
		return refuse(info, reason, "parse \"%s\": invalid URI for request", target);
	const char *bad;
	if (!percent_decode(split.path, split.path_len, false, path, &bad)) {
		size_t bad_len = (size_t)(split.path + split.path_len - bad);
		return refuse(info, reason, "parse \"%s\": invalid URL escape \"%.*s\"", target,
		    bad_len < 3 ? (int)bad_len : 3, bad);
	}
	info->path = path;
	split_path(memcpy(place(info, len), path, strlen(path) + 1), &parts);
	if (!take_api(&parts, info))
		return true;
	char *scratch = place(info, strlen(split.query));
	if (!resolve_resource(method, split.query, scratch, &parts, info))
		return refuse(
		    info, reason, "unable to determine kind and namespace from url, %s", target);
	info->is_long_running = is_long_running(info, split.query, scratch);
	return true;
}

bool request_info_parse(const char *method, const char *target, struct request_info *info,
    unsigned *status, const char **reason)
{
	empty_info(info);
	size_t opaque_from = 0;
	*status = path_policy_check(method, target, &opaque_from, reason);
	if (*status != 0)
		return false;
	*status = 400;
	if (!request_info_resolve(method, target, info, reason))
		return false;
	*status = 0;
	info->opaque_from = opaque_from;
	return true;
}

void request_info_free(struct request_info *info)
{
	arena_free(&info->own);
	empty_info(info);
}

bool request_info_is_kubelet(const struct request_info *info)
{
	return info->is_resource && info->api_group[0] == '\0' &&
	       text_is(info->resource, "nodes") && text_is(info->subresource, "proxy");
}

const char *request_info_access_verb(const struct request_info *info)
{
	static const char *const sessions[] = {"exec", "attach", "portforward", NULL};
	return text_is_one_of(info->subresource, sessions) ? "create" : info->verb;
}
