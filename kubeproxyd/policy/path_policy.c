/* The strict path policy. The API server normalises nothing: "//", "%2F", ".." and encoded letters
 * change what it sees, and whatever stands before or behind it may read them another way.
 * Legitimate clients send none of these, except to applications behind a proxy subresource, whose
 * part of the path is theirs. Called by request_info.c. */
#include "kubeproxyd/policy/path_policy.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes16.h"
#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/query.h"

/* Parameters of Kubernetes' own options that have one value: a second one would be read by
 * somebody. Sorted. */
static const char *const single_valued[] = {"allowWatchBookmarks", "container", "continue",
    "fieldManager", "fieldSelector", "fieldValidation", "follow", "force", "gracePeriodSeconds",
    "labelSelector", "limit", "limitBytes", "orphanDependents", "pretty", "previous",
    "propagationPolicy", "resourceVersion", "resourceVersionMatch", "sendInitialEvents",
    "sinceSeconds", "sinceTime", "stderr", "stdin", "stdout", "stream", "tailLines", "timeout",
    "timeoutSeconds", "timestamps", "tty", "watch"};
/* Names of Kubernetes have 253 bytes at most, and percent-encoded three times as many. */
#define SEGMENT_MAX 1024
/* Nearly every query is shorter. */
#define QUERY_FEW	    512
#define SINGLE_VALUED_COUNT (sizeof single_valued / sizeof single_valued[0])

/* What no target may hold, and what must be looked at in its place. */
static inline bytes16 find_special(bytes16 bytes)
{
	bytes16 invisible = bytes16_or(bytes <= ' ', bytes == 0x7f);
	bytes16 marks = bytes16_or(bytes == '#', bytes == '%');
	bytes16 ends = bytes16_or(bytes == ';', bytes == '\\');
	return bytes16_or(invisible, bytes16_or(marks, ends));
}

static const char *check_bytes(const char *target)
{
	for (const unsigned char *p = (const unsigned char *)target; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f)
			return "the target holds a space, a control character or a byte outside "
			       "ASCII";
		if (*p == '#')
			return "the target holds a fragment ('#')";
	}
	return NULL;
}

/* --- the path -------------------------------------------------------------------------------- */

/* Why a byte may not be percent-encoded here; NULL: it may. */
static const char *refuse_encoded(unsigned char byte)
{
	if (isalnum(byte) || (byte != '\0' && strchr("-._~", byte) != NULL))
		return "the path has a percent-encoded letter, digit, '-', '.', '_' or '~': write "
		       "it as it is";
	if (byte == '/' || byte == '\\' || byte == '%' || byte == '\0')
		return "the path has an encoded '/', '\\', '%' or NUL";
	if (byte == ';' || byte == '#' || byte == '?')
		return "the path has an encoded ';', '#' or '?'";
	return byte < ' ' || byte >= 0x7f
		   ? "the path has an encoded control character or a byte outside ASCII"
		   : NULL;
}

static bool decode_byte(const char *at, unsigned char *byte)
{
	if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
		return false;
	char digits[3] = {at[1], at[2], '\0'};
	*byte = (unsigned char)strtoul(digits, NULL, 16);
	return true;
}

static bool is_dots(const char *segment, size_t len)
{
	return text_part_is(segment, len, ".") || text_part_is(segment, len, "..");
}

/* One segment of the part that Kubernetes reads; `is_last` may be empty. `is_plain`: no byte of it
 * is one of those that are looked for. */
static const char *check_segment(const char *segment, size_t len, bool is_last, bool is_plain)
{
	if (is_plain && len > strlen("..") && len <= SEGMENT_MAX)
		return NULL;
	if (len == 0 && !is_last)
		return "the path has an empty segment (\"//\")";
	if (is_dots(segment, len))
		return "the path has a \".\" or \"..\" segment";
	if (len > SEGMENT_MAX)
		return "the path has a segment of more than 1024 bytes, longer than any name";
	for (size_t i = 0; i < len; i++) {
		unsigned char byte;
		if (segment[i] == '\\' || segment[i] == ';')
			return "the path holds '\\' or ';'";
		if (segment[i] != '%')
			continue;
		if (!decode_byte(segment + i, &byte))
			return "the path has a '%' without two hexadecimal digits";
		const char *reason = refuse_encoded(byte);
		if (reason != NULL)
			return reason;
	}
	return NULL;
}

/* Follows "api/VERSION/[namespaces/NS/]RESOURCE/NAME/proxy", one segment after the other. */
struct proxy_walk {
	enum {
		AT_API,
		AT_VERSION,
		AT_SCOPE,
		AT_NAMESPACE,
		AT_RESOURCE,
		AT_NAME,
		AT_PROXY,
		NOWHERE
	} at;
};

static bool walk(struct proxy_walk *state, const char *segment, size_t len)
{
	switch (state->at) {
	case AT_API:
		state->at = text_part_is(segment, len, "api") ? AT_VERSION : NOWHERE;
		return false;
	case AT_VERSION:
		state->at = AT_SCOPE;
		return false;
	case AT_SCOPE:
		if (text_part_is(segment, len, "namespaces"))
			state->at = AT_NAMESPACE;
		else
			state->at = text_part_is(segment, len, "nodes") ? AT_NAME : NOWHERE;
		return false;
	case AT_NAMESPACE:
		state->at = AT_RESOURCE;
		return false;
	case AT_RESOURCE:
		state->at =
		    text_part_is(segment, len, "pods") || text_part_is(segment, len, "services")
			? AT_NAME
			: NOWHERE;
		return false;
	case AT_NAME:
		state->at = AT_PROXY;
		return false;
	case AT_PROXY:
		state->at = NOWHERE;
		return text_part_is(segment, len, "proxy");
	case NOWHERE:
		break;
	}
	return false;
}

/* The application's part is its own, but escapes must be whole (the API server refuses the request
 * else), and dot segments, plain or encoded, would leave the application for whoever resolves them.
 */
static const char *check_opaque(const char *path, size_t len)
{
	char *decoded = xmalloc(len + 1);
	const char *bad, *reason = NULL;
	if (!percent_decode(path, len, false, decoded, &bad))
		reason = "the path has a '%' without two hexadecimal digits";
	for (const char *at = decoded; reason == NULL && *at != '\0';) {
		size_t segment_len = strcspn(at, "/\\");
		if (is_dots(at, segment_len))
			reason = "the path has a \".\" or \"..\" segment";
		at += segment_len;
		at += *at != '\0';
	}
	free(decoded);
	return reason;
}

static const char *check_path(struct target *target)
{
	const char *path = target->path;
	const size_t len = target->path_len;
	struct proxy_walk state = {AT_API};
	for (size_t at = 1; at <= len;) {
		const char *slash = memchr(path + at, '/', len - at);
		size_t segment_len = slash != NULL ? (size_t)(slash - path) - at : len - at;
		const char *reason = check_segment(
		    path + at, segment_len, at + segment_len == len, target->is_plain);
		if (reason != NULL)
			return reason;
		bool is_proxy = walk(&state, path + at, segment_len);
		if (segment_len > 0 && target->segment_count < TARGET_SEGMENTS)
			target->segments[target->segment_count++] =
			    (struct target_segment){at, segment_len};
		at += segment_len;
		if (is_proxy) {
			target->opaque_from = at;
			return check_opaque(path + at, len - at);
		}
		at++;
	}
	return NULL;
}

/* --- the query ------------------------------------------------------------------------------- */

static bool has_been_seen(const char *key, bool seen[SINGLE_VALUED_COUNT])
{
	for (size_t i = 0; i < SINGLE_VALUED_COUNT && single_valued[i][0] <= key[0]; i++) {
		if (!text_is(key, single_valued[i]))
			continue;
		if (seen[i])
			return true;
		seen[i] = true;
	}
	return false;
}

static const char *check_query(const struct target *target)
{
	bool seen[SINGLE_VALUED_COUNT] = {false};
	char few[QUERY_FEW];
	const char *query = target->query;
	size_t room = target->query_len + 2;
	char *scratch = room <= sizeof few ? few : xmalloc(room);
	struct query_pair pair;
	const char *reason =
	    strchr(query, '\\') != NULL ? "the query holds '\\': encode it as %5C" : NULL;
	while (reason == NULL && query_next(&query, scratch, &pair)) {
		if (pair.is_dropped)
			reason = "the query holds ';' or a '%' without two hexadecimal digits: "
				 "encode them";
		else if (has_been_seen(pair.key, seen))
			reason = "the query gives a parameter twice that has one value";
	}
	if (scratch != few)
		free(scratch);
	return reason;
}

/* --- public ---------------------------------------------------------------------------------- */

void target_split(const char *text, struct target *target)
{
	size_t len = strlen(text);
	const char *mark = memchr(text, '?', len);
	size_t path_len = mark != NULL ? (size_t)(mark - text) : len;
	target->path = text;
	target->path_len = path_len;
	target->query = mark != NULL ? mark + 1 : text + len;
	target->query_len = mark != NULL ? len - path_len - 1 : 0;
	target->is_plain = false;
	target->segment_count = 0;
	target->opaque_from = 0;
}

const char *path_policy_check(const char *text, struct target *target)
{
	target_split(text, target);
	if (text[0] != '/')
		return "the target must be a path that begins with '/'";
	target->is_plain = bytes16_are_free_of(find_special, text, target->path_len);
	const char *reason = NULL;
	if (!target->is_plain ||
	    !bytes16_are_free_of(find_special, target->query, target->query_len))
		reason = check_bytes(text);
	if (reason == NULL)
		reason = check_path(target);
	if (reason == NULL && target->opaque_from == 0 && target->query_len > 0)
		reason = check_query(target);
	return reason;
}
