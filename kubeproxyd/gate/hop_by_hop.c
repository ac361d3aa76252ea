/* Fields that are never forwarded. Connection is judged on the received head alone, before anything
 * of ours is added: a client that lists our fields there must not be able to remove them. Called by
 * headers.c and headers_response.c. */
#include "kubeproxyd/gate/hop_by_hop.h"

#include <stddef.h>
#include <strings.h>

bool hop_by_hop_is(const struct http_fields *of_head, const char *name)
{
	static const char *const names[] = {"Connection", "Content-Length", "Expect", "Host",
	    "HTTP2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info",
	    "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
	    "Upgrade"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return fields_has_token(of_head, "Connection", name);
}
