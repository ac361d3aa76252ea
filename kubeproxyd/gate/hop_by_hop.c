/* Fields that are never forwarded. Connection is judged on the received head alone, before anything
 * of ours is added: a client that lists our fields there must not be able to remove them. Called by
 * headers.c and headers_response.c. */
#include "kubeproxyd/gate/hop_by_hop.h"

#include <stddef.h>

bool hop_by_hop_is(const struct http_fields *of_head, const char *name)
{
	static const struct field_name names[] = {FIELD_NAME("Connection"),
	    FIELD_NAME("Content-Length"), FIELD_NAME("Expect"), FIELD_NAME("Host"),
	    FIELD_NAME("HTTP2-Settings"), FIELD_NAME("Keep-Alive"),
	    FIELD_NAME("Proxy-Authenticate"), FIELD_NAME("Proxy-Authentication-Info"),
	    FIELD_NAME("Proxy-Authorization"), FIELD_NAME("Proxy-Connection"), FIELD_NAME("TE"),
	    FIELD_NAME("Trailer"), FIELD_NAME("Transfer-Encoding"), FIELD_NAME("Upgrade")};
	return field_name_is_among(name, names, sizeof names / sizeof names[0]) ||
	       fields_has_token(of_head, "Connection", name);
}
