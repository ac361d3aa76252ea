/* Fields that are never forwarded. Connection is judged on the received head alone, before anything
 * of ours is added: a client that lists our fields there must not be able to remove them. Called by
 * headers.c and headers_response.c. */
#include "kubeproxyd/gate/hop_by_hop.h"

#include <stddef.h>

struct hop_by_hop hop_by_hop_of(const struct http_fields *head)
{
	bool has_list = fields_get(head, "Connection") != NULL;
	return (struct hop_by_hop){.listing = has_list ? head : NULL};
}

bool hop_by_hop_has(const struct hop_by_hop *rules, const char *name)
{
	static const struct field_name names[] = {FIELD_NAME("Connection"),
	    FIELD_NAME("Content-Length"), FIELD_NAME("Expect"), FIELD_NAME("Host"),
	    FIELD_NAME("HTTP2-Settings"), FIELD_NAME("Keep-Alive"),
	    FIELD_NAME("Proxy-Authenticate"), FIELD_NAME("Proxy-Authentication-Info"),
	    FIELD_NAME("Proxy-Authorization"), FIELD_NAME("Proxy-Connection"), FIELD_NAME("TE"),
	    FIELD_NAME("Trailer"), FIELD_NAME("Transfer-Encoding"), FIELD_NAME("Upgrade")};
	return field_name_is_among(name, names, sizeof names / sizeof names[0]) ||
	       (rules->listing != NULL && fields_has_token(rules->listing, "Connection", name));
}
