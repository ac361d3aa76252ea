/* Builds the head that goes to the API server from the one that came from the client: hop-by-hop
 * and identity headers are dropped by prefix, ours are set, and the result is checked (reference
 * kube.md 2.2). Received bytes are never forwarded raw. Also the response direction. Pure. */
#ifndef EKSGATE_HEADERS_H
#define EKSGATE_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/http/head.h"

struct act_as_extra;

struct headers_input {
	const struct http_head *client;
	const char *target; /* behind the prefix, canonical */
	const char *authority; /* the API server's host[:port] */
	const char *token; /* EKS bearer token */
	const char *user; /* Impersonate-User */
	const char *const *groups; /* one Impersonate-Group each */
	size_t group_count;
	const char *uid; /* Impersonate-Uid; NULL: none */
	const struct act_as_extra *extras; /* Impersonate-Extra-* each */
	size_t extra_count;
	const char *audit_id;
	const char *client_address; /* the one X-Forwarded-For, without port; NULL: none */
	const char *accept; /* instead of the client's Accept and Accept-Encoding; NULL: those */
	const char *accept_encoding; /* with accept; NULL: none */
	bool drops_extensions; /* Sec-WebSocket-Extensions: frames must stay readable */
	bool is_proxy_subresource; /* request_info.opaque_from is set: cookies belong to what is
				      behind it */
};

/* What a client may not send: true when the request must be refused, *status 400 (underscore
 * variants; a field that matters here and that Connection names; too many names there) or 403 (a
 * browser's requests from another origin), *message says which header (free()). Impersonate-* are
 * for act_as_read(). Call before headers_build_request(). `authority` is the client's, to which an
 * Origin must belong; NULL skips that check. */
bool headers_refuse(const struct http_fields *fields, const char *authority, unsigned *status,
    char **message) MUST_USE;
/* `upstream` is filled anew (http_head_clear first) and borrows target and authority. False only
 * when the closing assertion fails (exactly one Authorization, one Impersonate-User, the groups and
 * nothing else of an identity, no stray Connection token): answer 500 and raise the alarm. Upgrades
 * are sent on to WebSocket and SPDY/3.1, behind a proxy subresource to whatever the client asks
 * for; others become plain requests. */
bool headers_build_request(const struct headers_input *input, struct http_head *upstream) MUST_USE;

/* An answer on its way back, and the request that it answers. */
struct headers_answer {
	const struct http_head *upstream;
	const char *authority; /* the API server's host[:port], as in headers_input */
	const char
	    *prefix; /* "/clusters/NAME", "" when the scope of the credential chose the cluster */
	const char *target; /* of the request, behind the prefix */
	size_t opaque_from; /* request_info.opaque_from; 0: not a proxy subresource */
	bool is_filtered; /* the body will be another: what describes it is left out */
};

/* The answer as the client gets it, in `client` (filled anew): hop-by-hop fields, WWW-Authenticate
 * and Alt-Svc dropped, Location given its prefix back, answers of the proxy subresource sandboxed
 * and their cookies confined (design.md 3). False: it must not be relayed, answer 502 with *message
 * (free()): a redirect to another host. */
bool headers_build_response(
    const struct headers_answer *answer, struct http_head *client, char **message) MUST_USE;
/* Adds to `client` what may stand behind an answer's body of its trailers: nothing that frames,
 * routes or redirects it, sets a cookie or says how to understand it (RFC 9110, 6.5.1). */
void headers_build_trailers(const struct http_fields *upstream, struct http_fields *client);

#endif
