/* The head of a request as the API server gets it: a copy of what is harmless in the client's, then
 * ours. The copy is taken from the client's head before anything is added, so nothing the client
 * lists or repeats can touch our fields; the finished head is checked once more. Called by the
 * exchange. */
#include "kubeproxyd/gate/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/credential.h"
#include "kubeproxyd/gate/hop_by_hop.h"
#include "kubeproxyd/gate/impersonate.h"
#include "kubeproxyd/http/fields_out.h"

#define AUDIT_ID      "Audit-ID"
#define FORWARDED_FOR "X-Forwarded-For"
/* Of what Connection names, where each field is looked for: names enough for any client. */
#define CONNECTION_MAX ((size_t)1024)

/* --- what a client may not send -------------------------------------------------------------- */

static bool refuse_name(
    const struct http_fields *fields, size_t index, unsigned *status, char **message)
{
	if (!fields_is(fields, index, FIELD_DISGUISED))
		return false;
	*status = 400;
	*message = xasprintf("the header field \"%.100s\" is refused: with '-' for '_' it "
			     "would be one that only "
			     "this proxy may send",
	    fields_name(fields, index));
	return true;
}

/* As long as a head may be, each would take the proxy a tenth of a second. */
static bool refuse_long_connection(
    const struct http_fields *fields, unsigned *status, char **message)
{
	size_t len = 0;
	for (size_t i = 0; i < fields->count; i++)
		len += fields_is(fields, i, FIELD_CONNECTION) ? strlen(fields_value(fields, i)) : 0;
	if (len <= CONNECTION_MAX)
		return false;
	*status = 400;
	*message = xasprintf("the Connection fields of the request are longer than %zu bytes: name "
			     "fewer fields there",
	    CONNECTION_MAX);
	return true;
}

/* A field that this proxy judges a request by, or keeps on record, goes on with it: one that
 * Connection would end here was judged, and the API server would judge the request without it (RFC
 * 9110, 7.6.1 has no such field there). What means nothing here ends here, as its sender wants. */
static bool refuse_named_by_connection(
    const struct http_fields *fields, size_t index, unsigned *status, char **message)
{
	struct hop_by_hop hop_by_hop = hop_by_hop_of(fields);
	if (fields->items[index].traits == 0 || fields_is(fields, index, FIELD_HOP_BY_HOP) ||
	    !hop_by_hop_has(&hop_by_hop, fields, index))
		return false;
	*status = 400;
	*message = xasprintf("the request has the header field \"%.100s\", which its Connection "
			     "field names as one of this connection alone: leave it out there",
	    fields_name(fields, index));
	return true;
}

/* All clusters share this proxy's origin and browsers send client certificates by themselves: a
 * page from elsewhere must not be able to use them. Same-site is elsewhere, too: the aliases of
 * other clusters, and whatever these serve, are siblings of this host. Only the two values that say
 * "not from elsewhere" pass; Fetch Metadata would have unknown ones ignored, which opens a door. */
static bool refuse_origin(const struct http_fields *fields, size_t index, const char *authority,
    unsigned *status, char **message)
{
	const char *name = fields_name(fields, index), *value = fields_value(fields, index);
	bool is_foreign = false;
	if (fields_is_named(fields, index, "Sec-Fetch-Site"))
		is_foreign =
		    strcasecmp(value, "same-origin") != 0 && strcasecmp(value, "none") != 0;
	if (fields_is_named(fields, index, "Origin") && authority != NULL) {
		const char *host = strstr(value, "://");
		is_foreign =
		    host == NULL || !http_is_authority(host + 3, strlen(host + 3), authority);
	}
	if (!is_foreign)
		return false;
	*status = 403;
	*message = xasprintf(
	    "a request from another origin is refused (%s: %.100s): open it in this proxy's own "
	    "pages or with kubectl",
	    name, value);
	return true;
}

bool headers_refuse(
    const struct http_fields *fields, const char *authority, unsigned *status, char **message)
{
	if ((fields->traits & (FIELD_DISGUISED | FIELD_ORIGIN | FIELD_CONNECTION)) == 0)
		return false;
	if (refuse_long_connection(fields, status, message))
		return true;
	for (size_t i = 0; i < fields->count; i++) {
		if (refuse_name(fields, i, status, message) ||
		    refuse_named_by_connection(fields, i, status, message) ||
		    refuse_origin(fields, i, authority, status, message))
			return true;
	}
	return false;
}

/* --- what goes to the API server ------------------------------------------------------------- */

/* The protocols that a WebSocket offers, without one that is a token. */
static void copy_protocols(const char *value, struct http_fields *to)
{
	struct buf list = {0};
	credential_strip(value, &list);
	if (list.len > 0)
		fields_add_text(to, "Sec-WebSocket-Protocol", buf_text(&list));
	buf_free(&list);
}

/* What is not of one connection, and does not go on for what it is. */
static bool is_dropped(
    const struct headers_input *input, const struct http_fields *from, size_t index)
{
	if (fields_is(from, index, FIELD_IDENTITY | FIELD_DISGUISED))
		return true;
	if (fields_is(from, index, FIELD_COOKIE) && !input->is_proxy_subresource)
		return true;
	if (fields_is(from, index, FIELD_ACCEPT) && input->accept != NULL)
		return true;
	return input->drops_extensions && fields_is_named(from, index, "Sec-WebSocket-Extensions");
}

/* Between two that do not go on as they are, all others at once. */
static void copy_fields(const struct headers_input *input, struct http_fields *to)
{
	const struct http_fields *from = &input->client->fields;
	struct hop_by_hop hop_by_hop = hop_by_hop_of(from);
	size_t first = 0;
	for (size_t i = 0; i < from->count; i++) {
		bool passes = !hop_by_hop_has(&hop_by_hop, from, i) && !is_dropped(input, from, i);
		if (passes && !fields_is(from, i, FIELD_PROTOCOLS))
			continue;
		fields_out_copy(to, from, first, i);
		if (passes)
			copy_protocols(fields_value(from, i), to);
		first = i + 1;
	}
	fields_out_copy(to, from, first, from->count);
}

/* The protocol that the API server is asked to switch to, or NULL. It knows two; what applications
 * behind a proxy subresource know is their own. */
static const char *protocol_to_ask(const struct headers_input *input)
{
	static const char *const known[] = {"websocket", "SPDY/3.1"};
	if (!input->client->is_upgrade)
		return NULL;
	const char *asked = fields_find(&input->client->fields, FIELD_UPGRADE);
	if (asked == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcasecmp(asked, known[i]) == 0)
			return known[i];
	}
	return input->is_proxy_subresource ? asked : NULL;
}

static void copy_members(const struct headers_input *input, struct http_head *upstream)
{
	const struct http_head *client = input->client;
	http_head_clear(upstream);
	http_head_set_method(upstream, client->method);
	upstream->target = input->target;
	upstream->authority = input->authority;
	upstream->body = client->body;
	upstream->content_length = client->content_length;
	upstream->keep_alive = true;
	upstream->is_upgrade = protocol_to_ask(input) != NULL;
}

/* Everything in a target or an authority is visible ASCII: neither can end the line it stands on.
 */
static bool is_visible(const char *text)
{
	return *text != '\0' && field_text_is_visible(text, strlen(text));
}

/* Whether the field at `index` has this name in another spelling than ours. By bytes, since traits
 * come from afar; nearly none has the length and the first letter. */
static inline bool is_spelled_otherwise(
    const struct http_fields *fields, size_t index, const char *name)
{
	bool is_likely = fields->items[index].name_len == strlen(name) &&
			 ((fields_name(fields, index)[0] ^ name[0]) & ~0x20) == 0;
	return is_likely && !fields_is_spelled(fields, index, name) &&
	       fields_is_named(fields, index, name);
}

/* The closing assertion: whatever the code above became, a head that fails here is not sent. */
static bool is_sound(const struct headers_input *input, const struct http_head *upstream)
{
	const struct http_fields *fields = &upstream->fields;
	size_t vouched = 0, audit_ids = 0, addresses = 0, upgrades = 0;
	for (size_t i = 0; i < fields->count; i++) {
		vouched += fields_is(fields, i, FIELD_IDENTITY);
		audit_ids += fields_is_spelled(fields, i, AUDIT_ID);
		addresses += fields_is_spelled(fields, i, FORWARDED_FOR);
		if (is_spelled_otherwise(fields, i, AUDIT_ID) ||
		    is_spelled_otherwise(fields, i, FORWARDED_FOR))
			return false;
		if (!fields_is(fields, i, FIELD_DISGUISED | FIELD_HOP_BY_HOP))
			continue;
		/* A Connection field, which could name others, is none either. */
		if (fields_is(fields, i, FIELD_DISGUISED) || !fields_is(fields, i, FIELD_UPGRADE))
			return false;
		upgrades++;
	}
	size_t expected = 2 + input->group_count + (input->uid != NULL) + input->extra_count + 1 +
			  (input->client_address != NULL);
	return vouched == expected && is_visible(upstream->target) &&
	       is_visible(upstream->authority) && audit_ids == 1 &&
	       addresses == (input->client_address != NULL) && upgrades == upstream->is_upgrade &&
	       impersonate_is_sound(input, fields);
}

bool headers_build_request(const struct headers_input *input, struct http_head *upstream)
{
	static struct field_name audit_id = FIELD_NAME(AUDIT_ID);
	static struct field_name forwarded_for = FIELD_NAME(FORWARDED_FOR);
	copy_members(input, upstream);
	copy_fields(input, &upstream->fields);
	const char *protocol = protocol_to_ask(input);
	if (protocol != NULL)
		fields_add_text(&upstream->fields, "Upgrade", protocol);
	if (input->accept != NULL)
		fields_add_text(&upstream->fields, "Accept", input->accept);
	if (input->accept != NULL && input->accept_encoding != NULL)
		fields_add_text(&upstream->fields, "Accept-Encoding", input->accept_encoding);
	if (!impersonate_add_fields(input, &upstream->fields))
		return false;
	fields_out_add_text(&upstream->fields, &audit_id, input->audit_id);
	if (input->client_address != NULL)
		fields_out_add_text(&upstream->fields, &forwarded_for, input->client_address);
	return is_sound(input, upstream);
}
