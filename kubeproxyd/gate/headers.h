/* Builds the head that goes to the API server from the one that came from the client: hop-by-hop and identity headers are
 * dropped by prefix, ours are set, and the result is checked (reference kube.md 2.2). Received bytes are never forwarded
 * raw. Also the response direction. Pure. */
#ifndef EKSGATE_HEADERS_H
#define EKSGATE_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/http/head.h"

struct headers_input {
	const struct http_head *client;
	const char *target;        /* behind the prefix, canonical */
	const char *authority;     /* the API server's host[:port] */
	const char *token;         /* EKS bearer token */
	const char *user;          /* Impersonate-User */
	const char *const *groups; /* one Impersonate-Group each */
	size_t group_count;
	const char *audit_id;
	const char *client_address; /* the one X-Forwarded-For, without port; NULL: none */
};

/* What a client may not send: true when the request must be refused, *status 400 (underscore variants) or 403 (client
 * Impersonate-*), *message says which header (free()). Call before headers_build_request(). */
bool headers_refuse(const struct http_fields *fields, unsigned *status, char **message) MUST_USE;
/* `upstream` is filled anew (http_head_clear first). False only when the closing assertion fails (exactly one
 * Authorization, one Impersonate-User, no stray Connection token): answer 500 and raise the alarm. */
bool headers_build_request(const struct headers_input *input, struct http_head *upstream) MUST_USE;
/* The answer as the client gets it: hop-by-hop fields, WWW-Authenticate and Alt-Svc dropped, answers of the proxy
 * subresource sandboxed (design.md 3). `prefix` is "/clusters/NAME"; Location gets it back. */
void headers_build_response(const struct http_head *upstream, const char *prefix, bool is_proxy_subresource,
    struct http_head *client);

#endif
