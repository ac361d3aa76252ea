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

/* Prefix, group, version, special verb, "namespaces", namespace, resource, name, subresource; of
 * what follows nothing depends. */
#define PARTS_MAX TARGET_SEGMENTS

struct part {
	const char *text;
	size_t len;
};

/* Those that were not taken yet. */
struct parts {
	struct part *next;
	size_t count;
	struct part items[PARTS_MAX];
};

/* Parameters that mean something to the resolver, by these numbers. */
enum { WATCH, FIELD_SELECTOR, LABEL_SELECTOR, LIMIT, TIMEOUT_SECONDS, FOLLOW, PARAMETER_COUNT };

struct parameters {
	const char *values[PARAMETER_COUNT]; /* decoded, in the arena; NULL: absent */
};

static void empty_info(struct request_info *info)
{
	static const struct request_info empty = {.verb = "",
	    .path = "",
	    .api_group = "",
	    .api_version = "",
	    .resource = "",
	    .subresource = "",
	    .namespace = "",
	    .name = "",
	    .field_selector = "",
	    .label_selector = ""};
	struct arena *arena = info->arena, own = info->own;
	*info = empty;
	info->arena = arena;
	info->own = own;
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
		target_split("", split);
		return true;
	}
	const char *path = target;
	if (target[0] != '/' && !text_is(target, "*"))
		path = skip_authority(target);
	if (path == NULL)
		return false;
	target_split(path, split);
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

/* The verbs of a method: of a path that is no resource, and of one that is. */
struct method {
	const char *name, *lower, *verb;
};

/* NULL: none that API servers know. */
static const struct method *method_find(const char *name)
{
	static const struct method known[] = {{"GET", "get", "get"}, {"POST", "post", "create"},
	    {"PUT", "put", "update"}, {"PATCH", "patch", "patch"}, {"DELETE", "delete", "delete"},
	    {"HEAD", "head", "get"}};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (text_is(name, known[i].name))
			return &known[i];
	}
	return NULL;
}

static const char *lower_of(struct request_info *info, const char *method)
{
	size_t len = strlen(method);
	char *lower = place(info, len);
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)tolower((unsigned char)method[i]);
	return lower;
}

/* --- the path -------------------------------------------------------------------------------- */

/* Splits a copy of the path at '/', without slashes at both ends. */
static void split_path(char *path, size_t len, struct parts *parts)
{
	char *end = path + len;
	while (path < end && *path == '/')
		path++;
	while (path < end && end[-1] == '/')
		end--;
	*end = '\0';
	parts->next = parts->items;
	parts->count = 0;
	for (char *slash = path; path < end; path = slash + 1) {
		slash = memchr(path, '/', (size_t)(end - path));
		if (slash == NULL)
			slash = end;
		*slash = '\0';
		if (parts->count < PARTS_MAX)
			parts->items[parts->count] = (struct part){path, (size_t)(slash - path)};
		parts->count++;
	}
}

/* The same where the check has found them. */
static void name_segments(char *path, const struct target *target, struct parts *parts)
{
	parts->next = parts->items;
	parts->count = target->segment_count;
	for (size_t i = 0; i < target->segment_count; i++) {
		const struct target_segment *segment = &target->segments[i];
		parts->items[i] = (struct part){path + segment->at, segment->len};
		path[segment->at + segment->len] = '\0';
	}
}

static bool part_is(const struct part *part, const char *word)
{
	return text_part_is(part->text, part->len, word);
}

static void drop_parts(struct parts *parts, size_t count)
{
	parts->next += count;
	parts->count -= count;
}

static const char *take_part(struct parts *parts)
{
	const char *part = parts->next->text;
	drop_parts(parts, 1);
	return part;
}

/* "api/VERSION/…" or "apis/GROUP/VERSION/…", with something behind the version. */
static bool take_api(struct parts *parts, struct request_info *info)
{
	if (parts->count < 3)
		return false;
	bool is_grouped = part_is(parts->next, "apis");
	if (!is_grouped && !part_is(parts->next, "api"))
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
	const struct part *part = parts->next;
	if (parts->count < 2 || !part_is(part, "namespaces"))
		return;
	info->namespace = part[1].text;
	if (parts->count > 2 && !part_is(&part[2], "status") && !part_is(&part[2], "finalize"))
		drop_parts(parts, 2);
}

static void take_resource(const struct parts *parts, struct request_info *info)
{
	info->resource = parts->next[0].text;
	if (parts->count >= 2)
		info->name = parts->next[1].text;
	if (parts->count >= 3 && !text_is(info->verb, "proxy"))
		info->subresource = parts->next[2].text;
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
static bool has_sound_numbers(const struct parameters *parameters)
{
	const char *limit = parameters->values[LIMIT];
	const char *timeout = parameters->values[TIMEOUT_SECONDS];
	return (limit == NULL || is_int64(limit)) && (timeout == NULL || is_int64(timeout));
}

/* A selector may name anything; a name is what can be one segment of a path. */
static bool is_segment(const char *name)
{
	return !text_is(name, ".") && !text_is(name, "..") && strpbrk(name, "/%") == NULL;
}

static void read_parameters(
    struct request_info *info, const struct target *target, struct parameters *parameters)
{
	static const char *const names[] = {[WATCH] = "watch",
	    [FIELD_SELECTOR] = "fieldSelector",
	    [LABEL_SELECTOR] = "labelSelector",
	    [LIMIT] = "limit",
	    [TIMEOUT_SECONDS] = "timeoutSeconds",
	    [FOLLOW] = "follow",
	    [PARAMETER_COUNT] = NULL};
	query_get_each(target->query, names, parameters->values, place(info, target->query_len));
}

static void read_selectors(struct request_info *info, const struct parameters *parameters)
{
	static const char *const collections[] = {"list", "watch", "deletecollection", NULL};
	if (!text_is_one_of(info->verb, collections))
		return;
	const char *fields = parameters->values[FIELD_SELECTOR];
	const char *labels = parameters->values[LABEL_SELECTOR];
	info->field_selector = fields != NULL ? fields : "";
	info->label_selector = labels != NULL ? labels : "";
}

/* The name that a field selector demands. */
static void read_selected_name(struct request_info *info, const struct parameters *parameters)
{
	const char *fields = parameters->values[FIELD_SELECTOR], *name = NULL;
	if (fields != NULL && has_sound_numbers(parameters) &&
	    field_selector_value(fields, "metadata.name", place(info, strlen(fields)), &name) &&
	    name != NULL && is_segment(name))
		info->name = name;
}

/* A get without a name is a list or a watch; a delete without one is a deletecollection. */
static void read_collection(struct request_info *info, const struct parameters *parameters)
{
	if (info->name[0] == '\0' && text_is(info->verb, "get")) {
		info->verb = query_is_true(parameters->values[WATCH]) ? "watch" : "list";
		read_selected_name(info, parameters);
	} else if (info->name[0] == '\0' && text_is(info->verb, "delete")) {
		info->verb = "deletecollection";
	}
}

static bool is_plain_word(const char *word)
{
	const char *at = word;
	while ((unsigned char)*at > ' ' && *at != 0x7f)
		at++;
	return at != word && *at == '\0';
}

/* Each "command=WORD" is one word. Joined they are shorter than the query. */
static void read_command(struct request_info *info, const struct target *target)
{
	const char *query = target->query;
	char *scratch = place(info, target->query_len);
	char *command = place(info, target->query_len), *end = command;
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
static bool is_long_running(const struct request_info *info, const struct parameters *parameters)
{
	static const char *const verbs[] = {"watch", "proxy", NULL};
	static const char *const subresources[] = {"exec", "attach", "portforward", "proxy", NULL};
	if (text_is_one_of(info->verb, verbs))
		return true;
	if (info->subresource[0] == '\0')
		return false;
	if (text_is_one_of(info->subresource, subresources))
		return true;
	return text_is(info->subresource, "log") && query_is_true(parameters->values[FOLLOW]);
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool resolve_resource(
    const char *verb, const struct target *target, struct parts *parts, struct request_info *info)
{
	bool is_special = part_is(parts->next, "watch") || part_is(parts->next, "proxy");
	if (is_special && parts->count < 2)
		return false;
	info->verb = is_special ? take_part(parts) : verb;
	take_namespace(parts, info);
	take_resource(parts, info);
	struct parameters parameters = {0};
	if (target->query_len > 0)
		read_parameters(info, target, &parameters);
	read_collection(info, &parameters);
	if (target->query_len > 0)
		read_selectors(info, &parameters);
	if (text_is(info->subresource, "exec"))
		read_command(info, target);
	info->is_long_running = is_long_running(info, &parameters);
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

/* The path as it is told, in memory where a copy has room behind it; *len is its length. NULL on an
 * escape that is none, which *bad then points to. */
static char *decode_path(
    struct request_info *info, const struct target *target, size_t *len, const char **bad)
{
	char *path = place(info, 2 * target->path_len);
	*len = target->path_len;
	if (target->is_plain)
		return memcpy(path, target->path, target->path_len);
	if (!percent_decode(target->path, target->path_len, false, path, bad))
		return NULL;
	*len = strlen(path);
	return path;
}

/* `verb` is that of a resource; that of what is none stands in `info` already. */
static bool resolve(const char *verb, const char *text, const struct target *target,
    struct request_info *info, const char **reason)
{
	struct parts parts;
	const char *bad;
	size_t len;
	char *path = decode_path(info, target, &len, &bad);
	if (path == NULL) {
		size_t bad_len = (size_t)(target->path + target->path_len - bad);
		return refuse(info, reason, "parse \"%s\": invalid URL escape \"%.*s\"", text,
		    bad_len < 3 ? (int)bad_len : 3, bad);
	}
	info->path = path;
	char *copy = memcpy(path + len + 1, path, len + 1);
	if (target->is_plain)
		name_segments(copy, target, &parts);
	else
		split_path(copy, len, &parts);
	if (take_api(&parts, info) && !resolve_resource(verb, target, &parts, info))
		return refuse(
		    info, reason, "unable to determine kind and namespace from url, %s", text);
	return true;
}

/* --- public ---------------------------------------------------------------------------------- */

bool request_info_resolve(
    const char *method, const char *target, struct request_info *info, const char **reason)
{
	struct target split;
	const struct method *known = method_find(method);
	empty_info(info);
	info->verb = known != NULL ? known->lower : lower_of(info, method);
	if (!split_target(method, target, &split))
		return refuse(info, reason, "parse \"%s\": invalid URI for request", target);
	return resolve(known != NULL ? known->verb : "", target, &split, info, reason);
}

/* API servers have no such route for their own kinds. For custom resources they create what the
 * body names, whatever the path says. */
static bool names_what_it_creates(const struct request_info *info)
{
	return info->is_resource && info->name[0] != '\0' && info->subresource[0] == '\0' &&
	       text_is(info->verb, "create");
}

bool request_info_parse(const char *method, const char *target, struct request_info *info,
    unsigned *status, const char **reason)
{
	struct target split;
	const struct method *known = method_find(method);
	empty_info(info);
	*status = 405;
	*reason = "the method is none of GET, HEAD, POST, PUT, PATCH and DELETE";
	if (known == NULL)
		return false;
	*status = 400;
	*reason = path_policy_check(target, &split);
	if (*reason != NULL)
		return false;
	info->verb = known->lower;
	if (!resolve(known->verb, target, &split, info, reason))
		return false;
	if (names_what_it_creates(info)) {
		*status = 405;
		*reason = "POST goes to a collection: what it creates is named by its body";
		return false;
	}
	/* Which no API server has since Kubernetes 1.10, and no rule is about. */
	if (info->is_resource && text_is(info->verb, "proxy")) {
		*reason = "a path has proxy behind the name of what is to answer, not before it";
		return false;
	}
	*status = 0;
	info->opaque_from = split.opaque_from;
	return true;
}

void request_info_free(struct request_info *info)
{
	arena_free(&info->own);
	empty_info(info);
}

bool request_info_is_impersonation(const struct request_info *info)
{
	return info->is_resource && text_is(info->verb, "impersonate");
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
