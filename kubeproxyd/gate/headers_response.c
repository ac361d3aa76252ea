/* The head of an answer as the client gets it. The API server, and with a proxy subresource any
 * application in a cluster, speaks here in the name of this proxy's own host: what would bind the
 * browser of a user beyond the answer (cookies, policies of the whole host, redirects elsewhere) is
 * dropped, confined or refused. Called by the exchange. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/gate/hop_by_hop.h"
#include "kubeproxyd/http/fields_out.h"

/* --- Location -------------------------------------------------------------------------------- */

enum location { LOCATION_RELATIVE, LOCATION_OWN, LOCATION_FOREIGN };

/* Sorts a Location (RFC 9110, 10.2.2). *path is what stands behind the authority, "" for none. To
 * browsers a backslash is a slash and a tab is nothing, and a path that begins with "//" is a host
 * once the prefix before it is empty: such values are taken for foreign. */
static enum location sort_location(const char *value, const char *authority, const char **path)
{
	size_t scheme_len = strcspn(value, ":/?#");
	bool has_scheme = value[scheme_len] == ':';
	if (strpbrk(value, "\\\t") != NULL)
		return LOCATION_FOREIGN;
	if (has_scheme && strncasecmp(value, "https:", 6) != 0 &&
	    strncasecmp(value, "http:", 5) != 0)
		return LOCATION_FOREIGN;
	const char *rest = has_scheme ? value + scheme_len + 1 : value;
	if (strncmp(rest, "//", 2) == 0) {
		size_t host_len = strcspn(rest + 2, "/?#");
		*path = rest + 2 + host_len;
		bool is_own = http_is_authority(rest + 2, host_len, authority) &&
			      strncmp(*path, "//", 2) != 0;
		return is_own ? LOCATION_OWN : LOCATION_FOREIGN;
	}
	if (has_scheme)
		return LOCATION_FOREIGN;
	*path = value;
	return value[0] == '/' ? LOCATION_OWN : LOCATION_RELATIVE;
}

static bool is_redirect(unsigned status)
{
	return status >= 300 && status <= 399;
}

/* False: the answer must not be relayed. */
static bool copy_location(
    const struct headers_answer *answer, size_t index, struct http_fields *to, char **message)
{
	const struct http_fields *from = &answer->upstream->fields;
	const struct http_field *field = &from->items[index];
	const char *path = "", *value = fields_value(from, index);
	enum location kind = sort_location(value, answer->authority, &path);
	if (kind == LOCATION_RELATIVE)
		fields_copy(to, from, index);
	if (kind == LOCATION_OWN) {
		char *own = xasprintf("%s%s%s", answer->prefix, path[0] == '/' ? "" : "/", path);
		fields_add_with(
		    to, field->traits, fields_name(from, index), field->name_len, own, strlen(own));
		free(own);
	}
	if (kind != LOCATION_FOREIGN || !is_redirect(answer->upstream->status))
		return true;
	*message = xasprintf("the answer redirects to another host (%.200s); it was not passed on, "
			     "since clients would "
			     "send what they have there",
	    value);
	return false;
}

/* --- cookies of proxied applications --------------------------------------------------------- */

static bool is_attribute(const char *text, size_t len, const char *name)
{
	size_t name_len = strlen(name);
	if (len < name_len || strncasecmp(text, name, name_len) != 0)
		return false;
	size_t spaces = strspn(text + name_len, " \t");
	return name_len + spaces >= len || text[name_len + spaces] == '=';
}

/* The cookie with its Path set to the application's own and without Domain (RFC 6265, 4.1.2). */
static void copy_cookie(
    const struct headers_answer *answer, const char *value, struct http_fields *to)
{
	struct buf out = {0};
	size_t len = strcspn(value, ";");
	buf_append(&out, value, len);
	for (const char *at = value + len; *at == ';'; at += len) {
		at++;
		at += strspn(at, " \t");
		len = strcspn(at, ";");
		if (len == 0 || is_attribute(at, len, "Path") || is_attribute(at, len, "Domain"))
			continue;
		buf_append_text(&out, "; ");
		buf_append(&out, at, len);
	}
	buf_printf(&out, "; Path=%s%.*s", answer->prefix, (int)answer->opaque_from, answer->target);
	fields_add_text(to, "Set-Cookie", buf_text(&out));
	buf_free_secret(&out);
}

/* --- the rest -------------------------------------------------------------------------------- */

static bool is_type(const char *value, const char *type)
{
	size_t len = strlen(type);
	return strncasecmp(value, type, len) == 0 && (value[len] == ';' || value[len] == '\0');
}

/* The one Content-Type that the client will get, or NULL. */
static const char *type_of(const struct http_fields *fields)
{
	struct hop_by_hop hop_by_hop = hop_by_hop_of(fields);
	const char *type = NULL;
	for (size_t i = 0; i < fields->count; i++) {
		if (!fields_is_named(fields, i, "Content-Type"))
			continue;
		if (type != NULL || hop_by_hop_has(&hop_by_hop, fields, i))
			return NULL;
		type = fields_value(fields, i);
	}
	return type;
}

/* What a browser would run in the name of this proxy's host: what belongs to an application, and
 * all but the types that API servers answer with, since an extension of one may answer anything. */
static bool may_run(const struct headers_answer *answer)
{
	static const char api[] = "application/vnd.kubernetes.";
	const char *type = type_of(&answer->upstream->fields);
	if (answer->opaque_from > 0)
		return true;
	if (answer->upstream->body == HTTP_BODY_NONE)
		return false;
	if (type == NULL || strchr(type, ',') != NULL)
		return true;
	return !is_type(type, "application/json") && !is_type(type, "text/plain") &&
	       strncasecmp(type, api, strlen(api)) != 0;
}

enum fate { PASSES, DROPPED, REWRITTEN };

static enum fate fate_of(const struct headers_answer *answer, const struct hop_by_hop *hop_by_hop,
    bool is_confined, size_t index)
{
	const struct http_fields *from = &answer->upstream->fields;
	if (answer->is_filtered && fields_is(from, index, FIELD_OF_BODY))
		return DROPPED;
	/* Which trailers will come is said to whoever gets them. */
	if (fields_is(from, index, FIELD_TRAILER))
		return PASSES;
	if (hop_by_hop_has(hop_by_hop, from, index) || fields_is(from, index, FIELD_OF_HOST))
		return DROPPED;
	if (fields_is(from, index, FIELD_LOCATION | FIELD_SET_COOKIE))
		return REWRITTEN;
	return is_confined && fields_is(from, index, FIELD_SNIFFING) ? DROPPED : PASSES;
}

/* False: the answer must not be relayed. */
static bool rewrite(
    const struct headers_answer *answer, size_t index, struct http_fields *to, char **message)
{
	const struct http_fields *from = &answer->upstream->fields;
	if (fields_is(from, index, FIELD_LOCATION))
		return copy_location(answer, index, to, message);
	if (answer->opaque_from > 0)
		copy_cookie(answer, fields_value(from, index), to);
	return true;
}

/* Between two that do not pass, all others at once. */
static bool copy_fields(
    const struct headers_answer *answer, bool is_confined, struct http_fields *to, char **message)
{
	const struct http_fields *from = &answer->upstream->fields;
	struct hop_by_hop hop_by_hop = hop_by_hop_of(from);
	size_t first = 0;
	for (size_t i = 0; i < from->count; i++) {
		enum fate fate = fate_of(answer, &hop_by_hop, is_confined, i);
		if (fate == PASSES)
			continue;
		fields_out_copy(to, from, first, i);
		first = i + 1;
		if (fate == REWRITTEN && !rewrite(answer, i, to, message))
			return false;
	}
	fields_out_copy(to, from, first, from->count);
	return true;
}

static void copy_members(const struct http_head *from, struct http_head *to)
{
	http_head_clear(to);
	to->status = from->status;
	to->body = from->body;
	to->content_length = from->content_length;
	to->keep_alive = true;
	to->is_upgrade = from->is_upgrade && from->status == 101;
}

bool headers_build_response(
    const struct headers_answer *answer, struct http_head *client, char **message)
{
	bool is_confined = may_run(answer);
	copy_members(answer->upstream, client);
	if (answer->is_filtered) {
		client->content_length = 0;
		if (client->body != HTTP_BODY_NONE)
			client->body = HTTP_BODY_CHUNKED;
	}
	if (!copy_fields(answer, is_confined, &client->fields, message))
		return false;
	const char *protocol = fields_find(&answer->upstream->fields, FIELD_UPGRADE);
	if (client->is_upgrade && protocol != NULL)
		fields_add_text(&client->fields, "Upgrade", protocol);
	if (is_confined && !client->is_upgrade) {
		fields_add_text(&client->fields, "Content-Security-Policy", "sandbox");
		fields_add_text(&client->fields, "X-Content-Type-Options", "nosniff");
	}
	return true;
}

void headers_build_trailers(const struct http_fields *upstream, struct http_fields *client)
{
	struct hop_by_hop hop_by_hop = hop_by_hop_of(upstream);
	for (size_t i = 0; i < upstream->count; i++) {
		if (!fields_is(upstream, i, FIELD_OF_HEADS | FIELD_OF_HOST) &&
		    !hop_by_hop_has(&hop_by_hop, upstream, i))
			fields_copy(client, upstream, i);
	}
}
